"""
A connection that remembers answers.

The ledger is asked the same questions again and again, most of which nothing has changed the
answer of: an answer is kept until a row of its tables changes. What this connection changes is
told to it; whether another process has committed something, SQLite says at each look.

A table may have parts, say the rows of one hedge: an answer from one part outlives the changes of
others. And what a function made of answers is kept for as long as each of them.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, TypeVarTuple

KEPT_MAX: Final = 256
"""Answers kept of one set of tables or one part; one more, and they are forgotten together."""

PARTS_MAX: Final = 256
"""Parts of one table of which answers are kept; the same."""

CONCLUDED_MAX: Final = 2_048
"""Functions and arguments of which it is kept what they found; the same."""

Tables = tuple[str, ...]
Part = object
Values = Sequence[Any]
Rows = list[tuple[Any, ...]]
Found = TypeVar("Found")
_Args = TypeVarTuple("_Args")


class Answers(dict[tuple[object, ...], Any]):
    """
    Answers from the same rows.

    Attributes:
        ended: how often they have ceased to hold.
    """

    __slots__ = ("ended",)

    def __init__(self) -> None:
        super().__init__()
        self.ended = 0

    def end(self) -> None:
        """They hold no longer."""
        self.clear()
        self.ended += 1


Reasons = list[tuple[Answers, int]]
"""Answers that were asked for, and how often they had ended by then."""

COPIED: Final = (list, dict)


class Connection(sqlite3.Connection):
    """The driver's, with a memory. Asked and told by ``statements`` alone."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._version = -1
        self._counted = 0
        self._whole: dict[Tables, Answers] = {}
        self._of_table: dict[str, list[Answers]] = {}
        self._parts: dict[str, dict[Part, Answers]] = {}
        self._concluded: dict[tuple[object, ...], tuple[Any, Reasons]] = {}
        self._asked: Reasons | None = None  # by the function that is running

    def look(self) -> None:
        """Forget what may be otherwise by now: when a transaction begins, or a reader's turn."""
        (version,) = self.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self.forget()
            self._version = version

    def forget(self) -> None:
        """Every answer has to be had anew."""
        for answers in self._whole.values():
            answers.end()
        for parts in self._parts.values():
            _end(parts)
        self._counted = self.total_changes

    def rollback(self) -> None:
        super().rollback()
        self.forget()

    def concluded(
        self, read: Callable[["Connection", *_Args], Found], args: tuple[*_Args]
    ) -> Found:
        """
        What a function finds, which asks nothing but this connection.

        Lists and mappings are the caller's own.
        """
        if self.total_changes != self._counted:  # by a statement that nobody told of
            self.forget()
        question, outer = (read, args), self._asked
        known = self._concluded.get(question)
        if known is None or not _holds(known[1]):
            asked: Reasons = []
            self._asked = asked
            try:
                known = (read(self, *args), asked)
            finally:
                self._asked = outer
            if len(self._concluded) >= CONCLUDED_MAX:
                self._concluded.clear()
            self._concluded[question] = known
        if outer is not None:
            outer.extend(known[1])
        found: Found = known[0]
        return found.copy() if isinstance(found, COPIED) else found  # type: ignore[return-value]

    def known(self, tables: Tables, part: Part = None) -> Answers:
        """The answers that still hold: from these tables, or from a part of the only one."""
        if self.total_changes != self._counted:  # by a statement that nobody told of
            self.forget()
        if part is None:
            answers = self._whole.get(tables)
        else:
            answers = self._parts[tables[0]].get(part) if tables[0] in self._parts else None
        if answers is None:
            answers = self._begun(tables, part)
        if len(answers) >= KEPT_MAX:
            answers.clear()
        if self._asked is not None:
            self._asked.append((answers, answers.ended))
        return answers

    def _begun(self, tables: Tables, part: Part) -> Answers:
        """Where answers are going to be kept."""
        answers = Answers()
        if part is not None:
            (table,) = tables
            parts = self._parts.setdefault(table, {})
            if len(parts) >= PARTS_MAX:
                _end(parts)
            parts[part] = answers
            return answers
        self._whole[tables] = answers
        for table in tables:
            self._of_table.setdefault(table, []).append(answers)
        return answers

    def change(self, table: str, part: Part, sql: str, values: Values) -> sqlite3.Cursor:
        """Change rows of a table; of one part of it alone, unless that is None."""
        if self.total_changes != self._counted:
            self.forget()
        cursor = self.execute(sql, values)
        self._changed(table, part)
        return cursor

    def changed_rows(self, table: str, part: Part, sql: str, values: Values) -> Rows:
        """The same of a statement that answers with the rows it changed."""
        if self.total_changes != self._counted:
            self.forget()
        rows = self.execute(sql, values).fetchall()
        self._changed(table, part)
        return rows

    def _changed(self, table: str, part: Part) -> None:
        self._counted = self.total_changes
        for answers in self._of_table.get(table, ()):
            answers.end()
        parts = self._parts.get(table)
        if parts is None:
            return
        if part is None:
            _end(parts)
        elif part in parts:
            parts[part].end()


def _holds(reasons: Reasons) -> bool:
    """Whether none of the answers has ended since it was asked for."""
    for answers, ended in reasons:  # noqa: SIM110 - a generator takes twice as long
        if answers.ended != ended:
            return False
    return True


def _end(parts: dict[Part, Answers]) -> None:
    """No part is known any more."""
    for answers in parts.values():
        answers.end()
    parts.clear()
