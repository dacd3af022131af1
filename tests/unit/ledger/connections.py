"""Whether everything that is opened is closed, on any version of Python (3.13 alone warns)."""

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from hedger.ledger import sqlite
from hedger.ledger.connection import Connection


@contextlib.contextmanager
def every_connection_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Connection]]:
    """What is opened in it has to be closed by its end, and not left to the collector."""
    made: list[Connection] = []

    class Noted(Connection):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(sqlite, "Connection", Noted)
    try:
        yield made
    finally:
        left = [connection for connection in made if _is_open(connection)]
        for connection in left:
            connection.close()
    assert made
    assert not left


def _is_open(connection: Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return False
    return True
