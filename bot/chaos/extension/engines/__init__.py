"""Engine files; see bot/chaos/extension/engines/colours.py."""
