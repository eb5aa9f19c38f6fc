"""A word to the public for a new case, which a person releases: a reference and the family's own page, and nothing else.

Promise 1 of the design stands here too: no text of ours names a child. What the family made public is on its own page; the
broadcast points there, so that the family can change it or take it away, and nothing of the child stays in our posts.
"""

from __future__ import annotations

from collections.abc import Callable

from bot.alerts.compose import Templates, compose
from store import alerts, audit, cases, history
from store.alerts import NewAlert
from store.errors import BadInput
from store.model import AlertState, CaseState, MessageKind
from store.refs import ALPHABET
from store.session import Tx

_WHY_HELD = "a person releases every broadcast"


def propose(
    tx: Tx,
    case_ref: str,
    by: str,
    *,
    platform: str,
    templates: Templates,
    max_length: int,
    length: Callable[[str], int],
    lang: str = "zh",
) -> int:
    """Put the broadcast of a verified case into the outbox, held. Returns its number.

    Raises:
        BadInput: the case is not verified, its family made nothing public, or its broadcast stands there already.
        redlines.RedLine: the words cross a red line.
    """
    case = cases.get(tx, case_ref)
    if case.state is not CaseState.VERIFIED:
        raise BadInput(f"{case.ref} is not verified; it is silent", mend="a second person verifies it first")
    page = history.publication(tx, case.id)
    if page is None:
        raise BadInput("the family made nothing public", mend="note the address of the family's own page first")
    ref = public_ref(case.id)
    never = [case.fields.name, case.ref]
    text = compose(templates, "broadcast", lang=lang, ref=ref, max_length=max_length, length=length, link=page.url, never=never)
    if page.url not in text:
        raise BadInput("the family's address is too long for this platform", mend="use a shorter address")
    number = alerts.propose(
        tx,
        NewAlert(
            platform=platform,
            target_post_id="",
            kind=MessageKind.BROADCAST,
            ref=ref,
            text=text,
            scope=f"case:{case.id}:{lang}",
            state=AlertState.HELD,
            hold_reason=_WHY_HELD,
        ),
    )
    if number is None:
        raise BadInput("this case was broadcast on this platform already")
    audit.append(tx, who=by, what="broadcast.proposed", object=f"case:{case.ref}", details={"alert": number})
    return number


def public_ref(case_id: int) -> str:
    """The reference of a case's broadcasts ("B-0001X"): short, the same each time, and not the case's own."""
    signs, left = "", case_id * 7919 + 101  # a prime far from the alphabet's size: neighbours look unlike
    while left or len(signs) < 4:
        left, digit = divmod(left, len(ALPHABET))
        signs = ALPHABET[digit] + signs
    return f"B-{signs}"
