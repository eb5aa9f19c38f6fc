"""Ids, pictures' names, mentions, topics and lengths are those of the real platforms."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from bot.microblog import text as words
from bot.microblog.ids import IdMint, weibo_comment_mid, weibo_floor, weibo_pid, x_floor, x_media_name
from bot.microblog.model import Side

ANNOUNCED = datetime(2012, 8, 21, 6, 48, 20, tzinfo=UTC)


def test_weibo_ids_carry_their_second_as_real_ones_do() -> None:
    """The id of the open platform's announcement of 2012-08-21 14:48:20 +0800 lies within that second's ids."""
    real = 3481474642286341
    assert weibo_floor(ANNOUNCED) <= real < weibo_floor(ANNOUNCED + timedelta(seconds=1))


def test_snowflakes_carry_their_millisecond_as_real_ones_do() -> None:
    """The post that X's own document shows, created at 2021-01-06T18:40:40Z, lies within that second's ids."""
    at = datetime(2021, 1, 6, 18, 40, 40, tzinfo=UTC)
    assert x_floor(at) <= 1346889436626259968 < x_floor(at + timedelta(seconds=1))


def test_ids_are_unique_and_rise_with_time() -> None:
    """Many ids of one instant differ, keep their order, and stay below those of the next second."""
    mint, at = IdMint(), datetime(2026, 11, 20, tzinfo=UTC)
    for kind in (mint.weibo, mint.x):
        ids = [kind(at) for _ in range(500)]
        assert ids == sorted(set(ids))
        assert ids[-1] < kind(at + timedelta(seconds=1))
    assert len(str(mint.weibo(at))) == 16
    assert len(str(mint.x(at))) == 19


def test_a_comment_has_another_mid_than_its_id() -> None:
    """Recorded comments have a 17-digit ``mid`` that is not their id."""
    assert re.fullmatch(r"21\d{15}", weibo_comment_mid(3485073486004301))


def test_picture_names_have_the_real_layout() -> None:
    """A pid is 32 characters, begins with the uid in hexadecimal and holds the size in base 36."""
    pid = weibo_pid(0xC6089F98, 77, 1242, 2208)
    assert re.fullmatch(r"c6089f98ly1[0-9a-z]{10}j20yi1pc[0-9a-z]{3}", pid)
    assert re.fullmatch(r"[\w-]{15}", x_media_name(2124336280710938629))


@pytest.mark.parametrize(
    ("side", "text", "named"),
    [
        (Side.WEIBO, "@平安哈尔滨 请核实 @随手拍助手", ["平安哈尔滨", "随手拍助手"]),
        (Side.WEIBO, "@平安哈尔滨请核实", ["平安哈尔滨请核实"]),
        (Side.WEIBO, "@平安哈尔滨：请核实，@a-b_c!", ["平安哈尔滨", "a-b_c"]),
        (Side.X, "@harbin_police请核实 x@nobody.com @@twice", ["harbin_police"]),
        (Side.X, "see https://example.com/@somebody", []),
        (Side.X, "@sixteen_letters_", []),
    ],
)
def test_mentions_end_where_the_platform_ends_them(side: Side, text: str, named: list[str]) -> None:
    """Weibo takes Chinese letters after a name as part of it; X takes ASCII alone; neither looks into links."""
    assert [span.value for span in words.mentions(text, side)] == named


@pytest.mark.parametrize(
    ("side", "text", "tags"),
    [
        (Side.WEIBO, "#随手拍# 和 #寻亲 回家# #未完", ["随手拍", "寻亲 回家"]),
        (Side.X, "#随手拍 #2026 #b2b,＃寻亲", ["随手拍", "b2b", "寻亲"]),
        (Side.X, "#随手拍看到一个孩子", ["随手拍看到一个孩子"]),
        (Side.X, "a#b &#39; https://example.com/#c", []),
    ],
)
def test_topics_are_found_as_each_platform_finds_them(side: Side, text: str, tags: list[str]) -> None:
    """Weibo's topic stands between two signs; X's runs on to the next character that is no letter or digit."""
    assert [span.value for span in words.topics(text, side)] == tags


def test_lengths_count_as_each_platform_counts() -> None:
    """Weibo: a half for ASCII, one for others, ten for a link. X: one, two and 23."""
    assert words.weibo_length("ab孩子 https://example.com/" + "x" * 99) == 13.5
    assert words.x_length("ab孩子 https://example.com/" + "x" * 99) == 30
