"""The form as a platform: nothing goes over a wire, so what is held here is what it promises instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.platforms import intake
from store import errors
from store.model import MessageKind, Outgoing, Page, Stream, StreamKind

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)


@pytest.fixture
def platform():
    return intake.build(intake.Settings(), {}, lambda: NOW)


def test_nothing_is_polled_and_nothing_is_ever_gone_unasked(platform) -> None:
    """The form stores what it is sent: reading finds nothing, and looking up deletes nothing."""
    assert platform.read(Stream("intake", StreamKind.MENTIONS), None, None, NOW) == Page(())
    assert platform.look_up(["r1", "r2"]).gone == ()
    assert platform.own_recent("r1", NOW - timedelta(days=1)) == ()


def test_saying_the_same_twice_is_saying_it_once(platform) -> None:
    """A crash between saying and recording leaves nothing shown; said again it has the same id."""
    message = Outgoing(MessageKind.ANSWER, "收到", "S-4F7K", reply_to_id="r1")
    assert platform.say(message) == platform.say(message)
    assert platform.say(message).id == "r1:answer"


@pytest.mark.parametrize(("text", "target"), [("收到", None), ("", "r1"), ("x" * 2001, "r1")])
def test_what_cannot_be_shown_is_refused(platform, text: str, target: str | None) -> None:
    """A message to nobody, an empty one, and one longer than a page are refused for good."""
    with pytest.raises(errors.Refused):
        platform.say(Outgoing(MessageKind.ANSWER, text, "S-4F7K", reply_to_id=target))


def test_a_photo_is_never_fetched_again(platform) -> None:
    """Photos are stored with their submission; asked for again they are gone, which is final."""
    with pytest.raises(errors.PhotoGone):
        platform.rules.photo_reader("intake:0")


def test_the_form_counts_as_live_at_a_public_address_alone() -> None:
    """An address that is not this machine must be https: receipts are secrets."""
    with pytest.raises(ValueError, match="https"):
        intake.Settings(base_url="http://report.example.org")
    assert intake.Settings(base_url="https://report.example.org").base_url
