"""From a photo to ranked candidates: no SQL, no network."""
