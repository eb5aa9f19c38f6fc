"""Waiting for SQLite's one write lock, each in turn.

SQLite's own waiting looks again after up to 100 ms and knows no queue: beside a thread that writes one transaction after the next
(a backlog being worked on), other threads waited for more than ten seconds and then failed as "locked". Here the threads of a
process queue up, and the first of them looks every few milliseconds, so that another process's turn is not missed either.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

_LOOK_S = (0.0005, 0.003)
"""A pause between two looks is drawn from this range, so that two processes do not keep missing each other."""


def begin_writing(connection: Connection) -> None:
    """Take the write lock on a SQLite ``connection``, waiting for as long as its ``busy_timeout`` says.

    Raises:
        OperationalError: somebody held it all that time, or the database cannot be written.
    """
    patience_ms = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    until = time.monotonic() + patience_ms / 1000
    with _queue_of(str(connection.engine.url.database)).turn():
        connection.exec_driver_sql("PRAGMA busy_timeout=0")
        try:
            _look_until(connection, until)
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={patience_ms}")


def _look_until(connection: Connection, until: float) -> None:
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return
        except OperationalError as error:
            if "locked" not in str(error.orig) or time.monotonic() >= until:
                raise
        time.sleep(random.uniform(*_LOOK_S))


class Queue:
    """Lets one thread at a time through, in the order in which they came."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until everybody who came before is through."""
        mine = threading.Event()
        with self._guard:
            self._waiting.append(mine)
            self._call_first()
        try:
            mine.wait()
            yield
        finally:
            with self._guard:
                self._waiting.remove(mine)
                self._call_first()

    def _call_first(self) -> None:
        if self._waiting:
            self._waiting[0].set()


_queues: dict[str, Queue] = {}
# A child of fork() has none of the threads that stand in its copy of the queues.
os.register_at_fork(after_in_child=_queues.clear)


def _queue_of(database: str) -> Queue:
    return _queues.setdefault(database, Queue())
