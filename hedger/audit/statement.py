"""
Statements from the venues' own books: by venue, by day, by market, or line by line.

Each account begins with the cash it had before the first entry that was read, and every change
of its cash is an entry; what no list of the venue explains stands there as unexplained. So
opening, entries and closing add up, and the closing is held against the newest reading of the
balance: ``difference_usd`` is what it lacks. Days are UTC days of the venues' stamps; a funding
payment stands on the day of its settlement, on the venue's market clock.
"""

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hedger.audit.rollbacks import leg_costs
from hedger.audit.spans import COLUMNS, SUMS, By, Span, month
from hedger.domain.account import EntryKind
from hedger.domain.money import ZERO, plain
from hedger.errors import UsageError
from hedger.ledger import sqlite
from hedger.ledger.records import REVISION
from hedger.ledger.text import EXACT, instant_text

__all__ = ["COLUMNS", "By", "Span", "month", "rows"]

CURRENCY = "USD"  # X10's collateral; Lighter's is USDC, counted as the same
Row = dict[str, Any]
Sums = dict[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """One account with its opening; None where its balance was never read."""

    venue: str
    account: str
    base_usd: Decimal | None


def rows(
    path: Path, span: Span, by: By, *, market: str | None = None, venue: str | None = None
) -> Iterator[Row]:
    """
    One statement, in the order of venues and time.

    Raises:
        UsageError: a market is asked of a statement of balances, which has none.
        StateError: there is no ledger at ``path``, or not one of this version.
    """
    if market is not None and by in {By.VENUE, By.DAY}:
        raise UsageError(f"--by {by} adds up to a balance, which has no market; use --by market")
    sqlite.check_revision(path, REVISION)
    with contextlib.closing(sqlite.connect(path, readonly=True)) as connection:
        connection.row_factory = sqlite3.Row
        for account in _accounts(connection, venue):
            for row in _TABLES[by](connection, account, span):
                if market is None or row["symbol"] == market:
                    yield row


def _accounts(connection: sqlite3.Connection, venue: str | None) -> list[_Account]:
    found = connection.execute(
        "SELECT venue, account FROM balance_readings"
        " UNION SELECT venue, account FROM account_entries ORDER BY venue, account"
    ).fetchall()
    accounts = []
    for row in found:
        base = connection.execute(
            "SELECT base_usd FROM balance_readings WHERE venue = ? AND account = ?"
            " ORDER BY seq DESC LIMIT 1",
            tuple(row),
        ).fetchone()
        base_usd = None if base is None else Decimal(base["base_usd"])
        if venue in (None, row["venue"]):
            accounts.append(_Account(venue=row["venue"], account=row["account"], base_usd=base_usd))
    return accounts


def _entries(
    connection: sqlite3.Connection, account: _Account, start: datetime, end: datetime
) -> Iterator[sqlite3.Row]:
    cursor = connection.execute(
        "SELECT * FROM account_entries WHERE venue = ? AND account = ? AND at >= ? AND at < ?"
        " ORDER BY at, seq",
        [account.venue, account.account, instant_text(start), instant_text(end)],
    )
    while batch := cursor.fetchmany(500):
        yield from batch


def _opening(connection: sqlite3.Connection, account: _Account, span: Span) -> Decimal | None:
    if account.base_usd is None:
        return None
    begin = datetime(1, 1, 1, tzinfo=UTC)
    total = account.base_usd
    for entry in _entries(connection, account, begin, span.start):
        total = EXACT.add(total, Decimal(entry["amount_usd"]))
    return total


def _by_venue(connection: sqlite3.Connection, account: _Account, span: Span) -> Iterator[Row]:
    sums: Sums = defaultdict(lambda: ZERO)
    for entry in _entries(connection, account, span.start, span.end):
        _count(sums, entry)
    opening = _opening(connection, account, span)
    closing = _plus(opening, sums)
    reading = _reading(connection, account, span)
    yield {
        "month": span.name,
        "venue": account.venue,
        "account": account.account,
        "opening_usd": _text(opening),
        **{name: plain(sums[name]) for name in SUMS},
        "closing_usd": _text(closing),
        **_held_against(closing, reading),
    }


def _held_against(closing: Decimal | None, reading: tuple[Decimal, str] | None) -> Row:
    if closing is None or reading is None:
        return {"reading_usd": None, "reading_at": None, "difference_usd": None}
    cash, at = reading
    return {
        "reading_usd": plain(cash),
        "reading_at": at,
        "difference_usd": plain(EXACT.subtract(cash, closing)),
    }


def _reading(
    connection: sqlite3.Connection, account: _Account, span: Span
) -> tuple[Decimal, str] | None:
    """
    The newest reading of the span, brought to the span's end by the entries after it.

    Entries that it has but that are stamped after the span are taken off again.
    """
    row = connection.execute(
        "SELECT cash_usd, until, through FROM balance_readings WHERE venue = ? AND account = ?"
        " AND as_of < ? ORDER BY seq DESC LIMIT 1",
        [account.venue, account.account, instant_text(span.end)],
    ).fetchone()
    if row is None:
        return None
    cash = Decimal(row["cash_usd"])
    moved = connection.execute(
        "SELECT amount_usd, seq <= ? AS had FROM account_entries WHERE venue = ? AND account = ?"
        " AND (seq > ?) = (at < ?)",
        [row["through"], account.venue, account.account, row["through"], instant_text(span.end)],
    )
    for entry in moved:
        amount = Decimal(entry["amount_usd"])
        cash = EXACT.subtract(cash, amount) if entry["had"] else EXACT.add(cash, amount)
    return cash, row["until"]


def _by_day(connection: sqlite3.Connection, account: _Account, span: Span) -> Iterator[Row]:
    opening = _opening(connection, account, span)
    day, sums = "", defaultdict[str, Decimal](lambda: ZERO)

    def row() -> Row:
        return {
            "day": day,
            "venue": account.venue,
            "account": account.account,
            "opening_usd": _text(opening),
            **{name: plain(sums[name]) for name in SUMS},
            "closing_usd": _text(_plus(opening, sums)),
        }

    for entry in _entries(connection, account, span.start, span.end):
        if entry["at"][:10] != day:
            if day:
                yield row()
            opening = _plus(opening, sums)
            day, sums = entry["at"][:10], defaultdict(lambda: ZERO)
        _count(sums, entry)
    if day:
        yield row()


def _by_market(connection: sqlite3.Connection, account: _Account, span: Span) -> Iterator[Row]:
    sums: dict[str, Sums] = defaultdict(lambda: defaultdict(lambda: ZERO))
    for entry in _entries(connection, account, span.start, span.end):
        of_market = sums[entry["symbol"]]
        _count(of_market, entry)
        if entry["kind"] == EntryKind.FEE:
            value = EXACT.multiply(abs(Decimal(entry["size"])), Decimal(entry["price"]))
            of_market["traded"] = EXACT.add(of_market["traded"], value)
            of_market["trades"] += 1
    costs = leg_costs(connection, account.venue, span.start, span.end)
    for symbol in sorted(sums):
        of_market = sums[symbol]
        count, cost = costs.get(symbol, (0, ZERO))
        yield {
            "month": span.name,
            "venue": account.venue,
            "account": account.account,
            "symbol": symbol,
            "trades": int(of_market["trades"]),
            "traded_usd": plain(of_market["traded"]),
            **{name: plain(of_market[name]) for name in SUMS},
            "net_usd": _text(_plus(ZERO, of_market)),
            "rollbacks": count,
            "rollback_cost_usd": _text(cost),
        }


def _by_entry(connection: sqlite3.Connection, account: _Account, span: Span) -> Iterator[Row]:
    for entry in _entries(connection, account, span.start, span.end):
        yield {
            "at": entry["at"],
            "venue": account.venue,
            "account": account.account,
            "type": entry["kind"],
            "symbol": entry["symbol"],
            "size": entry["size"],
            "price_usd": entry["price"],
            "amount_usd": entry["amount_usd"],
            "currency": CURRENCY,
            "ref": entry["ref"],
            "order_ref": entry["order_ref"],
            "hedge_id": entry["hedge_id"],
            "note": entry["note"],
        }


def _count(sums: Sums, entry: sqlite3.Row) -> None:
    for name, kind in SUMS.items():
        if entry["kind"] == kind:
            sums[name] = EXACT.add(sums[name], Decimal(entry["amount_usd"]))


def _plus(opening: Decimal | None, sums: Sums) -> Decimal | None:
    if opening is None:
        return None
    total = opening
    for name in SUMS:
        total = EXACT.add(total, sums[name])
    return total


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


_TABLES: dict[By, Callable[[sqlite3.Connection, _Account, Span], Iterator[Row]]] = {
    By.VENUE: _by_venue,
    By.DAY: _by_day,
    By.MARKET: _by_market,
    By.ENTRY: _by_entry,
}
