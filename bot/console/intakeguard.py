"""Keeps floods off the public form without asking a third party: proof of work, and limits by network address.

A browser finds a number whose SHA-256 with our challenge begins with so many zero bits (hashcash; Back 2002): a second for a
person, hours for ten thousand submissions. A browser that runs no script skips it and shares a small quota with its like.
Everything is kept in memory and forgotten within a day; addresses are kept as digests under a key of that day.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

CHALLENGE_LASTS = timedelta(hours=6)
"""How long a form may lie open before it is sent."""
_REMEMBERED = 50_000
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a submission may go on. ``problem`` is "" | "proof" | "busy"; ``wait_s`` is when to try again."""

    problem: str = ""
    wait_s: int = 0


@dataclass(slots=True)
class Guard:
    """One console's memory of who sent how much. Safe to share between threads."""

    proof_bits: int
    per_hour: int
    without_script_per_hour: int
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _day: str = ""
    _day_key: bytes = b""
    _spent: OrderedDict[str, datetime] = field(default_factory=OrderedDict)
    _sent: OrderedDict[str, deque[datetime]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def challenge(self, now: datetime) -> str:
        """A fresh challenge for one form."""
        body = f"{int((now + CHALLENGE_LASTS).timestamp())}.{secrets.token_urlsafe(12)}"
        return f"{body}.{self._sign(body)}"

    def pseudonym(self, address: str, now: datetime) -> str:
        """A name for a network address that holds for a day and cannot be turned back: its key is thrown away with the day."""
        with self._lock:
            day = now.date().isoformat()
            if day != self._day:
                self._day, self._day_key = day, secrets.token_bytes(32)
            return "web-" + hmac.new(self._day_key, network(address).encode(), hashlib.sha256).hexdigest()[:12]

    def admit(self, address: str, challenge: str, proof: str, now: datetime) -> Verdict:
        """Decide on one submission, and count it. A challenge is good for one."""
        proven = bool(proof) and self._fits(challenge, proof, now)
        if proof and not proven:
            return Verdict("proof")
        lanes = [(self.pseudonym(address, now), self.per_hour)]
        if not proven:
            lanes.append(("without script", self.without_script_per_hour))
        with self._lock:
            if proven and not self._spend(challenge, now):
                return Verdict("proof")
            waits = [self._wait(name, limit, now) for name, limit in lanes]
            if any(waits):
                return Verdict("busy", max(waits))
            for name, _ in lanes:
                self._sent[name].append(now)
        return Verdict()

    def _fits(self, challenge: str, proof: str, now: datetime) -> bool:
        body, _, signature = challenge.rpartition(".")
        expires = body.partition(".")[0]
        if not hmac.compare_digest(self._sign(body).encode(), signature.encode()) or not expires.isdigit():
            return False
        if int(expires) < now.timestamp() or not (proof.isascii() and proof.isdigit() and len(proof) <= 16):
            return False
        digest = hashlib.sha256(f"{challenge}:{proof}".encode()).digest()
        return int.from_bytes(digest, "big") >> (256 - self.proof_bits) == 0

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()[:32]

    def _spend(self, challenge: str, now: datetime) -> bool:
        while self._spent and (len(self._spent) > _REMEMBERED or next(iter(self._spent.values())) < now - CHALLENGE_LASTS):
            self._spent.popitem(last=False)
        if challenge in self._spent:
            return False
        self._spent[challenge] = now
        return True

    def _wait(self, name: str, limit: int, now: datetime) -> int:
        """Seconds until this lane has room; 0 where it has."""
        seen = self._sent.setdefault(name, deque())
        self._sent.move_to_end(name)
        while len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
        while seen and seen[0] <= now - _HOUR:
            seen.popleft()
        if len(seen) < limit:
            return 0
        oldest = seen[0] if seen else now
        return max(1, int((oldest + _HOUR - now).total_seconds()) + 1)


def network(address: str) -> str:
    """What counts as one sender: an IPv4 address, or the /64 that a household's IPv6 addresses share."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
