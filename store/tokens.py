"""Tokens that people carry (sessions, invitations) are kept as hashes: who reads the database cannot use them."""

from __future__ import annotations

import hashlib


def token_hash(token: str) -> str:
    """SHA-256 of a token, hexadecimal. Tokens are 256 random bits, so that no slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()
