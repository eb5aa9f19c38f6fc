"""What PostgreSQL's errors mean to an operator. Row values stay out of every message: they may be personal."""

from __future__ import annotations

from store.errors import Locked, StoreError

# https://www.postgresql.org/docs/current/errcodes-appendix.html; the longest code that fits is taken.
_CODES = {
    "08": ("the connection to the database was lost", "see the server's log; nothing of this transaction was stored"),
    "22": ("the database refused a value", "this is a fault of the program; please report it"),
    "23": ("the database refused a row", "this is a fault of the program; please report it"),
    "25006": ("the database cannot be written", "it is a replica, or may only be read: name the primary in store.url"),
    "25P03": ("the transaction stood still for too long and was ended", "try again; nothing of it was stored"),
    "28": ("the server does not let this user in", "check the user and the password in store.url"),
    "3D000": ("there is no such database on the server", "make it with: createdb --encoding=UTF8 NAME"),
    "3F000": ("there is no such schema", "check the search_path of the user in store.url"),
    "40": ("two transactions were in each other's way", "try again; nothing of it was stored"),
    "42501": ("the user may not do this in the database", "make the user of store.url the owner of the database"),
    "42": ("the database does not understand a statement", "this is a fault of the program; please report it"),
    "42P07": ("something of that name is in the database already", "see whose it is; nothing of this transaction was stored"),
    "42P01": ("the tables are not there", "run: suishoupai migrate"),
    "42703": ("the tables are of another version", "run: suishoupai migrate"),
    "42704": ("the database lacks an extension or a type", "run: CREATE EXTENSION vector; in that database, as a superuser"),
    "53100": ("the disk is full", "free space; nothing of this transaction was stored"),
    "53200": ("the server is out of memory", "give it more, or run fewer workers"),
    "53300": ("the server takes no more connections", "raise max_connections, put a pooler before it, or run fewer workers"),
    "55P03": ("the database is locked by another process", "stop the other process, or try again"),
    "57014": ("a statement took longer than the server allows", "raise statement_timeout, or try again; nothing was stored"),
    "57P01": ("the server was stopped", "start it; nothing of this transaction was stored"),
    "57P02": ("the server crashed", "see the server's log; nothing of this transaction was stored"),
    "57P03": ("the server is just starting", "try again in a moment"),
    "58": ("the server's disk failed while reading or writing", "see the server's log; restore a backup if it stays"),
    "XX": ("the server reports damage", "stop, keep the files, and restore the last backup"),
}

# While a connection is being made libpq gives words alone.
_WORDS = (
    ("password authentication failed", _CODES["28"]),
    ("no password supplied", ("the server asks for a password", "put it into store.url: postgresql://USER:PASSWORD@HOST/NAME")),
    ("no pg_hba.conf entry", ("the server does not let this machine in", "add a line for it to the server's pg_hba.conf")),
    ("too many clients", _CODES["53300"]),
    ("remaining connection slots", _CODES["53300"]),
    ("too many connections", _CODES["53300"]),
    ("starting up", _CODES["57P03"]),
    ("shutting down", _CODES["57P01"]),
    ("session is read-only", _CODES["25006"]),
    ("hot standby", _CODES["25006"]),
    ("failed to resolve", ("the server's name is not known", "check the host in store.url")),
    ("could not translate host name", ("the server's name is not known", "check the host in store.url")),
    ("connection refused", ("no server answers there", "start it, or check the host and port in store.url")),
    ("no such file or directory", ("no server answers there", "start it, or check the host and port in store.url")),
    ("timeout", ("the server does not answer", "check the network, and the host and port in store.url")),
    ("invalid response to ssl", ("what answers there is no PostgreSQL server", "check the host and port in store.url")),
    ("ssl", ("no encrypted connection can be made", "check sslmode in store.url and the server's certificate")),
)
_LOST = (
    "server closed the connection",
    "connection is closed",
    "connection is lost",
    "terminating connection",
    "consuming input failed",
    "sending query failed",
    "connection reset",
    "broken pipe",
    "could not receive data",
    "eof detected",
)


def fault(original: BaseException) -> StoreError:
    """The project's error for one of psycopg's, found by its code, else by its words."""
    code = getattr(original, "sqlstate", None) or ""
    told = str(original)
    for length in (5, 2):
        if code[:length] in _CODES:
            what, mend = _CODES[code[:length]]
            kind = Locked if code == "55P03" else StoreError
            return kind(f"{what} ({_named(original, code)})", mend=mend)
    lowered = told.lower()
    if "role" in lowered and "does not exist" in lowered:
        return StoreError("the server knows no such user", mend="check the user in store.url")
    if "database" in lowered and "does not exist" in lowered:
        what, mend = _CODES["3D000"]
        return StoreError(what, mend=mend)
    if any(sign in lowered for sign in _LOST):
        what, mend = _CODES["08"]
        return StoreError(what, mend=mend)
    for sign, (what, mend) in _WORDS:
        if sign in lowered:
            return StoreError(f"{what} ({_first_line(told)})", mend=mend)
    return StoreError(f"the database failed ({code or _first_line(told)})", mend="see the server's log")


def _named(original: BaseException, code: str) -> str:
    """The code, and the name of the table, column or rule it speaks of: never values."""
    diagnosis = getattr(original, "diag", None)
    names = [getattr(diagnosis, name, None) for name in ("table_name", "column_name", "constraint_name")]
    if code.startswith("42"):  # it speaks of the statement, in which no values stand
        names.append(getattr(diagnosis, "message_primary", None))
    return " ".join([code, *dict.fromkeys(name for name in names if name)])


def _first_line(told: str) -> str:
    return told.split("\n", 1)[0][:300]
