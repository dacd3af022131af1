"""
A connection that remembers answers.

The ledger is asked the same questions again and again, most of which nothing has changed the
answer of: an answer is kept until a row of its tables changes. What this connection changes is
told to it; whether another process has committed something, SQLite says at each look.
"""

import sqlite3
from collections.abc import Callable
from typing import Any, Final

KEPT_MAX: Final = 256
"""Answers kept of one set of tables; one more, and they are forgotten together."""

Tables = tuple[str, ...]
Values = dict[str, Any]
Answers = dict[tuple[object, ...], Any]
Rows = list[tuple[Any, ...]]


class Connection(sqlite3.Connection):
    """The driver's, with a memory. Asked and told by ``statements`` alone."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._version = -1
        self._counted = 0
        self._answers: dict[Tables, Answers] = {}
        self._of_table: dict[str, list[Answers]] = {}

    def look(self) -> None:
        """Forget what may be otherwise by now: when a transaction begins, or a reader's turn."""
        (version,) = self.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self.forget()
            self._version = version

    def forget(self) -> None:
        """Every answer has to be had anew."""
        for answers in self._answers.values():
            answers.clear()
        self._counted = self.total_changes

    def rollback(self) -> None:
        super().rollback()
        self.forget()

    def known(self, tables: Tables) -> Answers:
        """The answers from these tables that still hold."""
        if self.total_changes != self._counted:  # by a statement that nobody told of
            self.forget()
        answers = self._answers.get(tables)
        if answers is None:
            answers = self._answers[tables] = {}
            for table in tables:
                self._of_table.setdefault(table, []).append(answers)
        if len(answers) >= KEPT_MAX:
            answers.clear()
        return answers

    def change(
        self, table: str, sql: str, values: Values, result: Callable[[sqlite3.Cursor], Any]
    ) -> Any:
        """Change rows of a table; what ``result`` takes from the cursor."""
        if self.total_changes != self._counted:
            self.forget()
        found = result(self.execute(sql, values))
        self._counted = self.total_changes
        for answers in self._of_table.get(table, ()):
            answers.clear()
        return found
