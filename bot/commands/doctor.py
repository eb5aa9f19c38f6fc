"""``doctor``: what is in order and what is not, with the remedy beside each finding."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

import typer

from bot import drift, search_index
from bot.alerts.compose import load_templates
from bot.bot import PlatformSeat
from bot.commands import queue
from bot.commands.common import DEFAULT_CONFIG, EXIT_PROBLEM, ConfigOption, JsonOption, emit_json, out, reading, table
from bot.platforms._clock import server_date
from bot.settings import Loaded, load_settings
from bot.wiring import open_engine, open_keys, open_platforms, open_store, refuse_unaccounted, utc_now
from matcher.index import lot
from store import faces, officials, status
from store.errors import SettingsError, SuishoupaiError
from store.keys import ENVIRONMENT, Origin
from store.model import AlertState
from store.photo_bucket import Bucket
from store.session import Store
from store.vectors import PgvectorIndex

Level = Literal["ok", "note", "problem"]

_MIN_FREE_BYTES = 1_000_000_000
_MAX_SKEW = timedelta(minutes=2)
_STANDS_IN_DATABASE = frozenset({"calibration", "search", "queue", "officials"})
"""Parts that would each wait for a server that does not answer, and say the same once more."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    part: str
    level: Level
    words: str
    mend: str = ""


def register(app: typer.Typer) -> None:
    """Add ``doctor`` to the top level."""
    app.command(epilog="Example: suishoupai doctor --config live.yaml")(doctor)


