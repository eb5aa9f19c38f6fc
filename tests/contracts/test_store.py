"""What the store relies on in every database: how its statements render and what its types do on each dialect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from store import dialect
from store.errors import StoreError
from store.tables import metadata, streams

DIALECTS = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}


@pytest.fixture(params=sorted(DIALECTS))
def target(request):
    """Each database's dialect; compiling needs no server."""
    return DIALECTS[request.param]


def _render(statement, target) -> str:
    return " ".join(str(statement.compile(dialect=target)).replace('"', "").split())


def test_upsert_renders_on_every_database(target):
    """SQLAlchemy's PostgreSQL construct is used for both: this holds SQLAlchemy to rendering it on SQLite too."""
    base = dialect.upsert(streams, ["key"]).values(key="k", platform="p")
    assert "ON CONFLICT (key) DO NOTHING" in _render(base, target)
    named = dialect.upsert(streams, ["key"], ["platform"]).values(key="k", platform="p")
    assert "ON CONFLICT (key) DO UPDATE SET platform = excluded.platform" in _render(named, target)
    counted = dialect.upsert(streams, ["key"], {"failures": streams.c.failures + 1}).values(key="k", platform="p")
    assert "DO UPDATE SET failures = (streams.failures + " in _render(counted, target)


def test_upsert_returns_what_it_wrote(target):
    """RETURNING stands behind the conflict rule: it is how new rows are told from known ones."""
    statement = dialect.upsert(streams, ["key"]).values(key="k", platform="p").returning(streams.c.key)
    assert _render(statement, target).endswith("RETURNING key" if target.name == "sqlite" else "RETURNING streams.key")


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_every_table_can_be_made(table, target):
    """Each table's definition compiles, with names short enough for PostgreSQL's 63 bytes."""
    assert table.name in _render(CreateTable(table), target)
    names = [constraint.name for constraint in table.constraints] + [index.name for index in table.indexes]
    assert all(name and len(name) <= 63 for name in names)


def test_an_instant_is_the_same_on_every_database(target):
    """Any zone goes in, UTC comes out; a time without a zone is refused."""
    kind = dialect.UtcDateTime()
    moment = datetime(2011, 2, 9, 20, 30, tzinfo=timezone(timedelta(hours=8)))
    bound = kind.process_bind_param(moment, target)
    assert kind.process_result_value(bound, target) == moment
    assert kind.process_result_value(bound, target).tzinfo is UTC
    with pytest.raises(StoreError):
        kind.process_bind_param(datetime(2011, 2, 9), target)  # noqa: DTZ001 - the naive time is the point


def test_text_and_json_hold_nothing_a_database_refuses(target):
    """NUL and lone surrogates are replaced, in keys and values; everything else comes back unchanged."""
    assert dialect.CleanText().process_bind_param("a\x00\ud83d🧒", target) == "a\ufffd\ufffd🧒"
    kind = dialect.Json()
    bound = kind.process_bind_param({"k\x00": ["\ud83d", "观音桥", 1.5, None]}, target)
    assert "\x00" not in bound
    assert kind.process_result_value(bound, target) == {"k\ufffd": ["\ufffd", "观音桥", 1.5, None]}


def test_blobs_are_bytes_everywhere(target):
    """Sealed vectors are plain bytes to each database."""
    assert str(dialect.Blob().compile(dialect=target)) in {"BLOB", "BYTEA"}
