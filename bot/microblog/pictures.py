"""Pictures as the platforms serve and receive them: size, renditions, and the record stripped on upload."""

from __future__ import annotations

import io

from PIL import Image, ImageOps, UnidentifiedImageError

from bot.microblog.model import WorldError

MAX_UPLOAD_BYTES = 20 * 1024 * 1024
MAX_UPLOAD_PIXELS = 50_000_000
MAX_SIDE_PX = 4096

_EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "GIF": "gif", "WEBP": "webp"}
MEDIA_TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
_BROKEN = (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError)


def measure(data: bytes) -> tuple[int, int, str]:
    """Width, height (pixels) and file extension; (0, 0, "jpg") for bytes no decoder knows."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.width, picture.height, _EXTENSIONS.get(picture.format or "", "jpg")
    except _BROKEN:
        return 0, 0, "jpg"


def scaled(data: bytes, longest_px: int) -> bytes:
    """A JPEG rendition whose longer side is at most ``longest_px``; the bytes themselves where they cannot be decoded."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if max(picture.size) <= longest_px or picture.width * picture.height > MAX_UPLOAD_PIXELS:
                return data
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            upright.thumbnail((longest_px, longest_px))
            return _jpeg(upright, 85)
    except _BROKEN:
        return data


def received(data: bytes) -> bytes:
    """An uploaded picture as both platforms keep it: upright, at most 4096 px a side, with no EXIF, XMP or GPS record.

    Raises WorldError for a picture too large (bytes or pixels) or of no known kind.
    """
    if len(data) > MAX_UPLOAD_BYTES:
        raise WorldError(f"the picture has {len(data) // 1_000_000} MB; at most {MAX_UPLOAD_BYTES // 1_048_576} MB can be sent")
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > MAX_UPLOAD_PIXELS:
                raise WorldError(f"the picture is {picture.width} x {picture.height}; at most 50 million pixels can be sent")
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            upright.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
            return _jpeg(upright, 92)
    except _BROKEN as error:
        raise WorldError("the file is not a picture that can be read (JPEG, PNG, GIF, WebP)") from error


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.info.clear()  # Pillow carries a JPEG comment over from there
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()
