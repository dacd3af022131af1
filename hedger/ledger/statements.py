"""
Statements: declared once with SQLAlchemy, run by the driver.

Tables and statements are written down, and held together, in SQLAlchemy's language. To build one
of its statements anew for each call and to send it through an engine takes twenty times as long
as SQLite needs for the answer, so each is compiled once, when it is first used, to its text and
to what turns values into text and back. Answers are remembered (``connection``).
"""

import sys
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from hedger.ledger.columns import Exact, Instant
from hedger.ledger.connection import Connection
from hedger.ledger.sqlite import Cursor, dialect
from hedger.ledger.text import decimal_text, instant_text

Convert = Callable[[Any], Any]
Member = TypeVar("Member", bound=StrEnum)
Made = TypeVar("Made")

given: Final = sa.bindparam
"""
A value that is told when the statement is run. In what changes rows its name must not be that of
a column.
"""

LAST: Final = chr(sys.maxunicode)
"""Text that begins with ``x`` lies between ``x`` and ``x + LAST``, which an index answers."""

PLAIN: Final = (sa.Text, sa.Integer)  # stored as they are; BigInteger is an Integer


class Statement:
    """
    One statement with named values, compiled when it is first used.

    ``columns`` are those that an insert or update sets to values told when it is run; what may
    be NULL can then be left out.
    """

    __slots__ = ("_changes", "_columns", "_declared", "_fixed", "_sql", "_texts")

    def __init__(self, declared: sa.ClauseElement, columns: Iterable[str] | None = None) -> None:
        self._declared: Any = declared
        self._columns = None if columns is None else list(columns)
        self._sql = ""
        changes: Any = declared
        self._changes: str | None = changes.table.name if changes.is_dml else None

    @property
    def sql(self) -> str:
        """The text the driver gets."""
        if not self._sql:
            self._compile()
        return self._sql

    def run(self, conn: Connection, /, **values: Any) -> Cursor:
        """Run it once."""
        sql = self.sql
        if self._changes is None:
            return conn.execute(sql, self._told(values))
        done: Cursor = conn.change(self._changes, sql, self._told(values), _itself)
        return done

    def add(self, conn: Connection, /, **values: Any) -> int:
        """Run an insert once; the number of the new row."""
        number = self.run(conn, **values).lastrowid
        assert number is not None
        return number

    def _told(self, values: dict[str, Any]) -> dict[str, Any]:
        if self._fixed:
            values = {**self._fixed, **values}
        for name, text in self._texts:
            if (value := values[name]) is not None:
                values[name] = text(value)
        return values

    def _compile(self) -> None:
        compiled = self._declared.compile(dialect=dialect(), column_keys=self._columns)
        # a name that stands in several places is one value
        binds: dict[str, sa.BindParameter[Any]] = {
            name: bind for bind, name in compiled.bind_names.items()
        }
        self._texts = tuple(
            (name, text) for name, bind in binds.items() if (text := _to_text(bind.type))
        )
        self._fixed = {name: bind.value for name, bind in binds.items() if not bind.required}
        for name in self._columns or ():
            if self._declared.table.c[name].nullable:
                self._fixed[name] = None
        self._sql = str(compiled)


