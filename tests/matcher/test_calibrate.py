from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from matcher import as_norm, compare
from matcher.calibrate import BandTargets, Calibrator, Rule, Tail, calibration, floors, for_gallery
from matcher.gallery import Gallery, Group
from store.model import Band, FaceQuality

PACK = "a" * 64
Units = Callable[..., np.ndarray]


def look_alikes(n: int, seed: int, alike: float = 0.6, kinds: int = 8) -> np.ndarray:
    """Unit vectors of different persons who resemble each other, as children do: a common part, one of ``kinds``, and noise."""
    rng = np.random.default_rng(seed)
    common = np.random.default_rng(1).normal(size=(kinds + 1, 128))
    rows = alike * (common[0] + 0.7 * common[1 + rng.integers(kinds, size=n)]) + rng.normal(size=(n, 128))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def gallery_of(rows: np.ndarray, group: Group = Group.CHILD) -> Gallery:
    gallery = Gallery(rows.shape[1], "yunet_sface", PACK)
    for i, row in enumerate(rows):
        gallery.put(i + 1, [row], PACK, group=group)
    return gallery


def test_a_small_gallery_is_judged_by_published_rates_and_never_below_the_strict_cosine() -> None:
    """Below 60 cases the rule is RAW; even a lenient target never makes a cosine under 0.65 high."""
    lenient = calibration("yunet_sface", 5, BandTargets(high_one_in_photos=10))
    assert lenient.rule is Rule.RAW
    assert lenient.high == 0.65


@pytest.mark.parametrize(("fmr", "low", "high"), [(1e-2, 0.57, 0.59), (1e-3, 0.64, 0.67)])
def test_the_published_false_match_rates_are_met(fmr: float, low: float, high: float) -> None:
    """For one case, the tail of the group CHILD goes through the published points for Asian children of 3 to 12 years."""
    tail = calibration("yunet_sface", 1, BandTargets()).groups[Group.CHILD].tail
    assert low <= tail.score(fmr) <= high
    assert tail.rate(tail.score(fmr)) == pytest.approx(fmr, rel=1e-6)


def test_opencvs_customary_threshold_is_worth_nothing_with_children() -> None:
    """At 0.363, one child in three passes for another, and nine toddlers of ten do: no candidate at all."""
    small = calibration("yunet_sface", 1, BandTargets())
    assert small.strangers(0.363) == pytest.approx(0.356, rel=0.05)
    assert small.strangers(0.363, Group.TODDLER) == pytest.approx(0.926, rel=0.05)
    assert small.band(0.363, FaceQuality.GOOD) is Band.NONE


def test_thresholds_rise_with_the_gallery_and_with_the_youth_of_the_child() -> None:
    """More cases, or younger ones, ask for a higher score in either band."""
    sizes = [calibration("yunet_sface", n, BandTargets()) for n in (1, 5, 20, 59)]
    assert all(a.high < b.high and a.review < b.review for a, b in pairwise(sizes))
    for each in sizes:
        assert each.groups[Group.ADULT].high <= each.groups[Group.CHILD].high <= each.groups[Group.TODDLER].high


def test_a_photo_of_many_faces_is_held_to_the_same_promise() -> None:
    """Two hundred faces are two hundred chances: each then needs a score that strangers reach 200 times less often."""
    made = calibration("yunet_sface", 12, BandTargets())
    for thresholds in made.groups.values():
        crowd = thresholds.among(200)
        assert thresholds.among(1) == thresholds
        assert crowd.high > thresholds.high
        for band in ("high", "review"):
            alone, together = getattr(thresholds, band), getattr(crowd, band)
            assert thresholds.tail.rate(together) == pytest.approx(thresholds.tail.rate(alone) / 200, rel=0.01)
    score = made.high + 0.01
    assert made.band(score, FaceQuality.GOOD) is Band.HIGH
    assert made.band(score, FaceQuality.GOOD, faces=200) is not Band.HIGH
    assert made.one_in(score, faces=10) == pytest.approx(made.one_in(score) / 10, rel=0.1)


def test_the_high_band_is_never_wider_than_the_review_band() -> None:
    """Whatever the targets, review begins at or below high."""
    for one_in in (10, 1000, 10**6):
        for per_day in (0.001, 1, 5000):
            made = calibration("yunet_sface", 30, BandTargets(one_in, per_day))
            assert all(t.review <= t.high for t in made.groups.values())


