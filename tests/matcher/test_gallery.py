from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from matcher import cohort as cohorts
from matcher.gallery import Gallery, Group, template
from store.errors import EngineError, NotFound
from store.halves import halved

Units = Callable[..., np.ndarray]
PACK = "a" * 64


def filled(rows: np.ndarray, first_id: int = 1) -> Gallery:
    """A gallery with one case a row, ids from ``first_id``."""
    gallery = Gallery(rows.shape[1], "pack", PACK)
    gallery.put_many(range(first_id, first_id + len(rows)), rows, PACK)
    return gallery


def test_an_empty_gallery_finds_nothing(units: Units) -> None:
    """Searching before any case is registered gives no hit and no error."""
    hits = Gallery(128, "pack", PACK).search(units(2), 10)
    assert hits.case_ids.shape == hits.scores.shape == (2, 0)


def test_removing_an_unknown_case_is_no_error(units: Units) -> None:
    """A case closed twice is closed."""
    gallery = filled(units(2))
    before = gallery.revision
    gallery.remove(77)
    assert len(gallery) == 2
    assert gallery.revision == before


def test_a_template_is_the_weighted_mean_of_unit_length(units: Units) -> None:
    """A photo with more weight pulls the template towards itself; the length stays 1."""
    a, b = units(2)
    even, leaning = template([a, b]), template([a, b], [3.0, 1.0])
    assert np.linalg.norm(even) == pytest.approx(1, abs=1e-6)
    assert float(even @ a) == pytest.approx(float(even @ b), abs=1e-5)
    assert float(leaning @ a) > float(even @ a)


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, -1.0], [1.0, float("nan")]])
def test_weights_that_make_no_sense_are_refused(units: Units, weights: list[float]) -> None:
    """Weights must be as many as the vectors and positive."""
    with pytest.raises(EngineError, match="weights"):
        template(list(units(2)), weights)


def test_photos_that_cancel_out_are_refused(units: Units) -> None:
    """Two opposite vectors have no mean direction: the photos cannot show one child."""
    a = units(1)[0]
    with pytest.raises(EngineError, match="contradict"):
        template([a, -a])


def test_vectors_of_another_pack_are_refused(units: Units) -> None:
    """A vector made by another model pack never enters the gallery, and the error says what to do."""
    gallery = Gallery(128, "pack", PACK)
    with pytest.raises(EngineError, match="pack") as caught:
        gallery.put(1, list(units(1)), "b" * 64)
    assert "embed" in caught.value.mend
    assert len(gallery) == 0


@pytest.mark.parametrize("kind", ["dimension", "length", "nan", "none"])
def test_damaged_vectors_are_refused(units: Units, kind: str) -> None:
    """A wrong dimension, a length other than 1, a value that is not finite and an empty list are EngineErrors."""
    gallery, good = Gallery(128, "pack", PACK), units(1)[0]
    bad = {"dimension": [good[:64]], "length": [good * 1.1], "nan": [np.full(128, np.nan, np.float32)], "none": []}[kind]
    with pytest.raises(EngineError):
        gallery.put(1, bad, PACK)
    with pytest.raises(EngineError):
        gallery.search(np.zeros((1, 7), np.float32), 1)


def test_an_unknown_case_has_no_template() -> None:
    """Asking for the template of a case that is not registered is NotFound."""
    with pytest.raises(NotFound):
        Gallery(128, "pack", PACK).template_of(4)


def test_the_cohort_of_a_large_gallery_is_a_fixed_sample(units: Units) -> None:
    """Above 2,048 cases the cohort does not depend on the order of registration, and one change moves one member at most."""
    rows = units(3000, 8)
    forth, back = Gallery(8, "pack", PACK), Gallery(8, "pack", PACK)
    forth.put_many(range(1, 3001), rows, PACK)
    back.put_many(range(3000, 0, -1), rows[::-1], PACK)
    first = set(forth.cohort().case_ids.tolist())
    assert len(first) == cohorts.COHORT_MAX
    assert first == set(back.cohort().case_ids.tolist())
    forth.remove(min(first))
    assert len(first - set(forth.cohort().case_ids.tolist())) == 1


def test_a_replaced_case_is_replaced_in_the_cohort_too(units: Units) -> None:
    """A new photo of a case changes what scores are normalised with."""
    rows = units(70)
    gallery = filled(rows)
    gallery.cohort()
    gallery.put(5, [rows[0]], PACK)
    cohort = gallery.cohort()
    place = int(cohort.positions(np.array([5]))[0])
    assert np.array_equal(cohort.templates[place], halved(rows[:1])[0])


def test_an_operators_own_cohort_joins_the_cases(units: Units) -> None:
    """Own cohort vectors count as strangers, belong to no case and are never found by a search."""
    gallery = Gallery(128, "pack", PACK, own_cohort=units(80, seed=9))
    gallery.put(1, list(units(1)), PACK)
    assert len(gallery.cohort()) == 81
    assert gallery.search(units(1, seed=9), 10).case_ids.tolist() == [[1]]


@pytest.mark.parametrize(("years", "group"), [(None, "child"), (0.5, "toddler"), (2.9, "toddler"), (3, "child"), (18, "adult")])
def test_age_groups(years: float | None, group: str) -> None:
    """Below three years a toddler, from eighteen on an adult, unknown ages as a child."""
    assert Group.of_age(years) == group
