"""Strikes requests with the faults that are set, down to resetting the connection, and keeps the ledger's counts."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from typing import Any

from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.microblog.faults import DELAY_KEY, Fault, FaultKind, Faults
from bot.microblog.ledger import Refusal
from bot.microblog.weibo_errors import error_response
from bot.microblog.world import World
from bot.microblog.x_errors import DUPLICATE, NOT_SUMMONED, PROBLEMS, TARGET_GONE, XError

Wires = dict[tuple[str, int], asyncio.Transport]

LOGIN_PAGE = "<!doctype html><html><head><title>Sign in</title></head><body><form>Please sign in to go on.</form></body></html>"
_WEIBO_CODES = {
    FaultKind.RATE_LIMITED: 10023,
    FaultKind.USAGE_CAPPED: 10024,
    FaultKind.PAYMENT_REQUIRED: 10014,
    FaultKind.EXPIRED_TOKEN: 21327,
    FaultKind.FORBIDDEN: 10014,
    FaultKind.DUPLICATE: 20019,
    FaultKind.NOT_SUMMONED: 20021,
    FaultKind.TARGET_GONE: 20101,
    FaultKind.ERROR: 10001,
    FaultKind.DELAYED: 20032,
}
_CARRIED_OUT = {FaultKind.DELAYED, FaultKind.TRUNCATED, FaultKind.SLOW, FaultKind.CORRUPT}


def protocol_noting(wires: Wires) -> type[H11Protocol]:
    """uvicorn's HTTP protocol, which also notes each open connection in ``wires`` by the client's address."""

    class Noting(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if self.client is not None:
                wires[self.client] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self.client is not None:
                wires.pop(self.client, None)

    return Noting


class Wire:
    """The outermost ASGI layer: counts API calls, records refusals, and lets faults strike APIs and photos."""

    def __init__(self, app: ASGIApp, world: World, faults: Faults, wires: Wires) -> None:
        self.app = app
        self.world = world
        self.faults = faults
        self.wires = wires

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the page and the control interface are never struck."""
        if scope["type"] != "http" or not scope["path"].startswith(("/weibo/", "/x/")):
            await self.app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        with self.world.lock:
            self.world.ledger.calls[f"{method} {path}"] += 1
        fault = self.faults.strike(method, path)
        if fault is None:
            await self.app(scope, receive, self._watching(method, path, send))
            return
        with self.world.lock:
            self.world.ledger.refusals.append(Refusal(self.world.clock(), method, path, 0, f"fault {fault.kind}"))
        await self._strike(fault, scope, receive, send)

    def _watching(self, method: str, path: str, send: Send) -> Send:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                with self.world.lock:
                    self.world.ledger.refusals.append(Refusal(self.world.clock(), method, path, message["status"], ""))
            await send(message)

        return watched

    async def _strike(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []
        if fault.accepted or fault.kind in _CARRIED_OUT:
            if fault.kind is FaultKind.DELAYED:
                scope[DELAY_KEY] = fault.seconds
            messages = await self._carry_out(scope, receive)
        match fault.kind:
            case FaultKind.RESET:
                await self._reset(scope)
            case FaultKind.TIME_OUT:
                left = await self._hold(receive, fault.seconds)
                await (self._reset(scope) if left or not messages else _replay(messages, send))
            case FaultKind.DELAYED if not scope["path"].startswith("/weibo/"):
                await _replay(messages, send)
            case FaultKind.TRUNCATED:
                await _replay(messages, send, keep=0.5)
                await self._reset(scope, at_once=False)
            case FaultKind.CORRUPT:
                await _replay(_damaged(messages), send)
            case FaultKind.SLOW:
                await self._drip(messages, fault.seconds, send)
            case FaultKind.ENDLESS:
                await self._endless(send)
            case _:
                await self.answer(fault, scope["path"])(scope, receive, send)

    async def _carry_out(self, scope: Scope, receive: Receive) -> list[Message]:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, keep)
        return messages

    def answer(self, fault: Fault, path: str) -> Response:
        """The answer of a fault that answers."""
        match fault.kind:
            case FaultKind.SERVER_ERROR:
                return HTMLResponse("<html><body><h1>Bad gateway</h1></body></html>", fault.status or 503)
            case FaultKind.GARBAGE:
                return Response(b'\x00\xff{"statuses": [{"id": 12, NaN\xfe', media_type="application/json")
            case FaultKind.EMPTY:
                return Response(b"", media_type="application/json")
            case FaultKind.LOGIN_PAGE:
                return HTMLResponse(LOGIN_PAGE)
            case FaultKind.REDIRECT:
                return RedirectResponse(fault.location or "/", fault.status or 302)
        if path.startswith("/weibo/"):
            return error_response(path, fault.code or _WEIBO_CODES[fault.kind])
        return self._x_problem(fault).response(self._x_headers(fault))

    def _x_headers(self, fault: Fault) -> Mapping[str, str] | None:
        if fault.kind is not FaultKind.RATE_LIMITED or fault.reset_s is None:
            return None
        reset = int(self.world.clock().timestamp() + fault.reset_s)
        return {"x-rate-limit-limit": "1", "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset)}

    @staticmethod
    def _x_problem(fault: Fault) -> XError:
        match fault.kind:
            case FaultKind.RATE_LIMITED:
                return XError(429)
            case FaultKind.USAGE_CAPPED:
                extra = {"period": "Monthly", "scope": "Product"}
                detail = "Usage cap exceeded: Monthly product cap"
                return XError(429, detail, kind=PROBLEMS + "usage-capped", title="UsageCapExceeded", extra=extra)
            case FaultKind.PAYMENT_REQUIRED:
                detail = "Your enrolled account does not have any credits to fulfill this request."
                return XError(402, detail, kind=PROBLEMS + "credits")
            case FaultKind.EXPIRED_TOKEN:
                return XError(401)
            case FaultKind.DUPLICATE:
                return XError(403, DUPLICATE)
            case FaultKind.NOT_SUMMONED:
                return XError(403, NOT_SUMMONED)
            case FaultKind.TARGET_GONE:
                return XError(403, TARGET_GONE)
            case FaultKind.FORBIDDEN:
                extra = {"reason": "client-not-enrolled"}
                detail = "You are not permitted to perform this action."
                return XError(403, detail, kind=PROBLEMS + "client-forbidden", title="Client Forbidden", extra=extra)
        return XError(fault.status or 400)

    async def _hold(self, receive: Receive, seconds: float) -> bool:
        """Stay silent for ``seconds``, or until the client leaves (True) or the server closes."""

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        leaving = asyncio.ensure_future(gone())
        until = asyncio.get_running_loop().time() + seconds
        while not leaving.done() and not self.faults.closing:
            left_s = until - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            await asyncio.wait({leaving}, timeout=min(0.1, left_s))
        client_left = leaving.done()
        leaving.cancel()
        return client_left

    async def _reset(self, scope: Scope, at_once: bool = True) -> None:
        """End the connection without an answer: with a TCP reset, or after what was sent has gone out."""
        transport = self.wires.get(tuple(scope["client"]))
        if transport is None:
            return
        if at_once:
            raw: socket.socket | Any = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()
        await asyncio.sleep(0.02)  # lets connection_lost run, so that uvicorn does not answer for us

    async def _drip(self, messages: list[Message], seconds: float, send: Send) -> None:
        body = _body(messages)
        await send(messages[0])
        pieces = max(1, min(len(body), round(seconds / 0.05)))
        size = -(-len(body) // pieces)
        for start in range(0, len(body), size):
            if self.faults.closing:
                break
            await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
            await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b""})

    async def _endless(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"image/jpeg")]}
        await send(start)
        for _ in range(4096):  # 256 MB: any client with a cap has left by then
            if self.faults.closing:
                break
            await send({"type": "http.response.body", "body": b"\xff\xd8\xff\xe0" * 16_384, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _body(messages: list[Message]) -> bytes:
    return b"".join(m.get("body", b"") for m in messages if m["type"] == "http.response.body")


async def _replay(messages: list[Message], send: Send, keep: float = 1.0) -> None:
    body = _body(messages)
    await send(messages[0])
    await send({"type": "http.response.body", "body": body[: int(len(body) * keep)], "more_body": keep < 1.0})


def _damaged(messages: list[Message]) -> list[Message]:
    body = bytearray(_body(messages))
    for at in range(len(body) // 8, len(body)):
        body[at] ^= 0x5A
    return [messages[0], {"type": "http.response.body", "body": bytes(body)}]
