"""What to do about a matched sighting: a pure function from a situation to a decision.

Nothing here reads a database, a clock or a network; every input stands in :class:`Situation`, every reason in
:class:`Decision`. The order of the questions is the policy:

1. Is this a post the bot may speak about at all (not its own, not deleted, author not opted out)?
2. What does the poster hear, if anything?
3. Which candidates become leads for people?
4. Are officials called, and does that wait for a person?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from store.model import Allowance, Band, Capability, OfficialAccount, Where


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's settings that decide (see ``alerts`` in config.yaml). Caps of 0 mean: nothing goes by itself."""

    auto_release: bool
    max_age: timedelta
    answer_max_age: timedelta
    cap_hour: int
    cap_day: int
    cap_official_day: int
    quiet_now: bool = False
    cap_author_day: int = 20


@dataclass(frozen=True, slots=True)
class Candidate:
    """One case that a face of the sighting may be, as far as deciding needs to know."""

    case_id: int
    band: Band
    case_open: bool = True
    rejected: bool = False
    with_parents: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that is known about one sighting (or one tagged post without a photo) at one instant."""

    now: datetime
    posted_at: datetime
    capabilities: Mapping[Capability, Allowance]
    where: Where
    summons: bool
    silent: bool
    deleted: bool = False
    from_bot: bool = False
    opted_out: bool = False
    banned: bool = False
    thread_answered: bool = False
    opt_out_request: bool = False
    photos: int = 0
    photos_usable: int = 0
    faces: int = 0
    candidates: Sequence[Candidate] = ()
    accounts: Sequence[OfficialAccount] = ()
    accounts_why: str = ""
    already_alerted: bool = False
    duplicate: bool = False
    with_parents: bool = False
    sent_last_hour: int = 0
    sent_last_day: int = 0
    mentions_last_day: Mapping[int, int] = field(default_factory=dict)
    answers_last_day: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to the poster: the template's key, and whether it opens with an apology for being late."""

    template: str
    late: bool = False


@dataclass(frozen=True, slots=True)
class Alert:
    """A mention of officials. ``held`` says why it waits for a person; empty: it goes at once."""

    accounts: tuple[OfficialAccount, ...]
    held: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows, and why, in words a reviewer reads."""

    answer: Answer | None
    alert: Alert | None
    leads: tuple[int, ...]
    why: tuple[str, ...]


LATE_AFTER = timedelta(hours=2)
"""An answer that comes later than this says so."""


def decide(situation: Situation, policy: Policy) -> Decision:
    """Decide what the poster hears, which leads are opened and whether officials are called."""
    if situation.deleted:
        return Decision(None, None, (), ("the post was deleted: nothing is said about it",))
    if situation.from_bot:
        return Decision(None, None, (), ("the bot's own post, or an automated account's: never answered",))
    answer, answer_why = _answer(situation, policy)
    live = [c for c in situation.candidates if c.case_open and not c.rejected]
    leads = tuple(sorted({c.case_id for c in live if c.band in (Band.HIGH, Band.REVIEW)}))
    alert, alert_why = _alert(situation, policy, [c for c in live if c.band is Band.HIGH])
    return Decision(answer, alert, leads, (answer_why, alert_why))


def _answer(s: Situation, policy: Policy) -> tuple[Answer | None, str]:
    refusal = _no_answer(s, policy)
    if refusal:
        return None, f"no answer: {refusal}"
    late = s.now - s.posted_at > LATE_AFTER
    if s.opt_out_request:
        return Answer("answer_opted_out"), "the author asked for silence: one last confirmation"
    if s.photos == 0:
        return Answer("answer_no_photo", late), "answered: no photo in the post"
    if s.photos_usable == 0:
        return Answer("answer_photo_unusable", late), "answered: no photo could be opened"
    if not s.capabilities[Capability.MATCH_FACES].on:
        return Answer("answer_not_matched", late), "answered: faces of this platform are not matched, people look at it"
    if s.faces == 0:
        return Answer("answer_no_face", late), "answered: no face visible"
    if s.where.adcode is None:
        return Answer("answer_no_place", late), "answered: the place is missing"
    return Answer("answer_received", late), "answered: received"


def _no_answer(s: Situation, policy: Policy) -> str:
    """Why the poster hears nothing; empty where an answer is due."""
    if s.opted_out and not s.opt_out_request:
        return "the author opted out"
    if s.banned:
        return "the account or the picture is on the ban list"
    if s.silent:
        return "a post from before the first start"
    if s.thread_answered:
        return "this conversation was answered before"
    if s.answers_last_day >= policy.cap_author_day and not s.opt_out_request:
        return f"this account was given {s.answers_last_day} answers in the last 24 hours (cap {policy.cap_author_day})"
    if s.now - s.posted_at > policy.answer_max_age:
        return "the post is too old to be answered"
    if s.photos == 0 and not s.summons:
        return "no photo, and the bot was not tagged"
    needed = Capability.REPLY_AUTHOR if s.summons else Capability.REPLY_UNINVITED
    if not s.capabilities[needed].on:
        return s.capabilities[needed].why
    return ""


def _alert(s: Situation, policy: Policy, high: Sequence[Candidate]) -> tuple[Alert | None, str]:
    if not high:
        return None, "no alert: no candidate in the high band"
    if s.with_parents or all(candidate.with_parents for candidate in high):
        return None, "no alert: an official recorded this child as being with verified parents"
    if s.already_alerted:
        return None, "no alert: this sighting, or the one it repeats, was alerted before"
    if not s.where.settled:
        left_open = f" ({len(s.where.alternatives)} possible)" if s.where.alternatives else ""
        held = f"the place is not certain{left_open}: nobody is mentioned, a person decides"
        return Alert((), held), "high band, place uncertain"
    if not s.capabilities[Capability.MENTION_OTHERS].on:
        return Alert((), f"mentions are off here: {s.capabilities[Capability.MENTION_OTHERS].why}"), "high band, mentions are off"
    accounts = tuple(a for a in s.accounts if s.mentions_last_day.get(a.id, 0) < policy.cap_official_day)
    if not s.accounts:
        return Alert((), f"no verified account for this place: {s.accounts_why}"), "high band, nobody to mention"
    if not accounts:
        return Alert(tuple(s.accounts), "each of these officials has had today's mentions"), "high band, officials at their cap"
    held = _hold(s, policy)
    return Alert(accounts, held), f"high band: {held or 'goes at once'} ({s.accounts_why})"


def _hold(s: Situation, policy: Policy) -> str:
    """Why an alert that has somebody to go to still waits for a person; empty where it goes at once."""
    if not policy.auto_release:
        return "every alert waits for a person (alerts.release: review)"
    if s.opted_out:
        return "the author asked for silence, and an alert would stand under their post"
    if s.banned:
        return "the account or the picture is on the ban list; a person decides"
    if s.silent:
        return "a post from before the first start"
    if s.now - s.posted_at > policy.max_age:
        return "the post is old; a person decides"
    if s.duplicate:
        return "the same photo was posted before; a person decides"
    if not s.summons and not s.capabilities[Capability.REPLY_UNINVITED].on:
        return s.capabilities[Capability.REPLY_UNINVITED].why
    if s.sent_last_hour >= policy.cap_hour:
        return f"{s.sent_last_hour} alerts went out in the last hour (cap {policy.cap_hour})"
    if s.sent_last_day >= policy.cap_day:
        return f"{s.sent_last_day} alerts went out in the last 24 hours (cap {policy.cap_day})"
    if policy.quiet_now:
        return "quiet hours"
    return ""
