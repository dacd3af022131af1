"""
The tables of a ledger of any schema, for ``hedger audit bundle``.

Columns are asked for by name, so that what a later version keeps is not handed out unseen, and a
ledger of an older schema is read as it is: a column or a table that it lacks is noted, not missed.
"""

import sqlite3
from typing import Any, Final

from hedger.audit.recovered import CRASH_FOUND
from hedger.domain.hedge import TERMINAL
from hedger.errors import UsageError

Row = dict[str, Any]

SHOWN: Final = 5

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "hedges": (
        "id", "symbol", "venue_a", "venue_b", "side_a", "requested_usd", "planned_size", "state",
        "target", "reason", "created_at", "updated_at", "opened_at", "closed_at",
        "first_settlement_a", "first_settlement_b", "last_settlement_a", "last_settlement_b",
        "expected_net_bps",
    ),
    "legs": (
        "venue", "open_size", "open_usd", "open_fees_usd", "close_size", "close_usd",
        "close_fees_usd", "rollback_size", "rollback_usd", "rollback_fees_usd", "funding_usd",
        "funding_through",
    ),
    "orders": (
        "id", "venue", "symbol", "purpose", "attempt", "side", "size", "limit_price", "state",
        "filled_size", "filled_usd", "avg_price", "fee_usd", "status", "detail", "prepared_at",
        "done_at", "order_expires_at", "expires_at", "epoch", "lane", "nonce", "account",
        "client_id", "venue_order_id", "tx_hash",
    ),
    "burns": ("order_id", "lane", "nonce", "state", "prepared_at", "expires_at", "epoch"),
    "fillers": ("lane", "nonce", "prepared_at", "expires_at", "epoch"),
    "lanes": (
        "lane", "venue", "carries", "state", "reason", "changed_at", "cool_down_until",
        "mismatches", "resyncs", "drifts", "gaps", "cool_downs",
    ),
    "fills": (
        "venue", "trade_id", "order_id", "side", "size", "price", "fee_usd", "at", "is_maker",
    ),
    "events": (
        "seq", "at", "epoch", "level", "kind", "hedge_id", "from_state", "to_state", "text", "data",
    ),
    "alerts": ("at", "hedge_id", "text", "data", "acknowledged_at"),
    "position_observations": (
        "venue", "size", "entry_price", "read_started_at", "as_of", "source", "hedge_id",
    ),
    "funding_observations": (
        "venue", "rate_1h", "next_settlement_at", "interval_s", "mark_price", "index_price",
        "open_interest_usd", "as_of", "source",
    ),
    "funding_payments": (
        "venue", "payment_id", "settlement_at", "amount_usd", "rate_1h", "size", "mark_price",
        "booked_at",
    ),
    "account_entries": (
        "venue", "account", "kind", "ref", "part", "amount_usd", "size", "price", "at",
        "order_ref", "note", "booked_at",
    ),
    "fee_rates": ("venue", "maker", "taker", "as_of", "until"),
    "decisions": (
        "hour", "about", "code", "first_at", "last_at", "text", "times", "value_usd",
    ),
    "meta": ("key", "value", "at"),
}  # fmt: skip
"""All that is ever read; ``payload`` and its hash, which hold signatures, are not."""


class Ledger:
    """A ledger of any schema, opened to read only."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.lacks: list[str] = []
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        self._columns = {
            name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            for (name,) in tables.fetchall()
            if name in COLUMNS
        }

    def rows(self, table: str, rest: str, *values: Any) -> list[Row]:
        """Rows of a table; ``rest`` stands after ``WHERE``. What the schema lacks is None."""
        there = self._columns.get(table)
        if there is None:
            self._note(f"this ledger's schema has no {table.replace('_', ' ')}")
            return []
        wanted = [name for name in COLUMNS[table] if name in there]
        for name in COLUMNS[table]:
            if name not in there:
                self._note(f"this ledger's schema has no {name} of {table.replace('_', ' ')}")
        sql = f"SELECT {', '.join(wanted)} FROM {table} WHERE {rest}"  # noqa: S608 (our own words)
        empty = dict.fromkeys(COLUMNS[table])
        return [
            empty | dict(zip(wanted, row, strict=True))
            for row in self._connection.execute(sql, values)
        ]

    def epochs(self, first: int, last: int) -> list[Row]:
        """When each process that wrote in that range was seen, and how it began and ended."""
        names = ("epoch", "first_at", "last_at", "is_daemon", "said_goodbye", "found_crash")
        sql = (
            "SELECT epoch, min(at), max(at), max(kind = 'daemon_started'),"
            " max(kind = 'daemon_stopped'), max(kind = ?)"
            " FROM events WHERE epoch BETWEEN ? AND ? GROUP BY epoch ORDER BY epoch"
        )
        found = self._connection.execute(sql, (CRASH_FOUND, first, last + 1))
        return [dict(zip(names, row, strict=True)) for row in found]

    def _note(self, text: str) -> None:
        if text not in self.lacks:
            self.lacks.append(text)


def found(ledger: Ledger, name: str) -> Row:
    """
    The one hedge whose id is ``name`` or begins so; of several, the one that is not over.

    Raises:
        UsageError: none does, or several do.
    """
    rows = ledger.rows(
        "hedges", "id >= ? AND id < ? ORDER BY id LIMIT 100", name, name + "\U0010ffff"
    )
    exact = [row for row in rows if row["id"] == name]
    live = [row for row in rows if row["state"] not in TERMINAL]
    for several in (exact, rows, live):
        if len(several) == 1:
            return several[0]
    if not rows:
        raise UsageError(
            f"no hedge has the id {name!r} or one that begins so; `hedger audit hedges` lists them"
        )
    some = ", ".join(row["id"] for row in rows[:SHOWN])
    more = " and more" if len(rows) > SHOWN else ""
    raise UsageError(f"{len(rows)} hedges begin with {name!r} ({some}{more}); give one whole id")
