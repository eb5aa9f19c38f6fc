"""The bot's world for tests: a local microblog, settings turned to it, a clock that tests move, cases and officials."""

import functools
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import structlog
import typer.main
import typer.testing
import yaml
from sqlalchemy import Connection, event
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Engine as SqlEngine
from sqlalchemy.engine import make_url

from bot import casework, wiring
from bot.__main__ import build
from bot.bot import Bot
from bot.demo.photos import DemoPhoto, demo_photos
from bot.microblog.environment import environment
from bot.microblog.model import Role
from bot.microblog.server import Microblog
from bot.pipeline import Round, run_round
from bot.settings import Loaded, load_settings
from bot.steps import housekeeping
from bot.wiring import open_bot
from ingest.photo import Decoder
from matcher import packs
from matcher.engines.base import DetectedFace, Engine, EngineSettings, Image
from matcher.engines.insightface_pack import open_engine
from store import alerts, cases, local_postgres, officials, posts
from store.cases import CaseFields
from store.local_postgres import LocalServer, Server
from store.model import AgencyType, AlertState
from store.session import Store
from store.tables import metadata

ROOT = Path(__file__).resolve().parents[1]
TAG = "随手拍照解救乞讨儿童"
# The safe ones in C, where PyYAML has them: hundreds of tests write their settings.
YAML_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
YAML_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


# In memory where there is room: no test is about a loss of power, and some disks take half a second for a new database.
RAM, ROOM = Path("/dev/shm"), 4 << 30


def pytest_configure(config: pytest.Config) -> None:
    """Where the run's files lie; its xdist workers and all the programs that tests start inherit it."""
    if "TMPDIR" not in os.environ and os.access(RAM, os.W_OK) and shutil.disk_usage(RAM).free > ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(RAM)
    # Where nobody set logs up, structlog would paint each traceback with every local variable: more than two seconds for one.
    # The bot itself writes plain ones (bot/log.py).
    structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback
    # Typer looks at the signature of each of a hundred commands anew for every call: a fifth of a run's processor time.
    typer.testing._get_command = functools.cache(typer.main.get_command)
    share_compiled_statements()
    build()  # loads every command's module, before a test replaces for a while what they import


