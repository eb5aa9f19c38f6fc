"""Structured logs that hold no secret and no face vector."""

from __future__ import annotations

import hashlib
import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import structlog

_HIDDEN = "[hidden]"
_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SENSITIVE_KEYS = re.compile(r"token|secret|password|authorization|cookie|vector|embedding|api_?key", re.IGNORECASE)


class Redact:
    """A structlog processor: values of secrets, keys that sound like one, and anything array-like never reach a line."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # Very short values would blank out ordinary words.
        self._secrets = sorted({value for value in secrets if len(value) >= 6}, key=len, reverse=True)

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {key: _HIDDEN if _SENSITIVE_KEYS.search(key) else self.clean(value) for key, value in event.items()}

    def clean(self, value: Any) -> Any:
        """``value`` with every secret replaced; containers are walked, bytes and arrays are dropped."""
        if isinstance(value, str):
            for secret in self._secrets:
                value = value.replace(secret, _HIDDEN)
            return value
        if isinstance(value, dict):
            return {k: _HIDDEN if _SENSITIVE_KEYS.search(str(k)) else self.clean(v) for k, v in value.items()}
        if isinstance(value, list | tuple | set):
            return [self.clean(item) for item in value]
        if isinstance(value, bool | int | float | type(None)):
            return value
        if isinstance(value, bytes | bytearray | memoryview) or hasattr(value, "__array__"):
            return _HIDDEN
        return self.clean(str(value))


def configure(*, level: str = "info", json_lines: bool = False, secrets: Iterable[str] = ()) -> None:
    """Set up logging for the process: to standard error, as text or as one JSON object a line."""
    redact = Redact(secrets)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = _JsonLines() if json_lines else _Lines()
    threshold = logging.getLevelName(level.upper())
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, redact, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: _Stderr(),
        cache_logger_on_first_use=False,
    )
    # Libraries (APScheduler, urllib3, tweepy) log through the standard module: same lines, same redaction.
    handler = _StderrHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redact,
                renderer,
            ],
            foreign_pre_chain=[*shared],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))


class _Stderr:
    """Writes lines to what standard error is at that moment: it may be another stream later than when logs were set up."""

    def msg(self, message: str) -> None:
        print(message, file=sys.stderr, flush=True)

    log = debug = info = warn = warning = error = critical = fatal = exception = failure = msg


class _StderrHandler(logging.Handler):
    """The same for the standard library's loggers."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)


class _Lines:
    """One plain line an event: time, level, what, then key=value. What a stranger wrote can neither begin a line of its own nor
    steer a terminal: control, separator and bidi characters are shown as escapes, and a trace's lines are indented."""

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        at = str(event.pop("timestamp", ""))[:19].replace("T", " ")
        level = str(event.pop("level", ""))
        what = str(event.pop("event", ""))
        trace = event.pop("exception", None)
        pairs = " ".join(f"{key}={value}" for key, value in event.items())
        line = _inert(f"{at} {level:<7} {what}" + (f"  {pairs}" if pairs else ""))
        return "\n  ".join([line, *(_inert(part) for part in str(trace).split("\n"))]) if trace else line


class _JsonLines:
    """One JSON object an event. JSON escapes control characters up to U+001F; what else could steer the terminal of whoever
    reads the file (C1 controls, separators, bidi) is escaped here, and reads back as it was."""

    def __init__(self) -> None:
        self._render = structlog.processors.JSONRenderer(ensure_ascii=False)

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", str(self._render(logger, method, event)))


def _inert(line: str) -> str:
    return _STEERING.sub(lambda found: ascii(found[0])[1:-1], line)


def trace_of(platform: str, post_id: str) -> str:
    """The trace id of a post: the same in every process and at every step, from poll to answer, and no name of anybody."""
    return hashlib.sha256(f"{platform}\x1f{post_id}".encode()).hexdigest()[:12]


def traced(platform: str, post_id: str) -> AbstractContextManager[Any]:
    """Within the block every line of this thread carries the post's trace id (``trace=...``); nothing for a message that is
    about no post."""
    return structlog.contextvars.bound_contextvars(trace=trace_of(platform, post_id)) if post_id else nullcontext()


def get(name: str) -> Any:
    """A logger that names its part of the bot. It takes up the configuration at its first line, not when it is made."""
    return structlog.get_logger(part=name)
