"""Building an HNSW index beside everybody's work: in a session of its own, outside the writers' one-at-a-time.

``CREATE INDEX CONCURRENTLY`` lets others read and write the table meanwhile. It commits by itself and cannot be rolled back: a
build that is cut short leaves an index that nobody searches, which the next one removes.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from store.dialect import postgresql_faults


def build_beside(url: str, table: str, name: str, megabytes: int) -> bool:
    """Build the index ``name`` over ``table``'s vectors, within ``megabytes`` of memory, unless it is there. False where another
    process is at it.

    Raises:
        StoreError: it cannot be built.
    """
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5, application_name="suishoupai index") as session:
            # Tried, not waited for: whoever waits is in the way of the build, which waits for every older transaction.
            if not _one(session, "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", name):
                return False
            stands = _one(session, "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", name)
            if stands:
                return True
            index, of = sql.Identifier(name), sql.Identifier(table)
            session.execute("SET lock_timeout = 0")
            session.execute(sql.SQL("SET maintenance_work_mem = {}").format(f"{megabytes}MB"))
            if stands is not None:
                session.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(index))
            build = "CREATE INDEX CONCURRENTLY {} ON {} USING hnsw (vector halfvec_ip_ops)"
            session.execute(sql.SQL(build).format(index, of))
    except psycopg.Error as error:
        raise postgresql_faults.fault(error) from error
    return True


def _one(session: psycopg.Connection[tuple[object, ...]], query: str, name: str) -> object:
    row = session.execute(query.encode(), (name,)).fetchone()
    return None if row is None else row[0]
