"""The decoding process: ``python -m ingest._decoder``, started and ended by :class:`ingest.photo.Decoder`.

Image libraries are where hostile photos strike, so decoding happens here: a process without secrets in its environment, that
may write no file, with a cap on address space, and on processor time per photo. It reads requests on socket 0 and answers with
JSON and raw pixels, nothing that the other side would have to execute (no pickle): even a process that has been taken over can
only lie about a photo.

Message, both ways: 4 bytes length of the JSON (big-endian), the JSON, then the ``size`` bytes that the JSON announces.
"""

from __future__ import annotations

import ctypes
import json
import resource
import socket
import struct
import sys
import zlib
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

from ingest.duplicate import perceptual_hash
from ingest.sniff import FORMATS, sniff

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
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET of sched.h
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
            if name == "JPEG":  # libjpeg shrinks by 2, 4 or 8 while decoding: less memory, less time, no visible loss
                image.draft("RGB", (max_side, max_side))
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


def _answer(request: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """Do one request (``max_pixels``, ``max_side``, ``want`` of "facts" and "pixels") and return the reply with its raw bytes."""
    try:
        facts, image = decode(data, int(request["max_pixels"]), int(request["max_side"]))
        if "facts" in request["want"]:
            facts["phash"] = perceptual_hash(image)
        pixels = image.tobytes() if "pixels" in request["want"] else b""
        return {**facts, "shape": [image.height, image.width], "size": len(pixels)}, pixels
    except Unfit as error:
        return {"refused": str(error), "size": 0}, b""
    except MemoryError:
        return {"refused": "needs more memory than a photo may take", "size": 0}, b""


def _receive(sock: socket.socket, size: int) -> bytearray | None:
    """Exactly ``size`` bytes, or None at the end of the connection."""
    buffer = bytearray(size)
    view, at = memoryview(buffer), 0
    while at < size:
        got = sock.recv_into(view[at:])
        if not got:
            return None
        at += got
    return buffer


def _confine(memory_bytes: int) -> None:
    """Take from this process what decoding does not need. Called after the imports, so that the cap is on top of them."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    try:
        with open("/proc/self/statm") as statm:
            held = int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:  # no /proc (macOS, where RLIMIT_AS is not enforced either)
        held = 0
    resource.setrlimit(resource.RLIMIT_AS, (held + memory_bytes, held + memory_bytes))


def _leave_the_network() -> None:
    """Move into an empty network namespace where Linux lets us: what takes this process over finds nobody to tell.

    The socket to the bot stays. Where namespaces are not allowed (some containers, other systems) the other caps still stand.
    """
    with suppress(OSError, AttributeError):
        unshare = ctypes.CDLL(None, use_errno=True).unshare
        if unshare(_NEW_USER | _NEW_NETWORK):
            unshare(_NEW_NETWORK)


def _renew_cpu(seconds: int) -> None:
    """Give the coming photo ``seconds`` of processor time; past it the kernel ends the process (SIGXCPU)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _peak_bytes() -> int:
    """The most resident memory this process ever had (Linux counts it in KiB, macOS in bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def serve(sock: socket.socket, cpu_s: int) -> None:
    """Answer requests until the other side closes the connection."""
    while (head := _receive(sock, 4)) is not None:
        text = _receive(sock, int.from_bytes(head, "big"))
        if text is None:
            return
        request = json.loads(bytes(text))
        data = _receive(sock, int(request["size"]))
        if data is None:
            return
        _renew_cpu(cpu_s)
        reply, pixels = _answer(request, bytes(data))
        encoded = json.dumps({**reply, "peak_bytes": _peak_bytes()}).encode()
        sock.sendall(len(encoded).to_bytes(4, "big") + encoded)
        sock.sendall(pixels)


def main() -> None:
    """Entry of the process. Arguments: address space on top of the libraries' own (bytes), processor seconds per photo."""
    memory_bytes, cpu_s = (int(argument) for argument in sys.argv[1:3])
    pillow_heif.register_heif_opener()
    for option in ("THUMBNAILS", "DEPTH_IMAGES", "AUX_IMAGES"):
        setattr(pillow_heif.options, option, False)
    pillow_heif.options.DECODE_THREADS = 1
    Image.MAX_IMAGE_PIXELS = None  # checked here, against the operator's own limit
    _warm_up()
    _leave_the_network()
    _confine(memory_bytes)
    with socket.socket(fileno=0) as sock:
        sock.sendall(b"ready")
        serve(sock, cpu_s)


def _warm_up() -> None:
    """Load what Pillow and ImageHash import at first use, before the caps stand and files can no longer be opened."""
    Image.preinit()
    Image.init()
    ramp = Image.linear_gradient("L").convert("RGB")
    perceptual_hash(ramp)
    for name in FORMATS:
        buffer = BytesIO()
        ramp.save(buffer, name)
        decode(buffer.getvalue(), ramp.width * ramp.height, ramp.width)


if __name__ == "__main__":
    main()
