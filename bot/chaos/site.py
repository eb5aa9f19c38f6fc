"""One installation under chaos: its microblog process, its settings and database, and the bot's many lives on them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from bot import casework, wiring
from bot.chaos import life
from bot.chaos.audit import Ledger, Made, Remembered, audit
from bot.chaos.pictures import BROKEN, photo
from bot.chaos.plan import Feed, Round
from bot.microblog.client import WorldClient
from bot.microblog.model import Side
from bot.pipeline import run_round
from bot.settings import Loaded, load_settings
from store import alerts, cases, officials, photos, posts
from store.cases import CaseFields
from store.errors import SuishoupaiError
from store.model import AgencyType, AlertState
from store.posts import Step

TAG = "随手拍照解救乞讨儿童"
OFFICIAL = "luohu"
CHILD = 0
_PLACE = "深圳市罗湖区东门老街"
_POINT = {"lat": 22.5462, "lon": 114.1195}
_PREPARING = threading.Lock()
"""Alembic's context is one for the whole process: two databases cannot be migrated at the same moment."""
_RUNS = b"suishoupai runs"
"""What the bot says once it handles SIGTERM; until then the signal ends it like any process."""
_BUSY = (Step.STORED, Step.EXTRACTED, Step.MATCHED)


class ChaosError(SuishoupaiError):
    """The chaos run itself failed: a process did not start, or the bot never came to rest."""


@dataclass(frozen=True, slots=True)
class Death:
    """How one life ended: ``point``, ``moment`` (a random one), ``stopped`` (SIGTERM, cleanly), or ``crashed`` with its code."""

    how: str
    at: str = ""


