"""Reading times out of a post: normalise -> tokens -> phrases -> context -> interval. :mod:`ingest.when` puts them together."""
