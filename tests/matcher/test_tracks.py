from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from matcher.calibrate import BandTargets, Calibration, calibration, for_gallery
from matcher.gallery import Gallery
from matcher.tracks import Seen, link
from store.model import FaceQuality

PACK = "a" * 64
Units = Callable[..., np.ndarray]


def near(base: np.ndarray, cosine: float, seed: int) -> np.ndarray:
    side = np.random.default_rng(seed).normal(size=base.shape)
    side -= (side @ base) * base
    return (cosine * base + np.sqrt(1 - cosine**2) * side / np.linalg.norm(side)).astype(np.float32)


@pytest.fixture
def gallery(units: Units) -> Gallery:
    """Eighty registered cases: the cohort."""
    made = Gallery(128, "yunet_sface", PACK)
    made.put_many(range(80), units(80), PACK)
    return made


@pytest.fixture
def bands(gallery: Gallery) -> Calibration:
    """Their calibration."""
    return for_gallery(gallery, BandTargets())


def test_a_child_seen_again_continues_its_track(gallery: Gallery, bands: Calibration, units: Units) -> None:
    """A new face near all faces of one track, and of no other, is linked to it."""
    children = units(3, seed=5)
    tracks = {
        number: [Seen(10 * number + i, 100 * number + i, near(child, 0.95, 10 * number + i)) for i in range(3)]
        for number, child in enumerate(children)
    }
    found = link(Seen(99, 999, near(children[1], 0.95, 77)), tracks, gallery, bands)
    assert found.track == 1
    assert found.one_in >= 10_000


def test_a_stranger_starts_no_link(gallery: Gallery, bands: Calibration, units: Units) -> None:
    """Another child joins no track."""
    tracks = {1: [Seen(1, 1, units(1, seed=5)[0])]}
    assert link(Seen(2, 2, units(1, seed=6)[0]), tracks, gallery, bands).track is None


def test_one_likeness_does_not_chain_two_children(units: Units) -> None:
    """A face near one stray face of a track, but not near most of it, does not join."""
    gallery, base = Gallery(128, "yunet_sface", PACK), units(2, seed=7)
    gallery.put(1, [units(1)[0]], PACK)
    bands = calibration("yunet_sface", 1, BandTargets())
    stray = near(base[1], 0.98, 3)
    faces = [*(Seen(i, i, near(base[0], 0.95, i)) for i in range(4)), Seen(9, 9, stray)]
    assert link(Seen(20, 20, near(base[1], 0.98, 4)), {1: faces}, gallery, bands).track is None


def test_two_fitting_tracks_are_for_a_person(gallery: Gallery, bands: Calibration, units: Units) -> None:
    """A face that fits two tracks joins neither, and says so: people merge tracks."""
    child = units(1, seed=8)[0]
    tracks = {n: [Seen(n, n, near(child, 0.95, n))] for n in (1, 2)}
    found = link(Seen(5, 5, child), tracks, gallery, bands)
    assert found.track is None
    assert "for a person" in found.why


def test_what_people_took_apart_stays_apart(gallery: Gallery, bands: Calibration, units: Units) -> None:
    """A (face, track) pair that people split is never joined again, whatever it scores."""
    child = units(1, seed=8)[0]
    assert link(Seen(5, 5, child), {1: [Seen(1, 1, child)]}, gallery, bands, apart={(5, 1)}).track is None


def test_two_faces_of_one_photo_are_two_children(gallery: Gallery, bands: Calibration, units: Units) -> None:
    """A face is never linked with a track that holds another face of the same photo."""
    child = units(1, seed=8)[0]
    assert link(Seen(5, 1, child), {1: [Seen(1, 1, child)]}, gallery, bands).track is None


def test_poor_faces_are_not_linked(gallery: Gallery, bands: Calibration, units: Units) -> None:
    """A LOW face links to nothing, and LOW faces of a track do not draw others in."""
    child = units(1, seed=8)[0]
    assert link(Seen(5, 5, child, FaceQuality.LOW), {1: [Seen(1, 1, child)]}, gallery, bands).track is None
    assert link(Seen(5, 5, child), {1: [Seen(1, 1, child, FaceQuality.LOW)]}, gallery, bands).track is None


def test_many_tracks_ask_for_a_surer_face(units: Units) -> None:
    """With far more tracks than cases the threshold rises, so that wrong links stay as rare."""
    gallery, child = Gallery(128, "yunet_sface", PACK), units(1, seed=8)[0]
    gallery.put(1, [units(1)[0]], PACK)
    bands = calibration("yunet_sface", 1, BandTargets())
    new = Seen(-1, -1, near(child, bands.high + 0.01, 1))
    few = {1: [Seen(1, 1, child)]}
    many = few | {2 + i: [Seen(2 + i, 2 + i, row)] for i, row in enumerate(units(2000, seed=9))}
    assert link(new, few, gallery, bands).track == 1
    assert link(new, many, gallery, bands).track is None