class Site:
    """Enter it to start the microblog and prepare the installation (a verified case, an official, a first poll)."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.log = folder / "bot.log"
        self.config = folder / "config.yaml"
        self.peace = folder / "peace.yaml"
        self.feed: list[Made] = []
        self.deaths: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._photos = seed * 1_000_000
        self._client: WorldClient | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        self._microblog = subprocess.Popen(
            [sys.executable, "-m", "bot.microblog", "--port", "0", "--state", str(self.folder / "world.sqlite")],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        try:
            self._open()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _open(self) -> None:
        assert self._microblog.stdout is not None
        url = self._microblog.stdout.readline().strip()
        if not url:
            raise ChaosError("the local microblog did not start")
        self._client = WorldClient(url)
        self.world.add_account(OFFICIAL, "official", "示例罗湖公安", "demo_luohu", verified_type=1, x_verified_type="government")
        for key in ("anna", "boris", "chen"):
            self.world.add_account(key, "passer_by", f"路人{key}", f"passer_{key}")
        port = int(url.rpartition(":")[2])
        for path, timeout_s in ((self.config, 1.0), (self.peace, 20.0)):
            chosen = settings(port, timeout_s) | self._more_settings()
            path.write_text(yaml.safe_dump(chosen, allow_unicode=True), encoding="utf-8")
        with _PREPARING:
            self._prepare()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._client is not None:
            self._client.close()
        self._microblog.terminate()
        try:
            self._microblog.wait(10)
        except subprocess.TimeoutExpired:
            self._microblog.kill()
            self._microblog.wait()
        assert self._microblog.stdout is not None
        self._microblog.stdout.close()

    def _more_settings(self) -> dict[str, Any]:
        """Sections that another kind of installation sets otherwise."""
        return {}

    @property
    def world(self) -> WorldClient:
        """The microblog, as its people use it."""
        assert self._client is not None
        return self._client

    def _loaded(self) -> Loaded:
        return load_settings(self.config, environ={})

    def _prepare(self) -> None:
        with wiring.open_bot(self._loaded()) as bot:
            desk = casework.Desk(bot.store, bot.files, bot.decoder, bot.faces)
            given = casework.CasePhotoInput("case.jpg", photo(CHILD, self._photos))
            case = casework.register(desk, CaseFields(name="Chaos case", police_report_number="C-1"), [given], by="clerk")
            handles = {name: "示例罗湖公安" if name == "weibo" else "demo_luohu" for name in bot.seats}
            known = {name: seat.platform.account(handles[name]) for name, seat in bot.seats.items()}
            with bot.store.write() as tx:
                cases.verify(tx, case.ref, by="second person", report_number="C-1")
                agency = officials.upsert_agency(tx, name="示例罗湖分局", adcode="440303", level="county", type=AgencyType.POLICE)
                for name, found in known.items():
                    assert found is not None
                    account = officials.NewAccount(name, found.id, found.handle, verified=True, checked_on=tx.now.date())
                    officials.upsert_account(tx, agency, account)
            run_round(bot)

    # --- one round -------------------------------------------------------------------------------------------------

    def round(self, plan: Round) -> Death:
        """Post, set faults, live once, take the faults back."""
        for side, feed in plan.feed:
            self._post(side, feed)
        if plan.touch_case:
            self._new_case_photo()
        for fault in plan.faults:
            self.world.add_fault(fault)
        death = self._live(plan)
        self.world.clear_faults()
        self.deaths[death.how] += 1
        return death

    def _post(self, side: Side, feed: Feed) -> None:
        self._photos += 1
        call = "@随手拍助手" if side is Side.WEIBO else "@suishoupai_bot"
        tag = f"#{TAG}#" if side is Side.WEIBO else f"#{TAG}"
        place = "" if feed is Feed.UNPLACED else _PLACE
        person = {Feed.MATCH: CHILD, Feed.UNPLACED: CHILD, Feed.STRANGER: self._chance.randint(2, 10)}.get(feed)
        data = {Feed.NO_PHOTO: [], Feed.BROKEN: [BROKEN]}.get(feed, [photo(person, self._photos)])
        author = self._chance.choice(("anna", "boris", "chen"))
        point = _POINT if feed is Feed.MATCH and side is Side.WEIBO else {"lat": None, "lon": None}
        said = self.world.post(side, author, f"{call} {tag} {place}", data, lat=point["lat"], lon=point["lon"])
        self.feed.append(Made(side, said["id"], feed))

    def _new_case_photo(self) -> None:
        """A case photo that the engine has not seen: the next life embeds it and searches the past sightings."""
        self._photos += 1
        data = photo(CHILD, self._photos)
        with wiring.open_decoder(self._loaded().settings) as decoder:
            facts = decoder.open(data)
        store = wiring.open_store(self._loaded())
        wiring.open_files(self._loaded(), store).put(data)
        with store.write() as tx:
            kept = photos.save(
                tx, sha256=facts.sha256, phash=facts.phash, width_px=facts.width_px, height_px=facts.height_px,
                format=facts.format, size_bytes=facts.size_bytes, exif=None,
            )  # fmt: skip
            [case] = cases.listing(tx)
            cases.add_photo(tx, case.id, kept.id, None, 0)
            cases.touch(tx, case.id)
        store.close()

    def _live(self, plan: Round) -> Death:
        said_before = self.log.stat().st_size if self.log.exists() else 0
        bot = life.begin(self.config, self.log, plan.die_at)
        bot.join(plan.lives_s)
        if bot.exitcode is not None:
            if bot.exitcode == -signal.SIGKILL and plan.die_at:
                return Death("point", plan.die_at)
            return Death("crashed", f"exit code {bot.exitcode}: {self._last_words()}")
        assert bot.pid is not None
        os.kill(bot.pid, signal.SIGTERM if plan.terminate else signal.SIGKILL)
        bot.join(30)
        if bot.exitcode is None:
            bot.kill()
            return Death("crashed", "it did not end within 30 s of SIGTERM")
        if plan.terminate and bot.exitcode == -signal.SIGTERM and _RUNS not in self.log.read_bytes()[said_before:]:
            return Death("moment", "(by SIGTERM, before it ran)")
        if plan.terminate and bot.exitcode != 0:
            return Death("crashed", f"SIGTERM ended it with {bot.exitcode}: {self._last_words()}")
        return Death("stopped") if plan.terminate else Death("moment", f"(did not reach {plan.die_at})" if plan.die_at else "")

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if self.log.exists() else []
        return lines[-1][:300] if lines else "nothing in its log"

    # --- the end ---------------------------------------------------------------------------------------------------

    def settle(self, patience_s: float = 120.0) -> float:
        """Let the bot live in peace until nothing is due (without faults, and with a time-out that no load reaches:
        it would open the breaker, which is a pause and no standstill). Returns the seconds that took.

        Raises:
            ChaosError: nothing moved for ``patience_s``, or eight times that was not enough (on a machine under load a backlog of
                a hundred posts takes minutes; a bot that stands still is found by the first of these).
        """
        began = time.monotonic()
        store = wiring.open_store(self._loaded())
        try:
            with self._in_peace() as lives:
                quiet, moved, before = 0, began, self._waiting(store)
                while quiet < 4:
                    if (now := self._waiting(store)) != before:
                        before, moved = now, time.monotonic()
                    ticks = time.monotonic()
                    late = ticks - moved > patience_s or ticks - began > 8 * patience_s
                    if late or any(bot.exitcode is not None for bot in lives):
                        raise ChaosError(f"the bot did not come to rest: {self._waiting(store)}; {self._last_words()}")
                    time.sleep(0.5)
                    quiet = 0 if now else quiet + 1
        finally:
            store.close()
        return time.monotonic() - began

    @contextmanager
    def _in_peace(self) -> Iterator[list[ForkServerProcess]]:
        """One undisturbed life."""
        bot = life.begin(self.peace, self.log, "")
        try:
            yield [bot]
        finally:
            end(bot)

    def _waiting(self, store: Any) -> dict[str, int]:
        with store.read() as tx:
            step, state = posts.counts(tx), alerts.counts(tx)
            unseen = sum(posts.find(tx, made.side.value, made.id) is None for made in self.feed)
            flagged = sum(a.reads >= 2 and a.attempt >= 3 for a in alerts.unknowns(tx, limit=1000))
        waiting = {s.value: step[s] for s in _BUSY} | {s.value: state[s] for s in (AlertState.READY, AlertState.SENDING)}
        waiting |= {"unknown": state[AlertState.UNKNOWN] - flagged, "unread": unseen}
        return {name: count for name, count in waiting.items() if count}

    def audit(self) -> Ledger:
        """Compare the microblog's ledger with the database."""
        store = wiring.open_store(self._loaded())
        with store.read() as tx:
            steps = {}
            for made in self.feed:
                row = posts.find(tx, made.side.value, made.id)
                if row is not None:
                    steps[made.side.value, made.id] = posts.get(tx, row).step
            messages = alerts.listing(tx, limit=1_000_000)
        store.close()
        return audit(self.feed, self.world.publications(), Remembered(steps, messages), OFFICIAL)


