"""One life of the bot as a process: ``suishoupai run``, forked from a process that has imported everything.

Importing takes two seconds and is not what is tested; the fork has a process id, memory, files and signals of its own, and
SIGKILL ends it like any other process.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from bot.chaos.dying import FILE, VARIABLE

_PRELOADED = [
    "bot.chaos.life",
    "bot.__main__",
    "bot.commands.live",
    "bot.commands.worker",
    "bot.wiring",
    "bot.platforms.weibo",
    "bot.platforms.x",
    "bot.work.shared",
    "bot.chaos.warm",
]
_PR_SET_PDEATHSIG = 1


def processes() -> ForkServerContext:
    """Processes that are forked from one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def begin(config: Path, log: Path, die_at: str, words: Sequence[str] = ("run",), die_file: str = "") -> ForkServerProcess:
    """Start a bot on ``config``, its output appended to ``log``; with ``die_at`` it kills itself at that commit (with
    ``die_file`` at the one that the file names). ``words`` are its command."""
    process = processes().Process(target=_live, args=(str(config), str(log), die_at, tuple(words), die_file))
    process.start()
    return process


def _live(config: str, log: str, die_at: str, words: tuple[str, ...], die_file: str) -> None:
    """What the new process does: become the bot."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # no bot outlives its runner
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    if die_at:
        os.environ[VARIABLE] = die_at
    if die_file:
        os.environ[FILE] = die_file
    from bot.__main__ import main

    sys.argv = ["suishoupai", *words, "--config", config]
    main()
