"""Faces for each pack, cases that are silent until verified, and the gallery that follows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from store import cases, faces, gallery, leads, matches, media, posts, sightings
from store.cases import CaseFields
from store.errors import BadInput, NotFound, StoreError
from store.matches import NewCandidate
from store.model import Band, CaseState, When, Where
from store.vault import PlainVault

PACK, OTHER = "p" * 64, "q" * 64
CHILD = CaseFields(name="示例甲", sex="female", birth_on=date(2006, 5, 1), missing_on=date(2009, 6, 1), contacts=("热线",))


@pytest.fixture
def shown(store, stream, make_post, make_photo):
    """A photo that one stored post shows."""
    with store.write() as tx:
        posts.save_page(tx, stream, [make_post()], now=tx.now, silent=lambda post: False, cursor=None, chain=None)
        photo = make_photo(tx)
        media.mark_stored(tx, 1, photo.id)
    return photo


def test_faces_come_back_with_their_vectors(store, shown, make_face):
    """Box, landmarks and quality are exact; the vector loses less than 0.001 in cosine and has unit length."""
    found = [make_face(1), make_face(2)]
    with store.write() as tx:
        ids = faces.save_faces(tx, shown.id, "pack", PACK, found)
        back = faces.faces_of_photo(tx, shown.id, PACK)
        vectors = list(faces.vectors(tx, PACK))
    assert [face.id for face in back] == list(ids)
    assert (back[0].box, back[0].landmarks, back[0].quality) == (found[0].box, found[0].landmarks, found[0].quality)
    for stored, made in zip(vectors, found, strict=True):
        assert stored.vector.dtype == np.float32
        assert float(stored.vector @ made.vector) > 0.999
        assert float(np.linalg.norm(stored.vector)) == pytest.approx(1, abs=1e-6)


def test_a_vector_is_in_no_repr(store, shown, make_face):
    """Printing what holds a vector never prints the vector."""
    with store.write() as tx:
        faces.save_faces(tx, shown.id, "pack", PACK, [make_face()])
        assert "vector" not in repr(next(faces.vectors(tx, PACK)))


def test_a_photo_is_scanned_once_per_pack_even_without_a_face(store, shown, make_face):
    """No face found is remembered; a second scan changes nothing; another pack is another scan."""
    with store.write() as tx:
        assert faces.unscanned(tx, PACK, 10) == [shown.id]
        assert faces.save_faces(tx, shown.id, "pack", PACK, []) == ()
        assert faces.scanned(tx, shown.id, PACK)
        assert faces.save_faces(tx, shown.id, "pack", PACK, [make_face()]) == ()
        assert faces.unscanned(tx, PACK, 10) == []
        assert faces.unscanned(tx, OTHER, 10) == [shown.id]


def test_a_pack_that_is_no_longer_used_can_be_forgotten(store, shown, make_face):
    """Its faces, scans and candidates go, leads stay; the other pack's stay; the photo is to be scanned again."""
    with store.write() as tx:
        (old,) = faces.save_faces(tx, shown.id, "old", PACK, [make_face(1)])
        faces.save_faces(tx, shown.id, "new", OTHER, [make_face(2)])
        case = cases.add(tx, CHILD, "family")
        (candidate,) = matches.save_candidates(tx, old, "old", [NewCandidate(case.id, 0.7, None, None, 1, Band.HIGH)])
        lead = leads.open_lead(tx, sightings.save(tx, 1, Where(), When()).id, case.id, candidate_id=candidate, who="bot", why="x")
        assert (faces.unscanned_count(tx, PACK), faces.unscanned_count(tx, "r" * 64)) == (0, 1)
        assert faces.forget_pack(tx, PACK) == 1
        assert faces.unscanned_count(tx, PACK) == 1
        assert [face.pack_id for face in faces.faces_of_photo(tx, shown.id)] == ["new"]
        assert leads.get(tx, lead.id).candidate_id is None


def test_vectors_of_two_packs_never_mix(store, shown, make_face):
    """Each pack's search sees its own vectors only."""
    with store.write() as tx:
        faces.save_faces(tx, shown.id, "one", PACK, [make_face(1)])
        faces.save_faces(tx, shown.id, "two", OTHER, [make_face(2), make_face(3)])
        assert len(list(faces.vectors(tx, PACK))) == 1
        assert len(list(faces.vectors(tx, OTHER))) == 2


