"""Waiting for the write lock: nobody starves beside a thread or a process that writes without a pause."""

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from store.busy import Queue
from store.errors import StoreError
from store.session import Store

TOUCH = text("UPDATE counters SET value = value")
WITHOUT_A_PAUSE = """
import sys, time
from datetime import UTC, datetime
from sqlalchemy import text
from store.session import Store

store = Store(sys.argv[1], lambda: datetime.now(UTC))
print("writing", flush=True)
while True:
    with store.write() as tx:
        tx.execute(text("UPDATE counters SET value = value"))
        time.sleep(0.02)
"""


@pytest.fixture
def written(store):
    """Writes without a pause from a thread of its own until the test is over; counts how often."""
    stop, count = threading.Event(), [0]

    def work() -> None:
        while not stop.is_set():
            with store.write() as tx:
                tx.execute(TOUCH)
                time.sleep(0.01)
            count[0] += 1

    thread = threading.Thread(target=work)
    thread.start()
    yield count
    stop.set()
    thread.join()


def test_threads_take_turns_with_one_that_never_pauses(store, written) -> None:
    """Four threads want a transaction each while another writes one after the other: each waits for a few of those, no more."""
    waited = []

    def once() -> None:
        before = written[0]
        with store.write() as tx:
            tx.execute(TOUCH)
        waited.append(written[0] - before)

    for _ in range(5):
        threads = [threading.Thread(target=once) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(waited) == 20
    assert max(waited) <= 25, "one queues behind the busy thread once, not again and again (without turns: hundreds)"


def test_another_process_gets_its_turn_too(store) -> None:
    """Beside a process that writes without a pause (a console's click while the bot works on a backlog) nothing fails."""
    command = [sys.executable, "-c", WITHOUT_A_PAUSE, store.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as busy:
        try:
            assert busy.stdout is not None
            assert busy.stdout.readline() == "writing\n"
            for _ in range(5):
                with store.write() as tx:
                    tx.execute(TOUCH)
        finally:
            busy.kill()


@pytest.mark.only_on("sqlite", why="shortens its busy_timeout")
def test_a_lock_that_stays_is_an_error_after_the_time_of_patience(store, monkeypatch) -> None:
    """Held by another program for longer than the bot waits: a clear error, for every thread that waits."""
    monkeypatch.setattr("store.dialect.sqlite._PRAGMAS", ("PRAGMA busy_timeout=50",))
    held, errors = Store(store.url, lambda: datetime.now(UTC)), []

    def wait() -> None:
        try:
            with held.write():
                pass
        except StoreError as error:
            errors.append(str(error))

    with store.write():
        threads = [threading.Thread(target=wait) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    held.close()
    assert len(errors) == 3
    assert all("locked" in words for words in errors)


def test_the_queue_keeps_its_order_and_survives_an_error() -> None:
    """First come, first served; whoever fails in turn lets the next one through."""
    queue, order = Queue(), []

    def stand(number: int) -> None:
        try:
            with queue.turn():
                order.append(number)
                if number == 1:
                    raise ValueError
        except ValueError:
            pass

    with queue.turn():
        threads = []
        for number in range(4):
            threads.append(threading.Thread(target=stand, args=(number,)))
            threads[-1].start()
            while len(queue._waiting) < number + 2:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3]
