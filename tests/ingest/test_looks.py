"""What a post says of the child: girl or boy, about how old; open where it says two things."""

from __future__ import annotations

import pytest

from ingest.looks import Looks, looks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("火车站出口有个小女孩在乞讨，大约七八岁", Looks("female", 7.5)),
        ("一个男孩，5岁左右，坐在天桥上", Looks("male", 5)),
        ("男童 十二三岁 穿蓝色校服", Looks("male", 12.5)),
        ("两岁多的女娃，一直在哭", Looks("female", 2)),
        ("看着3-4岁，男孩", Looks("male", 3.5)),
        ("10个月大的女婴", Looks("female", 10 / 12)),
        ("A little girl, about 6 years old, begging at the gate", Looks("female", 6)),
        ("boy aged 5 to 7 near the station", Looks("male", 6)),
        ("a 4-year-old boy", Looks("male", 4)),
    ],
)
def test_what_is_said_is_read(text: str, expected: Looks) -> None:
    """Sex and age in Chinese and English, digits and numerals, ranges by their middle."""
    assert looks(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "出站口有个孩子",
        "一男孩一女孩在地铁口",
        "姐姐7岁，弟弟3岁",
        "旁边一个30岁左右的女人",
        "失踪时3岁",
        "孩子2019年走失，当时4岁",
        "boyfriend and girlfriend",
        "广场舞十点开始",
    ],
)
def test_what_is_open_stays_open(text: str) -> None:
    """Nothing said, two children, a grown-up's age, or the age in a notice: nothing is taken from it."""
    assert looks(text) == Looks()
