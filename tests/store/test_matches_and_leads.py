"""Candidates, rejections that last, sightings that people correct, and leads that only a record ends."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest

from store import cases, faces, leads, matches, media, photos, posts, sightings
from store.cases import CaseFields
from store.errors import BadInput, NotFound
from store.leads import MOVES, ON_RECORD, Record, RecordKind, check_move
from store.matches import CandidateState, NewCandidate
from store.model import Band, Box, Certainty, Evidence, Grain, LeadState, When, Where
from store.refs import ALPHABET
from store.sightings import SightingFilter, SightingState

PACK, OTHER = "p" * 64, "q" * 64
HERE = Where("440303", "深圳市罗湖区", (), Certainty.HIGH, (Evidence("text", "440303", Certainty.HIGH, "罗湖口岸", (1, 5)),))
UNSURE = Where(None, "", ("440303", "110101"), Certainty.LOW)
NOWHERE = Where()
UNKNOWN = When()


@pytest.fixture
def scene(store, stream, make_post, make_photo, make_face):
    """Three posts with one photo each, two faces in the first, and two verified cases. Gives the face ids."""
    with store.write() as tx:
        page = [make_post(str(number), author=f"u{number}") for number in (1, 2, 3)]
        posts.save_page(tx, stream, page, now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        for number in (1, 2, 3):
            media.mark_stored(tx, number, make_photo(tx, str(number) * 64, f"{number * 0x1111:016x}").id)
        for name in ("示例甲", "示例乙"):
            cases.verify(tx, cases.add(tx, CaseFields(name=name), "family").id, "second", "A-1")
        return faces.save_faces(tx, 1, "pack", PACK, [make_face(1), make_face(2, box=Box(200, 10, 250, 70))])


def _pair(case_id: int, band: Band = Band.HIGH, raw: float = 0.7) -> NewCandidate:
    return NewCandidate(case_id, raw, 4.1, 40_000.0, 1, band, "about 1 in 40,000", "v1")


def test_candidates_are_kept_once_and_brought_up_to_date(store, scene):
    """Matching again changes the figures and keeps what people decided; band none is not kept."""
    with store.write() as tx:
        (first,) = matches.save_candidates(tx, scene[0], "pack", [_pair(1), _pair(2, Band.NONE)])
        matches.accept(tx, first, "reviewer")
        assert matches.save_candidates(tx, scene[0], "pack", [_pair(1, Band.REVIEW, raw=0.5)]) == (first,)
        candidate = matches.get(tx, first)
    assert (candidate.raw, candidate.band, candidate.state) == (0.5, Band.REVIEW, CandidateState.ACCEPTED)


def test_a_rejected_pair_never_comes_back(store, scene, make_face):
    """Not by matching again, not by re-indexing with another model whose box differs a little; other faces stay free."""
    with store.write() as tx:
        (first,) = matches.save_candidates(tx, scene[0], "pack", [_pair(1)])
        matches.reject(tx, first, "reviewer", "other ears")
        matches.reject(tx, first, "reviewer", "other ears")
        assert matches.save_candidates(tx, scene[0], "pack", [_pair(1)]) == ()
        again = faces.save_faces(
            tx, 1, "new", OTHER, [make_face(5, box=Box(14, 6, 66, 74)), make_face(6, box=Box(205, 12, 252, 72))]
        )
        assert matches.save_candidates(tx, again[0], "new", [_pair(1), _pair(2)]) != ()
        assert matches.rejected_cases(tx, again[0]) == {1}
        assert matches.rejected_cases(tx, again[1]) == frozenset()
        assert [found.case_id for found in matches.listing(tx, state=CandidateState.OPEN)] == [2]


def test_two_faces_of_one_photo_are_never_both_one_child(store, scene, make_face):
    """Where people find the case in one face, the other's open pair with it closes and none is made anew; the face itself, as
    another pack sees it, keeps its pair, and so do other cases."""
    with store.write() as tx:
        (first,) = matches.save_candidates(tx, scene[0], "pack", [_pair(1)])
        second, other = matches.save_candidates(tx, scene[1], "pack", [_pair(1), _pair(2)])
        (again,) = faces.save_faces(tx, 1, "new", OTHER, [make_face(5, box=Box(14, 6, 66, 74))])
        matches.accept(tx, first, "reviewer")
        states = [matches.get(tx, number).state for number in (first, second, other)]
        assert states == [CandidateState.ACCEPTED, CandidateState.REJECTED, CandidateState.OPEN]
        assert [matches.get(tx, n).case_id for n in matches.save_candidates(tx, scene[1], "pack", [_pair(1), _pair(2)])] == [2]
        assert matches.save_candidates(tx, again, "new", [_pair(1)]) != ()
        assert matches.rejected_cases(tx, scene[1]) == frozenset()


def test_a_rejection_holds_for_other_copies_of_the_photo(store, scene, make_face):
    """A smaller, re-compressed copy of the photo knows the rejection by the face's place; another place in it does not."""
    with store.write() as tx:
        (first,) = matches.save_candidates(tx, scene[0], "pack", [_pair(1)])
        matches.reject(tx, first, "reviewer")
        one = photos.get(tx, 1)
        half = {"width_px": one.width_px // 2, "height_px": one.height_px // 2, "format": "JPEG", "size_bytes": 9}
        copy = photos.save(tx, sha256="c" * 64, phash=f"{int(one.phash, 16) ^ 0b11:016x}", **half)
        other = photos.save(tx, sha256="d" * 64, phash=f"{int(one.phash, 16) ^ 0xFFFF:016x}", **half)
        same, elsewhere = make_face(8, box=Box(5, 5, 30, 35)), make_face(9, box=Box(100, 100, 130, 140))
        copied = faces.save_faces(tx, copy.id, "pack", PACK, [same, elsewhere])
        (unlike,) = faces.save_faces(tx, other.id, "pack", PACK, [same])
        assert [matches.rejected_cases(tx, face) for face in (*copied, unlike)] == [{1}, frozenset(), frozenset()]


def test_candidates_lead_back_to_posts(store, scene):
    """From a candidate to the posts that show it and back; lists narrow by state, band and case."""
    with store.write() as tx:
        (first,) = matches.save_candidates(tx, scene[0], "pack", [_pair(1)])
        (second,) = matches.save_candidates(tx, scene[1], "pack", [_pair(2, Band.REVIEW)])
        assert matches.posts_of(tx, first) == [1]
        assert [found.id for found in matches.of_post(tx, 1)] == [first, second]
        assert matches.of_post(tx, 2) == []
        assert [found.id for found in matches.listing(tx, band=Band.REVIEW)] == [second]
        assert [found.id for found in matches.listing(tx, case_id=1)] == [first]
        assert [found.id for found in matches.listing(tx, before=second)] == [first]
        with pytest.raises(NotFound):
            matches.reject(tx, 99, "reviewer")
        with pytest.raises(NotFound):
            matches.save_candidates(tx, 99, "pack", [_pair(1)])


# --- sightings --------------------------------------------------------------------------------------------------


def test_a_sighting_comes_back_as_it_was_saved(store, scene, clock):
    """Where and when survive with their evidence, and the reference reads well aloud."""
    when = When(
        clock.now - timedelta(hours=2),
        clock.now,
        Grain.HOUR,
        Certainty.MEDIUM,
        (Evidence("post_time", None, Certainty.LOW, "x"),),
    )
    with store.write() as tx:
        saved = sightings.save(tx, 1, HERE, when)
        assert (saved.where, saved.when) == (HERE, when)
        assert saved.ref.startswith("S-")
        assert set(saved.ref[2:]) <= set(ALPHABET)
        assert sightings.get(tx, saved.ref.lower()) == saved
        assert sightings.save(tx, 1, HERE, when) == saved
        assert sightings.of_post(tx, 2) is None


def test_what_a_person_set_is_never_overwritten(store, scene):
    """Re-extraction changes the machine's values and leaves the person's."""
    with store.write() as tx:
        saved = sightings.save(tx, 1, UNSURE, UNKNOWN)
        sightings.set_where(tx, saved.id, HERE, "reviewer")
        newer = When(tx.now, tx.now, Grain.DAY, Certainty.LOW)
        assert sightings.update_extraction(tx, saved.id, NOWHERE, newer)
        back = sightings.get(tx, saved.id)
        assert (back.where, back.where_by, back.when) == (HERE, "reviewer", newer)
        sightings.set_when(tx, saved.id, UNKNOWN, "reviewer")
        assert not sightings.update_extraction(tx, saved.id, NOWHERE, newer)


def test_sightings_are_listed_by_place_state_and_page(store, scene, clock):
    """Prefixes take a province or prefecture; duplicates can be left out; pages go on where they ended."""
    with store.write() as tx:
        first = sightings.save(tx, 1, HERE, When(clock.now - timedelta(hours=3), clock.now - timedelta(hours=2)))
        second = sightings.save(tx, 2, HERE, UNKNOWN, duplicate_of=first.id)
        third = sightings.save(tx, 3, Where("110101", "北京市东城区"), UNKNOWN)
        sightings.set_state(tx, third.id, SightingState.WITH_PARENTS, "official")

        def refs(**narrow: object) -> list[int]:
            return [found.id for found in sightings.listing(tx, SightingFilter(**narrow))]

        assert refs() == [third.id, second.id, first.id]
        assert refs(adcode_prefix="44") == refs(adcode_prefix="440303") == [second.id, first.id]
        assert refs(adcode_prefix="110") == [third.id]
        assert refs(adcode_prefix="44", with_duplicates=False) == [first.id]
        assert refs(state=SightingState.WITH_PARENTS) == [third.id]
        assert refs(seen_since=clock.now - timedelta(hours=4)) == [first.id]
        assert refs(platform="x") == []
        assert [found.id for found in sightings.listing(tx, limit=1, before=third.id)] == [second.id]
        assert [found.id for found in sightings.showing(tx, [1, 2])] == [first.id, second.id]


def test_references_stay_unique_as_they_fill_up(store, monkeypatch):
    """When the short ones are taken, references grow instead of colliding or failing."""
    from store import refs
    from store.tables import cases as table

    monkeypatch.setattr(refs.secrets, "choice", lambda alphabet: "7")
    with store.write() as tx:
        assert cases.add(tx, CaseFields(name="示例"), "family").ref == "C-7777"
        assert refs.new_ref(tx, table, "C") == "C-77777"


# --- leads ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("present", "wanted"), list(product(LeadState, LeadState)))
def test_only_the_moves_of_the_table_are_possible(present, wanted):
    """Every pair of states: allowed exactly where the table says so, final states only on a record with a reference."""
    record = Record(RecordKind.DNA, "DNA 12/2011")
    if wanted not in MOVES[present]:
        with pytest.raises(BadInput):
            check_move(present, wanted, record)
        return
    check_move(present, wanted, record)
    if wanted in ON_RECORD:
        for nothing in (None, Record(RecordKind.OFFICIAL, " ")):
            with pytest.raises(BadInput, match="record"):
                check_move(present, wanted, nothing)
    else:
        check_move(present, wanted, None)


def test_ended_states_are_reached_from_anywhere_only_on_record():
    """No path of moves without a record leads to confirmed, ruled out or closed."""
    reached, frontier = {LeadState.NEW}, [LeadState.NEW]
    while frontier:
        for wanted in MOVES[frontier.pop()] - ON_RECORD - reached:
            reached.add(wanted)
            frontier.append(wanted)
    assert not reached & ON_RECORD


def test_a_lead_is_one_for_a_pair_and_keeps_its_history(store, scene):
    """Opening twice is one lead; each move is kept with who, why and the record; asking for the present state is nothing."""
    with store.write() as tx:
        sighting = sightings.save(tx, 1, HERE, UNKNOWN)
        lead = leads.open_lead(tx, sighting.id, 1, candidate_id=None, who="bot", why="high band")
        assert leads.open_lead(tx, sighting.id, 1, candidate_id=None, who="bot", why="again") == lead
        leads.move(tx, lead.id, LeadState.SENT, who="bot", why="officials mentioned")
        leads.move(tx, lead.id, LeadState.SENT, who="bot", why="once more")
        with pytest.raises(BadInput):
            leads.move(tx, lead.id, LeadState.CONFIRMED, who="volunteer", why="it looks so")
        with pytest.raises(BadInput, match="who"):
            leads.move(tx, lead.id, LeadState.CHECKING, who=" ", why="")
        record = Record(RecordKind.DNA, "DNA 12/2011")
        assert (
            leads.move(tx, lead.id, LeadState.CONFIRMED, who="official", why="result", record=record).state is LeadState.CONFIRMED
        )
        told = leads.history(tx, lead.id)
        assert [event.to_state.value for event in told] == ["new", "sent", "confirmed"]
        assert (told[-1].record, told[-1].who, told[0].record) == (record, "official", None)
        assert [found.id for found in leads.listing(tx, state=LeadState.CONFIRMED)] == [lead.id]
        assert leads.counts(tx)[LeadState.CONFIRMED] == 1
        with pytest.raises(NotFound):
            leads.move(tx, 99, LeadState.SENT, who="bot", why="")
