"""Who does the work in the demo: the bot alone in this process, or three workers on one PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import yaml

from bot.bot import Bot
from bot.microblog.model import Side
from bot.pipeline import run_round
from bot.settings import Loaded, Settings
from bot.wiring import open_bot, open_store, open_worker
from bot.work import QUEUES
from store import alerts, platform_states, posts
from store.errors import SuishoupaiError
from store.local_postgres import NAME, LocalServer
from store.model import AlertState
from store.posts import Step
from store.session import Store

Ids = Collection[tuple[Side, str]]
"""Posts by side and number."""

PATIENCE_S = 240.0
WORKERS = (("poll,extract,deliver,chores", True), ("faces,match", False), ("extract,faces,match,decide", False))
"""Queues of the three workers, and whether the worker is given the platforms' tokens."""


class DemoStuck(SuishoupaiError):
    """The work did not come to an end."""


class Crew(Protocol):
    """Does the bot's work over the demo's posts."""

    bot: Bot
    """The parts through which the demo registers cases and reads what became of its posts."""

    def settle(self, made: Ids) -> None:
        """Come back when every post made so far was read and nothing is left to be done or said.

        Raises:
            DemoStuck: that takes longer than :data:`PATIENCE_S`.
        """


class Alone:
    """The embedded bot: rounds in this process."""

    def __init__(self, bot: Bot) -> None:
        self.bot = bot

    def settle(self, made: Ids) -> None:
        """Rounds until nothing moves."""
        end = time.monotonic() + PATIENCE_S
        run_round(self.bot)
        while not at_rest(self.bot.store, made):
            if time.monotonic() > end:
                raise DemoStuck("the bot did not come to rest")
            time.sleep(0.3)
            run_round(self.bot)


class Workers:
    """Three worker processes; this process only looks on."""

    def __init__(self, bot: Bot, loaded: Loaded, folder: Path) -> None:
        self.bot = bot
        self._loaded, self._folder = loaded, folder
        self._running: list[subprocess.Popen[bytes]] = []

    def settle(self, made: Ids) -> None:
        """Wait; the workers are started the first time."""
        if not self._running:
            self._start()
        end = time.monotonic() + PATIENCE_S
        polls: dict[str, set[object]] = {name: set() for name in self.bot.seats}
        # One poll may have begun before the posts were made; the one after it has seen them in every stream.
        while not (at_rest(self.bot.store, made) and all(len(seen) > 2 for seen in polls.values())):
            self._note_polls(polls)
            dead = [worker.args for worker in self._running if worker.poll() is not None]
            if dead or time.monotonic() > end:
                raise DemoStuck(f"the workers are not done ({dead or 'all run'})", mend=f"see {self._folder}/worker-*.log")
            time.sleep(0.2)

    def _note_polls(self, polls: dict[str, set[object]]) -> None:
        with self.bot.store.read() as tx:
            for name, seen in polls.items():
                seen.add(platform_states.get(tx, name).poll_at)

    def stop(self) -> None:
        """End the workers as an operator would, by SIGTERM."""
        for worker in self._running:
            worker.terminate()
        for worker in self._running:
            try:
                worker.wait(30)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def _start(self) -> None:
        secrets = {name for module in self._loaded.modules.values() for name in module.SECRETS}
        bare = {name: value for name, value in os.environ.items() if name not in secrets}
        for number, (queues, with_tokens) in enumerate(WORKERS, start=1):
            tokens = dict(self._loaded.secrets.only(secrets)) if with_tokens else {}
            command = [sys.executable, "-m", "bot", "worker", "--config", str(self._folder / "config.yaml"), "--queues", queues]
            with (self._folder / f"worker-{number}.log").open("wb") as log:
                started = subprocess.Popen(command, env=bare | tokens, stdout=log, stderr=subprocess.STDOUT)
            self._running.append(started)


def at_rest(store: Store, made: Ids) -> bool:
    """Whether every post was read, and nothing is left to be done with any or to be said about them."""
    with store.read() as tx:
        if any(posts.find(tx, side.value, number) is None for side, number in made):
            return False
        step, state = posts.counts(tx), alerts.counts(tx)
    working = (Step.STORED, Step.EXTRACTED, Step.MATCHED)
    saying = (AlertState.READY, AlertState.SENDING, AlertState.UNKNOWN)
    return not any(step[one] for one in working) and not any(state[one] for one in saying)


@contextmanager
def alone(loaded: Loaded, folder: Path) -> Iterator[Alone]:
    """The embedded bot."""
    with open_bot(loaded) as bot:
        yield Alone(bot)


@contextmanager
def three_workers(loaded: Loaded, folder: Path) -> Iterator[Workers]:
    """A PostgreSQL of the demo's own, started here and stopped at the end, and three workers on it.

    Raises:
        StoreError: no server can be started here.
    """
    with ExitStack() as stack:
        server = stack.enter_context(LocalServer(_server_folder(folder), lasting=False))
        scaled = scaled_to(loaded, server.make(NAME))
        write_settings(scaled.settings, folder / "config.yaml")
        open_store(scaled, migrate=True).close()
        crew = Workers(stack.enter_context(open_worker(scaled, QUEUES)), scaled, folder)
        stack.callback(crew.stop)
        yield crew


def write_settings(settings: Settings, path: Path) -> None:
    """Write ``settings`` as a file that ``--config`` takes, so that every command can look into the demo's database."""
    platforms = {name: values.model_dump(mode="json") for name, values in settings.platforms.items()}
    values = settings.model_dump(mode="json") | {"platforms": platforms}
    path.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), encoding="utf-8")


def scaled_to(loaded: Loaded, url: str) -> Loaded:
    """The same settings for workers on the database at ``url``."""
    own = loaded.settings
    work = own.work.model_copy(update={"mode": "shared", "sweep_every_s": 1, "heartbeat_s": 1.0, "stalled_after_s": 10.0})
    platforms = {name: values.model_copy(update={"poll_every_s": 1}) for name, values in own.platforms.items()}
    store = own.store.model_copy(update={"url": url})
    settings = own.model_copy(update={"store": store, "work": work, "platforms": platforms})
    return Loaded(loaded.path, settings, loaded.secrets, loaded.modules)


def _server_folder(folder: Path) -> Path:
    """Beside the demo's other files; where that is inside root's home, which the server's own user may not enter, elsewhere."""
    inside = folder.resolve().is_relative_to(Path.home().resolve()) and os.geteuid() == 0
    return Path(tempfile.mkdtemp(prefix="suishoupai-demo-")) / "postgres" if inside else folder / "postgres"
