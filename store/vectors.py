"""Case templates inside PostgreSQL, searched by pgvector: for galleries that every worker should not hold in its own memory.

What lies here is *not sealed*: pgvector cannot search sealed vectors. So the operator has to allow it
(``matching.unsealed_vectors``), and the tables are UNLOGGED: their rows are in no write-ahead log, no archive, no replica and no
base backup, and after a crash they are empty and filled again. They are derived from the sealed ``case_faces``, belong to no
migration, and lose a case with the transaction that erases it. The numbers are those that the index in a process keeps
(:mod:`store.halves`), so both give the same scores.

A search is exact: every row is read, by parallel workers where the server has them. HNSW is for those who ask for it; its answers
are scored exactly too, but it may miss some, and :meth:`PgvectorIndex.measure_recall` says how many.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from store import cases
from store.errors import StoreError
from store.halves import halved
from store.session import Store, Tx

Ids = NDArray[np.int64]
Rows = NDArray[np.float32]
Groups = NDArray[np.uint8]
Lot = Callable[[Ids], NDArray[np.uint64]]
"""A fixed pseudo-random number for each case id (``matcher.index.lot``)."""
Work = Callable[[Tx, Sequence[int]], tuple[Ids, Rows, Groups]]
"""Templates of those of the cases that belong into the gallery."""

OLDEST = (0, 8)
"""pgvector 0.7 brought halfvec, 0.8 iterative scans."""
PROBE_ERROR = 6e-4
"""A probe is rounded to float16 for the scan: 2**-11 of each coordinate, so a score of unit vectors moves by less than this."""
_CHUNK = 2_000
_MOST_GRAPH_MB = 4_000
_SIGN = np.uint64(1 << 63)
_SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)


@dataclass(frozen=True, slots=True)
class Recall:
    """How many of the true ten best an approximate search found, over ``probes`` probes like true children's photos."""

    share: float
    probes: int


