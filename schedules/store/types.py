"""Column types that mean the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.sqlite import DATETIME
from sqlalchemy.types import TypeEngine

#: PostgreSQL takes no NUL in text. Customers' data has some, from broken exports; U+FFFD replaces them.
_NUL, _REPLACED = "\0", "\ufffd"

#: A number that increments by itself as a primary key: SQLite does that for INTEGER only.
Number = BigInteger().with_variant(Integer, "sqlite")

#: JSON as it came from Klaviyo. If there is none, the column is NULL, not JSON's null.
Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class _AsText(DATETIME):
    """SQLite's type for a time, which is text anyway: it is stored as `Moment` has written it."""

    def bind_processor(self, dialect: Dialect) -> None:
        """Convert nothing."""
        return


class Moment(TypeDecorator[datetime]):
    """A point in time, stored from any offset and read in UTC; SQLite's text has no offset and means UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The database's own type."""
        return _AsText() if dialect.name == "sqlite" else self.impl_instance  # type: ignore[no-untyped-call]

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Convert it to UTC.

        Raises:
            ValueError: it has no time zone.

        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment in the store needs a time zone, datetime(2026, 1, 1, tzinfo=UTC)")
        moment = value if value.tzinfo is UTC else value.astimezone(UTC)
        # Twice as quick as SQLAlchemy's own formatting, and needed twice or more for every row.
        return moment.isoformat(" ", "microseconds")[:-6] if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return it with UTC as its time zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CleanText(TypeDecorator[str]):
    """Text without NUL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace the NULs, for which PostgreSQL would refuse the whole page."""
        return value.replace(_NUL, _REPLACED) if value is not None and _NUL in value else value


def dump_json(value: Any) -> str:
    """Return a value as JSON text without NUL."""
    text = orjson.dumps(value).decode()
    # An escaped backslash before "u0000" looks the same: cleaning does such a value no harm.
    return orjson.dumps(_without_nul(value)).decode() if "\\u0000" in text else text


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_NUL, _REPLACED)
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(each) for key, each in value.items()}
    return [_without_nul(each) for each in value] if isinstance(value, list) else value
