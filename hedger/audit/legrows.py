"""The rows of one leg of a hedge, and what follows from them by arithmetic; for ``views``."""

import itertools
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hedger.domain.account import Books, EntryKind, Holding
from hedger.domain.money import ZERO, plain
from hedger.domain.order import Purpose
from hedger.ledger.text import EXACT, instant_text, parse_instant

SETTLED = timedelta(seconds=5)
"""How long after the end of a hedge a reading of the cash is believed to have seen it."""

LOOK_BACK = timedelta(hours=3)
"""How far before a leg's first settlement rates are asked for."""

SEEN = "settlements_seen:"
"""Meta key ``settlements_seen:venue``: JSON, each settlement and when it was first the next one."""

STILL = "settlements_still:"
"""Meta key ``settlements_still:venue``: the same, and when it was last seen to be the next one."""

LAST = "9999"  # after every instant
Row = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class LegRows:
    """The rows of one leg."""

    venue: str
    account: str
    fills: list[Row]
    payments: list[Row]
    entries: list[Row]
    fee_rates: list[Row]  # oldest first
    settled: list[Row]  # settled rates of its market, oldest first
    seen: Mapping[str, str]  # settlement: when it was first seen as the next one, on our clock
    still: Mapping[str, str]  # and when it was last
    books: Books
    problems: list[str] = field(default_factory=list)


def books_key(venue: str) -> str:
    """Where the ledger keeps how a venue rounds."""
    return f"books:{venue}"


def books_text(books: Books) -> str:
    """How a venue rounds, for the ledger."""
    step = books.entry_step
    return json.dumps(
        {"usd_step": plain(books.usd_step), "entry_step": None if step is None else plain(step)}
    )


def rows_of_leg(connection: sqlite3.Connection, row: Row, venue: str, account: str) -> LegRows:
    """Everything the ledger has of one leg of a hedge, which is a row of the question ``pnl``."""
    hedge, symbol = row["id"], row["symbol"]
    return LegRows(
        venue=venue,
        account=account,
        fills=ask(
            connection,
            "SELECT f.trade_id, f.side, f.size, f.price, f.fee_usd, f.is_maker, o.purpose,"
            " o.prepared_at, MAX(o.done_at, f.at) AS done_at FROM fills f"
            " JOIN orders o ON o.id = f.order_id WHERE f.hedge_id = ? AND f.venue = ?"
            " ORDER BY f.at, CAST(f.trade_id AS INTEGER)",
            [hedge, venue],
        ),
        payments=ask(
            connection,
            "SELECT payment_id, amount_usd, size, settlement_at, mark_price FROM funding_payments"
            " WHERE hedge_id = ? AND venue = ?",
            [hedge, venue],
        ),
        entries=ask(
            connection,
            "SELECT seq, kind, ref, amount_usd, note, at FROM account_entries"
            " WHERE hedge_id = ? AND venue = ? AND account = ? ORDER BY seq",
            [hedge, venue, account],
        ),
        fee_rates=ask(
            connection,
            "SELECT maker, taker, as_of, until FROM fee_rates"
            " WHERE venue = ? AND account = ? AND symbol = ? ORDER BY seq",
            [venue, account, symbol],
        ),
        settled=_settled(connection, venue, symbol, row, "ab"[venue == row["venue_b"]]),
        seen=_meta(connection, SEEN + venue),
        still=_meta(connection, STILL + venue),
        books=_books(connection, venue),
    )


def _settled(
    connection: sqlite3.Connection, venue: str, symbol: str, row: Row, name: str
) -> list[Row]:
    """Around the settlements of a leg; those before tell how far they lie apart."""
    first = row[f"first_settlement_{name}"]
    if first is None:
        return []
    return ask(
        connection,
        "SELECT settlement_at, rate_1h, per_coin_usd FROM settled_rates"
        " WHERE venue = ? AND symbol = ? AND settlement_at >= ? AND settlement_at <= ?"
        " ORDER BY settlement_at",
        [
            venue,
            symbol,
            instant_text(parse_instant(first) - LOOK_BACK),
            row[f"last_settlement_{name}"] or LAST,
        ],
    )


