"""The demo's photos: real faces of adult public figures from the installed packages, that the default engine tells apart."""

from __future__ import annotations

import io
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bot.demo import photos as module
from bot.demo.photos import DemoPhoto, demo_people, demo_photos
from ingest.duplicate import NEAR_BITS, hamming, perceptual_hash
from ingest.photo import Decoder
from ingest.sniff import sniff
from matcher.engines.base import DetectedFace, Engine
from store.errors import BadInput
from store.model import FaceQuality

ALERTS_FROM = 0.65
"""The raw cosine from which a gallery as small as the demo's alerts."""


@pytest.fixture(scope="module")
def faces(photos: dict[str, DemoPhoto], engine_and_decoder: tuple[Engine, Decoder]) -> dict[str, list[DetectedFace]]:
    engine, _ = engine_and_decoder
    return {name: engine.faces(np.asarray(opened(photo))) for name, photo in photos.items()}


@pytest.fixture(scope="module")
def cases(photos: dict[str, DemoPhoto], faces: dict[str, list[DetectedFace]]) -> dict[str, np.ndarray]:
    """Each demo case as the gallery holds it: the mean of its photos' vectors, of unit length."""
    vectors: dict[str, list[np.ndarray]] = {}
    for photo in photos.values():
        if photo.is_case_photo and photo.person:
            vectors.setdefault(photo.person, []).append(faces[photo.name][0].vector)
    means = {person: np.mean(rows, axis=0) for person, rows in vectors.items()}
    return {person: mean / np.linalg.norm(mean) for person, mean in means.items()}


def opened(photo: DemoPhoto) -> Image.Image:
    return Image.open(io.BytesIO(photo.data)).convert("RGB")


def posted(photos: dict[str, DemoPhoto]) -> list[DemoPhoto]:
    return [photo for photo in photos.values() if not photo.is_case_photo]


def test_there_are_enough(photos: dict[str, DemoPhoto]) -> None:
    """At least twelve real photos are posted, of at least four registered stand-ins and four people who are not registered."""
    assert len(posted(photos)) >= 20
    registered = {key: person for key, person in demo_people().items() if person.registered}
    assert len(registered) >= 4
    assert all(person.label.startswith("Demo case ") for person in registered.values())
    assert {photo.person for photo in photos.values() if photo.is_case_photo} == set(registered)
    assert {photo.person for photo in posted(photos)} - {None} == set(registered)
    assert len({photo.name for photo in photos.values()}) == len(photos) == len({photo.data for photo in photos.values()})


def test_every_format_but_heic_is_among_them(photos: dict[str, DemoPhoto]) -> None:
    """JPEG, PNG, WebP and GIF are posted, each what it says it is."""
    assert {photo.format for photo in photos.values()} == {"JPEG", "PNG", "WEBP", "GIF"}
    for photo in photos.values():
        assert sniff(photo.data) == photo.format


def test_equal_packages_give_equal_bytes(photos: dict[str, DemoPhoto]) -> None:
    """Making the photos again gives the same bytes: content hashes and ids in the demo stay the same."""
    assert {photo.name: photo for photo in demo_photos()} == photos


def test_no_face_engine_is_loaded_to_make_them() -> None:
    """The photos are read from the packages' folders without importing the packages."""
    code = "import sys, bot.demo.photos as p; p.demo_photos(); print(*{'insightface', 'skimage'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout.split() == []


def test_a_missing_sample_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a package does not ship its sample, the error names the file and how to mend it."""
    (tmp_path / "people.csv").write_text((Path(module.__file__).parent / "people.csv").read_text().replace("astronaut", "nobody"))
    (tmp_path / "renderings.csv").write_text((Path(module.__file__).parent / "renderings.csv").read_text())
    monkeypatch.setattr(module, "_HERE", tmp_path)
    with pytest.raises(BadInput, match=r"skimage/data/nobody\.png") as caught:
        demo_photos()
    assert caught.value.mend


def test_only_the_meant_photo_is_a_duplicate(photos: dict[str, DemoPhoto]) -> None:
    """The renderings of a face are different photos to the duplicate check; only ``a-again`` repeats ``a-street``."""
    hashes = {name: perceptual_hash(opened(photo)) for name, photo in photos.items()}
    near = [pair for pair in combinations(hashes, 2) if hamming(hashes[pair[0]], hashes[pair[1]]) <= NEAR_BITS + 4]
    assert near == [("a-street", "a-again")]


@pytest.mark.engine
def test_case_photos_show_one_good_face(photos: dict[str, DemoPhoto], faces: dict[str, list[DetectedFace]]) -> None:
    """A case photo shows exactly one face, good enough to alert on."""
    for photo in photos.values():
        if photo.is_case_photo:
            assert [face.quality for face in faces[photo.name]] == [FaceQuality.GOOD], photo.name


@pytest.mark.engine
def test_renderings_of_a_case_score_above_the_threshold(
    photos: dict[str, DemoPhoto], faces: dict[str, list[DetectedFace]], cases: dict[str, np.ndarray]
) -> None:
    """Every posted rendering of a case reaches its own case by a clear margin, whatever was done to it."""
    matches = 0
    for photo in posted(photos):
        if photo.person:
            scores = [float(face.vector @ cases[photo.person]) for face in faces[photo.name] if face.quality is FaceQuality.GOOD]
            assert max(scores) > ALERTS_FROM + 0.1, photo.name
            matches += 1
    assert matches >= 8


@pytest.mark.engine
def test_strangers_stay_below_the_threshold(
    photos: dict[str, DemoPhoto], faces: dict[str, list[DetectedFace]], cases: dict[str, np.ndarray]
) -> None:
    """No face of anyone else comes near a case; there are at least eight such faces, of four people."""
    strangers = 0
    for photo in posted(photos):
        for face in faces[photo.name]:
            others = [person for person in cases if person != photo.person]
            if photo.name in ("group", "far-away"):
                others = [person for person in others if person not in ("c", "d")]
            assert max(float(face.vector @ cases[person]) for person in others) < ALERTS_FROM - 0.2, photo.name
            strangers += photo.person is None and photo.name not in ("group", "far-away")
    assert strangers >= 8


@pytest.mark.engine
def test_the_group_shows_two_cases_and_four_strangers(faces: dict[str, list[DetectedFace]], cases: dict[str, np.ndarray]) -> None:
    """Of the six faces in the group photo exactly two match, each another case."""
    found = {person: [float(face.vector @ case) > ALERTS_FROM for face in faces["group"]] for person, case in cases.items()}
    assert len(faces["group"]) == 6
    assert {person: sum(hits) for person, hits in found.items()} == {"a": 0, "b": 0, "c": 1, "d": 1}


@pytest.mark.engine
def test_what_shows_no_usable_face(photos: dict[str, DemoPhoto], faces: dict[str, list[DetectedFace]]) -> None:
    """Neither scenery (which may hold something like a face) nor people far away show a face that can be used."""
    scenery = [name for name in photos if name.startswith("no-face")]
    assert len(scenery) >= 3
    for name in (*scenery, "far-away"):
        assert {face.quality for face in faces[name]} <= {FaceQuality.UNUSABLE}, name
    assert len(faces["far-away"]) == 6
