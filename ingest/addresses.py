"""Which addresses may be connected to for a photo: the platform's own hosts, and never one inside our own network."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Sequence

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from store.errors import PhotoRefused, PhotoUnavailable

PORTS = {"http": 80, "https": 443}
# All that IANA has given out as global IPv6 unicast; Python counts old site-local addresses (fec0::/10) as global.
_UNICAST = ipaddress.ip_network("2000::/3")
# Prefixes that carry an IPv4 address inside (NAT64 RFC 6052, 6to4 RFC 3056, Teredo RFC 4380): a way around the check below.
_EMBEDDING = tuple(ipaddress.ip_network(n) for n in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))


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
    if scheme not in PORTS or not host or target.auth is not None:
        raise PhotoRefused("the photo's address is not a plain http(s) URL")
    port = target.port or PORTS[scheme]
    if not any(_admits(rule, host, port, scheme) for rule in hosts):
        raise PhotoRefused(f"{host}:{port} is not one of the platform's photo hosts")
    return target._replace(host=host, port=port)


def _admits(rule: str, host: str, port: int, scheme: str) -> bool:
    """Whether one entry of the host list names ``host`` and ``port``. ``*.suffix`` admits names below suffix, not itself."""
    name, bracket, rest = rule.lower().rpartition("]")
    name, _, rule_port = (name + bracket, "", rest.removeprefix(":")) if bracket else rule.lower().partition(":")
    if port != (int(rule_port) if rule_port else PORTS[scheme]):
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


def resolve(target: Url, allow_loopback: bool, deadline: float) -> list[str]:
    """Resolve the host once, by ``deadline`` (monotonic seconds), and return the addresses to connect to.

    Every address of the name must be public: a name that mixes public and inner addresses is an attack or a mistake.

    Raises:
        PhotoUnavailable: the name does not resolve, or not in time.
        PhotoRefused: an address is private, link-local, multicast, embedded in another, or loopback without ``allow_loopback``.
    """
    host, port = (target.host or "").strip("[]"), target.port or 0
    found: list[str] = []
    failed: list[OSError | UnicodeError] = []

    def look_up() -> None:
        try:
            found.extend([str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
        except (OSError, UnicodeError) as error:
            failed.append(error)

    # getaddrinfo knows no time-out; a stuck resolver must not hold the round.
    thread = threading.Thread(target=look_up, name="resolve", daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    addresses = list(dict.fromkeys(found))
    if not addresses:
        raise PhotoUnavailable(f"{host}: the name could not be resolved ({failed[0] if failed else 'time-out'})")
    if not all(_is_allowed(address, allow_loopback) for address in addresses):
        raise PhotoRefused(f"{host} resolves to an address inside a private network")
    return addresses


def _is_allowed(address: str, allow_loopback: bool) -> bool:
    """Whether a resolved address may be connected to: global unicast, or loopback where that was asked for."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.is_loopback:
        return allow_loopback
    if ip.version == 6 and (ip not in _UNICAST or any(ip in network for network in _EMBEDDING)):
        return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified
