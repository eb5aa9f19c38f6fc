"""The pieces that times are made of, found by one expression over the normalised text.

A token says what was written (``昨`` is one day back, ``下午`` a part of the day, ``3点多`` a clock), not yet which day it means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from ingest.times.grammar import FIND
from ingest.times.pieces import Kind, Token
from ingest.times.readers import READERS

MAX_TOKENS = 200
"""Posts hold a handful of times; a text with more than this many is no report of a sighting, and reading on would cost time."""

# Abbreviations that are also everyday words count only as their proper spelling: "Sun", "Sat", "May", "Mar".
_NEEDS_CAPITAL = re.compile(r"\b(?:sun|sat|may|mar|march|mon|wed)\b")
_CASED = frozenset({"endate", "endmy", "enweek"})
# Words that say a day and a part of it at once.
_NIGHTS = re.compile(r"night$|nights ago$|night before last$|夜$")
_WITH_NIGHT = frozenset({"enrel", "enago", "wago", "feast", "wfeast", "yfeast"})


def tokens(text: str, original: str) -> Iterator[Token]:
    """Yield the tokens of ``text`` (masked and normalised) from left to right; ``original`` has the same length."""
    for m in islice(FIND.finditer(text), MAX_TOKENS):
        name, (start, end) = m.lastgroup or "", m.span()
        word = m[0].strip()
        if name in _CASED:
            short = _NEEDS_CAPITAL.search(word)
            if short and not original[start + short.start()].isupper():
                continue
        read = READERS[name](m, word)
        if read is not None:
            if name in _WITH_NIGHT and _NIGHTS.search(word):
                yield Token(Kind.PART, start, end, "night")
            yield Token(read[0], start, end, read[1])
