"""
``audit reconcile``: each hedge in its three views, and entries of the venues' books that belong
to no hedge of ours. Every difference stands here, with its reason.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from hedger.audit import views
from hedger.audit.queries import Filters
from hedger.domain.account import EntryKind
from hedger.domain.money import plain
from hedger.errors import UsageError
from hedger.ledger import sqlite
from hedger.ledger.records import REVISION
from hedger.ledger.text import instant_text

COLUMNS = (
    "hedge_id", "symbol", "venue", "fills_usd", "history_usd", "balance_usd", "state",
    *(f"{part}_{name}_usd" for part in views.PARTS for name in ("fills", "history")), "why",
)  # fmt: skip
Row = dict[str, Any]


def rows(path: Path, filters: Filters) -> Iterator[Row]:
    """
    Both legs of each hedge that traded, then what is nobody's.

    Raises:
        UsageError: ``state`` is none of those that the views have.
        StateError: there is no ledger at ``path``, or not one of this version.
    """
    states = [state.value for state in views.State]
    if filters.state not in (None, *states):
        raise UsageError(f"--state {filters.state} is none of {', '.join(states)}")
    for leg in views.of_hedges(path, filters):
        if filters.state in (None, leg.state):
            yield leg.row()
    if filters.hedge is None and filters.state in (None, views.State.DIFFER):
        yield from _nobodys(path, filters)


def _nobodys(path: Path, filters: Filters) -> Iterator[Row]:
    conditions, values = ["hedge_id IS NULL"], []
    for condition, value in (
        ("at >= ?", filters.since and instant_text(filters.since)),
        ("at < ?", filters.until and instant_text(filters.until)),
        ("symbol = ?", filters.market),
        ("venue = ?", filters.venue),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    sqlite.check_revision(path, REVISION)
    with contextlib.closing(sqlite.connect(path, readonly=True)) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute(
            f"SELECT * FROM account_entries WHERE {' AND '.join(conditions)} ORDER BY seq",  # noqa: S608 (our own words)
            values,
        )
        for entry in found:
            yield _nobody(entry)


def _nobody(entry: sqlite3.Row) -> Row:
    amount = plain(Decimal(entry["amount_usd"]))
    kind = EntryKind(entry["kind"])
    what = f"{kind} {entry['ref']} of {entry['at']}"
    if kind is EntryKind.UNEXPLAINED:
        what = f"the cash changed and no list of the venue says why, {entry['at']}"
    note = f" ({entry['note']})" if entry["note"] else ""
    row: Row = dict.fromkeys(COLUMNS)
    row |= {"symbol": entry["symbol"], "venue": entry["venue"], "history_usd": amount}
    if kind in views.PARTS:
        row[f"{kind}_history_usd"] = amount
    return row | {"state": views.State.DIFFER.value, "why": f"{what}: no hedge of ours{note}"}
