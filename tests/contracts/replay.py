"""Replays recorded HTTP traffic to a platform over a real socket on 127.0.0.1; the format stands in tests/examples/README.md.

A real server rather than a patched transport: it holds for any client library, and it can time out, reset and cut as networks do.
"""

from __future__ import annotations

import dataclasses
import json
import socket
import struct
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from store.errors import SuishoupaiError
from store.model import Malformed, MessageKind, Outgoing, Stream, StreamKind

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NOW = "2026-11-20T12:00:00+08:00"
PATIENT_S = 10.0
"""Time-out of every test but those in which no answer comes: a busy machine must not look like a fault."""
IMPATIENT_S = 0.3


@dataclass
class Request:
    """One request as the server saw it. ``body`` is the urlencoded form or the JSON object."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    raw_body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.raw_body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def json(self) -> dict[str, Any]:
        try:
            value = json.loads(self.raw_body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@dataclass
class ReplayServer:
    """Answers requests with scripted exchanges in order; ``repeat`` serves the last one for ever.

    ``requests`` holds what was asked, ``problems`` every difference from what was expected.
    """

    exchanges: list[dict[str, Any]] = field(default_factory=list)
    repeat: bool = False
    requests: list[Request] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    url: str = ""
    stopping: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def play(self, *responses: Mapping[str, Any], repeat: bool = False) -> None:
        """Answer the next requests, whatever they are, with ``responses``; forget what went before."""
        with self.lock:
            self.exchanges = [{"response": dict(r)} for r in responses]
            self.repeat = repeat
            self.requests.clear()
            self.problems.clear()

    def take(self, request: Request) -> dict[str, Any]:
        """The response for ``request``: the next of the script. A request too many gets 599 and a problem."""
        with self.lock:
            self.requests.append(request)
            if not self.exchanges:
                self.problems.append(f"not expected: {request.method} {request.path} {request.params}")
                return {"status": 599, "text": "the example holds no further exchange"}
            exchange = self.exchanges[0] if self.repeat and len(self.exchanges) == 1 else self.exchanges.pop(0)
            self.problems += differences(exchange.get("request", {}), request)
            response: dict[str, Any] = exchange["response"]
            return response

    def done(self) -> list[str]:
        """Every difference between the script and what happened, exchanges that never took place included."""
        left = [] if self.repeat else [f"never asked: {e.get('request', e)}" for e in self.exchanges]
        return self.problems + left


def differences(expected: Mapping[str, Any], seen: Request) -> list[str]:
    """What in ``seen`` is not as ``expected`` (an example's ``request``) says."""
    found = [
        f"{what}: expected {expected[what]!r}, asked {getattr(seen, what)!r}"
        for what in ("method", "path")
        if what in expected and expected[what] != getattr(seen, what)
    ]
    lower = {k.lower(): v for k, v in seen.headers.items()}
    parts = {"params": seen.params, "form": seen.form, "json": seen.json, "headers": lower}
    for part, actual in parts.items():
        for key, value in expected.get(part, {}).items():
            got = actual.get(key.lower() if part == "headers" else key)
            if got != value:
                found.append(f"{seen.method} {seen.path} {part}.{key}: expected {value!r}, asked {got!r}")
    sent = {**seen.params, **seen.form, **seen.json}
    found += [f"{seen.method} {seen.path}: {key} must not be sent" for key in expected.get("absent", ()) if key in sent]
    return found


class _Handler(BaseHTTPRequestHandler):
    script: ReplayServer
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        params = dict(parse_qsl(parts.query, keep_blank_values=True))
        response = self.script.take(Request(self.command, parts.path, params, dict(self.headers), body))
        self.close_connection = True
        fault = response.get("fault")
        if fault == "timeout":
            self.script.stopping.wait(30)
        elif fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self._answer(response, cut=fault == "cut")

    def _answer(self, response: Mapping[str, Any], *, cut: bool) -> None:
        text = json.dumps(response["json"], ensure_ascii=False) if "json" in response else response.get("text", '{"cut": "off')
        data = text.encode()
        kind = "application/json" if "json" in response else "text/html; charset=utf-8"
        self.send_response(response.get("status", 200))
        for name, value in {"Content-Type": kind, **response.get("headers", {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) + (100 if cut else 0)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = do_PUT = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """Tests stay quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up (the timeout examples) is no error of the server."""


@contextmanager
def replay_server() -> Iterator[ReplayServer]:
    """A running :class:`ReplayServer` on a free port of 127.0.0.1."""
    script = ReplayServer()
    handler = type("Handler", (_Handler,), {"script": script})
    server = _Server(("127.0.0.1", 0), handler)
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        script.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def free_port() -> int:
    """A port on which nothing listens: a connection to it is refused."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# --- examples -------------------------------------------------------------------------------------------------------


def examples(folder: Path) -> list[Path]:
    """The example files in ``folder`` (without their ``.expected.json`` partners), by name."""
    return sorted(p for p in folder.glob("*.json") if not p.name.startswith("_") and not p.name.endswith(".expected.json"))


def check_example(module: Any, path: Path) -> list[str]:
    """Everything in which a replay of ``path`` differs from its ``.expected.json``; empty where the platform does as recorded."""
    partner = path.with_name(f"{path.stem}.expected.json")
    if not partner.is_file():
        return [f"{path.name} has no {partner.name} beside it"]
    result, problems = replay(module, path)
    return problems + compare(json.loads(partner.read_text(encoding="utf-8")), result)


def defaults(folder: Path) -> dict[str, Any]:
    """``_settings.json`` of a platform's examples: what it cannot be built or tested without (an account's id, ...)."""
    path = folder / "_settings.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def read_example(path: Path) -> dict[str, Any]:
    """The example at ``path``, its settings over the platform's ``_settings.json``."""
    example: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    example["settings"] = defaults(path.parent) | example.get("settings", {})
    return example


def read_settings(module: Any, given: Mapping[str, Any], server_url: str) -> Any:
    """The settings object of ``module`` from an example's ``settings``, with ``{server}`` filled in."""
    base = {"enabled": True, "base_url": "{server}", "timeout_s": PATIENT_S}
    return module.Settings.model_validate(_fill(base | dict(given), server_url))


def build_platform(module: Any, example: Mapping[str, Any], server_url: str) -> Any:
    """The platform of ``module`` with the example's settings, secrets and stopped clock, pointed at ``server_url``."""
    silent = any(e["response"].get("fault") == "timeout" for e in example.get("exchanges", ()))
    given = {"timeout_s": IMPATIENT_S} | example.get("settings", {}) if silent else example.get("settings", {})
    settings = read_settings(module, given, server_url)
    secrets = {name: f"example-{name}" for name in module.SECRETS} | dict(example.get("secrets", {}))
    now = datetime.fromisoformat(example.get("now", NOW))
    return module.build(settings, secrets, lambda: now)


def _fill(value: Any, server_url: str) -> Any:
    if isinstance(value, str):
        return value.replace("{server}", server_url)
    if isinstance(value, Mapping):
        return {k: _fill(v, server_url) for k, v in value.items()}
    if isinstance(value, list):
        return [_fill(v, server_url) for v in value]
    return value


def make_call(platform: Any, call: Mapping[str, Mapping[str, Any]]) -> Any:
    """Make the one call of an example and return what it returns."""
    ((name, arguments),) = call.items()
    given = dict(arguments)
    if name == "read":
        stream = given["stream"]
        given["stream"] = Stream(platform.name, StreamKind(stream["kind"]), stream.get("query", ""))
        given["not_before"] = datetime.fromisoformat(given.get("not_before", "2026-11-01T00:00:00+08:00"))
        given = {"since": None, "page": None, **given}
    elif name == "own_recent":
        given["since"] = datetime.fromisoformat(given["since"])
    elif name == "say":
        mentions = tuple(given.pop("mentions", ()))
        given = {"message": Outgoing(**{**given, "kind": MessageKind(given["kind"]), "mentions": mentions})}
    return getattr(platform, name)(**given)


def outcome(platform: Any, call: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """``{"returns": ...}`` or ``{"raises": ...}`` of the call, as ``.expected.json`` writes it."""
    try:
        return {"returns": encode(make_call(platform, call))}
    except SuishoupaiError as error:
        until = getattr(error, "until", None)
        return {
            "raises": {
                "error": type(error).__name__,
                "until": encode(until),
                "code": getattr(error, "code", ""),
                "message": str(error),
            }
        }


def compare(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> list[str]:
    """The differences between an ``.expected.json`` and an :func:`outcome`, as sentences; empty where they agree."""
    if "raises" not in expected:
        return [] if dict(expected) == dict(actual) else [f"expected {expected}", f"came     {actual}"]
    raised = actual.get("raises")
    if raised is None:
        return [f"expected {expected['raises']}, came {actual}"]
    wanted = dict(expected["raises"])
    said = raised["message"]
    found = [f"the message lacks {words!r}: {said}" for words in wanted.pop("says", ()) if words not in said]
    return found + [f"{k}: expected {v!r}, came {raised.get(k)!r} ({said})" for k, v in wanted.items() if raised.get(k) != v]


def encode(value: Any) -> Any:
    """``value`` as JSON: dataclasses without defaults and without ``raw``, instants in UTC, enums by value."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        plain = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value) if _told(value, f)}
        return {"malformed": True, **plain} if isinstance(value, Malformed) else plain
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): encode(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [encode(v) for v in value]
    return value


def _told(value: Any, field_: dataclasses.Field[Any]) -> bool:
    return field_.name != "raw" and (field_.default is dataclasses.MISSING or getattr(value, field_.name) != field_.default)


def replay(module: Any, path: Path) -> tuple[dict[str, Any], list[str]]:
    """Replay the example at ``path`` against ``module``: its outcome, and every problem with the requests it made."""
    example = read_example(path)
    with replay_server() as server:
        server.exchanges = [dict(e) for e in example["exchanges"]]
        result = outcome(build_platform(module, example, server.url), example["call"])
        return result, server.done()


if __name__ == "__main__":
    from bot.platforms.loading import load

    example_path = Path(sys.argv[1])
    shown, problems = replay(load(example_path.resolve().parent.name, ()), example_path)
    print(json.dumps(shown, ensure_ascii=False, indent=1))
    print(*problems, sep="\n", file=sys.stderr)