def doctor(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Check settings, tokens, database, models, clock, disk, officials and each platform. Code 1 where something is wrong."""
    findings = examine(config)
    if as_json:
        emit_json(findings)
    else:
        table("Doctor", ("part", "", "finding", "to mend it"), ((f.part, f.level, f.words, f.mend) for f in findings))
    problems = sum(1 for finding in findings if finding.level == "problem")
    if not as_json:
        out.print(f"{problems} problem(s)" if problems else "all is in order")
    if problems:
        raise typer.Exit(EXIT_PROBLEM)


def examine(config: Path) -> list[Finding]:
    """Every finding. One part that fails never hides another, except that nothing can be read without settings."""
    try:
        loaded = load_settings(config)
    except SettingsError as error:
        return [Finding("settings", "problem", line, error.mend) for line in str(error).splitlines()]
    findings = [Finding("settings", "ok", f"{config}: every key is known")]
    for part, check in (
        ("templates", _templates),
        ("disk", _disk),
        ("photos", _photos),
        ("database", _database),
        ("models", _models),
        ("calibration", _calibration),
        ("search", _search),
        ("queue", _queue),
        ("platforms", _platforms),
        ("officials", _officials),
    ):
        if part in _STANDS_IN_DATABASE and any(f.part == "database" and f.level == "problem" for f in findings):
            findings.append(Finding(part, "note", "not looked at, for the database cannot be used"))
        else:
            findings += _guarded(part, check, loaded)
    return findings


def _guarded(part: str, check: Callable[[Loaded], Iterator[Finding]], loaded: Loaded) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(check(loaded))
    except SuishoupaiError as error:
        found.append(Finding(part, "problem", str(error), error.mend))
    return found


def _templates(loaded: Loaded) -> Iterator[Finding]:
    templates = load_templates(loaded.settings.alerts.templates_dir)
    yield Finding("templates", "ok", f"{len(templates.texts)} templates pass the red lines")


def _photos(loaded: Loaded) -> Iterator[Finding]:
    """The bucket, where there is one: one request tells whether it answers, takes the key and is there."""
    if loaded.settings.store.photos_url:
        Bucket(loaded.settings.store.photos_url, loaded.secrets).check()
        yield Finding("photos", "ok", f"{loaded.settings.store.photos_url} answers")


def _disk(loaded: Loaded) -> Iterator[Finding]:
    folder = loaded.settings.store.photos_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    level: Level = "ok" if free >= _MIN_FREE_BYTES else "problem"
    yield Finding("disk", level, f"{free / 1e9:.1f} GB free for photos", "" if level == "ok" else "free at least 1 GB")


def _place(store: Store, about: dict[str, str]) -> str:
    """Which database it is, where, and how busy."""
    name = store.place if store.path is None else store.path.name
    particulars = [f"{what} {value}" for what, value in about.items() if what != "database"]
    return ", ".join([f"{name} ({about['database']})", *particulars])


def _database(loaded: Loaded) -> Iterator[Finding]:
    store = open_store(loaded)
    try:
        with store.read() as tx:
            now = status.figures(tx)
        about = store.about()
    finally:
        store.close()
    origin = open_keys(loaded).origin
    if origin is Origin.ENVIRONMENT:
        yield Finding("key", "ok", f"photos and vectors are sealed with the key in {ENVIRONMENT}")
    else:
        yield Finding(
            "key", "note", "the key lies in a file on this machine", f"suishoupai keys make; set {ENVIRONMENT}; keep a copy apart"
        )
    yield Finding("database", "ok", f"{_place(store, about)}: tables are current, {now.photos} photos, {now.sightings} sightings")
    doubtful = now.alerts[AlertState.UNKNOWN]
    if doubtful:
        yield Finding(
            "database",
            "note",
            f"{doubtful} message(s) may or may not have been published",
            "suishoupai alerts list --state unknown",
        )
    for stream in now.streams:
        if stream.last_outcome not in (None, "ok"):
            yield Finding("database", "note", f"{stream.key}: last poll ended with {stream.last_outcome}: {stream.last_error}")


def _models(loaded: Loaded) -> Iterator[Finding]:
    engine = open_engine(loaded.settings)
    yield Finding("models", "ok", f"{engine.pack_id}: {engine.dimension}-d, files are whole ({engine.pack_sha256[:12]})")


def _calibration(loaded: Loaded) -> Iterator[Finding]:
    """Whether everyday scores are as the calibration says, and whether this pack has seen every photo."""
    pack_sha256 = open_engine(loaded.settings).pack_sha256
    with reading(loaded) as tx:
        verdict = drift.verdict(tx, pack_sha256)
        behind = faces.unscanned_count(tx, pack_sha256)
    level: Level = "problem" if verdict.holds is False else "note" if verdict.holds is None else "ok"
    yield Finding("calibration", level, verdict.why, "suishoupai calibrate --help" if verdict.holds is False else "")
    if behind:
        yield Finding("models", "note", f"{behind} photo(s) were not searched with this pack yet", "the running bot does so")


def _queue(loaded: Loaded) -> Iterator[Finding]:
    """Where work is shared: whether any worker takes what is ready."""
    with reading(loaded) as tx:
        waiting = queue.backlog(tx, loaded.settings)
    if waiting is not None:
        left_alone = bool(waiting.ready) and not waiting.workers
        mend = "start one: suishoupai worker" if left_alone else ""
        yield Finding("queue", "problem" if left_alone else "ok", queue.in_words(waiting), mend)


def _search(loaded: Loaded) -> Iterator[Finding]:
    """Where cases are searched, why, and how much an approximate search misses."""
    matching = loaded.settings.matching
    engine = open_engine(loaded.settings)
    store = open_store(loaded)
    try:
        choice = search_index.chosen(matching, store)
        where = "inside PostgreSQL, by pgvector" if choice.kind == "pgvector" else "in each process's memory"
        how = "exactly" if choice.kind == "memory" or matching.approximate_ef is None else "approximately (HNSW)"
        level: Level = "problem" if choice.problem else "ok"
        words = f"{choice.problem}; " if choice.problem else ""
        yield Finding("search", level, f"{words}cases are searched {how}, {where}: {choice.why}", choice.mend)
        if choice.kind == "pgvector" and not choice.problem and matching.approximate_ef is not None:
            found = PgvectorIndex(store, engine.pack_sha256, engine.dimension, lot).recall()
            told = "not measured yet" if found is None else f"{found.share:.1%} of the true ten best, over {found.probes} probes"
            missed = "the rest are missed children; leave matching.approximate_ef out to search exactly"
            yield Finding("search", "note", f"the approximate search found {told}", missed)
    finally:
        store.close()


def _platforms(loaded: Loaded) -> Iterator[Finding]:
    """Each platform by itself: one whose token is missing hides nothing of the others."""
    names = [name for name in loaded.modules if loaded.platform_settings(name).enabled]
    if not names:
        yield Finding("platforms", "note", "no platform is enabled", "set platforms.NAME.enabled: true")
    for name in names:
        part = f"platform {name}"
        try:
            seats = open_platforms(replace(loaded, modules={name: loaded.modules[name]}), utc_now)
            yield from _capabilities(part, seats[name])
            refuse_unaccounted(loaded, seats)
            yield from _account(part, seats[name])
        except SuishoupaiError as error:
            yield Finding(part, "problem", str(error), error.mend or "check the token and the connection")


def _capabilities(part: str, seat: PlatformSeat) -> Iterator[Finding]:
    yield Finding(part, "ok", "live: real people are at the other end" if seat.live else "local: no real person is reached")
    for capability, allowance in seat.platform.rules.capabilities.items():
        level: Level = "ok" if allowance.on else "note"
        yield Finding(part, level, f"{capability.value} is {'on' if allowance.on else 'off'}: {allowance.why}")


def _account(part: str, seat: PlatformSeat) -> Iterator[Finding]:
    own = seat.platform.account()
    if own is None:
        yield Finding(part, "problem", "the bot's own account was not found", "check the token")
        return
    words = f"the token is @{own.handle}'s"
    if own.calls_left is not None:
        words += f", {own.calls_left} calls left"
    if own.token_expires_at is not None:
        words += f", valid until {own.token_expires_at:%Y-%m-%d %H:%M} UTC"
    yield Finding(part, "ok", words)
    if own.token_expires_at is not None and own.token_expires_at - datetime.now(UTC) < timedelta(days=3):
        yield Finding(part, "problem", f"the token expires at {own.token_expires_at:%Y-%m-%d %H:%M} UTC", "renew it")
    yield from _clock(part, str(getattr(seat.settings, "base_url", "")))


def _clock(part: str, url: str) -> Iterator[Finding]:
    """Compare this machine's clock with the platform's: tokens, ages and cursors all depend on it."""
    header = server_date(url)
    if header is None:
        yield Finding(part, "note", "the platform tells no time, so this machine's clock could not be compared")
        return
    skew = abs(utc_now() - parsedate_to_datetime(header))
    if skew > _MAX_SKEW:
        yield Finding(
            part,
            "problem",
            f"this machine's clock differs from the platform's by {skew.total_seconds():.0f} s",
            "set the clock (NTP)",
        )
    else:
        yield Finding(part, "ok", f"clocks agree within {max(skew.total_seconds(), 1):.0f} s")


def _officials(loaded: Loaded) -> Iterator[Finding]:
    with reading(loaded) as tx:
        listed = officials.accounts(tx)
    if not listed:
        yield Finding("officials", "note", "the directory is empty: nobody can be mentioned", "suishoupai officials import FILE")
        return
    limit = utc_now().date() - timedelta(days=loaded.settings.alerts.routing.max_age_days)
    stale = [a for a in listed if not a.verified or a.checked_on is None or a.checked_on < limit]
    yield Finding("officials", "ok", f"{len(listed)} accounts, {len(listed) - len(stale)} may be mentioned")
    if stale:
        yield Finding(
            "officials",
            "note",
            f"{len(stale)} account(s) are unverified or were not checked lately",
            "suishoupai officials check",
        )
