"""How much SQLite works, counted and not timed: its virtual machine's instructions, the same on an idle and a busy machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from store.session import Store, Tx

_EACH = 50
Opened = Callable[..., AbstractContextManager[Tx]]


@contextmanager
def instructions() -> Iterator[list[int]]:
    """Instructions of all transactions within the block, in a list of one; stays 0 where the database is no SQLite."""
    spent = [0]
    with ExitStack() as stack:
        for name in ("read", "write"):
            before = getattr(Store, name)
            stack.callback(setattr, Store, name, before)
            setattr(Store, name, _counting(before, spent))
        yield spent


def _counting(opened: Opened, spent: list[int]) -> Opened:
    def tick() -> int:
        spent[0] += _EACH
        return 0

    @contextmanager
    def counting(*args: Any, **more: Any) -> Iterator[Tx]:
        with opened(*args, **more) as tx:
            driver: Any = tx.connection.connection.driver_connection
            if not hasattr(driver, "set_progress_handler"):
                yield tx
                return
            driver.set_progress_handler(tick, _EACH)
            try:
                yield tx
            finally:
                driver.set_progress_handler(None, 0)

    return counting
