"""From a post to a sighting: no SQL, no platform SDK."""
