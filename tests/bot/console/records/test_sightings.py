"""Sightings are found, mapped and corrected by hand; what a person set is never written over."""

from __future__ import annotations

import pytest

from bot.console import chinamap
from bot.console.counted import months_before
from bot.console.parts import Role
from store import audit, families, recognition, sightings
from store.model import When, Where
from store.sightings import SightingState

pytestmark = pytest.mark.on_both


def test_search_narrows_by_place_source_and_state(world, as_role, see) -> None:
    """By name or code of a place, by platform, by state; what does not fit is not shown."""
    other, _ = see(2, adcode="110105", shift=200)
    with world.parts.store.read() as tx:
        beijing = sightings.get(tx, other).ref
    staff = as_role(Role.VOLUNTEER)
    for query, shown, hidden in (
        ("place=深圳市", world.sighting, beijing),
        ("place=11", beijing, world.sighting),
        ("source=weibo", beijing, "x y z"),
        ("state=open&place=440303", world.sighting, beijing),
    ):
        page = staff.get(f"/sightings?{query}")
        assert shown in page
        assert hidden not in page
    assert world.sighting not in staff.get("/sightings?source=x")
    assert world.sighting not in staff.get("/sightings?state=with_parents")


def test_a_corrected_place_stands_against_extraction(world, as_role) -> None:
    """Set by hand, with what had been read still there as evidence; reading anew changes nothing."""
    as_role(Role.LEAD_REVIEWER, login="mei").post(
        f"/sightings/{world.sighting}/where", {"adcode": "深圳市福田区", "place": "<b>华强北</b>"}
    )
    with world.parts.store.write() as tx:
        sightings.update_extraction(tx, world.sighting_id, Where("110105"), When())
        found = sightings.get(tx, world.sighting_id)
        assert (found.where.adcode, found.where_by) == ("440304", "mei")
        assert [sign.source for sign in found.where.evidence] == ["text", "person"]
        assert "sighting.where" in [e.what for e in audit.listing(tx, object=f"sighting:{world.sighting}")]


def test_a_corrected_time_is_checked(world, as_role) -> None:
    """An end before its beginning or in the future is refused; a good span stands."""
    reviewer = as_role(Role.VOLUNTEER)
    path = f"/sightings/{world.sighting}/when"
    for start, end in (("2026-02-02T10:00", "2026-02-02T09:00"), ("2026-02-02T10:00", "2027-01-01T00:00"), ("x", "y"), ("", "")):
        reviewer.post(path, {"from": start, "to": end}, 400)
    reviewer.post(path, {"from": "2026-02-02T10:00", "to": "2026-02-02T11:00"})
    with world.parts.store.read() as tx:
        found = sightings.get(tx, world.sighting_id)
        assert found.when.seen_from.isoformat() == "2026-02-02T02:00:00+00:00"
        assert found.when_by == reviewer.login


def test_with_parents_is_set_by_a_lead_reviewer(world, as_role) -> None:
    """A volunteer may not; the reason is asked for."""
    path = f"/sightings/{world.sighting}/state"
    as_role(Role.VOLUNTEER).post(path, {"state": "with_parents", "why": "seen"}, 403)
    reviewer = as_role(Role.LEAD_REVIEWER)
    reviewer.post(path, {"state": "with_parents"}, 400)
    reviewer.post(path, {"state": "with_parents", "why": "papers seen by the police"})
    with world.parts.store.read() as tx:
        assert sightings.get(tx, world.sighting_id).state is SightingState.WITH_PARENTS


def test_unknown_places_are_refused(world, as_role) -> None:
    """A place that is no division, or several, is not set."""
    reviewer = as_role(Role.VOLUNTEER)
    for code in ("", "999999", "朝阳区", "<script>"):
        reviewer.post(f"/sightings/{world.sighting}/where", {"adcode": code}, 400)


def test_children_are_split_and_merged_by_people(world, as_role, see) -> None:
    """Two faces on one track are taken apart and stay apart; two tracks become one."""
    other, face = see(2, shift=200)
    with world.parts.store.write() as tx:
        track = recognition.start_track(tx, world.face, by="bot", why="x")
        recognition.put_on_track(tx, face, track, by="bot", why="x")
        ref = sightings.get(tx, other).ref
    reviewer = as_role(Role.LEAD_REVIEWER)
    assert ref in reviewer.get(f"/sightings/{world.sighting}")
    reviewer.post(f"/sightings/{world.sighting}/split", {"face": str(face)}, 400)
    reviewer.post(f"/sightings/{ref}/split", {"face": str(face)})
    with world.parts.store.read() as tx:
        apart = recognition.track_of(tx, face)
        assert apart != track
        name = recognition.track(tx, apart).ref
    reviewer.post(f"/sightings/{world.sighting}/merge", {"face": str(world.face), "other": name}, 400)


def test_a_face_is_noted_for_families(world, as_role) -> None:
    """Sex and age, checked; another sighting's face is refused."""
    reviewer = as_role(Role.VOLUNTEER)
    path = f"/sightings/{world.sighting}/face"
    reviewer.post(path, {"face": str(world.face), "sex": "female", "age_from": "5", "age_to": "7"})
    reviewer.post(path, {"face": str(world.face), "age_from": "9", "age_to": "7"}, 400)
    reviewer.post(path, {"face": "999", "sex": "male"}, 400)
    with world.parts.store.read() as tx:
        assert families.note_of(tx, world.face) == families.FaceNote("female", 5, 7)


def test_the_map_shows_counts_and_the_same_in_a_table(world, as_role) -> None:
    """A province is shaded, and its figure stands in words; a province's page goes by prefecture."""
    staff = as_role(Role.AUDITOR)
    page = staff.get("/map")
    assert page.count("<path") >= 31
    assert "广东省: 1" in page
    assert "shade-5" in page
    assert "深圳市" in staff.get("/map?province=44")
    staff.get("/map?province=zz")


def test_another_division_is_not_shown_or_changed(world, as_role) -> None:
    """Limits hold for reading and for each change."""
    other = as_role(Role.LEAD_REVIEWER, divisions=("11",))
    assert world.sighting not in other.get("/sightings")
    other.get(f"/sightings/{world.sighting}", 403)
    for what, form in (("where", {"adcode": "110105"}), ("state", {"state": "open", "why": "x"}), ("face", {"face": "1"})):
        other.post(f"/sightings/{world.sighting}/{what}", form, 403)


def test_shades_follow_the_order_of_magnitude() -> None:
    """The most is darkest, one is lightest but not blank, none is blank."""
    assert chinamap.shades({"a": 1000, "b": 1, "c": 0}) == {"a": 5, "b": 1}
    assert chinamap.shades({}) == {}


def test_months_run_over_the_turn_of_the_year(parts, stopped) -> None:
    """Twenty-four months and the end of the last one."""
    found = months_before(stopped(), 4)
    assert [f"{start:%Y-%m}" for start in found] == ["2025-12", "2026-01", "2026-02", "2026-03", "2026-04"]
