"""An official sees their divisions alone, the full sighting and case, and their answer moves the lead."""

from __future__ import annotations

import pytest

from bot.console.parts import Role
from store import audit, leads, people, sightings
from store.model import LeadState
from store.sightings import SightingState

pytestmark = pytest.mark.on_both


def test_the_link_of_an_alert_opens_the_whole_sighting(world, as_role) -> None:
    """Words, place, photos, the case with its photos; every view is recorded."""
    official = as_role(Role.OFFICIAL, divisions=("4403",))
    page = official.get(f"/s/{world.sighting}")
    assert "东门老街" in page
    assert "Kim Example" in page
    photo = official.image(f"/s/{world.sighting}/photo/1")
    assert photo.headers["content-type"] == "image/jpeg"
    assert official.image(f"/leads/{world.lead}/case/1").status_code == 200
    with world.parts.store.read() as tx:
        told = [event.what for event in audit.listing(tx, object=f"sighting:{world.sighting}")]
        assert {"sighting.viewed", "photo.viewed"} <= set(told)
    assert world.sighting in official.get("/official")


def test_another_division_is_refused_everywhere(world, as_role) -> None:
    """Page, photo, case photo and answer: all 403, and the list is empty."""
    official = as_role(Role.OFFICIAL, divisions=("440304",))
    official.get(f"/s/{world.sighting}", 403)
    official.get(f"/s/{world.sighting}/photo/1", 403)
    official.get(f"/leads/{world.lead}/case/1", 403)
    official.post(f"/s/{world.sighting}/answer", {"answer": "checking", "lead": str(world.lead)}, 403)
    assert world.sighting not in official.get("/official")


def test_an_official_without_a_division_sees_nothing(world, as_role) -> None:
    """No division means nowhere, not everywhere."""
    official = as_role(Role.OFFICIAL)
    assert world.sighting not in official.get("/official")
    official.get(f"/s/{world.sighting}", 403)


def test_an_answer_moves_the_lead_on_its_reference(world, as_role) -> None:
    """Checking needs no number; ruling out does, and stands as an official record."""
    official = as_role(Role.OFFICIAL, divisions=("440303",))
    path = f"/s/{world.sighting}/answer"
    official.post(path, {"answer": "checking", "lead": str(world.lead)})
    official.post(path, {"answer": "ruled_out", "lead": str(world.lead)}, 400)
    official.post(path, {"answer": "with_parents", "lead": str(world.lead), "reference": "L-9"})
    with world.parts.store.read() as tx:
        assert leads.get(tx, world.lead).state is LeadState.RULED_OUT
        assert leads.history(tx, world.lead)[-1].record.reference == "L-9"
        assert sightings.get(tx, world.sighting_id).state is SightingState.WITH_PARENTS


def test_a_changed_division_holds_at_once(world, as_role, parts) -> None:
    """An official who was moved while the page was open can no longer answer."""
    official = as_role(Role.OFFICIAL, divisions=("440303",))
    official.get(f"/s/{world.sighting}")
    with parts.store.write() as tx:
        user = people.by_login(tx, official.login)
        people._set(tx, user.id, divisions=["110101"])
    official.post(f"/s/{world.sighting}/answer", {"answer": "checking", "lead": str(world.lead)}, 403)


def test_bad_answers_are_told_kindly(world, as_role, see) -> None:
    """Unknown answers, letters for a lead, a lead of another sighting: 400 and nothing moved."""
    official = as_role(Role.OFFICIAL, divisions=("440303",))
    path = f"/s/{world.sighting}/answer"
    for form in ({"answer": "guilty", "lead": "1"}, {"answer": "checking", "lead": "x"}, {"answer": "checking"}):
        official.post(path, form, 400)
    other, _ = see(2, shift=200)
    with world.parts.store.write() as tx:
        lead = leads.open_lead(tx, other, world.case_id, candidate_id=None, who="x", why="y")
    official.post(path, {"answer": "checking", "lead": str(lead.id)}, 400)
    official.get("/s/S-0000", 404)
    official.get(f"/s/{world.sighting}/photo/7", 404)


def test_colleagues_are_sent_to_their_own_page(world, as_role) -> None:
    """The alert's link works for the campaign's people too."""
    answer = as_role(Role.LEAD_REVIEWER).client.get(f"/s/{world.sighting}", follow_redirects=False)
    assert answer.headers["location"] == f"/sightings/{world.sighting}"