def settled(connection: sqlite3.Connection, hedge: Row, found: LegRows) -> Row | None:
    """The first reading after the end that base and entries make, with all of this hedge's."""
    ended = parse_instant(hedge["closed_at"]) if hedge["closed_at"] else None
    if ended is None:
        return None
    newest = max((entry["seq"] for entry in found.entries), default=0)
    rows = ask(
        connection,
        "SELECT cash_usd, through FROM balance_readings WHERE venue = ? AND account = ?"
        " AND until >= ? AND through >= ? AND differs_since IS NULL ORDER BY until LIMIT 1",
        [found.venue, found.account, instant_text(ended + SETTLED), newest],
    )
    return rows[0] if rows else None


def balance(
    connection: sqlite3.Connection, hedge: Row, found: LegRows, after: Row
) -> Decimal | None:
    """What the cash changed by, less the entries of other hedges; None without a reading before."""
    rows = ask(
        connection,
        "SELECT cash_usd, through FROM balance_readings WHERE venue = ? AND account = ?"
        " AND as_of <= ? AND differs_since IS NULL ORDER BY as_of DESC, seq DESC LIMIT 1",
        [found.venue, found.account, hedge["created_at"]],
    )
    if not rows or any(entry["seq"] <= rows[0]["through"] for entry in found.entries):
        return None
    others = ask(
        connection,
        "SELECT amount_usd FROM account_entries WHERE venue = ? AND account = ?"
        " AND seq > ? AND seq <= ? AND hedge_id IS NOT NULL AND hedge_id <> ?",
        [found.venue, found.account, rows[0]["through"], after["through"], hedge["id"]],
    )
    change = EXACT.subtract(Decimal(after["cash_usd"]), Decimal(rows[0]["cash_usd"]))
    return EXACT.subtract(change, total(Decimal(row["amount_usd"]) for row in others))


def results(found: LegRows) -> list[tuple[str, Decimal]]:
    """What each of our fills realised, as the venue rounds it."""
    holding = Holding(found.books)
    return [
        (fill["trade_id"], holding.fill(signed(fill), Decimal(fill["price"])))
        for fill in found.fills
    ]


def sizes(found: LegRows) -> list[Decimal]:
    """Flat, and every size that our fills made, the last one last."""
    held = [ZERO]
    for fill in found.fills:
        held.append(held[-1] + signed(fill))
    return held


def entry_is_ours(found: LegRows) -> bool:
    """Whether no order that takes coins off took off more than our fills had brought."""
    held = sizes(found)
    return not any(
        fill["purpose"] != Purpose.OPEN and abs(after) > abs(before)
        for fill, (before, after) in zip(found.fills, itertools.pairwise(held), strict=True)
    )


def signed(fill: Row) -> Decimal:
    """The coins of a fill, negative when sold."""
    size = Decimal(fill["size"])
    return size if fill["side"] == "buy" else -size


def by_ref(found: LegRows, kind: EntryKind) -> dict[str, Decimal]:
    """What the venue's books have under each of its ids."""
    sums: dict[str, Decimal] = {}
    for entry in found.entries:
        if entry["kind"] == kind:
            amount = Decimal(entry["amount_usd"])
            sums[entry["ref"]] = EXACT.add(sums.get(entry["ref"], ZERO), amount)
    return sums


def by_settlement(found: LegRows) -> dict[str, Decimal]:
    """The funding in the venue's books by settlement."""
    sums: dict[str, Decimal] = {}
    for entry in found.entries:
        if entry["kind"] == EntryKind.FUNDING:
            amount = Decimal(entry["amount_usd"])
            sums[entry["at"]] = EXACT.add(sums.get(entry["at"], ZERO), amount)
    return sums


def _meta(connection: sqlite3.Connection, key: str) -> Any:
    rows = ask(connection, "SELECT value FROM meta WHERE key = ?", [key])
    return json.loads(rows[0]["value"]) if rows else {}


def _books(connection: sqlite3.Connection, venue: str) -> Books:
    stored: Mapping[str, str | None] = _meta(connection, books_key(venue))
    if not stored:
        return Books()
    step = stored["entry_step"]
    return Books(
        usd_step=Decimal(str(stored["usd_step"])),
        entry_step=None if step is None else Decimal(step),
    )


def ask(connection: sqlite3.Connection, sql: str, values: list[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(sql, values)]


def total(values: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    result = ZERO
    for value in values:
        result = EXACT.add(result, value)
    return result