def test_vectors_stream_in_batches_without_loss(store, shown, make_face):
    """Reading in small batches yields every face once, in order, also from the middle on."""
    with store.write() as tx:
        ids = faces.save_faces(tx, shown.id, "pack", PACK, [make_face(number) for number in range(7)])
        assert [face.face_id for face in faces.vectors(tx, PACK, batch=3)] == list(ids)
        assert [face.face_id for face in faces.vectors(tx, PACK, after=ids[4], batch=1)] == list(ids[5:])


def test_a_case_photo_is_not_searched_as_a_sighting(store, make_photo, make_face):
    """The reverse search leaves out photos that only a case holds."""
    with store.write() as tx:
        photo = make_photo(tx, "c" * 64)
        faces.save_faces(tx, photo.id, "pack", PACK, [make_face()])
        case = cases.add(tx, CHILD, "family")
        cases.add_photo(tx, case.id, photo.id)
        assert list(faces.vectors(tx, PACK)) == []
        assert faces.shown_by_case(tx, photo.id) == (case.id,)


def test_a_sealed_value_that_no_key_opens_is_an_error():
    """Bytes of another vault are refused, not read as numbers."""
    with pytest.raises(StoreError, match="no key"):
        PlainVault().open(b"\x01sealed", "face:1")


def test_a_case_comes_back_as_it_was_registered(store):
    """Every field survives, the reference is readable, and people may type it carelessly."""
    with store.write() as tx:
        case = cases.add(tx, CHILD, "family")
        assert case.fields == CHILD
        assert case.state is CaseState.DRAFT
        assert cases.get(tx, " c - " + case.ref[2:].lower().replace("0", "o").replace("1", "l")) == case
        with pytest.raises(NotFound):
            cases.get(tx, "C-????")


@pytest.mark.parametrize("what", [replace(CHILD, name=" "), replace(CHILD, name="")])
def test_a_case_needs_a_name_and_a_registrant(store, what):
    """Nameless cases and cases of nobody are refused."""
    with store.write() as tx:
        with pytest.raises(BadInput):
            cases.add(tx, what, "family")
        with pytest.raises(BadInput):
            cases.add(tx, CHILD, " ")


def test_an_imported_case_is_registered_once(store):
    """The same reference of the same register is refused the second time; without a reference nothing collides."""
    with store.write() as tx:
        imported = replace(CHILD, source="register", source_ref="17")
        cases.add(tx, imported, "import")
        with pytest.raises(BadInput, match="registered already"):
            cases.add(tx, imported, "import")
        cases.add(tx, CHILD, "family")
        cases.add(tx, CHILD, "family")


def test_verification_needs_a_second_person_and_the_report_number(store):
    """The registrant cannot verify, an empty or different number does not verify, a second person with the number does."""
    with store.write() as tx:
        case = cases.add(tx, replace(CHILD, police_report_number="A-1"), "Family")
        for by, number in (("family ", "A-1"), ("second", " "), ("second", "A-2"), ("", "A-1")):
            with pytest.raises(BadInput):
                cases.verify(tx, case.ref, by, number)
        assert cases.get(tx, case.id).state is CaseState.DRAFT
        verified = cases.verify(tx, case.ref, "second", "A-1")
        assert (verified.state, verified.verified_by, verified.verified_at) == (CaseState.VERIFIED, "second", tx.now)
        assert cases.verify(tx, case.ref, "third", "A-1").verified_by == "second"


def test_a_changed_report_number_takes_the_verification_away(store):
    """What was verified is the number: another number is looked at anew; other fields change freely."""
    with store.write() as tx:
        case = cases.add(tx, CHILD, "family")
        cases.verify(tx, case.id, "second", "A-1")
        changed = cases.change(tx, case.id, replace(CHILD, police_report_number="A-1", height_cm=95))
        assert (changed.state, changed.fields.height_cm) == (CaseState.VERIFIED, 95)
        assert cases.change(tx, case.id, replace(CHILD, police_report_number="B-9")).state is CaseState.DRAFT


