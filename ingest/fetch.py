"""Bounded, safe download of a photo: from a platform's own hosts, over a checked address, within size and time.

What a post links to was written by a stranger. So: only http(s), only hosts the platform object names, no address inside our own
network (the name is resolved once and the *checked address* is the one connected to, which closes DNS rebinding), every
redirect checked again, a cap on bytes and on the whole time, and the bytes themselves must begin as a photo.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin

import certifi
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util import Timeout, Url
from urllib3.util.ssl_ import create_urllib3_context

from ingest.addresses import check_url, resolve
from ingest.sniff import sniff
from store.errors import PhotoGone, PhotoRefused, PhotoUnavailable, SuishoupaiError

_GONE = frozenset({403, 404, 410, 451})
_NOT_NOW = frozenset({408, 425, 429})
_REDIRECT = frozenset({301, 302, 303, 307, 308})
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """``total_s`` covers one call of :func:`fetch_photo` with all its tries and redirects; ``read_s`` one wait for bytes."""

    max_bytes: int = 20 * 1024 * 1024
    connect_s: float = 5.0
    read_s: float = 10.0
    total_s: float = 30.0
    max_redirects: int = 3


def fetch_photo(
    urls: Sequence[str],
    *,
    hosts: Sequence[str],
    headers: Mapping[str, str],
    limits: FetchLimits | None = None,
    allow_loopback: bool = False,
    settle: bool = False,
) -> bytes:
    """Download one photo, trying ``urls`` from largest to smallest, and return its bytes as they came.

    ``hosts`` are exact names or ``*.suffix``, with an optional ``:port`` (without one: the scheme's own port). ``headers`` go
    with every request. ``allow_loopback`` admits 127.0.0.0/8 and ::1 (the local microblog) and nothing else that is private.
    A size that is gone, too large or no photo gives way to the next. A size that cannot be had *now* ends the call, so that a
    bad minute does not leave a thumbnail for ever; ``settle`` (for the last try of many) goes on to smaller sizes then too.

    Raises:
        PhotoGone: every size is gone (403, 404, 410, 451).
        PhotoUnavailable: time-out, 429, 5xx, reset, DNS, cut-off body: worth another try later.
        PhotoRefused: not allowed, too large, or not a photo. Final.
    """
    limits = limits or FetchLimits()
    deadline = time.monotonic() + limits.total_s
    failures: list[SuishoupaiError] = []
    for url in urls:
        try:
            return _fetch(url, hosts, headers, limits, allow_loopback, deadline)
        except PhotoUnavailable as error:
            if not settle or time.monotonic() >= deadline:
                raise
            failures.append(error)
        except PhotoRefused as error:
            failures.append(error)
    raise _verdict(failures)


def _verdict(failures: Sequence[SuishoupaiError]) -> SuishoupaiError:
    """The one error for several sizes: not-now before refused (something may still come), refused before gone."""
    for kind in (PhotoUnavailable, PhotoRefused):
        for failure in failures:
            if isinstance(failure, kind) and not isinstance(failure, PhotoGone):
                return failure
    return failures[0] if failures else PhotoRefused("the post names no address for its photo")


def _fetch(
    url: str, hosts: Sequence[str], headers: Mapping[str, str], limits: FetchLimits, allow_loopback: bool, deadline: float
) -> bytes:
    """Follow ``url`` through at most ``max_redirects`` checked steps to its bytes. Raises as :func:`fetch_photo`."""
    for _ in range(limits.max_redirects + 1):
        target = check_url(url, hosts)
        addresses = resolve(target, allow_loopback, deadline)
        with _request(target, addresses, headers, limits, deadline) as response:
            if response.status not in _REDIRECT:
                return _read(response, target, limits, deadline)
            location = response.headers.get("Location")
        if not location:
            raise PhotoRefused(f"{target.host}: HTTP {response.status} without a Location")
        try:
            url = urljoin(url, location)
        except ValueError:
            raise PhotoRefused(f"{target.host}: a redirect to something that is no URL") from None
    raise PhotoRefused(f"more than {limits.max_redirects} redirects")


class _Watch:
    """Shuts sockets down at the deadline, wherever the transfer then stands.

    Read time-outs restart with every byte, so a peer that drips headers, a handshake or a body would hold a worker for hours.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.expired = False

    def add(self, sock: socket.socket) -> None:
        with self._lock:
            # A duplicate: TLS detaches the original, and shutting down either end of the pair reaches the connection.
            self._sockets.append(sock.dup())
            if self.expired:
                self._shut_down()

    def expire(self) -> None:
        with self._lock:
            self.expired = True
            self._shut_down()

    def _shut_down(self) -> None:
        for sock in self._sockets:
            with suppress(OSError):  # already closed by the peer
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._lock:
            for sock in self._sockets:
                sock.close()
            self._sockets.clear()


def _dialling(base: type[HTTPConnection], addresses: Sequence[str], limits: FetchLimits, deadline: float, watch: _Watch) -> Any:
    """``base``, but connecting to one of the checked ``addresses`` instead of resolving the name a second time.

    The connection keeps the *name*: TLS still proves it and the Host header still carries it.
    """

    class Dialling(base):  # type: ignore[misc,valid-type]
        def _new_conn(self) -> socket.socket:
            why: OSError | None = None
            for address in addresses:
                wait = min(limits.connect_s, max(0.01, deadline - time.monotonic()))
                try:
                    sock = socket.create_connection((address, self.port), timeout=wait)
                except OSError as error:
                    why = error
                    continue
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                watch.add(sock)
                return sock
            raise NewConnectionError(self, f"no connection ({type(why).__name__})")

    return Dialling


@lru_cache(maxsize=2)
def _tls(authorities: str) -> ssl.SSLContext:
    """The verifying context, made once: reading the authorities' file takes longer than most downloads."""
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.load_verify_locations(authorities)
    return context


def _pool(target: Url, addresses: Sequence[str], limits: FetchLimits, deadline: float, watch: _Watch) -> HTTPConnectionPool:
    """A pool of one connection, dialling the checked addresses."""
    host, port = target.host or "", target.port
    if target.scheme == "http":
        plain = HTTPConnectionPool(host, port, maxsize=1)
        plain.ConnectionCls = _dialling(HTTPConnection, addresses, limits, deadline, watch)
        return plain
    pool = HTTPSConnectionPool(host, port, maxsize=1, ssl_context=_tls(certifi.where()))
    pool.ConnectionCls = _dialling(HTTPSConnection, addresses, limits, deadline, watch)
    return pool


@contextmanager
def _request(
    target: Url, addresses: Sequence[str], headers: Mapping[str, str], limits: FetchLimits, deadline: float
) -> Iterator[BaseHTTPResponse]:
    """GET ``target`` from ``addresses``; third-party errors inside become :class:`PhotoUnavailable`."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise PhotoUnavailable(f"{target.host}: no answer within {limits.total_s:g} s")
    watch = _Watch()
    timer = threading.Timer(left, watch.expire)
    timer.daemon = True
    timer.start()
    pool = _pool(target, addresses, limits, deadline, watch)
    sent = {
        "User-Agent": "suishoupai",
        "Accept": "image/*",
        **headers,
        # No compression: a photo gains nothing by it, and a few bytes could unfold into gigabytes.
        "Accept-Encoding": "identity",
    }
    timeout = Timeout(connect=min(limits.connect_s, left), read=min(limits.read_s, left))
    try:
        response = pool.urlopen(
            "GET",
            target.request_uri,
            headers=sent,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=timeout,
            preload_content=False,
            decode_content=False,
        )
        yield response
    except (HTTPError, OSError) as error:
        reason = f"no end within {limits.total_s:g} s" if watch.expired else type(error).__name__
        raise PhotoUnavailable(f"{target.host}: {reason}") from None
    finally:
        timer.cancel()
        watch.close()
        pool.close()


def _read(response: BaseHTTPResponse, target: Url, limits: FetchLimits, deadline: float) -> bytes:
    """Read the body within the caps and see that it begins as a photo. Raises as :func:`fetch_photo`."""
    status = response.status
    if status in _GONE:
        raise PhotoGone(f"{target.host}: the photo is gone (HTTP {status})")
    if status in _NOT_NOW or status >= 500:
        raise PhotoUnavailable(f"{target.host}: HTTP {status}")
    if status != 200:
        raise PhotoRefused(f"{target.host}: HTTP {status}")
    declared = response.headers.get("Content-Length", "")
    if declared.isdigit() and len(declared) < 20 and int(declared) > limits.max_bytes:
        raise PhotoRefused(f"{target.host}: the photo is larger than {limits.max_bytes} bytes")
    body = bytearray()
    while True:
        chunk = response.read1(_CHUNK)
        if time.monotonic() >= deadline:  # first, since the watch's shutdown looks like the end of a body without length
            raise PhotoUnavailable(f"{target.host}: no end within {limits.total_s:g} s")
        if not chunk:
            break
        body += chunk
        if len(body) > limits.max_bytes:
            raise PhotoRefused(f"{target.host}: the photo is larger than {limits.max_bytes} bytes")
    if sniff(bytes(body[:4096])) is None:
        raise PhotoRefused(f"{target.host}: what came is not a JPEG, PNG, WebP, GIF or HEIC photo")
    return bytes(body)
