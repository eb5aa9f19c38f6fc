from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from matcher import compare
from matcher.calibrate import BandTargets, Calibration, calibration, for_gallery
from matcher.compare import Probe
from matcher.gallery import Gallery
from store.errors import EngineError
from store.model import Band, FaceQuality

PACK = "a" * 64
Units = Callable[..., np.ndarray]


def candidates(*args, **options) -> list[compare.Match]:
    """The candidates of a search."""
    return list(compare.search(*args, **options).matches)


def toward(base: np.ndarray, other: np.ndarray, cosine: float) -> np.ndarray:
    """A unit vector whose cosine with ``base`` is ``cosine``."""
    side = other - (other @ base) * base
    side /= np.linalg.norm(side)
    return (cosine * base + np.sqrt(1 - cosine**2) * side).astype(np.float32)


@pytest.fixture
def rows(units: Units) -> np.ndarray:
    """Twelve different persons."""
    return units(12)


@pytest.fixture
def gallery(rows: np.ndarray) -> Gallery:
    """Twelve cases, ids 1 to 12."""
    made = Gallery(128, "yunet_sface", PACK)
    for i, row in enumerate(rows):
        made.put(i + 1, [row], PACK)
    return made


@pytest.fixture
def small() -> Calibration:
    """The calibration of twelve cases."""
    return calibration("yunet_sface", 12, BandTargets())


def test_a_candidate_carries_everything_that_explains_it(
    gallery: Gallery, small: Calibration, rows: np.ndarray, units: Units
) -> None:
    """Case, face, cosine, rank, band, 'about 1 in N photos', pack and calibration version stand on each candidate."""
    probe = toward(rows[4], units(1, seed=3)[0], 0.9)
    (match,) = candidates([Probe(2, probe)], gallery, small)
    assert (match.case_id, match.face_index, match.rank, match.band) == (5, 2, 1, Band.HIGH)
    # The cosine with the template as it is kept, in float16, which is 0.9 but for that rounding.
    assert match.raw == pytest.approx(float(gallery.template_of(5) @ probe), abs=1e-6)
    assert match.raw == pytest.approx(0.9, abs=2**-11)
    assert match.normalised is None
    assert match.one_in >= 10_000
    assert f"{match.one_in:,}" in match.why
    assert (match.pack_id, match.calibration) == ("yunet_sface", small.version)


def test_a_middling_score_is_for_people(gallery: Gallery, small: Calibration, rows: np.ndarray, units: Units) -> None:
    """Between the thresholds a candidate is for review; below, there is none."""
    other = units(1, seed=3)[0]
    middle = candidates([Probe(0, toward(rows[4], other, (small.high + small.review) / 2))], gallery, small)
    assert [match.band for match in middle] == [Band.REVIEW]
    assert candidates([Probe(0, toward(rows[4], other, small.review - 0.02))], gallery, small) == []


def test_a_rejected_pair_stays_rejected(gallery: Gallery, small: Calibration, rows: np.ndarray) -> None:
    """A pair that people rejected is not returned even at cosine 1; the same face may still match another case."""
    assert candidates([Probe(0, rows[4])], gallery, small, excluded={(0, 5)}) == []
    assert candidates([Probe(1, rows[4])], gallery, small, excluded={(0, 5)})[0].case_id == 5


def test_two_faces_of_one_photo_cannot_both_be_one_child(
    gallery: Gallery, small: Calibration, rows: np.ndarray, units: Units
) -> None:
    """The better face keeps the band; the other is for people at most, and says which face fits better."""
    other = units(2, seed=3)
    faces = [Probe(0, toward(rows[4], other[0], 0.85)), Probe(1, toward(rows[4], other[1], 0.95))]
    first, second = candidates(faces, gallery, small)
    assert (first.face_index, first.band) == (1, Band.HIGH)
    assert (second.face_index, second.band) == (0, Band.REVIEW)
    assert "face 2" in second.why


def test_a_face_that_matches_many_cases_is_set_aside(small: Calibration, units: Units) -> None:
    """A vector made to match everybody (or a child registered over and over) alerts nobody and says how many it matches."""
    base, noise = units(1)[0], units(12, seed=4)
    gallery = Gallery(128, "yunet_sface", PACK)
    for i, row in enumerate(noise):
        gallery.put(i + 1, [toward(base, row, 0.9)], PACK)
    found = candidates([Probe(0, base)], gallery, small)
    assert len(found) == 12
    assert {match.band for match in found} == {Band.REVIEW}
    assert "matches 12 cases" in found[0].why


@pytest.mark.parametrize(("quality", "bands"), [(FaceQuality.LOW, [Band.REVIEW]), (FaceQuality.UNUSABLE, [])])
def test_a_poor_face_alerts_nobody(
    gallery: Gallery, small: Calibration, rows: np.ndarray, quality: FaceQuality, bands: list[Band]
) -> None:
    """LOW faces are for people only, UNUSABLE ones are not searched."""
    assert [match.band for match in candidates([Probe(0, rows[4], quality)], gallery, small)] == bands


