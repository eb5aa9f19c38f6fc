"""The outermost ring: talks to networks and to people."""
