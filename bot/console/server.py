"""The console as a running server: in the foreground for ``suishoupai console``, in a thread for the demo and for tests."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

import uvicorn
from starlette.types import ASGIApp

from bot import wiring
from bot.console.app import create_app
from bot.console.parts import Parts
from bot.settings import Loaded
from store.errors import SettingsError
from store.model import Clock

START_S = 20.0


def set_aside() -> None:
    """Leave what is loaded by now out of every later garbage collection: tables of divisions, templates, catalogues and modules
    stay for good, and walking over them stops a page for 70 ms now and then."""
    gc.collect()
    gc.freeze()


@contextmanager
def open_parts(loaded: Loaded, clock: Clock = wiring.utc_now) -> Iterator[Parts]:
    """The console's parts, opened from the settings and closed at the end of the block.

    Raises:
        StoreError, EngineError: a part cannot be opened; the message says how to mend it.
    """
    store = wiring.open_store(loaded, clock)
    try:
        with wiring.open_decoder(loaded.settings) as decoder:
            files = wiring.open_files(loaded, store)
            yield Parts(loaded, store, files, decoder, clock, wiring.open_face_book(loaded.settings, store))
    finally:
        store.close()


class ConsoleServer:
    """Serves an app on ``host``:``port`` (0 takes a free one) inside a ``with`` block; ``url`` is where.

    Forwarded headers are believed from ``proxies`` alone (``console.proxies``): whoever else sends them speaks for themselves.

    Raises:
        SettingsError: the address cannot be used.
    """

    def __init__(self, app: ASGIApp, host: str, port: int, *, proxies: Sequence[str] = ()) -> None:
        # With the protocol named: only then does asyncio turn Nagle's algorithm off, which holds each page's body back for 40 ms.
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise SettingsError(
                f"console.host {host}, console.port {port}: cannot be used: {error.strerror}", mend="choose another port"
            ) from error
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_level="error",
            access_log=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            server_header=False,
            timeout_graceful_shutdown=3,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="console", daemon=True)

    def serve(self) -> None:
        """Serve in the foreground until SIGTERM or Ctrl-C."""
        self._serve()
        self._socket.close()

    def __enter__(self) -> ConsoleServer:
        self._thread.start()
        until = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                self.__exit__(None, None, None)
                raise SettingsError(f"the console did not come up at {self.url}")
            time.sleep(0.005)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


def console_server(parts: Parts, port: int | None = None) -> ConsoleServer:
    """The console of ``parts``, not yet started."""
    console = parts.console
    app = create_app(parts)
    set_aside()
    return ConsoleServer(app, console.host, console.port if port is None else port, proxies=console.proxies)
