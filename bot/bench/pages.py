"""How long the console's pages take over a large store, beside the same pages over one that is empty but for one case.

The rows are written past the store, with sqlite3, since a hundred thousand of them through its own functions would take longer
than measuring; the columns are those of store/tables and the pages read them through the store as ever.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from bot.bench.base import Figure, Result
from bot.console.app import create_app
from bot.console.parts import Parts
from bot.console.public import count
from bot.console.server import set_aside
from bot.settings import load_settings
from ingest.photo import Decoder
from store import people
from store.people import Role
from store.photos import PhotoFiles
from store.session import Store

NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
PROMISED_S = 0.100
WARM_UP = 2
_PUBLIC = (
    "/public",
    "/public/figures.json",
    "/public/figures.csv",
    "/public/broadcasts.atom",
    "/public/openapi.json",
    "/report",
    "/signin",
)
_ADCODES = ("110101", "310101", "440303", "440106", "500103", "510104", "330102", "420102", "610102", "350102", None)
_NARROWED = (
    "/leads?state=sent",
    "/leads?before=1000",
    "/sightings?place=44",
    "/sightings?place=440303&state=open&source=weibo",
    "/sightings?place=4403&state=open&source=weibo",
    "/sightings?place=44&since=2025-03-01T00:00&until=2025-03-08T00:00",
    "/sightings?since=2026-11-01T00:00",
    "/sightings?since=2025-03-01T00:00&until=2025-03-02T00:00&source=weibo",
    "/sightings?state=with_parents",
    "/sightings?before=50000",
    "/map?province=44",
    "/cases?state=draft",
    "/cases?before=20000",
)
_ONE = ("/sightings/S-00001", "/leads/1", "/leads/1/print", "/cases/C-00001", "/s/S-00001", "/family/C-00001")
_Console = tuple[Starlette, Parts]


def run(quick: bool) -> Result:
    """p95 of every page for each role that has it, and its ratio to the same page over an empty store.

    Pages of one sighting, lead or case have no empty store: they are held against a store with one of each.
    """
    sightings, cases, rounds = (5_000, 2_500, 8) if quick else (100_000, 50_000, 25)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        empty = stack.enter_context(_console(folder / "empty", 0, 1))
        single = stack.enter_context(_console(folder / "single", 1, 1))
        full = stack.enter_context(_console(folder / "full", sightings, cases))
        set_aside()  # as the server does
        found = _measure(full, empty, _lists(full[0]), rounds) | _measure(full, single, _ONE, rounds)
        began = time.perf_counter()
        count(full[1])
        counting_s = time.perf_counter() - began
    figures = []
    for page, (large, small) in sorted(found.items(), key=lambda item: -_p95(item[1][0])):
        ratio = median(large) / median(small) if small else None
        promised = f"under {PROMISED_S * 1000:g} ms, ratio under 3"
        yardstick = f"the same page over {'a store with one of each' if page.split()[0] in _ONE else 'an empty store'}"
        figures.append(Figure(page, _p95(large) * 1000, "ms p95", ratio, yardstick, better="lower", promised=promised))
    figures.append(Figure("counting the public figures, once in ten minutes", counting_s * 1000, "ms", better="lower"))
    what = f"pages over {sightings:,} sightings and {cases:,} cases"
    return Result(what, tuple(figures), ("photos: not in this bench",))


def _p95(times: list[float]) -> float:
    return quantiles(times, n=20)[-1]


def _lists(app: Starlette) -> list[str]:
    """Every page that needs no reference, and the lists as people narrow them and go on in them."""
    pages = [r.path for r in app.routes if isinstance(r, Route) and "GET" in (r.methods or ()) and "{" not in r.path]
    return [page for page in pages if page not in ("/", "/account")] + list(_NARROWED)


def _measure(full: _Console, small: _Console, pages: Sequence[str], rounds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Server times of each page over both stores, taken in turns so that what else the machine does meets both alike. The
    first calls, which load templates, count figures and compile statements, are left out for both."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for role in (None, *Role):
        clients = [_client(console, role) for console in (full, small)]
        for page in [page for page in pages if (page in _PUBLIC) == (role is None)]:
            if clients[0].get(page).status_code != 200:
                continue
            there = clients[1].get(page).status_code == 200
            for client in clients * WARM_UP:
                client.get(page)
            times: tuple[list[float], list[float]] = ([], [])
            for _ in range(rounds):
                times[0].append(_once(clients[0], page))
                if there:
                    times[1].append(_once(clients[1], page))
            found[page if role is None else f"{page} ({role.value})"] = times
    return found


def _client(console: _Console, role: Role | None) -> TestClient:
    app, parts = console
    client = TestClient(app, base_url="http://127.0.0.1", follow_redirects=False)
    if role is not None:
        client.cookies.set("session", _session(parts, role), domain="127.0.0.1", path="/")
    return client


def _once(client: TestClient, page: str) -> float:
    began = time.perf_counter()
    client.get(page)
    return time.perf_counter() - began


def _session(parts: Parts, role: Role) -> str:
    token = f"bench-{role.value}"
    with parts.store.write("bench.person") as tx:
        known = people.by_login(tx, token)
        if known is not None:
            return token
        divisions = ("44",) if role is Role.OFFICIAL else ()
        user = people.add(tx, token, roles=[role.value], divisions=divisions, cases=(1,) if role is Role.FAMILY else ())
        people.start_session(tx, user.id, token, tx.now + timedelta(hours=12))
    return token


@contextmanager
def _console(folder: Path, sightings: int, cases: int) -> Iterator[tuple[Starlette, Parts]]:
    """A console over a store of its own with so many rows."""
    folder.mkdir(parents=True)
    config = folder / "config.yaml"
    config.write_text("console: {insecure_cookies: true}\nplatforms:\n  intake: {enabled: true}\n", encoding="utf-8")
    store = Store(f"sqlite:///{folder / 'store.sqlite'}", lambda: NOW)
    with ExitStack() as stack:
        stack.callback(store.close)
        store.migrate()
        with closing(sqlite3.connect(folder / 'store.sqlite')) as connection:
            _fill(connection, sightings, cases)
        decoder = stack.enter_context(Decoder())
        parts = Parts(load_settings(config, environ={}), store, PhotoFiles(folder / "photos", store.vault), decoder, lambda: NOW)
        yield create_app(parts), parts


_COLUMNS = {
    "posts": "id platform post_id stream author_id author_handle text posted_at step first_read_at summons direct silent",
    "photos": "id sha256 phash band0 band1 band2 band3 width_px height_px format size_bytes first_seen_at",
    "media": "id post_id position key urls kind state photo_id attempts",
    "faces": "id photo_id position box_left box_top box_right box_bottom det_score landmarks quality quality_why norm"
    " pack_id pack_sha256 vector",
    "sightings": "id ref post_id adcode place alternatives where_certainty where_evidence seen_from seen_to grain"
    " when_certainty when_evidence state created_at updated_at",
    "cases": "id ref name sex missing_on missing_adcode contacts registered_by registered_at verified_by verified_at state"
    " seq searched_seq dna_filed",
    "candidates": "id face_id case_id raw one_in rank band pack_id state created_at updated_at",
    "leads": "id sighting_id case_id state created_at updated_at",
    "lead_events": "lead_id to_state at who record_kind record",
}
_CASE_STATES = ("verified", "verified", "verified", "draft", "closed")
_LEAD_STATES = ("new", "reviewed", "sent", "checking", "ruled_out")
_NONE = "[]"


def _fill(connection: sqlite3.Connection, sightings: int, cases: int) -> None:
    """Posts with a photo and a face each, their sightings over two years, cases, candidates for every fifth, leads for some."""
    chance = random.Random(7)
    at = [str((NOW - timedelta(minutes=chance.randrange(60 * 24 * 730))).replace(tzinfo=None)) for _ in range(sightings + 1)]
    for n in range(1, sightings + 1):
        _add(connection, "posts", n, "weibo", str(n), "s", str(n % 5000), "p", "在火车站", at[n], "decided", at[n], 0, 1, 0)
        bands = (n % 65536, n * 3 % 65536, n * 5 % 65536, n * 7 % 65536)
        _add(connection, "photos", n, f"{n:064x}", f"{n * 7919 % 2**63:016x}", *bands, 640, 480, "JPEG", 9, at[n])
        _add(connection, "media", n, n, 0, "k", _NONE, "photo", "stored", n, 1)
        _add(connection, "faces", n, n, 0, 9, 9, 99, 99, 0.9, _NONE, "good", "", 1.0, "p", "0" * 64, b"\x00")
        where = (chance.choice(_ADCODES), "火车站", _NONE, "high", _NONE)
        _add(connection, "sightings", n, f"S-{n:05d}", n, *where, at[n], at[n], "hour", "high", _NONE, "open", at[n], at[n])
    for n in range(1, cases + 1):
        lost = ("male", "2009-05-01", chance.choice(_ADCODES[:-1]))
        _add(connection, "cases", n, f"C-{n:05d}", f"示例{n}", *lost, _NONE, "a", at[0], "b", at[0], _CASE_STATES[n % 5], n, n, 0)
    for n in range(1, sightings + 1, 5):
        _add(connection, "candidates", n, n, n % cases + 1, 0.4, 5000.0, 1, "review", "p", "open", at[n], at[n])
    for n in range(1, sightings + 1, 50):
        state = _LEAD_STATES[n // 50 % 5]
        _add(connection, "leads", n, n, n % cases + 1, state, at[n], at[n])
        _add(connection, "lead_events", n, state, at[n], "bot", "official", "r")
    connection.commit()


def _add(connection: sqlite3.Connection, table: str, *values: object) -> None:
    names = _COLUMNS[table].split()
    connection.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", values)
