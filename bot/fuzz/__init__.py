"""Fuzzing: whatever strangers may send, given to everything that reads it. ``./run.sh fuzz [--seconds N]``."""
