"""The only place that picks concrete classes and builds the bot."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import numpy as np

from bot import log, search_index
from bot.alerts.compose import load_templates
from bot.bot import Bot, PlatformSeat
from bot.calls import count_together
from bot.chaos import dying
from bot.faces import FaceBook, Late, Pack
from bot.microblog import environment
from bot.microblog.model import WorldError
from bot.platforms._rules_only import RulesOnly, rules_only
from bot.sections import ModelsSettings
from bot.settings import Loaded, Secrets, Settings
from ingest.photo import Decoder, PhotoLimits
from matcher import packs
from matcher.calibrate import BandTargets
from matcher.engines.base import Engine, EngineSettings
from matcher.engines.loading import load as load_engine
from store import keys, moving, photo_bucket, platform_states, recognition
from store.errors import PlatformError, SettingsError, StoreError
from store.model import Clock
from store.photos import PhotoFiles
from store.session import Store
from store.tombstones import check_store_key

NEEDS_TOKENS = frozenset({"poll", "deliver"})
"""Queues whose workers speak with the platforms; all others know the platforms' rules alone."""

_log = log.get("wiring")


def utc_now() -> datetime:
    """The machine's clock, as an aware UTC instant."""
    return datetime.now(UTC)


def configure_logs(loaded: Loaded) -> None:
    """Logs as the settings ask, with every platform secret hidden."""
    names = [name for module in loaded.modules.values() for name in module.SECRETS] + list(photo_bucket.SECRETS)
    settings = loaded.settings.log
    log.configure(level=settings.level, json_lines=settings.format == "json", secrets=loaded.secrets.only(names).values())


def open_keys(loaded: Loaded) -> keys.Opened:
    """The vault that seals photos and vectors: the key of the environment or of the key file, which a first start makes.

    Raises:
        StoreError: the key that is there cannot be used.
    """
    return keys.open_vault(loaded.secrets.get(keys.ENVIRONMENT), loaded.settings.store.key_file, make=True)


def open_store(loaded: Loaded, clock: Clock = utc_now, *, migrate: bool = False) -> Store:
    """The database of the settings, its schema checked (or brought up to date with ``migrate``).

    Raises:
        StoreError: it cannot be opened, its schema is not this version's, or its key is missing.
    """
    store = Store(loaded.settings.store.url, clock, open_keys(loaded).vault)
    state = store.schema_state()
    if migrate or state == "empty":
        store.migrate()
    elif state != "current":
        fix = "run: suishoupai migrate" if state == "old" else "run the newer version of this program that made it"
        raise StoreError(f"the database's tables are {state} for this program", mend=fix)
    moving.refuse_half(store)
    check_store_key(store)
    if loaded.settings.work.mode == "shared":
        _share_work(store, fresh=migrate or state == "empty")
    return store


def _share_work(store: Store, *, fresh: bool) -> None:
    if not store.server_url:
        raise SettingsError(
            "work.mode: shared needs a PostgreSQL server, and store.url names a file",
            mend="set store.url to postgresql://..., or work.mode to embedded",
        )
    # Imported here: a lone process on SQLite does without Procrastinate.
    from bot.work import shared

    if fresh:
        shared.prepare(store.server_url)
    store.queue = shared.Deferrer()


def open_files(loaded: Loaded, store: Store) -> PhotoFiles:
    """The photo folder or bucket of the settings.

    Raises:
        StoreError: the bucket does not answer, refuses the key, or is not there.
    """
    if not loaded.settings.store.photos_url:
        return PhotoFiles(loaded.settings.store.photos_dir, store.vault)
    bucket = photo_bucket.Bucket(loaded.settings.store.photos_url, loaded.secrets)
    bucket.check()
    return PhotoFiles(bucket, store.vault, beside=loaded.settings.store.photos_dir)


def open_decoder(settings: Settings) -> Decoder:
    """The photo decoder with the limits of the settings."""
    limits = settings.photos
    return Decoder(PhotoLimits(max_bytes=limits.max_bytes, max_pixels=limits.max_pixels), workers=settings.models.at_once())


