"""Chaos: the real bot against the local microblog, killed again and again, and an auditor who compares what was said with what
is remembered. ``./run.sh chaos --rounds N``."""