def share_compiled_statements() -> None:
    """Every test opens a store of its own, and compiling the same statements anew for each was a quarter of the processor time.
    Engines of one kind of database (and version of its server) share what was compiled; an installation has one engine anyway."""
    for dialect in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        dialect.__eq__ = lambda a, b: type(a) is type(b) and a.server_version_info == b.server_version_info
        dialect.__hash__ = lambda a: hash(type(a))
    compiled: dict[Any, Any] = {}

    @event.listens_for(SqlEngine, "engine_connect")
    def share(connection: Connection) -> None:
        connection.execution_options(compiled_cache=compiled)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first (those with a time-out of their own), so that no worker is left alone with one at the end."""

    def patience(item: pytest.Item) -> float:
        own = item.get_closest_marker("timeout")
        return own.args[0] if own else 0

    items.sort(key=patience, reverse=True)


CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
# Without --no-sandbox Chromium does not start as root; the rest keeps it from calling home.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One headless Chromium for the whole run (Playwright allows one in a process); its tests skip where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright's Python package is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium here: apt-get install chromium fonts-noto-cjk")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


# --- databases ---------------------------------------------------------------------------------------------------------

DATABASES = ("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Which databases a test runs on, where it asks for ``database``: the store's own on each, others on each where they are
    marked ``on_both``, else on SQLite (SUISHOUPAI_TEST_DATABASE=postgresql runs those there instead)."""
    if "database" not in metafunc.fixturenames:
        return
    only = metafunc.definition.get_closest_marker("only_on")
    if only is not None:
        assert only.kwargs["why"]
        names = only.args
    elif "store" in metafunc.definition.path.parts or metafunc.definition.get_closest_marker("on_both"):
        names = DATABASES
    else:
        names = (os.environ.get("SUISHOUPAI_TEST_DATABASE", DATABASES[0]),)
    ids = [pytest.HIDDEN_PARAM] if names == DATABASES[:1] else names
    metafunc.parametrize("database", names, ids=ids, scope="session")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the whole run, shared by its workers: the one in SUISHOUPAI_TEST_POSTGRES, else one of our own."""
    if url := os.environ.get("SUISHOUPAI_TEST_POSTGRES"):
        yield Server(url)
        return
    if why := local_postgres.why_not():
        pytest.skip(f"{why}; SUISHOUPAI_TEST_POSTGRES names no other server")
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with LocalServer(Path(tempfile.gettempdir()) / f"suishoupai-postgres-{run}", lasting=False, leave="delete") as server:
        yield server


@pytest.fixture(scope="session")
def migrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """``migrated(DATABASE)``: a database that the migrations made once, to be copied (SQLite: a path; PostgreSQL: a name)."""

    @functools.cache
    def make(database: str) -> str:
        if database == "sqlite":
            path = tmp_path_factory.mktemp("migrated") / "migrated.sqlite"
            url, found = f"sqlite:///{path}", str(path)
        else:
            server, found = request.getfixturevalue("postgres_server"), f"suishoupai_{_shape()}"
            url = server.make(found)
        made = Store(url, lambda: datetime.now(UTC))
        made.migrate()
        made.close()
        return found

    return make


def _shape() -> str:
    """A name for what the migrations of this working tree make."""
    folder = ROOT / "store" / "migrations" / "versions"
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()[:12]


def _database(item: pytest.Item) -> object:
    called = getattr(item, "callspec", None)
    return called.params.get("database") if called else None


@pytest.fixture(scope="session")
def fresh_database(request: pytest.FixtureRequest, migrated: Callable[[str], str]) -> Callable[..., Any]:
    """``with fresh_database(DATABASE, FOLDER) as url``: a database of one's own with the present tables; with ``of=URL`` a copy
    of that one (nobody may be using it), with ``tables=False`` an empty one."""
    if any(_database(item) == "postgresql" for item in request.session.items) and not local_postgres.why_not():
        request.getfixturevalue("postgres_server")  # from now on, so that it outlives all whose databases it holds

    @contextmanager
    def make(database: str, folder: Path, *, tables: bool = True, of: str = "") -> Iterator[str]:
        template = make_url(of).database if of else migrated(database) if tables else ""
        if database == "sqlite":
            path = folder / "suishoupai.sqlite"
            if template:
                shutil.copy(template, path)
            yield f"sqlite:///{path}"
            return
        server, name = request.getfixturevalue("postgres_server"), f"t_{uuid.uuid4().hex[:16]}"
        yield server.make(name, template or "template1")
        server.drop(name)

    return make


@pytest.fixture
def database_url(database: str, fresh_database: Callable[..., Any], tmp_path: Path) -> Iterator[str]:
    """The URL of a database of the test's own with the present tables, on each kind of database."""
    with fresh_database(database, tmp_path) as url:
        yield url


@pytest.fixture
def stored_bytes() -> Callable[[Store], bytes]:
    """Everything a database holds: SQLite's files as they lie on the disk, every row of PostgreSQL's tables."""

    def read(store: Store) -> bytes:
        if store.path is not None:
            store.checkpoint()
            return b"".join(path.read_bytes() for path in store.path.parent.glob(f"{store.path.name}*"))
        with store.read() as tx, tx.connection.connection.driver_connection.cursor() as cursor:
            found = []
            for table in metadata.sorted_tables:
                with cursor.copy(f"COPY {table.name} TO STDOUT (FORMAT binary)") as rows:
                    found += [bytes(part) for part in rows]
            return b"".join(found)

    return read


# --- the bot's world ---------------------------------------------------------------------------------------------------


@dataclass
class MovableClock:
    """The present, which a test may move forward; the microblog and the bot share it."""

    offset: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def forward(self, **amount: float) -> None:
        self.offset += timedelta(**amount)