def test_every_searched_face_is_observed_once(gallery: Gallery, small: Calibration, rows: np.ndarray, units: Units) -> None:
    """The best score of each searched face is reported for the drift histogram, with or without a candidate."""
    faces = [Probe(0, rows[0]), Probe(1, units(1, seed=8)[0]), Probe(2, rows[1], FaceQuality.UNUSABLE)]
    outcome = compare.search(faces, gallery, small)
    assert [seen.face_index for seen in outcome.observed] == [0, 1]
    assert outcome.observed[0].share < 1e-4 < 0.5 < outcome.observed[1].share


def test_a_new_case_is_searched_in_all_past_faces(gallery: Gallery, small: Calibration, rows: np.ndarray, units: Units) -> None:
    """The other direction finds the same candidates with the same scores as searching each face."""
    strangers = units(200, seed=5)
    faces = [Probe(i, row) for i, row in enumerate(strangers)]
    faces[70] = Probe(70, toward(rows[4], strangers[0], 0.9))
    faces[90] = Probe(90, toward(rows[4], strangers[1], 0.8), FaceQuality.LOW)
    back = compare.against_cases([5], faces, gallery, small)
    forth = [match for face in faces for match in candidates([face], gallery, small) if match.case_id == 5]
    assert [match.face_index for match in back] == [70, 90]
    assert sorted(back, key=lambda match: match.face_index) == forth


def test_several_new_cases_are_searched_at_once(gallery: Gallery, small: Calibration, rows: np.ndarray, units: Units) -> None:
    """Each of them finds what it would have found alone."""
    strangers = units(60, seed=6)
    faces = [Probe(i, row) for i, row in enumerate(strangers)]
    faces[10] = Probe(10, toward(rows[4], strangers[0], 0.9))
    faces[20] = Probe(20, toward(rows[8], strangers[1], 0.9))
    together = compare.against_cases([5, 7, 9], faces, gallery, small)
    alone = [match for case_id in (5, 7, 9) for match in compare.against_cases([case_id], faces, gallery, small)]
    assert {(match.case_id, match.face_index) for match in together} == {(5, 10), (9, 20)}
    assert sorted(together, key=lambda match: match.case_id) == alone


def test_nothing_to_search_is_no_error(gallery: Gallery, small: Calibration, rows: np.ndarray) -> None:
    """No face, or no case, gives no candidate."""
    assert candidates([], gallery, small) == []
    assert candidates([Probe(0, rows[0])], Gallery(128, "yunet_sface", PACK), small) == []
    assert compare.against_cases([1], [], gallery, small) == []
    assert compare.against_cases([], [Probe(0, rows[0])], gallery, small) == []


def test_vectors_of_another_dimension_are_refused(gallery: Gallery, small: Calibration) -> None:
    """A 512-d face against a 128-d gallery is an EngineError, not a wrong answer."""
    with pytest.raises(EngineError, match="dimension"):
        candidates([Probe(0, np.full(512, 512**-0.5, np.float32))], gallery, small)


def test_vectors_are_not_printed(rows: np.ndarray) -> None:
    """A probe's repr, as it may end in a log or a traceback, does not hold the vector."""
    assert repr(Probe(3, rows[0])) == "Probe(index=3, quality=good)"


def test_many_faces_searched_together_give_what_each_gives_alone(units: Units) -> None:
    """Searching each face as a photo of its own, in batches, changes no candidate, rank, score or observation: below 60 cases and
    above, with unusable and low faces among them."""
    for cases in (12, 90):
        rows = units(cases, seed=5)
        gallery = Gallery(128, "yunet_sface", PACK)
        gallery.put_many(range(1, cases + 1), rows, PACK)
        made = for_gallery(gallery, BandTargets(high_one_in_photos=100, review_per_day=2000))
        kinds = [FaceQuality.GOOD, FaceQuality.LOW, FaceQuality.UNUSABLE]
        faces = [Probe(i, toward(rows[i % cases], rows[(i + 1) % cases], 0.3 + i / 60), kinds[i % 3]) for i in range(40)]
        together = compare.search_each(faces, gallery, made, keep=5)
        for outcome, face in zip(together, faces, strict=True):
            alone = compare.search([face], gallery, made, keep=5)
            for match, same in zip(outcome.matches, alone.matches, strict=True):
                assert (match.case_id, match.rank, match.band) == (same.case_id, same.rank, same.band)
                # A product of many rows rounds otherwise than one of one row.
                assert match.raw == pytest.approx(same.raw, abs=1e-6)
                assert match.normalised == (same.normalised and pytest.approx(same.normalised, abs=1e-4))
            assert [o.share for o in outcome.observed] == pytest.approx([o.share for o in alone.observed], rel=1e-3)
        assert sum(len(outcome.matches) for outcome in together) > 10
    assert compare.search_each(faces, Gallery(128, "yunet_sface", PACK), made) == [compare.Outcome((), ())] * 40
