"""A synthetic campaign through the real pipeline: the platform and the face engine are generators, time is injected."""
