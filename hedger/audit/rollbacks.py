"""
What taking legs back cost, per market: the loss on the coins, the fees of taking them back, and
their share of the entry fees (``pnl.py``). Risk and economics read it.
"""

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from hedger.audit.pnl import Leg, leg_of
from hedger.domain.ids import Symbol
from hedger.domain.money import ZERO
from hedger.ledger import sqlite
from hedger.ledger.records import REVISION
from hedger.ledger.text import EXACT, instant_text


@dataclass(frozen=True, slots=True)
class RollbackCost:
    """
    How often legs of a market were taken back, and what it cost: positive is money lost.

    ``usd`` is None where the entry of one of them is not ours, so that its cost is unknown.
    """

    count: int  # hedges
    usd: Decimal | None


def rollback_costs(path: Path, since: datetime) -> Mapping[Symbol, RollbackCost]:
    """
    Per market, of the hedges that began at or after ``since``. Markets without one are absent.

    Raises:
        StateError: there is no ledger at ``path``, or not one of this version.
    """
    sqlite.check_revision(path, REVISION)
    with contextlib.closing(sqlite.connect(path, readonly=True)) as connection:
        connection.row_factory = sqlite3.Row
        counted: dict[Symbol, set[str]] = {}
        costs: dict[Symbol, Decimal | None] = {}
        for row in _rolled_back(connection, since, None, None):
            symbol = Symbol(row["symbol"])
            counted.setdefault(symbol, set()).add(row["id"])
            costs[symbol] = _more(costs.get(symbol, ZERO), _leg(row))
    return {symbol: RollbackCost(len(ids), costs[symbol]) for symbol, ids in counted.items()}


def leg_costs(
    connection: sqlite3.Connection, venue: str, since: datetime, until: datetime
) -> dict[str, tuple[int, Decimal | None]]:
    """Per market of one venue: how many legs were taken back, and what it cost."""
    found: dict[str, tuple[int, Decimal | None]] = {}
    for row in _rolled_back(connection, since, until, venue):
        count, cost = found.get(row["symbol"], (0, ZERO))
        found[row["symbol"]] = count + 1, _more(cost, _leg(row))
    return found


def _rolled_back(
    connection: sqlite3.Connection, since: datetime, until: datetime | None, venue: str | None
) -> list[sqlite3.Row]:
    conditions, values = ["x.created_at >= ?", "l.rollback_size <> '0'"], [instant_text(since)]
    if until is not None:
        conditions.append("x.created_at < ?")
        values.append(instant_text(until))
    if venue is not None:
        conditions.append("l.venue = ?")
        values.append(venue)
    parts = ", ".join(f"l.{name} AS a_{name}" for name in Leg.__dataclass_fields__)
    return connection.execute(
        f"SELECT x.id, x.symbol, {parts} FROM hedges x JOIN legs l ON l.hedge_id = x.id"  # noqa: S608 (our own words)
        f" WHERE {' AND '.join(conditions)} ORDER BY x.seq",
        values,
    ).fetchall()


def _leg(row: sqlite3.Row) -> Leg:
    return leg_of(dict(row), "a")


def _more(cost: Decimal | None, leg: Leg) -> Decimal | None:
    rolled = leg.rolled()
    if cost is None or rolled is None:
        return None
    price_usd, fees_usd = rolled
    return EXACT.add(cost, EXACT.subtract(fees_usd, price_usd))
