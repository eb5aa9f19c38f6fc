"""Texts made comparable without moving a character: every index of the result is the same index of the original.

Traditional characters become Simplified, full-width forms half-width, ASCII lower case. What is no prose (mentions, links,
licence plates, emoticons) is blanked out; hashtags are kept apart.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import NamedTuple

import opencc

BLANK = "\x00"
"""Stands for one character that is no prose."""

_PLATE = r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][a-z][\s·.\-•]?[a-z0-9]{4,6}(?![a-z0-9])"
_NOT_PROSE = re.compile(
    r"(?P<link>(?:https?://|www\.)[^\s\u4e00-\u9fff]{1,300})"
    r"|(?P<mention>@(?:[a-z0-9_]{1,15}(?=[在刚昨今看我有于])|[\w\-·]{1,40}))"  # X handles end at the first Chinese character
    r"|(?P<hashtag>#[^#\n@]{1,60}#|#[\w]{1,60})"
    rf"|(?P<plate>{_PLATE})"
    r"|(?P<emoticon>\[[^\[\]\s]{1,6}\])"
)


class Prose(NamedTuple):
    """``prose``: the normalised text with everything else blanked out. ``apart``: (kind, start, end) of what was blanked."""

    prose: str
    plain: str
    apart: tuple[tuple[str, int, int], ...]


@cache
def _characters() -> dict[int, int]:
    """One character -> one character: Traditional to Simplified (OpenCC's t2s, character by character) and full width to half."""
    table: dict[int, int] = {}
    for code in range(0xFF01, 0xFF5F):
        table[code] = code - 0xFEE0
    table[0x3000] = 0x20
    for code in range(ord("A"), ord("Z") + 1):
        table[code] = code + 32
        table[code + 0xFEE0] = code + 32
    han = [chr(code) for code in range(0x4E00, 0xA000)]
    simple = opencc.OpenCC("t2s").convert("\n".join(han)).split("\n")
    for before, after in zip(han, simple, strict=True):
        if len(after) == 1 and before != after:
            table[ord(before)] = ord(after)
    table[ord("’")] = table[ord("‘")] = table[ord("ʼ")] = ord("'")
    table.pop(ord("乾"), None)  # 乾县, 乾安: in place names it stays
    for code in range(0xD800, 0xE000):
        table[code] = 0xFFFD  # halves of broken emoji, which no encoder takes
    for code in range(0xC0, 0x250):  # Bĕijīng -> beijing
        base = unicodedata.normalize("NFD", chr(code))[0].lower()
        if base.isascii():
            table[code] = ord(base)
    return table


def read(text: str) -> Prose:
    """Normalise ``text``; never raises, linear in its length."""
    plain = text.translate(_characters())
    apart: list[tuple[str, int, int]] = []
    parts: list[str] = []
    done = 0
    for match in _NOT_PROSE.finditer(plain):
        start, end = match.span()
        apart.append((match.lastgroup or "", start, end))
        parts.append(plain[done:start])
        parts.append(BLANK * (end - start))
        done = end
    parts.append(plain[done:])
    return Prose("".join(parts), plain, tuple(apart))
