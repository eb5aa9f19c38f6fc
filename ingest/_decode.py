"""From untrusted bytes to an upright RGB image and its facts, in the calling process: use :class:`ingest.photo.Decoder` instead.

Only :mod:`ingest._decoder`, the process that may be lost, calls this.
"""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from ingest.sniff import sniff

# Everything that Pillow, libheif and their plugins raise on broken input. Whatever else escapes ends the process, which is
# the design: the other side starts a new one and refuses the photo.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_TAGS = {
    0: {271: "Make", 272: "Model"},
    _EXIF_IFD: {
        36867: "DateTimeOriginal",
        36868: "DateTimeDigitized",
        36881: "OffsetTimeOriginal",
        36882: "OffsetTimeDigitized",
    },
    _GPS_IFD: {
        1: "GPSLatitudeRef",
        2: "GPSLatitude",
        3: "GPSLongitudeRef",
        4: "GPSLongitude",
        9: "GPSStatus",
        18: "GPSMapDatum",
    },
}
_LEAST_SIDE_PX = 8
_MOST_EXIF_BYTES = 64 * 1024  # what fits the one JPEG segment that EXIF is defined for; larger is no camera's doing


class Unfit(Exception):
    """The photo is refused; the text is what people read."""


def decode(data: bytes, max_pixels: int, max_side: int) -> tuple[dict[str, Any], Image.Image]:
    """Decode ``data`` to an upright RGB image of at most ``max_side`` px, with its facts (format, size, animated, EXIF tags).

    Raises:
        Unfit: it is too large, too small, of another format, or broken; in words.
    """
    name = sniff(data)
    if name is None:
        raise Unfit("not a JPEG, PNG, WebP, GIF or HEIC photo")
    try:
        with Image.open(BytesIO(data), formats=(name,)) as image:
            size = image.size
            _check_size(size, max_pixels)
            animated = name != "JPEG" and bool(getattr(image, "is_animated", False))
            if name == "JPEG":
                _decode_smaller(image, max_side)
            image.load()
            tags, orientation = _exif(image)
            upright = _upright(_rgb(image, max_side), orientation)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unfit(f"more than {max_pixels} pixels in its frames") from None
    except MemoryError:
        raise Unfit("needs more memory than a photo may take") from None
    except BROKEN as error:
        raise Unfit(f"damaged or not what it claims to be ({type(error).__name__})") from None
    if orientation in (5, 6, 7, 8):
        size = size[::-1]
    return {"format": name, "width_px": size[0], "height_px": size[1], "animated": animated, "exif": tags}, upright


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    """Refuse by the size the header claims, before any pixel is decoded."""
    width, height = size
    if width * height > max_pixels:
        raise Unfit(f"{width} x {height} is more than {max_pixels} pixels")
    if min(width, height) < _LEAST_SIDE_PX:
        raise Unfit(f"{width} x {height} is too small to show anything")


def _decode_smaller(image: Image.Image, max_side: int) -> None:
    """Have libjpeg shrink a large photo by 2, 4 or 8 while it decodes, to no less than three quarters of ``max_side``.

    A quarter of the work, or less, for a photo that would be shrunk to about that size anyway.
    """
    width, height = image.size
    for factor in (8, 4, 2):
        if max(width, height) * 4 >= max_side * 3 * factor:
            image.draft("RGB", (width // factor, height // factor))
            return


def _rgb(image: Image.Image, max_side: int) -> Image.Image:
    """``image`` as 8-bit RGB of at most ``max_side`` px; what is transparent becomes white, as viewers show it."""
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion clips at 255 instead of scaling
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    elif image.mode in ("LA", "La", "PA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode not in ("RGB", "RGBA", "L", "CMYK"):
        image = image.convert("RGB")
    if max(image.size) > max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    if image.mode == "RGBA":
        ground = Image.new("RGB", image.size, (255, 255, 255))
        ground.paste(image, mask=image.getchannel("A"))
        return ground
    return image.convert("RGB")


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn and mirror as EXIF tag 274 says."""
    method = _TRANSPOSE.get(orientation)
    return image if method is None else image.transpose(method)


def _exif(image: Image.Image) -> tuple[dict[str, Any], int]:
    """The wanted EXIF tags as plain values, and the orientation (1 where unknown).

    A broken record costs the record, not the photo.
    """
    raw = image.info.get("exif", b"")
    if isinstance(raw, bytes) and len(raw) > _MOST_EXIF_BYTES:
        return {}, 1
    tags: dict[str, Any] = {}
    try:
        exif = image.getexif()
        for ifd, names in _TAGS.items():
            found = exif.get_ifd(ifd) if ifd else exif
            tags.update({name: _plain(found[number]) for number, name in names.items() if number in found})
        orientation = exif.get(0x0112, 1)
    except (*BROKEN, MemoryError):
        return {}, 1
    return tags, orientation if isinstance(orientation, int) else 1


def _plain(value: Any) -> Any:
    """A tag's value as str, float or short list of float; a rational with a zero denominator is NaN."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value[:200]
    if isinstance(value, (tuple, list)):
        return [float(part) for part in value[:8]]
    return float(value)
