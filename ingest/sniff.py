"""What a photo is, read from its first bytes: file names and Content-Type headers are claims, never facts."""

from __future__ import annotations

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "HEIF")
"""The formats that are read, by Pillow's names. Everything else is refused before a decoder sees it."""

# ISO/IEC 23008-12 annex B: brands of still HEVC pictures. "mif1"/"msf1" say HEIF of any codec: those are
# accepted only where an HEVC brand stands among the compatible ones, which keeps AVIF (another codec) out.
_HEVC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_ANY_CODEC = frozenset({b"mif1", b"msf1"})


def sniff(data: bytes) -> str | None:
    """Return the format of ``data`` as one of :data:`FORMATS`, or None where it is no photo that is read here.

    Magic numbers: JPEG (T.81 B.1.1.3), PNG (RFC 2083 3.1), GIF (GIF89a 17), WebP (RFC 9649 2.4), HEIF (ISO/IEC 14496-12 4.3).
    """
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return "HEIF" if _is_heic(data) else None
    return None


def _is_heic(data: bytes) -> bool:
    """True where the ``ftyp`` box names an HEVC still picture."""
    size = int.from_bytes(data[:4], "big")
    if not 16 <= size <= 4096:
        return False
    brands = {data[8:12]} | {data[at : at + 4] for at in range(16, min(size, len(data)) - 3, 4)}
    major = data[8:12]
    return major in _HEVC or (major in _ANY_CODEC and bool(brands & _HEVC))
