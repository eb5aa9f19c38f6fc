"""Knowing the same photo again, and never taking two photos for one."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from ingest.duplicate import FLAT, NEAR_BITS, SAME_LIKENESS, hamming, is_near, likeness, perceptual_hash

SHARED = Path(__file__).resolve().parents[3] / "shared" / "faces" / "lfw100"


def samples() -> list[Path]:
    """scikit-image's photos (a stereo pair counts once: its halves are nearly one photo)."""
    spec = find_spec("skimage")
    assert spec is not None
    folder = Path(next(iter(spec.submodule_search_locations or ()))) / "data"
    return [path for path in sorted(folder.glob("*.[jp][pn]g")) if not path.name.startswith(("motorcycle_right", "chessboard"))]


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def resized(image: Image.Image, factor: float) -> Image.Image:
    return image.resize((max(1, int(image.width * factor)), max(1, int(image.height * factor))), Image.Resampling.LANCZOS)


RENDERINGS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "recompressed": lambda image: recompressed(image, 30),
    "half the size": lambda image: recompressed(resized(image, 0.5), 60),
    "twice the size": lambda image: resized(image, 2.0),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.8),
}


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    return [Image.open(path).convert("RGB") for path in samples()]


@pytest.mark.parametrize("rendering", RENDERINGS)
def test_what_platforms_do_to_a_photo_keeps_it_near(photos: list[Image.Image], rendering: str) -> None:
    """Recompressing, resizing and toning leave a photo near itself, by hash and by likeness."""
    assert len(photos) >= 20
    for photo in photos:
        again = RENDERINGS[rendering](photo)
        assert is_near(perceptual_hash(photo), perceptual_hash(again))
        assert likeness(np.asarray(photo), np.asarray(again)) >= SAME_LIKENESS


def test_different_photos_are_not_near(photos: list[Image.Image]) -> None:
    """No two of the sample photos are near each other."""
    for a, b in combinations(photos, 2):
        assert not is_near(perceptual_hash(a), perceptual_hash(b))
        assert likeness(np.asarray(a), np.asarray(b)) < SAME_LIKENESS


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared portraits are not here")
def test_portraits_are_not_near_each_other() -> None:
    """Portraits, the photos most like one another (one face in the middle), keep a distance of more than the threshold."""
    hashes = [perceptual_hash(Image.open(path).convert("RGB")) for path in sorted(SHARED.rglob("*.jpg"))]
    assert len(hashes) == 100
    assert min(hamming(a, b) for a, b in combinations(hashes, 2)) > NEAR_BITS + 2


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 64, 200)])
def test_blank_photos_are_near_nothing(colour: tuple[int, int, int]) -> None:
    """A blank photo's frequencies are noise: it is marked flat, and near nothing, not even another blank photo."""
    blank = Image.new("RGB", (320, 240), colour)
    noisy = Image.fromarray(
        (np.asarray(blank).astype(int) + np.random.default_rng(7).integers(-4, 5, (240, 320, 3))).clip(0, 255).astype("uint8")
    )
    for image in (blank, noisy, recompressed(noisy, 20)):
        assert perceptual_hash(image) == FLAT
    assert not is_near(FLAT, FLAT)
    assert likeness(np.asarray(blank), np.asarray(blank)) == 0.0


def test_hash_is_the_same_at_any_size(photos: list[Image.Image]) -> None:
    """Large photos are reduced before hashing; the hash stays that of the photo."""
    for photo in photos[:5]:
        assert hamming(perceptual_hash(resized(photo, 6.0)), perceptual_hash(photo)) <= 2


def test_hamming_counts_bits() -> None:
    """The distance is the number of differing bits, 0 to 64, and garbage is an error."""
    assert hamming("0000000000000000", "ffffffffffffffff") == 64
    assert hamming("00000000000000ff", "00000000000000f0") == 4
    with pytest.raises(ValueError, match="16 hexadecimal digits"):
        hamming("00", "0000000000000000")
    with pytest.raises(ValueError, match="invalid literal"):
        hamming("g" * 16, "0" * 16)