class Query(Statement):
    """A statement with an answer: a select, or a change that returns its rows."""

    __slots__ = ("_reads", "_row", "_tables")

    def all(self, conn: Connection, /, **values: Any) -> list[Any]:
        """Every row, as a named tuple of what its columns stand for."""
        return self.made(conn, _itself, **values)

    def made(self, conn: Connection, make: Callable[[Any], Made], /, **values: Any) -> list[Made]:
        """
        What ``make`` makes of every row.

        The same things again for as long as the answer stays the same: nobody may change them,
        and ``make`` has to be one function and not a new one each time.
        """
        sql = self.sql
        if self._changes is not None:
            return [make(self._read(row)) for row in self._rows(conn, values)]
        answers, question = conn.known(self._tables), (sql, make, *values.values())
        found = answers.get(question)
        if found is None:
            found = [make(self._read(row)) for row in self._rows(conn, values)]
            answers[question] = found
        return found[:]

    def _rows(self, conn: Connection, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """To the last row and at once: a statement that is not finished holds its view."""
        if self._changes is None:
            return conn.execute(self._sql, self._told(values)).fetchall()
        rows: list[tuple[Any, ...]] = conn.change(
            self._changes, self._sql, self._told(values), Cursor.fetchall
        )
        return rows

    def first(self, conn: Connection, /, **values: Any) -> Any | None:
        """The first row; for what has one at most."""
        found = self.made(conn, _itself, **values)
        return found[0] if found else None

    def value(self, conn: Connection, /, **values: Any) -> Any | None:
        """The first column of the first row; None when there is no row."""
        row = self.first(conn, **values)
        return None if row is None else row[0]

    def _read(self, row: tuple[Any, ...]) -> Any:
        if not self._reads:
            return self._row(row)
        values = list(row)
        for place, read in self._reads:
            if (value := values[place]) is not None:
                values[place] = read(value)
        return self._row(values)

    def _compile(self) -> None:
        columns = list(self._declared.exported_columns)
        self._reads = tuple(
            (place, read) for place, column in enumerate(columns) if (read := _reader(column.type))
        )
        names = [str(column.key) for column in columns]
        # the names are known only now
        row = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # noqa: PYI024
        self._row: Callable[[Iterable[Any]], Any] = row._make
        self._tables = tables_of(self._declared)
        super()._compile()


class Change:
    """An update whose columns are told when it is run: one statement for each set of them."""

    def __init__(self, table: sa.Table, *where: Any, returning: bool = False) -> None:
        self._declared: Any = table.update().where(*where)
        if returning:
            self._declared = self._declared.returning(table)
        self._made: dict[tuple[str, ...], Query] = {}

    def of(self, values: Mapping[str, Any]) -> Query:
        """The statement that sets what ``values`` names."""
        names = tuple(values)
        made = self._made.get(names)
        if made is None:
            made = self._made[names] = Query(self._declared, columns=names)
        return made


def tables_of(declared: sa.ClauseElement) -> tuple[str, ...]:
    """The tables that an answer is from."""
    parts = visitors.iterate(declared)
    return tuple(sorted({part.name for part in parts if isinstance(part, sa.Table)}))


def _itself(thing: Any) -> Any:
    return thing


def inserting(table: sa.Table) -> Statement:
    """A new row; its number, if it has one, is given by the database."""
    return Statement(table.insert().inline(), [c.name for c in table.c if c.name != "seq"])


def members(kind: type[Member]) -> Callable[[str], Member]:
    """What reads the members of an enum from their text; faster than calling the enum."""
    return {str(member): member for member in kind}.__getitem__


def beginning(prefix: str) -> str:
    """The pattern of ``LIKE ... ESCAPE '/'`` for what begins with ``prefix``."""
    for character in "/%_":
        prefix = prefix.replace(character, "/" + character)
    return prefix + "%"


def _to_text(kind: sa.types.TypeEngine[Any]) -> Convert | None:
    """How a value of this type is written; None: as it is."""
    if isinstance(kind, Exact):
        return _amount
    return instant_text if isinstance(kind, Instant) else None


def _amount(value: Decimal) -> str:
    assert isinstance(value, Decimal)
    return decimal_text(value)


def _reader(kind: sa.types.TypeEngine[Any]) -> Convert | None:
    """How a value of this type is read; None: as it is."""
    if isinstance(kind, Exact):
        return Decimal
    if isinstance(kind, Instant):
        return datetime.fromisoformat
    if isinstance(kind, sa.Boolean):
        return bool
    assert isinstance(kind, PLAIN), f"nothing reads {kind!r}"
    return None