def test_only_verified_cases_are_in_the_gallery(store, make_photo, make_face):
    """A draft is silent, a verified case is searched, a closed one has left."""
    with store.write() as tx:
        case = cases.add(tx, CHILD, "family")
        photo = cases.add_photo(tx, case.id, make_photo(tx).id, date(2009, 1, 1), face_index=1)
        gallery.save_case_face(tx, photo.id, "pack", PACK, make_face())
        assert len(gallery.gallery(tx, PACK)) == 0
        cases.verify(tx, case.id, "second", "A-1")
        held = gallery.gallery(tx, PACK)
        assert (held.case_ids.tolist(), held.taken_on) == ([case.id], (date(2009, 1, 1),))
        between = gallery.gallery_between(tx, PACK, case.id, case.id + 1)
        assert np.array_equal(between.vectors, held.vectors)
        assert len(gallery.gallery_between(tx, PACK, 0, case.id)) == 0
        assert gallery.blocks_of(tx, 1) == [case.id]
        assert len(gallery.gallery(tx, OTHER)) == 0
        assert len(gallery.gallery(tx, PACK, case_ids=[])) == 0
        cases.close(tx, case.id, "official", "found", "DNA 12")
        assert len(gallery.gallery(tx, PACK)) == 0
        with pytest.raises(BadInput):
            cases.close(tx, case.id, "official", "again")
        with pytest.raises(BadInput):
            cases.verify(tx, case.id, "second", "A-1")


def test_the_change_sequence_names_every_change_of_the_gallery(store, make_photo, make_face):
    """Registering, a photo, a face, a verification and closing each move the sequence; nothing else does."""
    with store.write() as tx:
        case = cases.add(tx, CHILD, "family")
        seen, changed = cases.changed_since(tx, 0)
        assert changed == (case.id,)
        photo = cases.add_photo(tx, case.id, make_photo(tx).id)
        for act in (
            lambda: gallery.save_case_face(tx, photo.id, "pack", PACK, make_face()),
            lambda: cases.verify(tx, case.id, "second", "A-1"),
            lambda: cases.close(tx, case.id, "official", "found"),
        ):
            act()
            before, (seen, changed) = seen, cases.changed_since(tx, seen)
            assert seen > before
            assert changed == (case.id,)
        assert cases.changed_since(tx, seen) == (seen, ())


def test_a_verified_case_is_searched_back_once_per_change(store, make_photo):
    """The reverse search is pending from verification on, done when said, and pending again after a change meanwhile."""
    with store.write() as tx:
        case = cases.add(tx, CHILD, "family")
        assert cases.pending_reverse(tx) == []
        cases.verify(tx, case.id, "second", "A-1")
        ((number, seq),) = cases.pending_reverse(tx)
        cases.add_photo(tx, case.id, make_photo(tx).id)
        cases.reverse_done(tx, number, seq)
        ((number, seq),) = cases.pending_reverse(tx)
        cases.reverse_done(tx, number, seq)
        assert cases.pending_reverse(tx) == []


def test_a_new_engine_finds_the_case_photos_it_has_to_embed(store, make_photo, make_face):
    """Photos without a face for the pack are listed until they have one; a second face of a pack replaces the first."""
    with store.write() as tx:
        case = cases.add(tx, CHILD, "family")
        photo = cases.add_photo(tx, case.id, make_photo(tx).id)
        assert gallery.faces_missing(tx, PACK) == [photo]
        gallery.save_case_face(tx, photo.id, "pack", PACK, make_face(1))
        gallery.save_case_face(tx, photo.id, "pack", PACK, make_face(2, norm=5.0))
        assert gallery.faces_missing(tx, PACK) == []
        assert [face.norm for face in gallery.faces_of_case(tx, case.id, PACK)] == [5.0]
        with pytest.raises(NotFound):
            gallery.save_case_face(tx, 99, "pack", PACK, make_face())


def test_many_cases_of_one_person_can_be_counted(store, clock):
    """Who registered how many cases since a moment is a figure that an alarm can use."""
    with store.write() as tx:
        cases.add(tx, CHILD, "mother")
    clock.forward(hours=25)
    with store.write() as tx:
        for _ in range(2):
            cases.add(tx, CHILD, "stranger")
        assert cases.registrants(tx, clock.now - timedelta(hours=24)) == {"stranger": 2}
        assert [case.id for case in cases.listing(tx, limit=2)] == [3, 2]
        assert [case.id for case in cases.listing(tx, before=2)] == [1]
