from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pictures

from matcher import packs, quality
from matcher.engines import align
from matcher.engines.base import Engine, Image
from matcher.quality import Floors, assess, yaw
from store.model import Box, FaceQuality

FRONT = ((30.0, 40.0), (70.0, 40.0), (50.0, 60.0), (35.0, 80.0), (65.0, 80.0))
FLOORS = Floors(norm_low=9, norm_unusable=7, det_low=0.8)


@pytest.mark.parametrize(
    ("width", "score", "norm", "grade", "words"),
    [
        (100, 0.93, 13, FaceQuality.GOOD, ""),
        (31, 0.93, 13, FaceQuality.LOW, "small"),
        (19, 0.93, 13, FaceQuality.UNUSABLE, "too small"),
        (100, 0.7, 13, FaceQuality.LOW, "hardly"),
        (100, 0.93, 8, FaceQuality.LOW, "unclear"),
        (100, 0.93, 6, FaceQuality.UNUSABLE, "not clear enough"),
    ],
)
def test_each_sign_has_its_floor_and_its_words(width: float, score: float, norm: float, grade: FaceQuality, words: str) -> None:
    """Size, detection score and embedding norm each lower the quality, with a reason a family understands."""
    got, why = assess(Box(0, 0, width, width * 1.3), score, norm, FRONT, FLOORS)
    assert got is grade
    assert words in why
    assert (why == "") == (grade is FaceQuality.GOOD)


def test_a_pack_without_calibrated_signs_is_judged_by_size_and_pose_alone() -> None:
    """A norm means nothing without figures for that pack."""
    assert assess(Box(0, 0, 90, 90), 0.6, 1.0, FRONT, Floors())[0] is FaceQuality.GOOD


def test_yaw_is_measured_along_the_eyes_whatever_the_rotation() -> None:
    """A frontal face has yaw 0 upright, tilted and upside down; a profile has nearly 1; coinciding eyes count as profile."""
    for degrees in (0, 30, 90, 180):
        turn = np.deg2rad(degrees)
        rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        assert abs(yaw([tuple(rotate @ point) for point in np.array(FRONT)])) < 1e-6
    assert yaw(((30, 40), (70, 40), (69, 60), (0, 0), (0, 0))) > 0.9
    assert yaw(((30, 40), (30, 40), (69, 60), (0, 0), (0, 0))) == 1.0
    assert assess(Box(0, 0, 90, 90), 0.95, 13, (*FRONT[:2], (68.0, 60.0), *FRONT[3:]), FLOORS)[1] == "turned too far aside"


def test_the_newest_photo_counts_most_and_none_is_silenced() -> None:
    """Against the newest photo an older one loses weight with the years, slowly, and is never without a say."""
    weights = [quality.age_weight(years) for years in (0, 1, 3, 10, 20)]
    assert weights[0] == 1.0
    assert weights == sorted(weights, reverse=True)
    assert weights[2] > 0.7
    assert weights[-1] > 0.3


def test_alignment_moves_the_landmarks_to_their_standard_places() -> None:
    """A scaled, turned and shifted copy of the standard face is brought back within a thousandth of a pixel."""
    standard = np.stack([align._STANDARD.real, align._STANDARD.imag], axis=1)
    turn = np.deg2rad(25)
    moved = standard @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * 2.5 + (40, -7)
    matrix = align.similarity(moved.astype(np.float32), 112)
    back = moved @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(back - standard).max() < 1e-3


def test_alignment_of_coinciding_landmarks_does_not_fail() -> None:
    """Five equal points (a detector gone wrong) give some crop, not an error."""
    assert align.crop(np.zeros((50, 50, 3), np.uint8), np.full((5, 2), 20, np.float32), 112).shape == (112, 112, 3)


# --- the real engine on hard photos ---------------------------------------------------------------------------------


def portrait(group_photo: Image, engine: Engine, index: int = 0) -> tuple[Pictures.Image, np.ndarray]:
    """A crop around one of the adults, with the vector of that face in the whole photo."""
    face = engine.faces(group_photo)[index]
    width, height = face.box.width_px, face.box.height_px
    area = (face.box.left - width, face.box.top - height, face.box.right + width, face.box.bottom + height)
    return Pictures.fromarray(group_photo).crop(tuple(int(max(0, value)) for value in area)), face.vector


@pytest.mark.engine
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_photo_turned_by_quarters_is_read_as_if_upright(engine: Engine, group_photo: Image, quarters: int) -> None:
    """A photo without EXIF that lies on its side or head gives the same faces in its own pixels."""
    upright = engine.faces(group_photo)
    turned = engine.faces(np.ascontiguousarray(np.rot90(group_photo, quarters)))
    assert len(turned) >= 5
    for face in turned:
        best = max(upright, key=lambda other: float(other.vector @ face.vector))
        assert float(best.vector @ face.vector) > 0.85
        middle = np.array([best.box.left + best.box.right, best.box.top + best.box.bottom]) / 2
        height, width = group_photo.shape[:2]
        expected = {
            1: (middle[1], width - middle[0]),
            2: (width - middle[0], height - middle[1]),
            3: (height - middle[1], middle[0]),
        }
        got = ((face.box.left + face.box.right) / 2, (face.box.top + face.box.bottom) / 2)
        assert got == pytest.approx(expected[quarters], abs=8)


