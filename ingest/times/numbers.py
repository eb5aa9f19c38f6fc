"""Small whole numbers as Chinese and English posts write them."""

from __future__ import annotations

DIGITS = {c: i for i, c in enumerate("〇一二三四五六七八九")} | {"两": 2, "零": 0}
ENGLISH = {
    word: value
    for value, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
} | {"a": 1, "an": 1}

NUM = r"(?:\d{1,2}|廿[一二三四五六七八九]?|卅|[二三四五]?十[一二三四五六七八九]?|[〇一二两三四五六七八九])"
"""A number from 0 to 59 in digits or Chinese numerals."""

MINUTE = r"(?:[0-5]?\d|[〇零][一二三四五六七八九]|[二三四五]?十[一二三四五六七八九]?)"


def number(word: str) -> int | None:
    """Read 12, 十二, 二十, 廿八, 两, 〇五, 二〇一一; None where it is no number."""
    if not word:
        return None
    if word.isascii():
        return int(word) if word.isdigit() else ENGLISH.get(word)
    word = word.replace("廿", "二十").replace("卅", "三十")
    if "十" in word:
        tens, _, ones = word.partition("十")
        high = DIGITS.get(tens, -1) if tens else 1
        low = DIGITS.get(ones, -1) if ones else 0
        return None if high < 0 or low < 0 else high * 10 + low
    value = 0
    for c in word:
        if c not in DIGITS:
            return None
        value = value * 10 + DIGITS[c]
    return value
