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
from functools import lru_cache
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from hedger.common.masking import masked
from hedger.ledger.columns import Document, Exact, Instant, Prose, Word
from hedger.ledger.connection import Connection
from hedger.ledger.sqlite import Cursor, dialect
from hedger.ledger.text import decimal_text, instant_text, prose_text

Convert = Callable[[Any], Any]
Member = TypeVar("Member", bound=StrEnum)
Made = TypeVar("Made")
Raw = tuple[Any, ...]
Values = dict[str, Any]
PartOf = Callable[[Values], object]

given: Final = sa.bindparam
"""
A value that is told when the statement is run. In what changes rows its name must not be that of
a column.
"""

LAST: Final = chr(sys.maxunicode)
"""Text that begins with ``x`` lies between ``x`` and ``x + LAST``, which an index answers."""

PLAIN: Final = (sa.Text, sa.Integer)  # stored as they are; BigInteger is an Integer


TEXTS_KEPT: Final = 4_096
"""Amounts and instants whose text is remembered: most are written several times."""

SEEN_MAX: Final = 512
"""Different rows of the same columns of which it is remembered what was made of them."""

_SEEN: Final[dict[tuple[str, ...], dict[Callable[[Any], Any], dict[Raw, Any]]]] = {}
"""By columns, and by what makes something of them: rows, as they are stored, and the things."""


class Statement:
    """
    One statement with named values, compiled when it is first used.

    ``columns`` are those that an insert or update sets to values told when it is run; what may
    be NULL can then be left out. ``part`` says by those values which part of its table is changed,
    or asked, where answers from parts are remembered (``connection``); None: any.
    """

    __slots__ = ("_changes", "_columns", "_declared", "_fixed", "_part", "_sql", "_texts")

    def __init__(
        self,
        declared: sa.ClauseElement,
        columns: Iterable[str] | None = None,
        *,
        part: PartOf | None = None,
    ) -> None:
        self._declared: Any = declared
        self._columns = None if columns is None else list(columns)
        self._part = part
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
        """Run a change once."""
        assert self._changes is not None
        sql = self._sql or self.sql
        part = None if self._part is None else self._part(values)
        return conn.change(self._changes, part, sql, self._told(values))

    def add(self, conn: Connection, /, **values: Any) -> int:
        """Run an insert once; the number of the new row."""
        number = self.run(conn, **values).lastrowid
        assert number is not None
        return number

    def _told(self, values: dict[str, Any]) -> list[Any]:
        """The values in the order of their places; what the statement does not name is left out."""
        if self._fixed:
            values = {**self._fixed, **values}
        return [
            value if (value := values[name]) is None or text is None else text(value)
            for name, text in self._texts
        ]

    def _compile(self) -> None:
        compiled = self._declared.compile(dialect=dialect(), column_keys=self._columns)
        # a name that stands in several places is one value
        binds: dict[str, sa.BindParameter[Any]] = {
            name: bind for bind, name in compiled.bind_names.items()
        }
        self._texts = tuple((name, _to_text(binds[name].type)) for name in compiled.positiontup)
        self._fixed = {name: bind.value for name, bind in binds.items() if not bind.required}
        for name in self._columns or ():
            if self._declared.table.c[name].nullable:
                self._fixed[name] = None
        self._sql = str(compiled)


