"""Faults a test can set: what goes wrong, on which path, how often, and whether the request was carried out before.

``Fault`` says what to do; :class:`Faults` holds those that are set; :mod:`bot.microblog.wire` does it to the connection.
"""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any

from starlette.requests import Request

from bot.microblog.model import WorldError
from bot.microblog.rules import Rules

DELAY_KEY = "microblog.delay_s"


class FaultKind(StrEnum):
    """What goes wrong. Those marked (error) answer in the struck platform's own form."""

    RATE_LIMITED = "rate_limited"  # (error) X 429, with x-rate-limit-reset where reset_s is given; Weibo 10023, or `code`
    USAGE_CAPPED = "usage_capped"  # (error) X 429 usage-capped; Weibo 10024
    PAYMENT_REQUIRED = "payment_required"  # (error) X 402 CreditsDepleted
    SERVER_ERROR = "server_error"  # `status` (503) with a page that is not the API's
    EXPIRED_TOKEN = "expired_token"  # (error) X 401; Weibo 21327, or `code`
    FORBIDDEN = "forbidden"  # (error) X 403 client-forbidden; Weibo 10014, or `code`
    DUPLICATE = "duplicate"  # (error) X 403 duplicate content; Weibo 20019
    NOT_SUMMONED = "not_summoned"  # (error) X 403; Weibo 20021
    TARGET_GONE = "target_gone"  # (error) X 403 deleted or not visible; Weibo 20101
    ERROR = "error"  # (error) any Weibo error by `code`, any X status by `status`
    RESET = "reset"  # the connection is reset
    TIME_OUT = "time_out"  # no byte for `seconds`; then the late answer where it was carried out, else the end
    DELAYED = "delayed"  # carried out, shown nowhere for `seconds`; Weibo answers 20032, X as always
    GARBAGE = "garbage"  # 200 with bytes that are no JSON
    EMPTY = "empty"  # 200 with no body
    TRUNCATED = "truncated"  # the true answer, cut in the middle, then the connection ends
    LOGIN_PAGE = "login_page"  # 200 with an HTML page that asks to sign in
    SLOW = "slow"  # the true answer, a few bytes at a time, over `seconds`
    CORRUPT = "corrupt"  # the true answer's bytes damaged, its length kept
    ENDLESS = "endless"  # bytes without end and without a length
    REDIRECT = "redirect"  # 302 to `location`


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    ``path`` is a shell pattern over the local path (``/weibo/2/comments/*``, ``/x/2/tweets``, ``*.jpg``), ``method`` one
    method or any. The first ``skip`` matching requests pass, the next ``count`` are struck (0: all that follow). ``accepted``
    lets the request be carried out before it goes wrong, as when an answer is lost.
    """

    kind: FaultKind
    path: str = "*"
    method: str = ""
    count: int = 1
    skip: int = 0
    accepted: bool = False
    seconds: float = 30.0
    reset_s: float | None = None
    status: int = 0
    code: int = 0
    location: str = ""

    def matches(self, method: str, path: str) -> bool:
        """True where a request of ``method`` to ``path`` is meant."""
        return (not self.method or self.method.upper() == method) and fnmatch.fnmatchcase(path, self.path)


def fault_from_json(body: object) -> Fault:
    """A fault from its JSON form (the fields of :class:`Fault`). Raises WorldError naming the wrong field."""
    if not isinstance(body, Mapping):
        raise WorldError("a fault is an object with at least 'kind'")
    known = {f.name: f for f in fields(Fault)}
    if unknown := set(body) - set(known):
        raise WorldError(f"unknown fields of a fault: {', '.join(sorted(map(str, unknown)))}; known: {', '.join(known)}")
    try:
        kind = FaultKind(body.get("kind", ""))
    except ValueError:
        raise WorldError(f"unknown kind of fault {body.get('kind')!r}; known: {', '.join(FaultKind)}") from None
    values: dict[str, Any] = dict(body) | {"kind": kind}
    for name, value in values.items():
        kinds: tuple[type, ...] = {"seconds": (int, float), "reset_s": (int, float, type(None))}.get(
            name, (type(known[name].default),) if name != "kind" else (FaultKind,)
        )
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise WorldError(f"field {name!r} of a fault cannot be {value!r}")
    return Fault(**values)


class Faults:
    """The faults that are set, in order; the first that matches strikes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set: list[Fault] = []
        self.struck: list[tuple[Fault, str, str]] = []
        self.closing = False

    def add(self, *faults: Fault) -> None:
        """Set faults."""
        with self._lock:
            self._set.extend(faults)

    def clear(self) -> None:
        """Take every fault back; requests held by one go on."""
        with self._lock:
            self._set.clear()
            self.struck.clear()

    def listed(self) -> list[dict[str, Any]]:
        """The faults that are still to strike, as JSON."""
        with self._lock:
            return [asdict(f) for f in self._set]

    def strike(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this request, counted down; None where none does."""
        with self._lock:
            for at, fault in enumerate(self._set):
                if not fault.matches(method, path):
                    continue
                if fault.skip > 0:
                    self._set[at] = replace(fault, skip=fault.skip - 1)
                    continue
                if fault.count == 1:
                    del self._set[at]
                elif fault.count > 1:
                    self._set[at] = replace(fault, count=fault.count - 1)
                self.struck.append((fault, method, path))
                return fault
        return None


def delay_of(request: Request, rules: Rules) -> float:
    """Seconds until what this request publishes is shown: a DELAYED fault's, else the platform's indexing delay."""
    return float(request.scope.get(DELAY_KEY, rules.indexing_delay_s))
