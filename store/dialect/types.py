"""Column types that mean the same on every database: instants, text from outside, JSON, bytes."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, LargeBinary, String, Text
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from store.errors import StoreError

Blob = LargeBinary


def Word(length: int) -> TypeEngine[str]:
    """A short text, at most ``length`` characters as a rule. SQLite never minds a longer one; so neither does PostgreSQL:
    an odd language tag from a platform must not keep its page from being stored."""
    return String(length).with_variant(Text(), "postgresql")


_REFUSED = re.compile("[\x00\ud800-\udfff]")


def clean_text(value: str) -> str:
    """``value`` without what a database refuses: NUL (PostgreSQL) and lone surrogates (both), each replaced by U+FFFD."""
    return _REFUSED.sub("\ufffd", value)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Takes aware datetimes alone, keeps UTC, gives UTC back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise StoreError(f"a time without a zone was to be stored: {value.isoformat()}", mend="pass an aware datetime")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CleanText(TypeDecorator[str]):
    """Text from outside: kept as it is, except for characters no database takes (see :func:`clean_text`)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean_text(value)


class Json(TypeDecorator[Any]):
    """A JSON value as text, readable on every database; keys sorted so that equal values are equal bytes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        if value is None:
            return None
        return clean_text(
            json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).replace("\\u0000", "\ufffd")
        )

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)