def open_engine(settings: Settings) -> Engine:
    """The face engine and pack of the settings.

    Raises:
        EngineError: no such engine or pack, or a file of it was changed.
    """
    opener = load_engine(settings.models.engine, [d / "engines" for d in settings.extensions if (d / "engines").is_dir()])
    pack_dir = packs.find(settings.models.dir, settings.models.pack)
    return opener(EngineSettings(pack_dir, providers=settings.models.providers, threads=settings.models.threads))


def open_second(settings: Settings, store: Store, *, late: bool = False) -> FaceBook | None:
    """The engine that must agree (``models.agree_with``), if there is one."""
    name = settings.models.agree_with
    if not name:
        return None
    own = settings.model_copy(update={"models": settings.models.model_copy(update={"pack": name})})
    return open_face_book(own, store, late=late)


def open_face_book(settings: Settings, store: Store, *, late: bool = False) -> FaceBook:
    """The engine with the operator's own cohort, if there is one, and an empty gallery; :meth:`FaceBook.sync` fills it.
    ``late``: the engine is opened when something first needs it."""
    matching = settings.matching
    targets = BandTargets(matching.high_one_in_photos, matching.review_per_day, matching.photos_per_day)
    engine = _late_engine(settings) if late else open_engine(settings)
    pack_sha256 = engine.pack.sha256 if isinstance(engine, Late) else engine.pack_sha256
    with store.read() as tx:
        own = recognition.cohort(tx, pack_sha256)
    shared = search_index.opener(matching, store, pack_sha256)
    return FaceBook(engine, targets, matching.candidates_kept, np.stack(own) if own else None, shared)


def _late_engine(settings: Settings) -> Engine | Late:
    """The engine, opened when it is first needed, where its pack is known before: a worker that decides or sends needs none."""
    if settings.models.engine != ModelsSettings.model_fields["engine"].default:
        return open_engine(settings)
    path = packs.find(settings.models.dir, settings.models.pack)
    known = next(pack for pack in packs.installed(settings.models.dir) if pack.path == path)
    return Late(Pack(known.name, known.sha256), lambda: open_engine(settings))


def open_platforms(loaded: Loaded, clock: Clock = utc_now, *, speak: bool = True, fetch: bool = False) -> dict[str, PlatformSeat]:
    """A seat for every enabled platform; without ``speak`` no client and no token, only what the platform's file knows.
    ``fetch``: photos have to be fetched all the same.

    Raises:
        SettingsError: a secret is missing, or settings do not go together.
    """
    seats = {}
    for name, module in loaded.modules.items():
        settings = loaded.platform_settings(name)
        if settings.enabled:
            if speak:
                platform = module.build(settings, _secrets(loaded, name), clock)
            else:
                platform = rules_only(name, module, settings, clock)
                if fetch and isinstance(platform, RulesOnly) and platform.rules.photo_reader is not None:
                    raise SettingsError(
                        f"platforms.{name}: its photos cannot be had without its secrets ({', '.join(module.SECRETS)})",
                        mend="set them here too, or take extract off this worker's --queues",
                    )
            seats[name] = PlatformSeat(name, platform, settings, loaded.is_live(name))
    return seats


def _secrets(loaded: Loaded, name: str) -> Secrets:
    """The platform's part of the environment; a platform at the local microblog that has none is given the microblog's own."""
    own = loaded.secrets.only(loaded.modules[name].SECRETS)
    if own or loaded.is_live(name) or not loaded.modules[name].SECRETS:
        return own
    try:
        return Secrets(environment.ask(loaded.settings.microblog.port)).only(loaded.modules[name].SECRETS)
    except WorldError as error:
        raise SettingsError(
            f"platforms.{name} is at the local microblog, and none answers on port {loaded.settings.microblog.port}",
            mend="start it beside this: ./run.sh microblog; or go live (README)",
        ) from error


def meet_platforms(seats: Mapping[str, PlatformSeat]) -> None:
    """Learn the bot's own account on each platform. A platform that is down is met later, by the next call."""
    for seat in seats.values():
        try:
            own = seat.platform.account()
        except PlatformError as error:
            _log.warning("the bot's own account could not be read", platform=seat.name, error=str(error))
            continue
        if own is not None:
            seat.own_id, seat.own_handle = own.id, own.handle


