"""Leads move on a record and say who and why; officials' unclear answers are settled by a person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.console.parts import Role
from store import audit, cases, leads, posts, replies
from store.leads import RecordKind
from store.model import LeadState
from store.replies import NewReply, ReplyState

pytestmark = pytest.mark.on_both


def test_the_list_and_a_lead_are_shown_to_staff_alone(world, as_role, stranger) -> None:
    """Staff see leads; families and officials do not; a stranger is sent to sign in."""
    staff = as_role(Role.VOLUNTEER)
    assert world.sighting in staff.get("/leads")
    page = staff.get(f"/leads/{world.lead}")
    assert "Kim Example" in page
    assert world.case in page
    as_role(Role.FAMILY, cases=(world.case_id,)).get("/leads", 403)
    as_role(Role.OFFICIAL, divisions=("44",)).get("/leads", 403)
    assert "Sign in" in stranger.get("/leads") or "登录" in stranger.last


def test_a_final_state_needs_a_record(world, as_role) -> None:
    """Without a record nothing is confirmed; with one it stands with who, why and where it can be found again."""
    reviewer = as_role(Role.LEAD_REVIEWER)
    reviewer.post(f"/leads/{world.lead}/move", {"state": "confirmed", "why": "told by phone"}, 400)
    with world.parts.store.read() as tx:
        assert leads.get(tx, world.lead).state is LeadState.NEW
    record = {"state": "confirmed", "why": "told by phone", "kind": "dna", "record": "DNA-77"}
    assert "DNA-77" in reviewer.post(f"/leads/{world.lead}/move", record)
    with world.parts.store.read() as tx:
        event = leads.history(tx, world.lead)[-1]
        assert (event.who, event.why, event.record.kind) == (reviewer.login, "told by phone", RecordKind.DNA)
        assert "lead.moved" in [e.what for e in audit.listing(tx, object=f"lead:{world.lead}")]


def test_a_volunteer_moves_nothing(world, as_role) -> None:
    """Moving a lead is the lead reviewer's."""
    as_role(Role.VOLUNTEER).post(f"/leads/{world.lead}/move", {"state": "reviewed", "why": "x"}, 403)


def test_only_a_confirmed_lead_closes_its_case(world, as_role) -> None:
    """A score, a review or an open lead never ends the search for a child."""
    reviewer = as_role(Role.LEAD_REVIEWER)
    reviewer.post(f"/leads/{world.lead}/conclude", {}, 400)
    reviewer.post(f"/leads/{world.lead}/move", {"state": "confirmed", "why": "x", "record": "A-1"})
    reviewer.post(f"/leads/{world.lead}/conclude", {"why": "home again"})
    with world.parts.store.read() as tx:
        case = cases.get(tx, world.case_id)
        assert (case.state.value, case.closed_record) == ("closed", "official: A-1")


def test_the_sheet_carries_the_hashes_and_is_recorded(world, as_role) -> None:
    """What is handed on by hand proves itself: each photo's hash and the head of the record stand on it."""
    page = as_role(Role.VOLUNTEER).get(f"/leads/{world.lead}/print")
    with world.parts.store.read() as tx:
        for photo in cases.photos_of(tx, world.case_id):
            assert photo.sha256 in page
        number, head = audit.head(tx)
        assert audit.listing(tx, object=f"lead:{world.lead}")[0].what == "lead.printed"
        assert number >= 1
        assert head not in page  # the printing itself comes after what the sheet vouches for


def test_the_pdf_stands_alone(world, as_role) -> None:
    """A PDF with its own Chinese font, the photos and the words as text, where markup in a name is a name."""
    with world.parts.store.write() as tx:
        fields = cases.get(tx, world.case_id).fields
        cases.change(tx, world.case_id, replace(fields, name='示例 #image("/etc/passwd") *x*'))
    reader = as_role(Role.VOLUNTEER)
    answer = reader.client.get(f"/leads/{world.lead}/sheet.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")
    assert b"NotoSansSC" in answer.content
    assert answer.content.count(b"/DCTDecode") >= 1
    with world.parts.store.read() as tx:
        assert audit.listing(tx, object=f"lead:{world.lead}")[0].details == {"form": "pdf"}
    as_role(Role.VOLUNTEER, divisions=("11",)).get(f"/leads/{world.lead}/sheet.pdf", 403)


def test_a_limited_volunteer_sees_no_other_division(world, as_role) -> None:
    """Limits of divisions hold for the list, the page and the photos."""
    other = as_role(Role.VOLUNTEER, divisions=("11",))
    assert world.sighting not in other.get("/leads")
    other.get(f"/leads/{world.lead}", 403)
    other.get(f"/s/{world.sighting}/photo/1", 403)
    other.get(f"/leads/{world.lead}/case/1", 403)


def test_bad_addresses_and_forms_are_told_kindly(world, as_role) -> None:
    """Letters for numbers, unknown states and rows that are not there: 404 or 400, never a fault."""
    reviewer = as_role(Role.LEAD_REVIEWER)
    for path in ("/leads/x", "/leads/999", "/leads/1/case/9", "/leads/99999999999999999999"):
        reviewer.get(path, 404)
    reviewer.get("/leads?state=<script>&before=-1")
    reviewer.post(f"/leads/{world.lead}/move", {"state": "<b>", "why": "x"}, 400)
    reviewer.post("/replies/999", {"answer": "checking", "lead": "x"}, 404)


def test_an_unclear_answer_is_settled_by_a_person_once(world, as_role) -> None:
    """The reviewer reads the official's words and says what they mean; the lead moves with the answer as its record."""
    with world.parts.store.write() as tx:
        post = posts.get(tx, 1)
        new = NewReply(post.id, "unclear", ReplyState.OPEN, "it asks something", None, "罗湖分局", None, world.sighting_id)
        reply = replies.record(tx, new)
    reviewer = as_role(Role.LEAD_REVIEWER)
    assert "罗湖分局" in reviewer.get("/replies")
    reviewer.post(f"/replies/{reply.id}", {"answer": "checking", "lead": str(world.lead)})
    with world.parts.store.read() as tx:
        assert leads.get(tx, world.lead).state is LeadState.CHECKING
        assert replies.get(tx, reply.id).state is ReplyState.SETTLED
    reviewer.post(f"/replies/{reply.id}", {"answer": "checking", "lead": str(world.lead)}, 400)


def test_markup_in_every_text_stays_text(world, as_role) -> None:
    """Script in a reason or a record is shown as what it is."""
    reviewer = as_role(Role.LEAD_REVIEWER)
    page = reviewer.post(
        f"/leads/{world.lead}/move", {"state": "ruled_out", "why": "<script>x()</script>", "record": "<img src=x onerror=y>"}
    )
    assert "<script>x" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;" in page