@pytest.fixture(scope="session")
def photos() -> dict[str, DemoPhoto]:
    """Photos of adult public figures from the sample packages, by name."""
    return {photo.name: photo for photo in demo_photos()}


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which model packs are built once."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def engine_and_decoder(models_dir: Path) -> Iterator[tuple[Engine, Decoder]]:
    """An engine (with the quicker of the built-in packs: most tests ask what follows a match) that looks at each picture once,
    and one decoder, opened once: it keeps nothing of what it has seen."""
    engine = Remembering(open_engine(EngineSettings(packs.ensure(models_dir, "yunet_sface"))))
    with Decoder() as decoder:
        yield engine, decoder


class Remembering:
    """A real engine that gives what it found before where it is shown the same pixels again: the sample photos come in hundreds
    of tests, and that an engine gives the same each time is a test of its own (tests/contracts/test_engine.py)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._found: dict[tuple[tuple[int, ...], bytes], tuple[DetectedFace, ...]] = {}
        self.pack_id, self.pack_sha256, self.dimension = engine.pack_id, engine.pack_sha256, engine.dimension

    def faces(self, image: Image) -> list[DetectedFace]:
        """What the engine finds."""
        key = (image.shape, hashlib.sha256(np.ascontiguousarray(image)).digest())
        if key not in self._found:
            found = tuple(self._engine.faces(image))
            for face in found:
                face.vector.setflags(write=False)  # what one test does with it, the next must not see
            self._found[key] = found
        return list(self._found[key])


@pytest.fixture
def shared_parts(engine_and_decoder: tuple[Engine, Decoder], monkeypatch: pytest.MonkeyPatch) -> None:
    """Bots of one test session share the engine and the decoder, which cost a second each to open."""
    engine, decoder = engine_and_decoder
    monkeypatch.setattr(wiring, "open_engine", lambda settings: engine)
    monkeypatch.setattr(wiring, "open_decoder", lambda settings: Lent(decoder))


class Lent:
    """A decoder that outlives the bot it is lent to."""

    def __init__(self, decoder: Decoder) -> None:
        self.open, self.pixels, self.read, self.strip = decoder.open, decoder.pixels, decoder.read, decoder.strip

    def close(self) -> None:
        """The owner closes it."""


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def microblog(clock: MovableClock) -> Iterator[Microblog]:
    """A running local microblog with an official of Luohu and two passers-by."""
    with Microblog(clock=clock) as server:
        people(server)
        yield server


def people(server: Microblog) -> None:
    server.world.add_account("luohu", Role.OFFICIAL, "示例罗湖公安", "demo_luohu", verified_type=1, x_verified_type="government")
    server.world.add_account("anna", Role.PASSER_BY, "路人甲", "passer_anna")
    server.world.add_account("boris", Role.PASSER_BY, "路人乙", "passer_boris")


@pytest.fixture
def bot_database(
    database: str, fresh_database: Callable[..., Any], migrated: Callable[[str], str]
) -> Iterator[Callable[[Path], str]]:
    """``bot_database(FOLDER)``: the URL that stands in the settings of the bot whose folder that is. Its tables are there, for
    making them is half of a start; a start from nothing is the demo's."""
    with ExitStack() as stack:

        @functools.cache
        def url(folder: Path) -> str:
            if database != "sqlite":
                return str(stack.enter_context(fresh_database(database, folder)))
            (folder / "var").mkdir(parents=True, exist_ok=True)
            shutil.copy(migrated(database), folder / "var" / "suishoupai.sqlite")
            return "sqlite:///var/suishoupai.sqlite"

        yield url