def refuse_unaccounted(loaded: Loaded, seats: Mapping[str, PlatformSeat]) -> None:
    """Nobody runs this on real people without saying who they are and under whose authority.

    Raises:
        SettingsError: a live platform is enabled and the campaign's operator, authority or contact is empty, or a poster of a
            child would alert.
    """
    campaign = loaded.settings.campaign
    empty = [name for name in ("operator", "authority", "contact") if not getattr(campaign, name).strip()]
    live = [seat.name for seat in seats.values() if seat.live]
    if empty and live:
        raise SettingsError(
            f"{loaded.path}: {', '.join('campaign.' + name for name in empty)}: empty, while {', '.join(live)} is live",
            mend="say who operates this bot, under whose authority, and where people reach you",
        )
    if loaded.settings.matching.pictures_alert and live:
        raise SettingsError(
            f"{loaded.path}: matching.pictures_alert is for the demo's photos, while {', '.join(live)} is live",
            mend="take it out: posters of the child would call officials",
        )


def _load_now(seats: Mapping[str, PlatformSeat]) -> None:
    """What a platform loads to weigh its first text (X half a second of patterns) is loaded now, not while other writers wait."""
    for seat in seats.values():
        seat.platform.rules.length("")


@contextmanager
def open_bot(loaded: Loaded, clock: Clock = utc_now) -> Iterator[Bot]:
    """The whole bot, its parts closed at the end of the block. Holds the one place of a running bot on its database.

    Raises:
        SettingsError, StoreError, EngineError: a part cannot be opened; the message says which and how to mend it.
    """
    settings = loaded.settings
    seats = open_platforms(loaded, clock)
    refuse_unaccounted(loaded, seats)
    _load_now(seats)
    templates = load_templates(settings.alerts.templates_dir)
    with ExitStack() as stack:
        store = open_store(loaded, clock)
        stack.callback(store.close)
        store.watch = dying.watch()
        stack.enter_context(store.lock_bot())
        count_together(store, seats.values())
        decoder = open_decoder(settings)
        stack.callback(decoder.close)
        faces = open_face_book(settings, store)
        meet_platforms(seats)
        files, second = open_files(loaded, store), open_second(settings, store)
        yield Bot(settings, settings.zone, clock, store, files, seats, decoder, faces, templates, second=second)


@contextmanager
def open_worker(loaded: Loaded, queues: Collection[str], clock: Clock = utc_now) -> Iterator[Bot]:
    """The parts that a worker on ``queues`` needs, closed at the end of the block. Any number of workers may hold them together;
    a lone bot (``suishoupai run``) on the same database may not.

    Without poll and deliver no platform's token is read and no client made; the face engine is opened by whoever first needs it.

    Raises:
        SettingsError, StoreError, EngineError: a part cannot be opened; the message says which and how to mend it.
    """
    settings = loaded.settings
    if settings.work.mode != "shared":
        raise SettingsError("a worker needs work.mode: shared", mend="set it for all processes, or: suishoupai run")
    seats = open_platforms(loaded, clock, speak=bool(NEEDS_TOKENS & set(queues)), fetch="extract" in queues)
    refuse_unaccounted(loaded, seats)
    _load_now(seats)
    templates = load_templates(settings.alerts.templates_dir)
    with ExitStack() as stack:
        store = open_store(loaded, clock)
        stack.callback(store.close)
        store.watch = dying.watch()
        stack.enter_context(store.lock_bot(together=True))
        count_together(store, seats.values())
        _share_work(store, fresh=True)  # this database may have been a lone bot's before
        decoder = open_decoder(settings)
        stack.callback(decoder.close)
        late = "faces" not in queues
        faces, second = open_face_book(settings, store, late=late), open_second(settings, store, late=True)
        if NEEDS_TOKENS & set(queues):
            meet_platforms(seats)
            _introduce(store, seats)
        files = open_files(loaded, store)
        yield Bot(settings, settings.zone, clock, store, files, seats, decoder, faces, templates, second=second)


def _introduce(store: Store, seats: Mapping[str, PlatformSeat]) -> None:
    """Tell the workers without tokens who the bot is."""
    with store.write("work.met") as tx:
        for seat in seats.values():
            if seat.own_id:
                platform_states.put(tx, seat.name, own_id=seat.own_id, own_handle=seat.own_handle)
