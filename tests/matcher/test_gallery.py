from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from matcher import cohort as cohorts
from matcher.gallery import Gallery, Group, template
from store.errors import EngineError, NotFound

Units = Callable[..., np.ndarray]
PACK = "a" * 64


def filled(rows: np.ndarray, first_id: int = 1) -> Gallery:
    """A gallery with one case a row, ids from ``first_id``."""
    gallery = Gallery(rows.shape[1], "pack", PACK)
    gallery.put_many(range(first_id, first_id + len(rows)), rows, PACK)
    return gallery


def test_search_is_exact(units: Units) -> None:
    """Over several blocks of rows, ids and scores are those of the full product, sorted."""
    rows, probes = units(150_000, 16), units(3, 16, seed=1)
    hits = filled(rows).search(probes, 10)
    full = probes @ rows.T
    for i in range(3):
        best = np.argsort(-full[i], kind="stable")[:10]
        assert hits.case_ids[i].tolist() == (best + 1).tolist()
        assert np.allclose(hits.scores[i], full[i, best], atol=1e-6)


def test_equal_scores_come_in_the_order_of_case_ids(units: Units) -> None:
    """Ties are broken by case id, so a search gives the same answer every time."""
    row = units(1)
    gallery = Gallery(128, "pack", PACK)
    for case_id in (9, 3, 7):
        gallery.put(case_id, list(row), PACK)
    assert gallery.search(row[0], 3).case_ids.tolist() == [[3, 7, 9]]


def test_one_probe_and_a_batch_agree(units: Units) -> None:
    """A probe alone and in a batch gets the same cases."""
    gallery, probes = filled(units(500)), units(64, seed=2)
    together = gallery.search(probes, 5)
    for i, probe in enumerate(probes):
        assert gallery.search(probe, 5).case_ids[0].tolist() == together.case_ids[i].tolist()


def test_a_single_probe_of_a_large_gallery_is_exact(units: Units) -> None:
    """From 50,000 cases on single probes go through a float16 copy, and still give the exact cases, scores and order."""
    rows, probes = units(60_000, 32), units(20, 32, seed=1)
    gallery = filled(rows)
    for probe in probes:
        hits, full = gallery.search(probe, 10), rows @ probe
        best = np.argsort(-full, kind="stable")[:10]
        assert hits.case_ids[0].tolist() == (best + 1).tolist()
        assert np.allclose(hits.scores[0], full[best], atol=1e-6)


def test_a_gallery_of_one_likeness_over_and_over_is_still_searched_exactly(units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rounding cannot tell the best from the rest (all but equal vectors), the exact search takes over."""
    monkeypatch.setattr("matcher.gallery.HALF_FROM", 10)
    base, noise = units(1)[0], units(400, seed=2)
    rows = base + 1e-3 * noise
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    exact = (rows.astype(np.float64) * rows[7]).sum(axis=1)
    assert filled(rows).search(rows[7], 5).case_ids[0].tolist() == (np.argsort(-exact, kind="stable")[:5] + 1).tolist()


def test_an_empty_gallery_finds_nothing(units: Units) -> None:
    """Searching before any case is registered gives no hit and no error."""
    hits = Gallery(128, "pack", PACK).search(units(2), 10)
    assert hits.case_ids.shape == hits.scores.shape == (2, 0)


@pytest.mark.parametrize("halved", [False, True])
def test_any_order_of_adding_changing_and_removing_gives_the_same_gallery(
    units: Units, halved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After 600 random changes the gallery answers as one built anew, with and without the float16 copy for single probes."""
    monkeypatch.setattr("matcher.gallery.HALF_FROM", 10 if halved else 10**9)
    rng = np.random.default_rng(5)
    pool = units(400, 32)
    gallery, wanted = Gallery(32, "pack", PACK), dict[int, int]()
    for _ in range(600):
        case_id, row = int(rng.integers(1, 120)), int(rng.integers(400))
        if rng.random() < 0.4:
            gallery.remove(case_id)
            wanted.pop(case_id, None)
        else:
            gallery.put(case_id, [pool[row]], PACK)
            wanted[case_id] = row
        gallery.search(pool[0], 3)
    fresh = Gallery(32, "pack", PACK)
    for case_id, row in wanted.items():
        fresh.put(case_id, [pool[row]], PACK)
    assert gallery.case_ids() == fresh.case_ids() == sorted(wanted)
    expected = fresh.search(pool[:50], 10).case_ids.tolist()
    assert gallery.search(pool[:50], 10).case_ids.tolist() == expected
    assert [gallery.search(probe, 10).case_ids[0].tolist() for probe in pool[:50]] == expected
    assert np.array_equal(np.sort(gallery.cohort().case_ids), np.sort(fresh.cohort().case_ids))


def test_a_removed_case_leaves_no_trace_in_memory(units: Units) -> None:
    """Erasing a case overwrites its vector."""
    rows = units(3)
    gallery = filled(rows)
    gallery.remove(3)
    assert 3 not in gallery
    assert not np.any(np.all(np.isclose(gallery._rows, rows[2]), axis=1))


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


def test_searching_while_cases_change_never_mixes_them_up(units: Units) -> None:
    """While another thread adds and removes cases, a registered case is always found with its own id."""
    rows = units(300)
    gallery = filled(rows)

    def change(step: int) -> None:
        gallery.put(1000 + step % 7, [rows[step % 300]], PACK)
        gallery.remove(1000 + (step + 3) % 7)

    def look(step: int) -> bool:
        case = step % 300
        return case + 1 in gallery.search(rows[case], 9).case_ids[0].tolist()

    with ThreadPoolExecutor(4) as pool:
        changes = [pool.submit(change, step) for step in range(500)]
        assert all(pool.map(look, range(500)))
        for done in changes:
            done.result()


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
    assert np.allclose(cohort.templates[place], rows[0])


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
