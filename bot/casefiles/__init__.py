"""Cases in files: PFIF 1.4 (the exchange format of person finders) and tables (CSV, XLSX) with a mapping of their columns.

Reading is pure: each row becomes a :class:`Line`, good or wrong with its reason, and ``keep`` stores the good ones as drafts.
"""
