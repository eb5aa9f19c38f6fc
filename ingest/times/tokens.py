"""The pieces that times are made of, found in one pass over the normalised text.

A token says what was written (``昨`` is one day back, ``下午`` a part of the day, ``3点多`` a clock), not yet which day it means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from ingest.times.grammar import HEAD, rules_for
from ingest.times.pieces import Token
from ingest.times.readers import READERS

MAX_TOKENS = 200
"""Posts hold a handful of times; a text with more than this many is no report of a sighting, and reading on would cost time."""

# Abbreviations that are also everyday words count only as their proper spelling: "Sun", "Sat", "May", "Mar".
_NEEDS_CAPITAL = re.compile(r"\b(?:sun|sat|may|mar|march|mon|wed)\b")
_CASED = frozenset({"endate", "endmy", "enweek"})
# Words that say a day and a part of it at once.
_NIGHTS = re.compile(r"night$|nights ago$|night before last$|夜$|wan$")
_WITH_NIGHT = frozenset({"pyday", "enrel", "enago", "wago", "feast", "wfeast", "yfeast"})


def _found(text: str) -> Iterator[tuple[str, re.Match[str]]]:
    """What the rules find, each with its rule's name, from left to right, never overlapping."""
    head = HEAD.search(text)
    while head:
        start = head.start()
        at = start + 1
        for name, rule in rules_for(text[start], head[1]):
            found = rule.match(text, start)
            if found:
                yield name, found
                at = found.end()
                break
        head = HEAD.search(text, at)


def tokens(text: str, original: str) -> Iterator[Token]:
    """Yield the tokens of ``text`` (masked and normalised) from left to right; ``original`` has the same length."""
    for name, m in islice(_found(text), MAX_TOKENS):
        start, end = m.span()
        word = m[0].strip()
        if name in _CASED:
            short = _NEEDS_CAPITAL.search(word)
            if short and not original[start + short.start()].isupper():
                continue
        read = READERS[name](m, word)
        if read is not None:
            if name in _WITH_NIGHT and _NIGHTS.search(word):
                yield Token("part", start, end, "night")
            yield Token(read[0], start, end, read[1])