@pytest.mark.parametrize("quality", list(FaceQuality))
def test_a_low_quality_face_is_never_high(quality: FaceQuality) -> None:
    """Even a cosine of 1 with a LOW face is for people only; an UNUSABLE face is no candidate."""
    band = calibration("yunet_sface", 10, BandTargets()).band(1.0, quality)
    assert band is {FaceQuality.GOOD: Band.HIGH, FaceQuality.LOW: Band.REVIEW, FaceQuality.UNUSABLE: Band.NONE}[quality]


def test_a_pack_without_figures_alerts_nobody_in_a_small_gallery() -> None:
    """Without published rates no cosine is high below 60 cases; people still get candidates."""
    unknown = calibration("some_new_pack", 10, BandTargets())
    assert unknown.band(1.0, FaceQuality.GOOD) is Band.REVIEW
    assert floors("some_new_pack").norm_low is None


def test_one_in_reads_as_people_say_it() -> None:
    """'About 1 in N photos' has two digits, grows with the score and ends at ten million."""
    made = calibration("yunet_sface", 12, BandTargets())
    numbers = [made.one_in(score / 100) for score in range(101)]
    assert numbers == sorted(numbers)
    assert numbers[0] == 1
    assert numbers[-1] <= 10_000_000
    assert all(len(str(n).rstrip("0")) <= 2 for n in numbers)


@pytest.mark.parametrize("size", [60, 200, 500])
@pytest.mark.parametrize("one_in", [10, 50])
def test_the_high_band_keeps_its_word_on_strangers_who_look_alike(size: int, one_in: int) -> None:
    """Searching 4,000 strangers, the share with a high candidate stays within a factor 2 of the target (or below it)."""
    gallery = gallery_of(look_alikes(size, seed=2))
    made = for_gallery(gallery, BandTargets(high_one_in_photos=one_in, review_per_day=400, photos_per_day=2000))
    assert made.rule is Rule.AS_NORM
    probes = [compare.Probe(0, row) for row in look_alikes(4000, seed=3)]
    found = compare.search_each(probes, gallery, made)
    alarms = sum(any(match.band is Band.HIGH for match in outcome.matches) for outcome in found)
    assert alarms / 4000 <= 2 / one_in


def test_the_tail_beyond_what_was_counted_is_not_too_hopeful() -> None:
    """At 1 in 1,000, which 300 cases cannot count, strangers stay within a factor 2 of what the tail says."""
    gallery = gallery_of(look_alikes(300, seed=4))
    made = for_gallery(gallery, BandTargets(high_one_in_photos=1000))
    probes = look_alikes(20_000, seed=5)
    hits = gallery.search(probes, 20)
    best = as_norm.normalise(probes, hits.case_ids, hits.scores, gallery).max(axis=1)
    assert (best >= made.high).mean() <= 2 / 1000


