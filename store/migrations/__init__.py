"""Numbered migrations, each named for its change."""
