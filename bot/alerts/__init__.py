"""From a matched sighting to words on a platform: decide (pure) -> compose -> deliver."""
