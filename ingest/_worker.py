"""The near side of the decoding process: starts it, asks it, and replaces it when it is lost. See :mod:`ingest._decoder`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from store.errors import PhotoRefused, PhotoUnavailable

_ROOT = Path(__file__).resolve().parent.parent
_MOST_REPLY_BYTES = 64 * 1024
# The only variables the process gets: what its libraries need to load. Tokens and keys stay here.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
# glibc gives the memory of every picture back to the system and asks for it anew, page by page: a third of the time of a small
# one. It keeps up to 64 MB instead; what is larger than 32 MB still goes back.
_KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(64 << 20)}


@dataclass(frozen=True, slots=True)
class PhotoLimits:
    """What one photo may cost. Larger sides than ``max_side_px`` are shrunk; more pixels than ``max_pixels`` are refused.

    ``memory_bytes`` is the decoder's address space on top of its libraries; ``cpu_s`` its processor time per photo;
    ``wall_s`` how long to wait for it. 64 megapixels admit every phone's full-size photo short of the 100-megapixel modes.
    """

    max_bytes: int = 20 * 1024 * 1024
    max_pixels: int = 64_000_000
    max_side_px: int = 4096
    memory_bytes: int = 1024 * 1024 * 1024
    cpu_s: int = 10
    wall_s: float = 40.0
    start_s: float = 60.0
    photos_per_process: int = 1000


class _Lost(Exception):
    """The process ended while it was asked."""


class Worker:
    """One decoding process and its connection. One question at a time; others wait."""

    def __init__(self, limits: PhotoLimits, module: str = "ingest._decoder") -> None:
        self._limits = limits
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._done = 0
        self._lock = threading.Lock()
        self.peak_bytes = 0

    @property
    def pid(self) -> int | None:
        """The process's id, None while none runs."""
        return self._process.pid if self._process else None

    def ask(self, data: bytes, want: tuple[str, ...]) -> tuple[dict[str, Any], bytearray]:
        """Send one photo and return the reply. A process that dies is replaced once: it may have been another's doing.

        Raises:
            PhotoRefused: the decoder refuses the photo, or two processes were lost on it, or it took all its processor time.
            PhotoUnavailable: no answer in time, or no process could be started.
        """
        with self._lock:
            try:
                reply, raw = self._try(data, want)
            except TimeoutError:
                self._end()
                raise PhotoUnavailable(f"the decoder gave no answer within {self._limits.wall_s:g} s") from None
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
                self._end()
                raise PhotoRefused("the decoder's answer makes no sense") from error
        if "refused" in reply:
            raise PhotoRefused(f"the photo cannot be read: {str(reply['refused'])[:200]}")
        return reply, raw

    def stop(self) -> None:
        """End the process, after the question it is at."""
        with self._lock:
            self._end()

    def _try(self, data: bytes, want: tuple[str, ...]) -> tuple[dict[str, Any], bytearray]:
        for last in (False, True):
            try:
                return self._exchange(data, want)
            except TimeoutError:
                raise
            except (_Lost, OSError) as error:
                code = self._end()
                if last or code == -signal.SIGXCPU:
                    raise PhotoRefused(f"the photo is more than the decoder may spend on one ({_why(code)})") from error
        raise AssertionError("unreachable")

    def _exchange(self, data: bytes, want: tuple[str, ...]) -> tuple[dict[str, Any], bytearray]:
        limits = self._limits
        if self._process is None or self._done >= limits.photos_per_process:
            self._end()
            self._start()
        self._done += 1
        deadline = time.monotonic() + limits.wall_s
        request = {"size": len(data), "want": want, "max_pixels": limits.max_pixels, "max_side": limits.max_side_px}
        text = json.dumps(request).encode()
        self._send(len(text).to_bytes(4, "big") + text, deadline)
        self._send(data, deadline)
        length = int.from_bytes(self._receive(4, deadline), "big")
        if length > _MOST_REPLY_BYTES:
            raise ValueError("reply too long")
        reply = json.loads(bytes(self._receive(length, deadline)))
        raw = self._receive(_announced(reply, "pixels" in want, limits.max_side_px), deadline)
        self.peak_bytes = max(self.peak_bytes, int(reply["peak_bytes"]))
        return reply, raw

    def _send(self, data: bytes, deadline: float) -> None:
        assert self._sock is not None
        self._sock.settimeout(max(0.001, deadline - time.monotonic()))
        self._sock.sendall(data)

    def _receive(self, size: int, deadline: float) -> bytearray:
        assert self._sock is not None
        buffer = bytearray(size)
        view, at = memoryview(buffer), 0
        while at < size:
            self._sock.settimeout(max(0.001, deadline - time.monotonic()))
            got = self._sock.recv_into(view[at:])
            if not got:
                raise _Lost
            at += got
        return buffer

    def _start(self) -> None:
        """Start a process and wait until its libraries are loaded and its caps stand."""
        limits = self._limits
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {
            "PYTHONPATH": str(_ROOT),
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "LC_ALL": "C.UTF-8",
            **_KEPT_MEMORY,
        }
        here, there = socket.socketpair()
        with there, tempfile.TemporaryFile() as errors:
            self._sock = here
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", self._module, str(limits.memory_bytes), str(limits.cpu_s)],
                stdin=there.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=environment,
                start_new_session=True,  # the terminal's Ctrl-C is for the bot, which ends its decoder itself
            )
            there.close()
            self._done = 0
            try:
                self._receive(5, time.monotonic() + limits.start_s)
            except (_Lost, OSError):
                self._end()
                raise PhotoUnavailable(f"the decoding process does not start: {_last_line(errors)}") from None

    def _end(self) -> int | None:
        """Kill the process if it still runs; return how it ended (negative: by which signal)."""
        if self._sock is not None:
            self._sock.close()
        code = None
        if self._process is not None:
            try:
                code = self._process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                self._process.kill()
                code = self._process.wait()
        self._process = self._sock = None
        return code


def _announced(reply: dict[str, Any], pixels: bool, max_side_px: int) -> int:
    """The size of the raw bytes behind ``reply``: exactly the pixels of its shape where they were asked for, else none.

    Raises:
        ValueError, KeyError, TypeError, OverflowError: it announces anything else.
    """
    size = int(reply["size"])
    if "refused" in reply or not pixels:
        if size:
            raise ValueError("bytes that nobody asked for")
        return 0
    height, width = reply["shape"]
    if not (0 < height <= max_side_px and 0 < width <= max_side_px and size == height * width * 3):
        raise ValueError("size and shape disagree")
    return size


def _why(code: int | None) -> str:
    """How the process ended, in words."""
    if code is not None and code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read(100_000).decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else "it gave no reason"
