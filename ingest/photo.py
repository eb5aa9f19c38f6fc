"""From untrusted bytes to a photo: its facts, its upright pixels, and a clean copy to show.

Decoding runs in a process of its own (:mod:`ingest._decoder`) that may be lost: with capped memory, processor time and wall
time, without the bot's secrets in its environment. It lives long (one start for many photos) and is replaced when it dies or has
done its share. Everything a person is shown is encoded anew from pixels, so that neither EXIF (a child's position) nor a payload
riding behind a photo ever leaves.
"""

from __future__ import annotations

import hashlib
import queue
import re
from dataclasses import dataclass
from io import BytesIO
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingest._worker import PhotoLimits, Worker
from ingest.exif import read_exif
from ingest.sniff import FORMATS, sniff
from store.errors import PhotoRefused
from store.model import Box, Exif

__all__ = ["Decoder", "Photo", "PhotoLimits", "Pixels", "crop", "encode", "shrink", "thumbnail"]

Pixels = NDArray[np.uint8]
"""An upright RGB image, shape (height_px, width_px, 3)."""

_PHASH = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo's facts. Sizes are of the original, upright. ``phash`` is 16 hexadecimal digits (:mod:`ingest.duplicate`)."""

    sha256: str
    format: str
    width_px: int
    height_px: int
    phash: str
    exif: Exif
    animated: bool
    size_bytes: int


class Decoder:
    """Reads photos in processes that can be lost. Thread-safe; ``workers`` photos at a time.

    Processes start at first use and end with :meth:`close` (or the ``with`` block).
    """

    def __init__(self, limits: PhotoLimits | None = None, workers: int = 1) -> None:
        self.limits = limits or PhotoLimits()
        self._workers = [Worker(self.limits) for _ in range(workers)]
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def pids(self) -> list[int | None]:
        """The processes' ids, None where none runs."""
        return [worker.pid for worker in self._workers]

    @property
    def peak_bytes(self) -> int:
        """The most resident memory a process reported after a photo, 0 before the first. A lost one reports nothing."""
        return max(worker.peak_bytes for worker in self._workers)

    def close(self) -> None:
        """End the processes. The decoder may be used again: they start anew."""
        for worker in self._workers:
            worker.stop()

    def open(self, data: bytes) -> Photo:
        """Decode ``data`` whole (a photo that breaks half-way is refused) and return its facts.

        Raises:
            PhotoRefused: another format, damaged, too large, or more than the decoder may spend. Final.
            PhotoUnavailable: the decoder gave no answer in time on an overloaded machine. Try again later.
        """
        reply, _ = self._ask(data, "facts")
        return _photo(data, reply, self.limits)

    def pixels(self, data: bytes) -> Pixels:
        """Return the upright RGB pixels (of an animation: its first frame), sides at most ``limits.max_side_px``.

        Raises as :meth:`open`.
        """
        reply, raw = self._ask(data, "pixels")
        return _array(reply, raw)

    def read(self, data: bytes) -> tuple[Photo, Pixels]:
        """:meth:`open` and :meth:`pixels` for the price of one."""
        reply, raw = self._ask(data, "facts", "pixels")
        return _photo(data, reply, self.limits), _array(reply, raw)

    def strip(self, data: bytes, max_side_px: int = 2048) -> bytes:
        """Return a clean JPEG to show: upright, without EXIF, profile, comments or anything behind the photo.

        Raises as :meth:`open`.
        """
        return encode(shrink(self.pixels(data), max_side_px))

    def _ask(self, data: bytes, *want: str) -> tuple[dict[str, Any], bytearray]:
        limits = self.limits
        if len(data) > limits.max_bytes:
            raise PhotoRefused(f"the photo is larger than {limits.max_bytes} bytes")
        if sniff(data) is None:
            raise PhotoRefused("not a JPEG, PNG, WebP, GIF or HEIC photo")
        worker = self._idle.get()
        try:
            return worker.ask(data, want)
        finally:
            self._idle.put(worker)


def encode(pixels: Pixels, quality: int = 88) -> bytes:
    """Return ``pixels`` as a JPEG that carries the picture alone."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def shrink(pixels: Pixels, max_side_px: int) -> Pixels:
    """Return ``pixels`` with no side longer than ``max_side_px`` (the same array where none is)."""
    if max(pixels.shape[:2]) <= max_side_px:
        return pixels
    image = Image.fromarray(pixels)
    image.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(image)


def thumbnail(pixels: Pixels, max_side_px: int = 320) -> bytes:
    """Return a small clean JPEG of ``pixels``."""
    return encode(shrink(pixels, max_side_px), quality=80)


def crop(pixels: Pixels, box: Box, margin: float = 0.35) -> Pixels:
    """Cut ``box`` out of ``pixels``, widened on each side by ``margin`` of its size and kept inside the photo.

    Raises:
        ValueError: the box lies outside the photo or has no area.
    """
    height, width = pixels.shape[:2]
    wide, tall = box.width_px * margin, box.height_px * margin
    left, right = max(0, int(box.left - wide)), min(width, int(box.right + wide) + 1)
    top, bottom = max(0, int(box.top - tall)), min(height, int(box.bottom + tall) + 1)
    if box.width_px <= 0 or box.height_px <= 0 or left >= right or top >= bottom:
        raise ValueError("the box lies outside the photo")
    return pixels[top:bottom, left:right]


def _photo(data: bytes, reply: dict[str, Any], limits: PhotoLimits) -> Photo:
    """The reply as a :class:`Photo`, each value held against what it may be: the decoder's word is not trusted either."""
    try:
        width, height, phash, name = int(reply["width_px"]), int(reply["height_px"]), str(reply["phash"]), str(reply["format"])
        tags = dict(reply["exif"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise PhotoRefused("the decoder's answer makes no sense") from error
    if name not in FORMATS or min(width, height) < 1 or width * height > limits.max_pixels or not _PHASH.fullmatch(phash):
        raise PhotoRefused("the decoder's answer makes no sense")
    return Photo(
        sha256=hashlib.sha256(data).hexdigest(),
        format=name,
        width_px=width,
        height_px=height,
        phash=phash,
        exif=read_exif(tags),
        animated=reply.get("animated") is True,
        size_bytes=len(data),
    )


def _array(reply: dict[str, Any], raw: bytearray) -> Pixels:
    height, width = reply["shape"]
    return np.frombuffer(raw, dtype=np.uint8).reshape(height, width, 3)
