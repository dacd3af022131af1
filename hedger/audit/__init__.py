"""
Questions to the ledger, answered row by row from a file that is opened to read only.

Each kind yields dictionaries with the same keys in the same order, oldest first, their values
ready for JSON: amounts as exact strings, instants as ISO 8601 with a Z, unknown as null. The
rows come straight from SQLite, without SQLAlchemy and without being gathered: a database of
100,000 orders is streamed in the memory of a few hundred rows.
"""

import contextlib
import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from hedger.audit.pnl import of_hedge
from hedger.audit.queries import KINDS, Filters, Kind, compose
from hedger.errors import UsageError
from hedger.ledger import sqlite
from hedger.ledger.records import REVISION
from hedger.ledger.text import sum_texts

__all__ = ["KINDS", "Filters", "answers", "columns", "json_array", "rows"]

BATCH = 500


def rows(path: Path, kind: str, filters: Filters | None = None) -> Iterator[dict[str, Any]]:
    """
    Answer one question.

    Raises:
        UsageError: there is no such kind, or a filter does not apply to it.
        StateError: there is no ledger at ``path``, or not one of this version.
    """
    asked = _kind(kind)
    sql, values = compose(asked, filters or Filters())
    sqlite.check_revision(path, REVISION)
    return _answer(path, asked, sql, values)


def answers(
    connection: sqlite3.Connection, kind: str, filters: Filters | None = None
) -> Iterator[dict[str, Any]]:
    """
    The same over a connection that is open already; nothing is asked about its version.

    Raises:
        UsageError: there is no such kind, or a filter does not apply to it.
    """
    asked = _kind(kind)
    sql, values = compose(asked, filters or Filters())
    return _rows(connection, asked, sql, values)


def columns(kind: str) -> tuple[str, ...]:
    """
    The keys of every row of a kind, in order; also when there are no rows.

    Raises:
        UsageError: there is no such kind.
    """
    asked = _kind(kind)
    return tuple(FINISH.get(asked.name, _as_it_is)(dict.fromkeys(asked.columns)))


def json_array(found: Iterable[dict[str, Any]], out: TextIO) -> int:
    """Write the rows as one JSON array, a row on a line, as they come; how many there were."""
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    remaining = iter(found)
    count = 0
    out.write("[")
    while batch := list(itertools.islice(remaining, BATCH)):
        out.write("\n" if count == 0 else ",\n")
        out.write(",\n".join(map(encode, batch)))
        count += len(batch)
    out.write("\n]\n" if count else "]\n")
    return count


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise UsageError(f"there is nothing to audit called {name!r}; one of {', '.join(KINDS)}")
    return KINDS[name]


def _answer(path: Path, kind: Kind, sql: str, values: list[Any]) -> Iterator[dict[str, Any]]:
    with contextlib.closing(sqlite.connect(path, readonly=True)) as connection:
        yield from _rows(connection, kind, sql, values)


def _rows(
    connection: sqlite3.Connection, kind: Kind, sql: str, values: list[Any]
) -> Iterator[dict[str, Any]]:
    keys, finish = tuple(kind.columns), FINISH.get(kind.name, _as_it_is)
    for row in sqlite.rows(connection, sql, values):
        # the sort key at the end of the row has no name and is left out
        yield finish(dict(zip(keys, row, strict=False)))


def _as_it_is(row: dict[str, Any]) -> dict[str, Any]:
    return row


def _order(row: dict[str, Any]) -> dict[str, Any]:
    row["reduce_only"] = row["purpose"] != "open"
    return row


def _event(row: dict[str, Any]) -> dict[str, Any]:
    row["data"] = json.loads(row["data"] or "{}")
    return row


def _hedge(row: dict[str, Any]) -> dict[str, Any]:
    for leg in "ab":
        sizes = [row.pop(f"{what}_{leg}") for what in ("open", "close", "rollback")]
        row[f"size_{leg}"] = sum_texts(sizes)
    return row


def _lane(row: dict[str, Any]) -> dict[str, Any]:
    """How many of the orders with a known end used their nonce; unknown before the first."""
    ended = [row[name] for name in ("confirmed", "refused", "dead")]
    known = None not in ended and sum(ended) > 0
    row["success_rate"] = f"{row['confirmed'] / sum(ended):.4f}" if known else None
    return row


FINISH = {
    "orders": _order,
    "events": _event,
    "hedges": _hedge,
    "pnl": of_hedge,
    "lanes": _lane,
}
"""What SQL cannot say exactly, or not as JSON has it."""
