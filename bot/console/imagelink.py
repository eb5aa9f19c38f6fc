"""Addresses of images: signed for one session, and good for half an hour.

A page writes the addresses of the photos it shows; nobody can make one up, or use one that was copied, sent on or kept. The
role and the division are asked anew at each view besides (see photoview.py). The signature is an HMAC keyed by the session's
cookie, like the CSRF token's: it ends with the session, and nothing of it is stored.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from starlette.requests import Request

from bot.console.i18n import translate
from bot.console.parts import Forbidden, parts_of

LASTS = timedelta(minutes=30)
"""Longer than a reviewer has a pair to themselves, shorter than a page left open over lunch."""


def address(key: str, path: str, now: datetime) -> str:
    """``path`` (with or without a query), good for :data:`LASTS` in the session whose token is ``key``."""
    until = int((now + LASTS).timestamp())
    joint = "&" if "?" in path else "?"
    return f"{path}{joint}until={until}&sign={_sign(key, path.partition('?')[0], until)}"


def check(request: Request) -> None:
    """Let this request for an image pass.

    Raises:
        Forbidden: no page of this session gave the address out, or it did more than :data:`LASTS` ago.
    """
    until, given = request.query_params.get("until", ""), request.query_params.get("sign", "")
    if until.isascii() and until.isdigit() and len(until) <= 12:
        right = _sign(request.state.session, request.url.path, int(until))
        if hmac.compare_digest(right.encode(), given.encode()) and parts_of(request).clock().timestamp() <= int(until):
            return
    raise Forbidden(translate(request, "This picture's address is no longer valid. Load the page anew."))


def _sign(key: str, path: str, until: int) -> str:
    return hmac.new(key.encode(), f"image {until} {path}".encode(), hashlib.sha256).hexdigest()[:32]
