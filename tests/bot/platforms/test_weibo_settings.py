"""Weibo's keys, its capabilities and its length rule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from bot.platforms._weibo_settings import Settings, capabilities, length
from bot.platforms.weibo import build
from store.errors import SettingsError
from store.model import Capability

SPEAKING = {Capability.REPLY_AUTHOR, Capability.REPLY_UNINVITED, Capability.MENTION_OTHERS}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("a", 1),
        ("ab", 1),
        ("abc", 2),
        ("孩子", 2),
        ("孩子a", 3),
        ("，。", 2),
        ("🙏", 2),
        ("http://t.cn/a", 10),
        ("https://example.org/" + "x" * 200, 10),
        ("见https://example.org/s，请看", 14),
        ("请" * 140, 140),
    ],
)
def test_length_counts_as_weibo_does(text: str, expected: int) -> None:
    """Halves for ASCII, rounded up; ten for an address however long it is."""
    assert length(text) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"rip": "my-host"},
        {"base_url": "api.weibo.com"},
        {"base_url": "http://api.weibo.com/2"},
        {"search_path": "http://c.api.weibo.com/2/search.json"},
        {"photo_url": "https://wx1.sinaimg.cn/large/"},
        {"token_in": "cookie"},
        {"page_size": 51},
        {"alert_form": "message"},
        {"hashtag": "x"},
    ],
)
def test_a_wrong_key_or_value_is_refused(wrong: dict[str, Any]) -> None:
    """Unknown keys, plain http to another machine, what is no address: an error at the start, not at the first poll."""
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)


def test_without_an_ip_address_nothing_is_said() -> None:
    """Weibo requires rip for everything written: without it speaking is off and says what is missing."""
    found = capabilities(Settings())
    assert {c for c, allowance in found.items() if not allowance.on} == SPEAKING
    assert all("rip" in found[c].why for c in SPEAKING)
    assert all(allowance.on for allowance in capabilities(Settings(rip="203.0.113.7")).values())


@pytest.mark.parametrize("capability", list(Capability))
def test_each_capability_has_its_switch(capability: Capability) -> None:
    """The operator switches each one off under its own name, and the reason names the key."""
    found = capabilities(Settings.model_validate({"rip": "203.0.113.7", capability.value: False}))
    assert [c for c, allowance in found.items() if not allowance.on] == [capability]
    assert capability.value in found[capability].why


def test_a_blank_token_is_a_missing_token() -> None:
    """An empty line in .env is no token."""
    with pytest.raises(SettingsError, match="WEIBO_ACCESS_TOKEN"):
        build(Settings(), {"WEIBO_ACCESS_TOKEN": "  "}, lambda: datetime.now(UTC))
