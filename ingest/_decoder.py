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
import sys
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from typing import Any

import pillow_heif
from PIL import Image

from ingest._decode import Unfit, decode
from ingest.duplicate import perceptual_hash
from ingest.sniff import FORMATS

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET of sched.h


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
    """The most resident memory this process ever had.

    Not ``ru_maxrss`` where it can be helped: Linux hands that on from the process that started this one.
    """
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
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
