"""Scan: the faces of a photo, once for each model pack; the next photos are decoded and embedded while one is searched.

What is looked at ahead touches neither database nor platform: nothing is kept of it until :func:`scan` commits, photo by photo
and in the order of the posts, exactly as without it. A crash costs the few photos that were in hand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Generic, TypeVar

from bot.bot import Bot
from bot.faces import FaceBook
from bot.log import get
from matcher.engines.base import DetectedFace
from store import faces, photos
from store.errors import PhotoRefused

log = get("match")

_T = TypeVar("_T")
Look = Callable[[str], list[DetectedFace]]
"""The faces of a kept photo, by its sha256. Raises what reading, decoding and the engine raise."""


def scan(bot: Bot, photo_id: int, book: FaceBook | None = None, look: Look | None = None) -> None:
    """Find and embed the faces of one photo, once for each model pack; ``look`` of :func:`seen_ahead` may have them already."""
    book = book or bot.faces
    with bot.store.read() as tx:
        if faces.scanned(tx, photo_id, book.pack.sha256):
            return
        sha256 = photos.get(tx, photo_id).sha256
    try:
        found = look(sha256) if look else seen(bot, book, sha256)
    except PhotoRefused as error:
        log.warning("a stored photo can no longer be decoded", photo=photo_id, error=str(error))
        found = []
    with bot.store.write("match.scanned") as tx:
        faces.save_faces(tx, photo_id, book.pack.id, book.pack.sha256, found)


def seen(bot: Bot, book: FaceBook, sha256: str) -> list[DetectedFace]:
    """Read, decode and embed one photo here and now."""
    return book.engine.faces(bot.decoder.pixels(bot.files.get(sha256)))


def seen_ahead(bot: Bot, book: FaceBook, coming: Iterable[str]) -> AbstractContextManager[Look]:
    """:func:`seen` by ``models.photos_at_once`` threads, for the photos that are asked for next."""
    return ahead(partial(seen, bot, book), coming, bot.settings.models.at_once())


@contextmanager
def ahead(look: Callable[[str], _T], coming: Iterable[str], at_once: int) -> Iterator[Callable[[str], _T]]:
    """``look`` for the photos of ``coming``, which are asked for in about that order, in ``at_once`` threads.

    So many photos are in hand at a time, each with its pixels; as many again may wait as mere faces. A photo that was passed
    over is let go of, and one that was not announced is looked at when it is asked for. Errors are raised to who asks. At the
    end what has not begun is dropped, and what has is waited for.
    """
    with ThreadPoolExecutor(at_once, thread_name_prefix="ahead") as pool:
        line = _Line(lambda name: pool.submit(look, name), coming, 2 * at_once)
        try:
            yield lambda name: found.result() if (found := line.take(name)) else look(name)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _Line(Generic[_T]):
    """The photos in hand, in order. Used by one thread."""

    def __init__(self, start: Callable[[str], Future[_T]], coming: Iterable[str], length: int) -> None:
        self._start = start
        self._coming = iter(dict.fromkeys(coming))
        self._length = length
        self._started: deque[tuple[str, Future[_T]]] = deque()

    def take(self, name: str) -> Future[_T] | None:
        """The photo's faces to be, None where it was not started. Nothing is started before the first is asked for."""
        self._fill()
        if all(started != name for started, _ in self._started):
            return None
        while True:
            started, found = self._started.popleft()
            if started == name:
                self._fill()
                return found
            found.cancel()

    def _fill(self) -> None:
        while len(self._started) < self._length and (name := next(self._coming, None)) is not None:
            self._started.append((name, self._start(name)))