@pytest.mark.parametrize("local", [True, False])
def test_searching_the_cases_among_each_other_equals_searching_each_without_itself(
    local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one-matrix fit gives what really taking each case out and searching it gives: to the last digit but for the part that
    says how high strangers of its kind come, for one case less changes a little how high the others come."""
    if not local:
        monkeypatch.setattr(as_norm.Local, "surplus", nothing)
    rows = look_alikes(70, seed=6)
    best, _ = as_norm.searched_among_each_other(rows)
    for i in (0, 33, 69):
        gallery = gallery_of(np.delete(rows, i, axis=0))
        hits = gallery.search(rows[i], 69)
        alone = as_norm.normalise(rows[i : i + 1], hits.case_ids, hits.scores, gallery)
        assert float(alone.max()) == pytest.approx(float(best[i]), abs=0.3 if local else 1e-3)


def nothing(_: as_norm.Local, likeness: np.ndarray) -> np.ndarray:
    """No surplus, whoever it is."""
    return np.zeros(len(likeness))


def test_the_bands_keep_their_word_on_a_kind_of_which_the_gallery_holds_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred who look much alike among 400 who hardly do: strangers of the few reach the high band about as often as promised,
    and half as often again if nothing is known about strangers like them."""
    few, many = {"alike": 0.6}, {"alike": 0.2}
    gallery = gallery_of(np.concatenate([look_alikes(400, seed=2, **many), look_alikes(100, seed=4, **few)]))
    strangers = look_alikes(3000, seed=5, **few)
    targets = BandTargets(high_one_in_photos=10, review_per_day=400, photos_per_day=2000)

    def of_the_target() -> float:
        hits = gallery.search(strangers, 150)
        best = as_norm.normalise(strangers, hits.case_ids, hits.scores, gallery).max(axis=1)
        return float((best >= for_gallery(gallery, targets).high).mean()) * targets.high_one_in_photos

    assert 0.7 < of_the_target() < 1.3
    monkeypatch.setattr(as_norm.Local, "surplus", nothing)
    assert of_the_target() > 1.5


def test_a_child_registered_twice_does_not_pull_the_bands_out_of_reach() -> None:
    """Three double registrations among 200 cases raise the high threshold by less than one deviation."""
    rows = look_alikes(200, seed=7)
    clean = for_gallery(gallery_of(rows), BandTargets())
    doubled = rows.copy()
    doubled[:3] = doubled[10:13]
    assert for_gallery(gallery_of(doubled), BandTargets()).high - clean.high < 1.0


def test_normalising_evens_out_faces_that_resemble_everybody() -> None:
    """A stranger near the common face scores high with everybody as a cosine, and low once normalised."""
    rows = look_alikes(200, seed=8)
    gallery = gallery_of(rows)
    average = rows.mean(axis=0)
    everybody = (average / np.linalg.norm(average)).astype(np.float32)
    raw, normalised = {}, {}
    for name, probe in (("everybody", everybody), ("usual", look_alikes(1, seed=9)[0])):
        hits = gallery.search(probe, 20)
        raw[name] = float(hits.scores.max())
        normalised[name] = float(as_norm.normalise(probe[None], hits.case_ids, hits.scores, gallery).max())
    assert raw["everybody"] > raw["usual"]
    assert normalised["everybody"] < 3.6


def test_a_true_mate_stands_out_once_normalised() -> None:
    """A second photo of a registered child (cosine about 0.8) scores far above every stranger's."""
    rows = look_alikes(100, seed=10)
    gallery = gallery_of(rows)
    noise = np.random.default_rng(11).normal(size=128)
    mate = rows[41] + 0.75 * noise / np.linalg.norm(noise)
    mate = (mate / np.linalg.norm(mate)).astype(np.float32)
    made = for_gallery(gallery, BandTargets(high_one_in_photos=1000))
    found = compare.search([compare.Probe(0, mate)], gallery, made).matches
    assert found[0].case_id == 42
    assert found[0].normalised is not None
    assert all(other.normalised is not None and other.normalised < found[0].normalised - 1 for other in found[1:])


def test_a_calibrator_fits_anew_only_when_the_gallery_has_changed_enough() -> None:
    """One more case of 200 keeps the thresholds; a tenth more gives new ones; below 60 every change counts."""
    gallery = gallery_of(look_alikes(200, seed=12))
    keeper = Calibrator(BandTargets())
    first = keeper.of(gallery)
    more = look_alikes(30, seed=13)
    gallery.put(900, [more[0]], PACK)
    assert keeper.of(gallery) is first
    for i, row in enumerate(more):
        gallery.put(901 + i, [row], PACK)
    assert keeper.of(gallery).version != first.version
    small = gallery_of(more[:5])
    keeper = Calibrator(BandTargets())
    before = keeper.of(small)
    small.put(99, [more[9]], PACK)
    assert keeper.of(small).gallery_size == before.gallery_size + 1


def test_an_own_cohort_makes_even_one_case_calibrated() -> None:
    """With 200 licensed strangers the AS_NORM rule holds from the first case on, and its rates are those of one case."""
    gallery = Gallery(128, "yunet_sface", PACK, own_cohort=look_alikes(200, seed=14))
    gallery.put(1, list(look_alikes(1, seed=15)), PACK)
    made = for_gallery(gallery, BandTargets(high_one_in_photos=100))
    assert made.rule is Rule.AS_NORM
    alone = made.strangers(3.0)
    for i, row in enumerate(look_alikes(9, seed=16)):
        gallery.put(2 + i, [row], PACK)
    ten = for_gallery(gallery, BandTargets(high_one_in_photos=100)).strangers(3.0)
    assert ten / alone == pytest.approx(10, rel=0.5)


def test_a_tail_reads_both_ways() -> None:
    """Scores and rates are each other's inverse between and beyond the knots."""
    tail = Tail(((1.0, 0.0), (2.0, -2.0), (4.0, -8.0)))
    for score in (1.5, 3.0, 4.0, 6.0):
        assert tail.score(tail.rate(score)) == pytest.approx(score)
    assert tail.rate(6.0) == pytest.approx(math.exp(-14))
    assert tail.rate(0.0) == 1.0
