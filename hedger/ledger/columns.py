"""
What the tables are made of: the columns, and how their values are kept.

Amounts are text: ``sa.Numeric`` on SQLite goes through a float. Instants are text of a fixed
width, see ``text.py``. Nothing here is SQLite's alone except the names of two options that
other databases have under their own.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from hedger.ledger.text import decimal_text, instant_text, parse_instant

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


class Exact(sa.types.TypeDecorator[Decimal]):
    """An exact decimal as plain text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: sa.Dialect) -> str | None:
        if value is None:
            return None
        assert isinstance(value, Decimal)
        return decimal_text(value)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware instant, UTC, to the microsecond, as text that sorts."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else instant_text(value)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else parse_instant(value)


class Prose(sa.Text):
    """Sentences, in which foreign words may stand: written masked, printable and bounded."""


class Document(sa.Text):
    """JSON: written masked."""


class Word(sa.Text):
    """One word of an enumeration. Read, it is text."""


def where(condition: str) -> Mapping[str, Any]:
    """A partial index, for both databases that have them."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def text(name: str, *, null: bool = False) -> sa.Column[str]:
    """A column of text."""
    return sa.Column(name, sa.Text, nullable=null)


def prose(name: str, *, null: bool = False) -> sa.Column[str]:
    """A column of sentences."""
    return sa.Column(name, Prose, nullable=null)


def document(name: str) -> sa.Column[str]:
    """A column of JSON objects."""
    return sa.Column(name, Document, nullable=False)


def word(name: str, *, null: bool = False) -> sa.Column[str]:
    """A column of words of an enumeration."""
    return sa.Column(name, Word, nullable=null)


def exact(name: str, *, null: bool = False) -> sa.Column[Decimal]:
    """A column of amounts."""
    return sa.Column(name, Exact, nullable=null)


def instant(name: str, *, null: bool = False) -> sa.Column[datetime]:
    """A column of instants."""
    return sa.Column(name, Instant, nullable=null)


def number(name: str = "seq") -> sa.Column[int]:
    """Counts up in the order of recording."""
    return sa.Column(name, sa.Integer, primary_key=True)


def hedge(*, null: bool = False) -> sa.Column[str]:
    """Whose the row is; with ``null``, nobody's too."""
    return sa.Column("hedge_id", sa.Text, sa.ForeignKey("hedges.id"), nullable=null)
