"""What a file is, by its first bytes."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from ingest.sniff import sniff


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + major + bytes(4) + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body + bytes(100)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF"])
def test_photos_are_known(name: str) -> None:
    """The formats that are read are told apart by their magic numbers alone."""
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, name)
    assert sniff(buffer.getvalue()) == name
    assert sniff(buffer.getvalue()[:12]) == name


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ftyp(b"heic", b"mif1", b"heic"), "HEIF"),
        (ftyp(b"hevx"), "HEIF"),
        (ftyp(b"mif1", b"heic", b"miaf"), "HEIF"),
        (ftyp(b"mif1", b"avif", b"miaf"), None),
        (ftyp(b"mif1"), None),
        (ftyp(b"avif", b"mif1", b"heic"), None),
        (ftyp(b"isom", b"heic"), None),
        (b"\0\0\0\x08ftypheic" + bytes(40), None),
        (b"\xff\xff\xff\xffftypheic" + bytes(40), None),
    ],
)
def test_heic_is_told_from_its_cousins(data: bytes, expected: str | None) -> None:
    """Only still HEVC pictures count: AVIF, video and boxes with an impossible size share the container, not the codec."""
    assert sniff(data) == expected


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"GIF88a" + bytes(20), b"RIFF\0\0\0\0WAVE", b"<svg/>", b"BM" + bytes(50), b"%PDF-1.7", b"II*\0"]
)
def test_everything_else_is_none(data: bytes) -> None:
    """Other formats, near misses and nothing at all are no photo."""
    assert sniff(data) is None