@pytest.mark.engine
def test_a_mirrored_photo_still_shows_the_same_person(engine: Engine, group_photo: Image) -> None:
    """Mirroring moves the vector little."""
    picture, vector = portrait(group_photo, engine)
    mirrored = np.asarray(picture)[:, ::-1]
    assert max(float(face.vector @ vector) for face in engine.faces(np.ascontiguousarray(mirrored))) > 0.8


@pytest.mark.engine
def test_a_face_that_fills_the_photo_is_found(engine: Engine, group_photo: Image) -> None:
    """A close-up of 1,500 px, larger than the detector's anchors at its usual size, is found by the second size."""
    face = engine.faces(group_photo)[0]
    box = tuple(int(value) for value in (face.box.left, face.box.top, face.box.right, face.box.bottom))
    close = np.asarray(Pictures.fromarray(group_photo).crop(box).resize((1100, 1500)))
    found = engine.faces(close)
    assert found
    assert float(found[0].vector @ face.vector) > 0.7


@pytest.mark.engine
def test_small_faces_of_a_large_photo_are_found(engine: Engine, group_photo: Image) -> None:
    """Six faces of 22 to 28 px in a 1920 x 1280 photo are all found, and none of them may alert."""
    small = Pictures.fromarray(group_photo).resize((300, 208))
    canvas = Pictures.new("RGB", (1920, 1280), (120, 130, 110))
    canvas.paste(small, (900, 600))
    found = engine.faces(np.asarray(canvas))
    assert len(found) >= 6
    assert all(face.quality is not FaceQuality.GOOD for face in found)
    assert sum("small" in face.quality_why for face in found) >= 4


@pytest.mark.engine
def test_a_crowd_is_read(engine: Engine, group_photo: Image) -> None:
    """A photo with 90 faces gives most of them, without an error."""
    tile = np.asarray(Pictures.fromarray(group_photo).resize((300, 208)))
    crowd = np.tile(tile, (5, 3, 1))
    assert len(engine.faces(crowd)) > 60


@pytest.mark.engine
@pytest.mark.parametrize("radius", [5, 9, 12])
def test_blur_lowers_the_quality(engine: Engine, group_photo: Image, radius: int) -> None:
    """What can no longer be compared (cosine 0.5 and less with the sharp face) is not called good."""
    from PIL import ImageFilter

    picture, _ = portrait(group_photo, engine)
    found = engine.faces(np.asarray(picture.filter(ImageFilter.GaussianBlur(radius))))
    assert all(face.quality is not FaceQuality.GOOD for face in found)


@pytest.mark.engine
def test_a_photo_at_night_still_shows_its_face(engine: Engine, group_photo: Image) -> None:
    """At a tenth of the light the person is still recognised."""
    picture, vector = portrait(group_photo, engine)
    found = engine.faces(np.asarray(picture.point(lambda value: value // 10)))
    assert max(float(face.vector @ vector) for face in found) > 0.7


@pytest.mark.engine
def test_a_face_cut_by_the_border_stays_inside_it(engine: Engine, group_photo: Image) -> None:
    """Half a face at the border is found or not, but its box never leaves the photo."""
    face = engine.faces(group_photo)[0]
    cut = group_photo[:, int((face.box.left + face.box.right) / 2) :]
    for found in engine.faces(np.ascontiguousarray(cut)):
        assert found.box.left >= 0


@pytest.mark.engine
@pytest.mark.parametrize("seed", range(3))
def test_noise_and_patterns_show_no_good_face(engine: Engine, seed: int) -> None:
    """Random blocks of colour are not taken for a face that may alert."""
    blocks = np.random.default_rng(seed).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    image = np.asarray(Pictures.fromarray(blocks).resize((700, 700), Pictures.Resampling.BICUBIC))
    assert all(face.quality is not FaceQuality.GOOD for face in engine.faces(image))


@pytest.mark.engine
def test_jpeg_compression_keeps_the_person(engine: Engine, group_photo: Image) -> None:
    """A platform's recompression at quality 30 keeps the cosine above the strict threshold."""
    picture, vector = portrait(group_photo, engine)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=30)
    faces = engine.faces(np.asarray(Pictures.open(buffer).convert("RGB")))
    assert max(float(face.vector @ vector) for face in faces) > 0.8


def test_the_default_pack_has_floors() -> None:
    """The shipped pack's quality signs are calibrated."""
    from matcher import calibrate

    assert calibrate.floors(packs.DEFAULT_PACK).norm_low is not None
