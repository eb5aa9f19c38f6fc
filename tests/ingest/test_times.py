"""The pieces of reading a time: one spelling, numbers, festivals, tokens."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.times import calendars, grammar
from ingest.times.normalise import FILLER, mask, normalise
from ingest.times.numbers import NUM, number
from ingest.times.readers import READERS
from ingest.times.resolve import WINDOWS
from ingest.times.tokens import tokens


@given(st.text())
def test_normalising_keeps_every_position(text: str) -> None:
    """Normalising and masking change no length, so that spans mark the original text."""
    assert len(mask(normalise(text))) == len(text)


@pytest.mark.parametrize(
    "text",
    ["https://t.cn/A6Zk2011", "@平安北京2011", "#2月13日随手拍#", "[2月13日]", "13800138000", "138-0013-8000", "0755-82222222",
     "400-820-8820", "豫P·12345", "110101199003071234"],
)  # fmt: skip
def test_what_is_not_prose_is_masked(text: str) -> None:
    """Links, mentions, hashtags, telephone and identity numbers and plates hold no time."""
    assert set(mask(normalise(text))) == {FILLER}


def test_an_eight_digit_date_is_no_telephone_number() -> None:
    """20110209 stays readable."""
    assert mask("20110209") == "20110209"


@pytest.mark.parametrize(
    ("word", "value"),
    [("0", 0), ("12", 12), ("十", 10), ("十二", 12), ("二十", 20), ("二十五", 25), ("廿八", 28), ("卅", 30), ("两", 2),
     ("〇五", 5), ("二〇一一", 2011), ("three", 3), ("an", 1), ("", None), ("十百", None), ("几", None)],
)  # fmt: skip
def test_numbers(word: str, value: int | None) -> None:
    """Numbers are read as posts write them; what is none gives None."""
    assert number(word) == value


@given(st.from_regex(re.compile(NUM, re.ASCII), fullmatch=True))
def test_every_number_that_is_matched_can_be_read(word: str) -> None:
    """What the grammar takes for a number is one, from 0 to 99."""
    value = number(word)
    assert value is not None
    assert 0 <= value <= 99


@pytest.mark.parametrize(
    ("name", "today", "expected"),
    [
        ("除夕", date(2011, 2, 6), date(2011, 2, 2)),
        ("除夕", date(2011, 2, 1), date(2010, 2, 13)),
        ("春节", date(2011, 2, 3), date(2011, 2, 3)),
        ("元宵", date(2011, 8, 25), date(2011, 2, 17)),
        ("端午", date(2012, 6, 30), date(2012, 6, 23)),
        ("七夕", date(2024, 8, 20), date(2024, 8, 10)),
        ("中秋", date(2025, 10, 10), date(2025, 10, 6)),
        ("重阳", date(2013, 10, 20), date(2013, 10, 13)),
        ("腊八", date(2011, 1, 20), date(2011, 1, 11)),
        ("清明", date(2012, 4, 10), date(2012, 4, 4)),
        ("清明", date(2023, 4, 10), date(2023, 4, 5)),
        ("冬至", date(2024, 12, 31), date(2024, 12, 21)),
        ("国庆", date(2011, 9, 30), date(2010, 10, 1)),
        ("母亲节", date(2025, 5, 30), date(2025, 5, 11)),
        ("父亲节", date(2025, 6, 30), date(2025, 6, 15)),
        ("感恩节", date(2025, 12, 1), date(2025, 11, 27)),
        ("christmas", date(2025, 12, 25), date(2025, 12, 25)),
    ],
)
def test_festivals(name: str, today: date, expected: date) -> None:
    """A festival is its latest day not after the post's."""
    assert calendars.latest_festival(name, today) == expected


@given(st.sampled_from(calendars.NAMES), st.dates(date(1985, 1, 1), date(2090, 12, 31)))
def test_every_festival_falls_within_the_year_before(name: str, today: date) -> None:
    """Every name has a day, never after today and at most a lunar leap year back."""
    found = calendars.latest_festival(name, today)
    assert found is not None
    assert timedelta() <= today - found < timedelta(days=390)


def test_a_month_of_29_days_has_its_eve() -> None:
    """The 30th of a last month of 29 days means the eve all the same; other missing days are none."""
    assert calendars.latest_lunar(12, 30, date(2013, 3, 1)) == date(2013, 2, 9)
    assert calendars.lunar_day(2012, 12, 30) is None
    assert calendars.lunar_day(1800, 1, 1) is None


@pytest.mark.parametrize(
    ("year", "days"), [(2007, 7), (2008, 3), (2018, 3), (2019, 4), (2020, 5)],
)  # fmt: skip
def test_may_day_holidays_follow_the_rules_of_their_year(year: int, days: int) -> None:
    """May Day's days off changed with the State Council's rules."""
    assert calendars.holiday_days("五一", year) == days


def test_every_part_of_the_day_that_is_matched_has_a_window() -> None:
    """No word for a part of the day is found that cannot be resolved."""
    assert set(grammar.PARTS.values()) <= set(WINDOWS)
    for word in grammar.PARTS:
        for token in tokens(f"9日{word}时9点", f"9日{word}时9点"):
            if token.kind == "part":
                assert token.value in WINDOWS


_ALPHABET = (
    "0123456789年月日号点时分半刻多左右上下中午早晚昨今前天周星期一二三四五六七八九十初正腊廿大小个"
    "小时分钟前:/.-、到 ampstodyjanfebfriAPMSU"
)


@given(st.text(alphabet=_ALPHABET, max_size=40))
def test_whatever_matches_can_be_read(text: str) -> None:
    """Texts made of the grammar's own characters never break a reader; tokens stand in order and inside the text."""
    last = 0
    for token in tokens(normalise(text), text):
        assert 0 <= token.start <= token.end <= len(text)
        assert token.start >= last or token.kind == "part" or token.start == last
        last = token.start


def test_each_rule_has_a_reader_and_each_reader_a_rule() -> None:
    """Grammar and readers name the same rules."""
    rules = {name for name, _, _ in grammar.RULES}
    assert len(rules) == len(grammar.RULES)
    assert rules == set(READERS)
