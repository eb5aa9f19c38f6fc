"""Bounded, safe download of a photo: from a platform's own hosts, over a checked address, within size and time.

What a post links to was written by a stranger. So: only http(s), only hosts the platform object names, no address inside our own
network (the name is resolved once and the *checked address* is the one connected to, which closes DNS rebinding), every
redirect checked again, a cap on bytes and on the whole time, and the bytes themselves must begin as a photo.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Timeout, Url, parse_url

from ingest.sniff import sniff
from store.errors import PhotoGone, PhotoRefused, PhotoUnavailable, SuishoupaiError

_GONE = frozenset({403, 404, 410, 451})
_NOT_NOW = frozenset({408, 425, 429})
_REDIRECT = frozenset({301, 302, 303, 307, 308})
_CHUNK = 64 * 1024
_PORTS = {"http": 80, "https": 443}
# Prefixes that carry an IPv4 address inside (NAT64 RFC 6052, 6to4 RFC 3056, Teredo RFC 4380): a way around the check below.
_EMBEDDING = tuple(ipaddress.ip_network(n) for n in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))


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
        address = _resolve(target, allow_loopback, deadline)
        with _request(target, address, headers, limits, deadline) as response:
            if response.status not in _REDIRECT:
                return _read(response, target, limits, deadline)
            location = response.headers.get("Location")
        if not location:
            raise PhotoRefused(f"{target.host}: HTTP {response.status} without a Location")
        url = urljoin(url, location)
    raise PhotoRefused(f"more than {limits.max_redirects} redirects")


def check_url(url: str, hosts: Sequence[str]) -> Url:
    """Parse ``url`` once, by the parser whose result is also connected to, and hold it against ``hosts``.

    Raises:
        PhotoRefused: another scheme, user info, control characters, or a host or port that the platform does not name.
    """
    if len(url) > 2048 or any(ord(char) <= 0x20 or ord(char) == 0x7F for char in url) or "\\" in url:
        raise PhotoRefused("the photo's address is not a proper URL")
    try:
        target = parse_url(url)
    except LocationParseError:
        raise PhotoRefused("the photo's address is not a proper URL") from None
    host, scheme = (target.host or "").lower().rstrip("."), target.scheme or ""
    if scheme not in _PORTS or not host or target.auth is not None:
        raise PhotoRefused("the photo's address is not a plain http(s) URL")
    port = target.port or _PORTS[scheme]
    if not any(_admits(rule, host, port, scheme) for rule in hosts):
        raise PhotoRefused(f"{host}:{port} is not one of the platform's photo hosts")
    return target._replace(host=host, port=port)


def _admits(rule: str, host: str, port: int, scheme: str) -> bool:
    """Whether one entry of the host list names ``host`` and ``port``. ``*.suffix`` admits names below suffix, not itself."""
    name, bracket, rest = rule.lower().rpartition("]")
    name, _, rule_port = (name + bracket, "", rest.removeprefix(":")) if bracket else rule.lower().partition(":")
    if port != (int(rule_port) if rule_port else _PORTS[scheme]):
        return False
    if name.startswith("*."):
        return host.endswith(name[1:]) and len(host) > len(name) - 1 and not _is_literal(host)
    return host == name


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def _resolve(target: Url, allow_loopback: bool, deadline: float) -> str:
    """Resolve the host once, in bounded time, and return the address to connect to.

    Every address of the name must be public: a name that mixes public and inner addresses is an attack or a mistake.
    """
    host, port = (target.host or "").strip("[]"), target.port or 0
    found: list[str] = []
    failed: list[OSError | UnicodeError] = []

    def look_up() -> None:
        try:
            found.extend(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failed.append(error)

    # getaddrinfo knows no time-out; a stuck resolver must not hold the round.
    thread = threading.Thread(target=look_up, name="resolve", daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if not found:
        raise PhotoUnavailable(f"{host}: the name could not be resolved ({failed[0] if failed else 'time-out'})")
    for address in found:
        if not _is_allowed(address, allow_loopback):
            raise PhotoRefused(f"{host} resolves to an address inside a private network")
    return found[0]


def _is_allowed(address: str, allow_loopback: bool) -> bool:
    """Whether a resolved address may be connected to: global unicast, or loopback where that was asked for."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    if mapped is not None:
        return False
    if ip.is_loopback:
        return allow_loopback
    if ip.version == 6 and any(ip in network for network in _EMBEDDING):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


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

    def expire(self) -> None:
        with self._lock:
            self.expired = True
            for sock in self._sockets:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # already closed by the peer

    def close(self) -> None:
        with self._lock:
            for sock in self._sockets:
                sock.close()
            self._sockets.clear()


def _watched(base: type[HTTPConnection], watch: _Watch) -> Any:
    """``base`` with each new socket reported to ``watch``."""

    class Watched(base):  # type: ignore[misc,valid-type]
        def _new_conn(self) -> socket.socket:
            sock: socket.socket = super()._new_conn()
            watch.add(sock)
            return sock

    return Watched


def _pool(target: Url, address: str, watch: _Watch) -> urllib3.HTTPConnectionPool:
    """A pool of one connection to the checked ``address``; TLS still proves the *name*."""
    if target.scheme == "http":
        plain = urllib3.HTTPConnectionPool(address, target.port, maxsize=1)
        plain.ConnectionCls = _watched(HTTPConnection, watch)
        return plain
    name = (target.host or "").strip("[]")
    pool = urllib3.HTTPSConnectionPool(
        address,
        target.port,
        maxsize=1,
        server_hostname=name,
        assert_hostname=name,
        cert_reqs="CERT_REQUIRED",
        ca_certs=certifi.where(),
    )
    pool.ConnectionCls = _watched(HTTPSConnection, watch)
    return pool


@contextmanager
def _request(
    target: Url, address: str, headers: Mapping[str, str], limits: FetchLimits, deadline: float
) -> Iterator[urllib3.BaseHTTPResponse]:
    """GET ``target`` over ``address``; third-party errors inside become :class:`PhotoUnavailable`."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise PhotoUnavailable(f"{target.host}: no answer within {limits.total_s:g} s")
    watch = _Watch()
    timer = threading.Timer(left, watch.expire)
    timer.daemon = True
    timer.start()
    pool = _pool(target, address, watch)
    default_port = target.port == _PORTS[target.scheme or ""]
    sent = {
        "User-Agent": "suishoupai",
        "Accept": "image/*",
        **headers,
        "Host": f"{target.host}" if default_port else f"{target.host}:{target.port}",
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


def _read(response: urllib3.BaseHTTPResponse, target: Url, limits: FetchLimits, deadline: float) -> bytes:
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
