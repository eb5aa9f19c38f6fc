"""Dying at a named commit: where ``SUISHOUPAI_DIE_AT`` is set, the process kills itself there. For chaos rounds alone.

Several workers share one death by a file (``SUISHOUPAI_DIE_FILE``): whoever first passes the commit it names takes the file and
dies.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from store.errors import SettingsError
from store.session import CommitWatch

VARIABLE = "SUISHOUPAI_DIE_AT"
FILE = "SUISHOUPAI_DIE_FILE"

POINTS = (
    "poll.page",
    "poll.failed",
    "poll.budget",
    "calls.counted",
    "photo.stored",
    "photo.refused",
    "photo.later",
    "extract.done",
    "case.embedded",
    "match.scanned",
    "match.done",
    "match.reverse",
    "alert.decided",
    "deliver.leases",
    "deliver.claimed",
    "deliver.sent",
    "deliver.unknown",
    "deliver.dead",
    "deliver.back",
    "reconcile.done",
    "recovered",
    "post.later",
)
"""Commits of the running bot at which chaos rounds kill it, before and after."""

SHARED_POINTS = ("work.scanned", "work.polled", "work.swept")
"""Commits that only workers on a shared queue make."""


def watch(environ: Mapping[str, str] = os.environ) -> CommitWatch | None:
    """The store's commit watch that dies at ``before:POINT`` or ``after:POINT`` (``#N``: at its Nth time); None where unset.

    Raises:
        SettingsError: the variable does not read like this.
    """
    wanted = environ.get(VARIABLE, "")
    if not wanted:
        return _by_file(Path(environ[FILE])) if environ.get(FILE) else None
    point, _, nth = wanted.partition("#")
    if not point.startswith(("before:", "after:")) or (nth and not nth.isdigit()):
        raise SettingsError(f"{VARIABLE}={wanted!r}: expected before:POINT or after:POINT, with #N for its Nth time")
    left = int(nth or 1)

    def die(passing: str) -> None:
        nonlocal left
        if passing == point:
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return die


def _by_file(path: Path) -> CommitWatch:
    def die(passing: str) -> None:
        try:
            if path.read_text(encoding="utf-8") == passing:
                path.rename(path.with_suffix(f".{os.getpid()}"))  # of two that come here, one takes it
                os.kill(os.getpid(), signal.SIGKILL)
        except FileNotFoundError:
            return

    return die