@pytest.fixture
def settings_file(tmp_path: Path, models_dir: Path, bot_database: Callable[[Path], str]) -> Callable[..., Path]:
    """Writes config.yaml's content, turned to a microblog, with changes, into a folder of the test's own."""

    def write(server: Microblog, changes: dict | None = None, folder: Path | None = None) -> Path:
        values = yaml.load((ROOT / "config.yaml").read_text(encoding="utf-8").replace("8765", str(server.port)), YAML_LOADER)
        path = (folder or tmp_path) / "config.yaml"
        values["store"]["url"] = bot_database(path.parent)
        values["models"] |= {"dir": str(models_dir), "pack": "yunet_sface"}
        values["platforms"]["weibo"]["indexing_delay_s"] = 0
        values["log"] = {"level": "error"}
        _merge(values, changes or {})
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.dump(values, Dumper=YAML_DUMPER, allow_unicode=True), encoding="utf-8")
        return path

    return write


def _merge(into: dict, changes: dict) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


@pytest.fixture
def loaded(settings_file: Callable[..., Path], microblog: Microblog) -> Loaded:
    """config.yaml's settings, turned to the test's microblog and folder."""
    return load_settings(settings_file(microblog), environ=environment(microblog.credentials))


@contextmanager
def opened(loaded: Loaded, clock: MovableClock) -> Iterator[Bot]:
    """The bot as ``run`` opens it, recovery included."""
    with open_bot(loaded, clock) as bot:
        housekeeping.recover(bot)
        yield bot


def register(bot: Bot, photos: dict[str, DemoPhoto], key: str = "a", name: str = "Demo case A") -> str:
    """A case with its photo, verified by a second person; returns its reference."""
    desk = casework.Desk(bot.store, bot.files, bot.decoder, bot.faces)
    given = [casework.CasePhotoInput(p.name, p.data) for p in photos.values() if p.is_case_photo and p.person == key]
    case = casework.register(desk, CaseFields(name=name, police_report_number="T-1"), given, by="clerk")
    with bot.store.write() as tx:
        cases.verify(tx, case.ref, by="second person", report_number="T-1")
    return case.ref


def enrol_luohu(bot: Bot, server: Microblog) -> None:
    """The directory knows Luohu's official on both platforms, checked today."""
    account = server.world.account("luohu")
    with bot.store.write() as tx:
        agency = officials.upsert_agency(tx, name="示例罗湖分局", adcode="440303", level="county", type=AgencyType.POLICE)
        for platform, number, handle in (
            ("weibo", str(account.uid), account.screen_name),
            ("x", account.x_id, account.username),
        ):
            officials.upsert_account(
                tx, agency, officials.NewAccount(platform, number, handle, verified=True, checked_on=tx.now.date())
            )


def settle(bot: Bot, clock: MovableClock, rounds: int = 30) -> list[Round]:
    """Rounds, with time passing between them, until nothing waits and nothing new comes."""
    done = []
    for _ in range(rounds):
        done.append(run_round(bot))
        with bot.store.read() as tx:
            step = posts.counts(tx)
            state = alerts.counts(tx)
        busy = sum(step[s] for s in (posts.Step.STORED, posts.Step.EXTRACTED, posts.Step.MATCHED))
        busy += state[AlertState.READY] + state[AlertState.SENDING] + state[AlertState.UNKNOWN]
        if not busy and not any(polled.new for polled in done[-1].polled):
            return done
        clock.forward(seconds=45)
    raise AssertionError(f"the bot did not come to rest: {step}, {state}")


@pytest.fixture
def tools(shared_parts: None, photos: dict[str, DemoPhoto], clock: MovableClock, tmp_path: Path) -> SimpleNamespace:
    """The helpers above, for tests that open and close the bot several times."""
    return SimpleNamespace(
        opened=lambda loaded: opened(loaded, clock),
        register=lambda bot, **more: register(bot, photos, **more),
        enrol_luohu=enrol_luohu,
        settle=lambda bot, **more: settle(bot, clock, **more),
        people=people,
        environment=lambda server: environment(server.credentials),
        copy=lambda a, b: shutil.copytree(a, b),
        tag=TAG,
        folder=tmp_path,
    )
