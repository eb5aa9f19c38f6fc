"""What an answer does to a lead: the one place where officials' words, from the console or a platform, become its state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.officials_replies import LEAD_STATE, Answer
from store import audit, cases, leads, matches, sightings
from store.errors import BadInput
from store.leads import Lead, Record, RecordKind
from store.model import CaseState, LeadState
from store.session import Tx
from store.sightings import SightingState

_FINAL = frozenset({LeadState.RULED_OUT, LeadState.CONFIRMED, LeadState.CLOSED})


@dataclass(frozen=True, slots=True)
class Given:
    """An official's answer: what it says, who gave it, in which words, and where it can be found again.

    ``reference`` is the number of a file or a DNA result, or the address of the reply.
    """

    answer: Answer
    who: str
    why: str
    reference: str


def plan(answer: Answer, found: Sequence[Lead]) -> tuple[Lead, ...]:
    """The leads of one sighting that an answer about it moves (pure).

    "Checking" is said of all that are open. A final answer is said of one child: with several open leads it does not tell which.

    Raises:
        BadInput: nothing can be moved by it; the message says why, for the person who reads it next.
    """
    if answer not in LEAD_STATE:
        raise BadInput("the answer is not clear")
    wanted = LEAD_STATE[answer]
    still = [lead for lead in found if lead.state not in _FINAL or lead.state is wanted]
    if not still:
        raise BadInput("no lead of this sighting is open")
    if answer is Answer.CHECKING:
        return tuple(lead for lead in still if lead.state is not LeadState.DNA_PENDING)
    if len(still) > 1:
        raise BadInput(f"{len(still)} leads of this sighting are open, and the answer does not say which is meant")
    return tuple(still)


def give(tx: Tx, lead: Lead, given: Given) -> Lead:
    """Put an official's answer on a lead, with its record; a child with verified parents never alerts again.

    Raises:
        BadInput: the lead cannot take this state, or a final state comes without a reference.
    """
    to = LEAD_STATE[given.answer]
    kind = RecordKind.DNA if given.answer is Answer.DNA_CONFIRMED else RecordKind.OFFICIAL
    moved = leads.move(tx, lead.id, to, who=given.who, why=given.why, record=Record(kind, given.reference))
    if given.answer is Answer.WITH_PARENTS:
        sightings.set_state(tx, lead.sighting_id, SightingState.WITH_PARENTS, given.who)
    if given.answer in (Answer.RULED_OUT, Answer.WITH_PARENTS) and lead.candidate_id is not None:
        # The pair stays rejected through re-indexing and other models (design, promise 5).
        matches.reject(tx, lead.candidate_id, given.who, f"lead {lead.id}: {given.answer.value}")
    if moved.state is not lead.state:
        _told(tx, lead, moved, given.who)
    return moved


def conclude(tx: Tx, lead_id: int, who: str, why: str) -> Lead:
    """A confirmed lead closes its case: the child's matching ends. The posters are thanked by the bot's next round.

    Raises:
        BadInput: the lead is not confirmed by a record.
    """
    lead = leads.get(tx, lead_id)
    record = next((event.record for event in reversed(leads.history(tx, lead_id)) if event.record is not None), None)
    if lead.state is not LeadState.CONFIRMED or record is None:
        raise BadInput("only a lead that is confirmed on a record closes a case")
    case = cases.get(tx, lead.case_id)
    if case.state is not CaseState.CLOSED:
        cases.close(tx, case.id, who, why or "found", f"{record.kind.value}: {record.reference}")
        audit.append(tx, who=who, what="case.closed", object=f"case:{case.ref}", details={"lead": lead.id})
    return lead


def take_back(tx: Tx, lead_id: int, who: str, why: str) -> Lead:
    """Look at a ruled-out lead again (an official corrects a mistake): it is being checked once more."""
    return leads.move(tx, lead_id, LeadState.CHECKING, who=who, why=why)


def _told(tx: Tx, before: Lead, after: Lead, who: str) -> None:
    details = {"from": before.state.value, "to": after.state.value}
    audit.append(tx, who=who, what="lead.moved", object=f"lead:{before.id}", details=details)