def end(bot: ForkServerProcess, patience_s: float = 30.0) -> bool:
    """Stop a life by SIGTERM; False where it had to be killed."""
    if bot.exitcode is None and bot.pid is not None:
        os.kill(bot.pid, signal.SIGTERM)
    bot.join(patience_s)
    if bot.exitcode is None:
        bot.kill()
        bot.join()
        return False
    return True


def settings(port: int, timeout_s: float = 1.0) -> dict[str, Any]:
    """config.yaml for a site: quick intervals, wide caps, the microblog at ``port``, and the engine of chaos rounds."""
    base = f"http://127.0.0.1:{port}"
    on_both = {"enabled": True, "hashtags": [TAG], "photo_hosts": [f"127.0.0.1:{port}"], "poll_every_s": 1}
    on_both["timeout_s"] = timeout_s
    approval = {"reference": "local microblog, no real person", "date": datetime(2026, 1, 1).date()}  # noqa: DTZ001
    return {
        "models": {"engine": "colours"},
        "extensions": [str(Path(__file__).with_name("extension"))],
        "matching": {"high_one_in_photos": 10, "review_per_day": 2000, "pictures_alert": True},
        "photos": {"allow_loopback": True, "fetch_seconds": 5, "attempts": 20},
        "alerts": {
            "release": "auto",
            "caps": dict.fromkeys(("per_hour", "per_day", "per_official_per_day", "answers_per_author_per_day"), 100_000),
            "brake": {"at_least": 100_000},
            "reconcile_reads": 2,
        },
        "schedule": {"work_every_s": 0.2, "deliver_every_s": 0.2, "attempts": 50, "retry_s": 0.5},
        "log": {"level": "error"},
        "microblog": {"port": port},
        "platforms": {
            "weibo": on_both
            | {
                "base_url": f"{base}/weibo/2",
                "photo_url": f"{base}/weibo/large/{{pid}}.jpg",
                "daily_calls": 10_000_000,
                "ask_rate_limit": False,
                "indexing_delay_s": 0.5,
                "overlap_s": 60,
                "rip": "127.0.0.1",
            },
            "x": on_both
            | {
                "base_url": f"{base}/x",
                "match_faces": True,
                "mention_others": True,
                "approvals": {"match_faces": approval, "mention_others": approval},
            },
        },
    }


__all__ = ["ChaosError", "Death", "Site", "end", "settings"]