class PgvectorIndex:
    """Templates of one pack in PostgreSQL; an implementation of ``matcher.index.VectorIndex``. :meth:`open` it before use.

    Args:
        store: On PostgreSQL.
        pack_sha256: The pack whose templates these are.
        dimension: Length of the vectors.
        lot: Draws the cases that stand for all.
        ef_search: None searches exactly; a number searches by HNSW with that many candidates (at least 400).
    """

    def __init__(self, store: Store, pack_sha256: str, dimension: int, lot: Lot, ef_search: int | None = None) -> None:
        self._store = store
        self._dimension = dimension
        self._lot = lot
        self._ef_search = ef_search
        self._table = f"gallery_vectors_{hashlib.sha256(pack_sha256.encode()).hexdigest()[:12]}"

    def open(self) -> None:
        """Make the tables if they are not there.

        Raises:
            StoreError: the database has no pgvector, or one that is too old; ``mend`` has the command that adds it.
        """
        with self._store.read() as tx:
            check(tx)
            there = tx.connection.execute(text("SELECT to_regclass(:t)"), {"t": self._table}).scalar() is not None
        if not there:
            with self._store.write("gallery.tables") as tx:
                for statement in self._made():
                    tx.connection.exec_driver_sql(statement)

    @property
    def approximate(self) -> bool:
        """Whether an HNSW index is asked for (see :meth:`build_graph`)."""
        return self._ef_search is not None

    def build_graph(self) -> bool:
        """Build the HNSW index where it is not there yet: minutes over a million cases, beside everybody's reading and writing.
        Until it stands, searches are exact. False where another process is building it.

        PostgreSQL waits, at the end, for every transaction that began before: never call this within one.

        Raises:
            StoreError: it cannot be built; what was begun is removed by the next call.
        """
        with self._store.read() as tx:
            megabytes = self._graph_mb(tx)
        from store.vector_graph import build_beside  # here: it brings psycopg, which a bot on SQLite does without

        return build_beside(self._store.server_url, self._table, self._graph, megabytes)

    @property
    def _graph(self) -> str:
        return f"ix_{self._table}_hnsw"

    def _graph_stands(self, tx: Tx) -> bool:
        query = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
        return bool(tx.connection.execute(query, {"name": self._graph}).scalar())

    def _graph_mb(self, tx: Tx) -> int:
        """Megabytes in which pgvector can build the graph: once it outgrows this memory, each further case is written to the
        index on disk one by one, which takes many times as long. (pgvector 0.8: 715 bytes a case beside its vector.)"""
        rows = int(tx.connection.exec_driver_sql(f"SELECT count(*) FROM {self._table}").scalar_one())
        return min(_MOST_GRAPH_MB, 64 + rows * (2 * self._dimension + 720) // 1_000_000)

    def bring_up(self, work: Work) -> int:
        """Take in what changed in the tables since the last time, by whichever worker; returns how many cases.

        Writers go one at a time, so two workers never undo each other, and each batch's sequence number is committed with it.
        """
        done = 0
        while True:
            with self._store.read() as tx:
                if self._applied(tx) >= cases.present_seq(tx):
                    return done
            with self._store.write("gallery.vectors") as tx:
                changed = cases.changes(tx, self._applied(tx), limit=_CHUNK)
                if not changed:
                    self._note(tx, cases.present_seq(tx))
                    return done
                ids, rows, groups = work(tx, [case_id for case_id, _ in changed])
                self._write(tx, ids, rows, groups)
                self._delete(tx, sorted({case_id for case_id, _ in changed} - set(ids.tolist())))
                self._note(tx, changed[-1][1])
            done += len(changed)

    def put(self, case_ids: Sequence[int], rows: Rows, groups: Sequence[int]) -> None:
        """Add cases, or replace their templates."""
        with self._store.write("gallery.vectors") as tx:
            self._write(tx, np.asarray(case_ids, np.int64), rows, np.asarray(groups, np.uint8))

    def remove(self, case_ids: Sequence[int]) -> int:
        """Take cases out; returns how many were there."""
        with self._store.write("gallery.vectors") as tx:
            return self._delete(tx, case_ids)

    def search(self, probes: Rows, k: int) -> tuple[Ids, Rows]:
        """The ``k`` most similar cases of each probe, scored exactly, best first, equal scores by case id."""
        return self._search(probes, k, self._ef_search)

    def fetch(self, case_ids: Sequence[int]) -> tuple[Ids, Rows, Groups]:
        """Those of the cases that are there, in ascending order of their ids."""
        query = f"SELECT case_id, kind, halfvec_send(vector) AS v FROM {self._table} WHERE case_id = ANY(:ids) ORDER BY case_id"
        with self._store.read() as tx:
            found = tx.connection.execute(text(query), {"ids": [int(case_id) for case_id in case_ids]}).all()
        ids, groups = np.array([row.case_id for row in found], np.int64), np.array([row.kind for row in found], np.uint8)
        return ids, self._opened([row.v for row in found]), groups

    def members(self, most: int) -> tuple[int, Ids]:
        """How many cases there are, and the ids (ascending) of ``most`` of them: those with the smallest lots."""
        with self._store.read() as tx:
            count = int(tx.connection.exec_driver_sql(f"SELECT count(*) FROM {self._table}").scalar_one())
            query = text(f"SELECT case_id FROM {self._table} ORDER BY lot LIMIT :most")
            drawn = tx.connection.execute(query, {"most": most}).scalars().all() if most else []
        return count, np.sort(np.array(drawn, np.int64))

    def measure_recall(self, probes: int = 50, k: int = 10) -> Recall | None:
        """Hold the HNSW search against the exact one, over cases turned to a cosine of about 0.6, and keep the result for
        ``doctor``. None without a case, or where the search is exact anyway (so far)."""
        _, ids = self.members(probes)
        with self._store.read() as tx:
            if self._ef_search is None or not len(ids) or not self._graph_stands(tx):
                return None
        _, rows, _ = self.fetch(ids.tolist())
        noise = np.random.default_rng(0).standard_normal(rows.shape, dtype=np.float32)
        turned = rows + 1.3 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        turned /= np.linalg.norm(turned, axis=1, keepdims=True)
        found, truth = self._search(turned, k, self._ef_search)[0], self._search(turned, k, None)[0]
        share = sum(len(set(a) & set(b)) for a, b in zip(found.tolist(), truth.tolist(), strict=True)) / truth.size
        with self._store.write("gallery.recall") as tx:
            values = {"t": self._table, "share": share, "probes": len(ids)}
            tx.connection.execute(text("UPDATE gallery_vectors SET recall = :share, probes = :probes WHERE name = :t"), values)
        return Recall(share, len(ids))

    def recall(self) -> Recall | None:
        """What :meth:`measure_recall` found last; None before."""
        with self._store.read() as tx:
            if tx.connection.execute(text("SELECT to_regclass('gallery_vectors')")).scalar() is None:
                return None
            query = text("SELECT recall, probes FROM gallery_vectors WHERE name = :t AND recall IS NOT NULL")
            row = tx.connection.execute(query, {"t": self._table}).first()
        return None if row is None else Recall(row.recall, row.probes)

    def _made(self) -> Iterator[str]:
        yield (
            "CREATE UNLOGGED TABLE IF NOT EXISTS gallery_vectors"
            " (name text PRIMARY KEY, seq bigint NOT NULL, recall double precision, probes integer)"
        )
        # PLAIN: a scan reads the rows where they lie. The case's own row takes its template along.
        yield (
            f"CREATE UNLOGGED TABLE IF NOT EXISTS {self._table}"
            " (case_id bigint PRIMARY KEY REFERENCES cases (id) ON DELETE CASCADE,"
            f" kind smallint NOT NULL, lot bigint NOT NULL, vector halfvec({self._dimension}) STORAGE PLAIN NOT NULL)"
        )
        yield f"CREATE INDEX IF NOT EXISTS ix_{self._table}_lot ON {self._table} (lot)"

    def _search(self, probes: Rows, k: int, ef_search: int | None) -> tuple[Ids, Rows]:
        if not k:
            return np.empty((len(probes), 0), np.int64), np.empty((len(probes), 0), np.float32)
        with self._store.read() as tx:  # one unchanging state, so every probe finds as many
            ef_search = ef_search if ef_search is not None and self._graph_stands(tx) else None
            for setting in _settings(ef_search):
                tx.connection.exec_driver_sql(f"SET LOCAL {setting}")
            found = [self._of_probe(tx, probe, k, exact=ef_search is None) for probe in probes]
        return np.stack([ids for ids, _ in found]), np.stack([scores for _, scores in found])

    def _of_probe(self, tx: Tx, probe: Rows, k: int, *, exact: bool) -> tuple[Ids, Rows]:
        """The ``k`` best of one probe: more than ``k`` are fetched, until none that was left out can belong among them."""
        # The best first, what to send of them after: beside ORDER BY the server would make halfvec_send's bytes of every row.
        query = text(
            "SELECT case_id, halfvec_send(vector) AS v FROM"
            f" (SELECT case_id, vector FROM {self._table} ORDER BY vector <#> CAST(:probe AS halfvec) LIMIT :most) AS best"
        )
        asked = "[" + ",".join(map(repr, probe.tolist())) + "]"
        most = k + 16
        while True:
            found = tx.connection.execute(query, {"probe": asked, "most": most}).all()
            if not exact and len(found) < most:  # HNSW gave up early, or there are no more: only reading all of them tells
                tx.connection.exec_driver_sql("SET LOCAL enable_indexscan = off")
                return self._of_probe(tx, probe, k, exact=True)
            near = np.array([row.case_id for row in found], np.int64)
            scores = (self._opened([row.v for row in found]).astype(np.float64) * probe).sum(axis=1)
            order = np.lexsort((near, -scores))[:k]
            if not exact or len(found) < most or scores.min() + 2 * PROBE_ERROR < scores[order[-1]]:
                return near[order], scores[order].astype(np.float32)
            most *= 4

    def _opened(self, sent: Sequence[bytes]) -> Rows:
        """Vectors as the server sends them: dimension, a zero, then float16 numbers, all big-endian."""
        flat = np.frombuffer(b"".join(bytes(value)[4:] for value in sent), ">f2")
        return flat.astype(np.float32).reshape(len(sent), self._dimension)

    def _write(self, tx: Tx, ids: Ids, rows: Rows, groups: Groups) -> None:
        """Rows by binary COPY into a table of this transaction, and from there into place: the later of two of one case wins."""
        if not len(ids):
            return
        _, last = np.unique(ids[::-1], return_index=True)
        keep = len(ids) - 1 - last
        tx.connection.exec_driver_sql(f"CREATE TEMP TABLE arriving (LIKE {self._table}) ON COMMIT DROP")
        driver: Any = tx.connection.connection.driver_connection
        with driver.cursor().copy("COPY arriving (case_id, kind, lot, vector) FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(_SIGNATURE + self._tuples(ids[keep], rows[keep], groups[keep]) + b"\xff\xff")
        tx.connection.exec_driver_sql(
            f"INSERT INTO {self._table} SELECT * FROM arriving ON CONFLICT (case_id) DO UPDATE"
            " SET kind = excluded.kind, lot = excluded.lot, vector = excluded.vector"
        )
        tx.connection.exec_driver_sql("DROP TABLE arriving")

    def _tuples(self, ids: Ids, rows: Rows, groups: Groups) -> bytes:
        """Rows in COPY's binary format: a count of fields, then each field's length and big-endian value."""
        size = self._dimension
        fields: list[Any] = [("fields", ">i2"), ("n1", ">i4"), ("case_id", ">i8"), ("n2", ">i4"), ("kind", ">i2")]
        fields += [("n3", ">i4"), ("lot", ">i8"), ("n4", ">i4"), ("dim", ">i2"), ("zero", ">i2"), ("vector", ">f2", (size,))]
        made = np.zeros(len(ids), np.dtype(fields))
        made["fields"], made["n1"], made["n2"], made["n3"], made["n4"], made["dim"] = 4, 8, 2, 8, 4 + 2 * size, size
        made["case_id"], made["kind"], made["vector"] = ids, groups, halved(rows)
        made["lot"] = (self._lot(ids) ^ _SIGN).view(np.int64)
        return made.tobytes()

    def _delete(self, tx: Tx, case_ids: Sequence[int]) -> int:
        query = text(f"DELETE FROM {self._table} WHERE case_id = ANY(:ids)")
        return tx.connection.execute(query, {"ids": [int(case_id) for case_id in case_ids]}).rowcount if case_ids else 0

    def _applied(self, tx: Tx) -> int:
        query = text("SELECT seq FROM gallery_vectors WHERE name = :t")
        return int(tx.connection.execute(query, {"t": self._table}).scalar() or 0)

    def _note(self, tx: Tx, seq: int) -> None:
        query = "INSERT INTO gallery_vectors (name, seq) VALUES (:t, :seq) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq"
        tx.connection.execute(text(query), {"t": self._table, "seq": seq})


def _settings(ef_search: int | None) -> Iterator[str]:
    yield "jit = off"
    if ef_search is None:
        yield "enable_indexscan = off"
    else:
        yield f"hnsw.ef_search = {int(ef_search)}"
        yield "hnsw.iterative_scan = strict_order"


def version(tx: Tx) -> str | None:
    """The version of pgvector in this database; None without it, and on SQLite."""
    if tx.connection.dialect.name != "postgresql":
        return None
    return tx.connection.exec_driver_sql("SELECT extversion FROM pg_extension WHERE extname = 'vector'").scalar()


def check(tx: Tx) -> None:
    """Whether this database has a pgvector that will do.

    Raises:
        StoreError: it has none, or an older one; ``mend`` has the command.
    """
    if tx.connection.dialect.name != "postgresql":
        raise StoreError("pgvector searches inside PostgreSQL, and store.url is SQLite", mend="set matching.search: memory")
    found = version(tx)
    if found is None:
        offered = tx.connection.exec_driver_sql("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").first()
        major = int(tx.connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
        package = "" if offered else f"on the server: apt-get install postgresql-{major}-pgvector; then "
        raise StoreError(
            "the database has no pgvector" if offered else "the PostgreSQL server has no pgvector",
            mend=f"{package}as the database's owner: CREATE EXTENSION vector;",
        )
    if tuple(int(part) for part in found.split(".")[:2]) < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise StoreError(f"pgvector {found} is too old: {wanted} is needed", mend="ALTER EXTENSION vector UPDATE;")


def tables(tx: Tx) -> list[str]:
    """The tables of unsealed vectors that are there."""
    if tx.connection.dialect.name != "postgresql":
        return []
    query = text(r"SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'gallery\_vectors%' ORDER BY relname")
    return list(tx.connection.execute(query).scalars())


def drop(tx: Tx) -> None:
    """Remove every table of unsealed vectors: the operator took the permission back."""
    for name in tables(tx):
        tx.connection.exec_driver_sql(f'DROP TABLE "{name}"')
