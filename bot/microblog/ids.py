"""Ids in each platform's real shape, rising with time."""

from __future__ import annotations

import base64
import hashlib
import itertools
from datetime import datetime

WEIBO_EPOCH_S = 515_483_463
"""Offset of the seconds in a Weibo id's upper bits; fits every recorded status (id >> 22 plus this is ``created_at``)."""

X_EPOCH_MS = 1_288_834_974_657
"""The snowflake epoch, 2010-11-04T01:42:54.657Z."""

_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


class IdMint:
    """Mints ids for any instant, past ones too; two ids for one instant differ by a counter in the low 22 bits."""

    def __init__(self, start: int = 1) -> None:
        self._next = itertools.count(start)

    def weibo(self, at: datetime) -> int:
        """A 16-digit Weibo status or comment id: seconds in the upper bits."""
        return ((int(at.timestamp()) - WEIBO_EPOCH_S) << 22) + next(self._next) % (1 << 22)

    def x(self, at: datetime) -> int:
        """An X snowflake: milliseconds in the upper bits."""
        return x_floor(at) + next(self._next) % (1 << 22)

    def account(self) -> int:
        """A ten-digit account id."""
        return 5_000_000_000 + next(self._next) * 7919


def weibo_floor(at: datetime) -> int:
    """The smallest Weibo id an instant can have."""
    return (int(at.timestamp()) - WEIBO_EPOCH_S) << 22


def x_floor(at: datetime) -> int:
    """The smallest snowflake an instant can have."""
    return (int(at.timestamp() * 1000) - X_EPOCH_MS) << 22


def weibo_comment_mid(comment_id: int) -> str:
    """A comment's ``mid``: 17 digits, and never its id (a status has mid == id)."""
    return str(21_000_000_000_000_000 + comment_id // 16)


def weibo_pid(uid: int, serial: int, width_px: int, height_px: int) -> str:
    """A 32-character picture id: uid, era, serial and size, laid out as in real ones (sizes in base 36)."""
    tail = hashlib.sha256(f"{uid}:{serial}".encode()).hexdigest()[:3]
    return f"{uid & 0xFFFFFFFF:08x}ly1{_fixed36(serial, 10)}j2{_fixed36(width_px, 3)}{_fixed36(height_px, 3)}{tail}"


def x_media_name(serial: int) -> str:
    """The 15-character file name of an X picture."""
    raw = serial.to_bytes(8, "big") + hashlib.sha256(str(serial).encode()).digest()[:3]
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def base36(number: int) -> str:
    """A non-negative ``number`` in base 36, in lower case."""
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _BASE36[rest] + digits
    return digits or "0"


def _fixed36(number: int, width: int) -> str:
    return base36(number).rjust(width, "0")[-width:]
