"""The local microblog as a running server: the application, and a uvicorn thread that tests and the demo enter and leave."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.microblog.control import Control, on_world_error
from bot.microblog.faults import Fault, FaultKind, Faults
from bot.microblog.media import MediaHost
from bot.microblog.model import Account, Role, Side, WorldError
from bot.microblog.page import Page
from bot.microblog.tokens import Credentials
from bot.microblog.weibo_api import WeiboApi
from bot.microblog.weibo_errors import WeiboError, on_weibo_error
from bot.microblog.wire import Wire, Wires, protocol_noting
from bot.microblog.world import World, utc_now
from bot.microblog.x_api import XApi
from bot.microblog.x_errors import XError, on_x_error
from store.model import Clock

HOST = "127.0.0.1"
START_S = 20.0


class OwnOrigin:
    """Refuses what another web page sends here: writing is for this page and for programs, which send no Origin."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or answer 403."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is not None and scope["method"] not in ("GET", "HEAD") and urlsplit(origin).netloc != headers.get("host"):
            await PlainTextResponse("another site may not write here", 403)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def application(world: World, faults: Faults, url: str, wires: Wires) -> ASGIApp:
    """The whole ASGI application. ``url`` is its own address, which stands in the picture addresses it gives out."""
    routes = [
        *Page(world).routes(),
        *Control(world, faults).routes(),
        *XApi(world, f"{url}/x").routes(),
        *WeiboApi(world, f"{url}/weibo").routes(),
        *MediaHost(world).routes(),
    ]
    handlers = {WeiboError: on_weibo_error, XError: on_x_error, WorldError: on_world_error}
    # A page of some other site must not reach this server under a name of its own either (DNS rebinding).
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]), Middleware(OwnOrigin)]
    return Wire(Starlette(routes=routes, exception_handlers=handlers, middleware=guards), world, faults, wires)


class _Promptly(uvicorn.Server):
    """Ends when it is told to, where uvicorn looks every tenth of a second whether it was: hundreds of tests wait for that."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def end(self) -> None:
        """From any thread."""
        self.should_exit = True
        if self._told is not None:
            loop, told = self._told
            with suppress(RuntimeError):  # the loop has just ended by itself
                loop.call_soon_threadsafe(told.set)

    async def main_loop(self) -> None:
        """uvicorn's own, but for the end of the wait."""
        told = asyncio.Event()
        self._told = asyncio.get_running_loop(), told
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(told.wait(), 0.1)


class Microblog:
    """The server on 127.0.0.1. Enter it to start, leave it to stop; the world may be filled before and read after.

    Raises WorldError where the port is taken or the server does not come up.
    """

    def __init__(self, port: int = 0, clock: Clock = utc_now, world: World | None = None) -> None:
        self.world = world or World(clock)
        self.faults = Faults()
        # With the protocol named: only then does asyncio turn Nagle's algorithm off, which holds a body back for 40 ms.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((HOST, port))
        except OSError as error:
            self._socket.close()
            raise WorldError(f"port {port} of {HOST} cannot be used: {error.strerror}", mend="choose another --port") from error
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self.weibo_url = f"{self.url}/weibo"
        self.x_url = f"{self.url}/x"
        wires: Wires = {}
        config = uvicorn.Config(
            application(self.world, self.faults, self.url, wires),
            http=protocol_noting(wires),
            lifespan="off",
            ws="none",
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        self._server = _Promptly(config)
        self._thread = threading.Thread(target=self._serve, name="microblog", daemon=True)

    @property
    def credentials(self) -> Credentials:
        """The bot's tokens on both sides."""
        return self.world.credentials

    def start(self) -> Microblog:
        """Start serving; returns once requests are answered."""
        self._thread.start()
        until = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                self.stop()
                raise WorldError(f"the local microblog did not come up at {self.url}")
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Stop serving: requests held by a fault are let go, the others finish."""
        self.faults.closing = True
        self._server.end()
        if self._thread.is_alive():
            self._thread.join(10)
        self._socket.close()

    def wait(self) -> None:
        """Block until the server stops."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def __enter__(self) -> Microblog:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


__all__ = ["Account", "Fault", "FaultKind", "Microblog", "Role", "Side", "World"]