class Query(Statement):
    """A statement with an answer: a select, or a change that returns its rows."""

    __slots__ = ("_reads", "_row", "_seen", "_tables")

    def all(self, conn: Connection, /, **values: Any) -> list[Any]:
        """Every row, as a named tuple of what its columns stand for."""
        return self._found(conn, _itself, values)[:]

    def made(self, conn: Connection, make: Callable[[Any], Made], /, **values: Any) -> list[Made]:
        """
        What ``make`` makes of every row.

        The same things again for as long as a row stays the same: nobody may change them, and
        ``make`` has to be one function and not a new one each time.
        """
        return self._found(conn, make, values)[:]

    def one(self, conn: Connection, make: Callable[[Any], Made], /, **values: Any) -> Made | None:
        """The same of the first row; None when there is none."""
        found = self._found(conn, make, values)
        return found[0] if found else None

    def first(self, conn: Connection, /, **values: Any) -> Any | None:
        """The first row; for what has one at most."""
        found = self._found(conn, _itself, values)
        return found[0] if found else None

    def value(self, conn: Connection, /, **values: Any) -> Any | None:
        """The first column of the first row; None when there is no row."""
        found = self._found(conn, _itself, values)
        return found[0][0] if found else None

    def _found(self, conn: Connection, make: Callable[[Any], Made], values: Values) -> list[Made]:
        sql = self._sql or self.sql
        part = None if self._part is None else self._part(values)
        if self._changes is not None:
            told = self._told(values)
            return self._all_made(make, conn.changed_rows(self._changes, part, sql, told))
        answers, question = conn.known(self._tables, part), (self, make, *values.values())
        found: list[Made] | None = answers.get(question)
        if found is None:
            # to the last row and at once: a statement that is not finished holds its view
            rows = conn.execute(sql, self._told(values)).fetchall()
            found = answers[question] = self._all_made(make, rows)
        return found

    def _all_made(self, make: Callable[[Any], Made], rows: list[Raw]) -> list[Made]:
        """Of rows, most of which were seen before."""
        read = self._read
        if make is _itself:
            return [read(row) for row in rows]
        seen = self._seen.setdefault(make, {})
        if len(seen) > SEEN_MAX:
            seen.clear()
        found: list[Made] = []
        for row in rows:
            thing = seen.get(row)
            if thing is None:
                thing = seen[row] = make(read(row))
            found.append(thing)
        return found

    def _read(self, row: Raw) -> Any:
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
        self._seen = _SEEN.setdefault(tuple(f"{c} {c.type!r}" for c in columns), {})
        self._tables = tables_of(self._declared)
        assert self._part is None or len(self._tables) == 1, "parts are of one table"
        super()._compile()


class Change:
    """An update whose columns are told when it is run: one statement for each set of them."""

    def __init__(
        self,
        table: sa.Table,
        *where: Any,
        returning: bool = False,
        part: PartOf | None = None,
    ) -> None:
        self._part = part
        self._declared: Any = table.update().where(*where)
        if returning:
            self._declared = self._declared.returning(table)
        self._made: dict[tuple[str, ...], Query] = {}

    def of(self, values: Mapping[str, Any]) -> Query:
        """The statement that sets what ``values`` names."""
        names = tuple(values)
        made = self._made.get(names)
        if made is None:
            made = self._made[names] = Query(self._declared, columns=names, part=self._part)
        return made


def tables_of(declared: sa.ClauseElement) -> tuple[str, ...]:
    """The tables that an answer is from."""
    parts = visitors.iterate(declared)
    return tuple(sorted({part.name for part in parts if isinstance(part, sa.Table)}))


def _itself(thing: Any) -> Any:
    return thing


def inserting(table: sa.Table, *, part: PartOf | None = None) -> Statement:
    """A new row; its number, if it has one, is given by the database."""
    names = [c.name for c in table.c if c.name != "seq"]
    return Statement(table.insert().inline(), names, part=part)


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
    if isinstance(kind, Prose):
        return prose_text
    if isinstance(kind, Document):
        return masked
    if isinstance(kind, Word):
        return str  # the driver would look for an adapter of the member
    if isinstance(kind, sa.Boolean):
        return int
    return _instant if isinstance(kind, Instant) else None


@lru_cache(TEXTS_KEPT, typed=True)
def _amount(value: Decimal) -> str:
    assert isinstance(value, Decimal)
    return decimal_text(value)


_instant = lru_cache(TEXTS_KEPT)(instant_text)


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
