"""A worker: a process that takes jobs from the shared queue until SIGTERM, through restarts of the database and cut networks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bot.bot import Bot
from bot.log import get
from bot.schedule import until_signalled
from bot.work.jobs import Line
from bot.work.shared import Floor, serve
from store.errors import StoreError

log = get("worker")

_LONGEST_PAUSE_S = 15.0


def run(bot: Bot, queues: Sequence[str], concurrency: int, line: Line) -> None:
    """Work on ``queues``, ``concurrency`` jobs at a time, until SIGTERM or SIGINT; then finish what is in hand."""
    with until_signalled(bot.stopping):
        try:
            asyncio.run(work(bot, queues, concurrency, line))
        finally:
            if bot.drift.waiting:
                bot.drift.keep(bot.store, bot.faces.pack.sha256)


async def work(bot: Bot, queues: Sequence[str], concurrency: int, line: Line) -> None:
    """The same, until ``bot.stopping`` is set; whatever becomes of the database meanwhile."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(concurrency + 4))
    settings, pause_s = bot.settings.work, 0.5
    while not bot.stopping.is_set():
        app = Floor(bot, line).app(bot.store.server_url, concurrency + 4)
        serving = asyncio.create_task(serve(app, queues, concurrency, settings.heartbeat_s, settings.stalled_after_s))
        began = asyncio.get_running_loop().time()
        while not bot.stopping.is_set() and not serving.done():
            await asyncio.wait([serving], timeout=0.2)
        if not serving.done():
            serving.cancel()
        try:
            await serving
        except asyncio.CancelledError:
            return
        except StoreError as error:
            lasted = asyncio.get_running_loop().time() - began
            pause_s = 0.5 if lasted > 2 * _LONGEST_PAUSE_S else min(2 * pause_s, _LONGEST_PAUSE_S)
            log.error("the worker lost the database and tries again", error=str(error), pause_s=pause_s)
            await asyncio.wait([asyncio.create_task(asyncio.to_thread(bot.stopping.wait, pause_s))])
