"""A short chaos run, and the auditor's own eyes: he must see what he is there to see."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.chaos import dying
from bot.chaos.audit import Made, Remembered, audit
from bot.chaos.plan import Feed, plan
from bot.chaos.run import run
from bot.microblog.model import Publication, Side
from store.alerts import Alert
from store.errors import SettingsError
from store.model import AlertState, MessageKind
from store.posts import Step

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def message(kind: MessageKind, state: AlertState, text: str) -> Alert:
    return Alert(
        id=1, platform="weibo", target_post_id="7", kind=kind, scope="", ref="S-1", text=text, reply_to_id="7",
        reply_to_comment_id=None, thread_id=None, mentions=(), lead_id=None, sighting_id=None, state=state, hold_reason=None,
        attempt=1, reads=0, not_before=None, lease_until=None, sending_at=None, sent_id=None, sent_url="", error=None,
        decided_by=None, created_at=NOW, sent_at=None, turn=0,
    )  # fmt: skip


def publication(text: str, *mentions: str) -> Publication:
    return Publication(NOW, Side.WEIBO, "comment", "1", "bot", text, target_id="7", mentions=mentions)


ANSWER = message(MessageKind.ANSWER, AlertState.SENT, "thanks")
ALERT = message(MessageKind.ALERT, AlertState.SENT, "look")
MADE = [Made(Side.WEIBO, "7", Feed.MATCH)]
KNOWN = {("weibo", "7"): Step.DECIDED}
SAID = [publication("thanks"), publication("look", "luohu")]


def test_the_auditor_finds_nothing_where_nothing_is_wrong() -> None:
    """One answer, one alert, both remembered: clean."""
    found = audit(MADE, SAID, Remembered(KNOWN, [ANSWER, ALERT]), "luohu")
    assert found.clean
    assert (found.posts, found.answers, found.alerts) == (1, 1, 1)


@pytest.mark.parametrize(
    ("said", "steps", "messages", "finding"),
    [
        (SAID, {}, [ANSWER, ALERT], "posts_lost"),
        (SAID, {("weibo", "7"): Step.MATCHED}, [ANSWER, ALERT], "posts_unfinished"),
        ([*SAID, SAID[0]], KNOWN, [ANSWER, ALERT], "answers_doubled"),
        ([*SAID, SAID[1]], KNOWN, [ANSWER, ALERT], "alerts_doubled"),
        ([*SAID, publication("look again", "luohu")], KNOWN, [ANSWER, ALERT], "mentions_doubled"),
        (SAID[1:], KNOWN, [ALERT], "answers_lost"),
        (SAID[:1], KNOWN, [ANSWER], "alerts_lost"),
        (SAID[:1], KNOWN, [ANSWER, message(MessageKind.ALERT, AlertState.CANCELLED, "look")], "alerts_lost"),
        (SAID, KNOWN, [ANSWER], "strays"),
        (SAID[:1], KNOWN, [ANSWER, ALERT], "strays"),
    ],
)
def test_the_auditor_sees_each_wrong(said, steps, messages, finding: str) -> None:
    """Every kind of loss and of doubling is found by its name."""
    found = audit(MADE, said, Remembered(steps, messages), "luohu")
    assert getattr(found, finding) >= 1
    assert not found.clean


def test_what_waits_for_a_person_is_not_lost() -> None:
    """Held, in doubt, or refused for good: people see it."""
    for state in (AlertState.HELD, AlertState.UNKNOWN, AlertState.DEAD):
        found = audit(MADE, SAID[:1], Remembered(KNOWN, [ANSWER, message(MessageKind.ALERT, state, "look")]), "luohu")
        assert found.clean
        assert found.alerts_for_a_person == 1


def test_a_plan_kills_at_every_named_commit_on_both_sides() -> None:
    """Two hundred rounds hold every named place to die more than once, and random moments between them."""
    made = plan(200, seed=3)
    named = {one.die_at.partition("#")[0] for one in made} - {""}
    assert named == {f"{side}:{point}" for side in ("before", "after") for point in dying.POINTS}
    assert sum(not one.die_at for one in made) >= 60
    assert plan(200, seed=3) == made


def test_every_commit_of_the_pipeline_is_a_place_to_die_or_has_a_reason() -> None:
    """A new commit in the steps must be added to the chaos rounds, or to the list here with why it never comes up there."""
    import re

    never = {
        "post.failed": "only after schedule.attempts failures of one post",
        "extract.ignored": "deleted posts and the bot's own",
        "deletions.noted": "posts are looked up 20 hours after they were read",
        "match.again": "only after a change of the model pack",
        "digest.proposed": "caps are wide in chaos rounds",
    }
    root = Path(__file__).resolve().parents[2] / "bot"
    files = [root / "alerts/deliver.py", root / "alerts/digest.py", *(root / "steps" / f"{n}.py" for n in STEPS)]
    found = {point for path in files for point in re.findall(r'store\.write\("([a-z_.]+)"\)', path.read_text("utf-8"))}
    assert found - set(dying.POINTS) - set(never) == set()


STEPS = ("poll", "each", "extract", "scan", "match", "alert")


@pytest.mark.parametrize("wrong", ["deliver.sent", "during:deliver.sent", "after:deliver.sent#x"])
def test_a_place_to_die_that_does_not_read_is_refused(wrong: str) -> None:
    """A typing error would be a round that tests nothing."""
    with pytest.raises(SettingsError, match=dying.VARIABLE):
        dying.watch({dying.VARIABLE: wrong})


def test_without_the_variable_nobody_dies() -> None:
    """In service there is no watch on the commits at all."""
    assert dying.watch({}) is None


def test_five_rounds_of_chaos_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    """The real bot as a process, killed five times; the full two hundred rounds are ./run.sh chaos."""
    report = run(tmp_path / "chaos", 5, seed=11, lanes=1)
    assert report.kills + report.stopped == 5
    assert report.crashes == ()
    assert report.ledger.wrong == ()
    assert report.ledger.posts >= 5
