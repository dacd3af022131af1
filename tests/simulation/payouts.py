"""
The judge of money: funding is booked once, to the hedge that held the position, and sums agree.

Who held a position follows from the engine alone: its trades and payments have numbers of one row.
What has been in a venue's list for ``OWED_CHANCES`` undisturbed turns of the daemon's job has to be
in the ledger; until then it may be, and nothing else.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapters.sandbox.engine.account_types import PaymentView
from adapters.sandbox.engine.types import TradeKind, TradeView
from hedger import audit
from tests.simulation.exchange import Venues
from tests.simulation.faults import Ill

VENUES = ("x10", "lighter")
ZERO = Decimal(0)
LISTED_S = 60.0  # X10 lists a payment 41 s after its hour
OWED_CHANCES = 4
"""The list is read again when the settlement is twice as long ago; that skips turns between."""

UNLISTED: frozenset[Ill] = frozenset({Ill.FORGETS, Ill.RENUMBERED})
"""While one of them lasts, a list of payments is not whole, or not known to be of our markets."""

FOUND = "?"
KNOWN_CHANCES = 4
"""The first sees the next settlement, another is late enough to have everything before it."""

Settlement = tuple[str, str, str]
"""Venue, market and hour, as ``2026-01-02T22``."""


@dataclass(frozen=True, slots=True)
class Paid:
    """One payment, and whose it is: a hedge, nobody of ours (""), or not to be told (None)."""

    view: PaymentView
    hedge: str | None
    listed_s: float


def broken(
    path: Path,
    venues: Venues,
    chances: Sequence[float],
    epoch_ms: int,
    *,
    dedicated: bool,
    lost: Container[tuple[str, str]] = (),
) -> Iterator[str]:
    """
    What the ledger at ``path`` has wrong of the venues' payments, one sentence each.

    ``chances`` are the loop's seconds at which the daemon's job began, no message failed and the
    lists were whole.
    ``lost`` are the venues and markets of which a venue has lost its record for ever: what had
    not been booked by then nobody can book, and nothing is owed there; what is booked is judged.
    """
    with closing(sqlite3.connect(path)) as conn:
        holders = {
            (venue, client): hedge
            for venue, client, hedge in conn.execute(
                "SELECT venue, client_id, CASE WHEN first_settlement_a IS NULL THEN '?' ELSE"
                " hedge_id END FROM orders JOIN hedges ON hedges.id = orders.hedge_id"
            )
        }
        booked = {
            (venue, symbol, at[:13]): (number, hedge, Decimal(amount))
            for venue, symbol, at, number, hedge, amount in conn.execute(
                "SELECT venue, symbol, settlement_at, payment_id, hedge_id, amount_usd"
                " FROM funding_payments"
            )
        }
        found = {
            hedge
            for (hedge,) in conn.execute("SELECT id FROM hedges WHERE first_settlement_a IS NULL")
        }
        days = conn.execute("SELECT day, venue, payments, funding_usd FROM days").fetchall()
    paid = dict(_paid(venues, holders, epoch_ms, dedicated=dedicated))
    for key, one in paid.items():
        row = booked.get(key)
        where = f"{key[0]} payment of {key[1]} at {key[2]}"
        if row is not None and one.hedge is not None and (row[1] or "") != one.hedge:
            yield f"{where} is booked to {row[1]}, and {one.hedge or 'nobody'} held the position"
        turns = sum(at_s >= one.listed_s for at_s in chances)
        owed = bool(one.hedge) and key[:2] not in lost
        if row is None and owed and turns >= OWED_CHANCES:
            yield f"{where} is in the list for {turns} undisturbed turns, and not in the ledger"
    for key, (number, _, amount) in booked.items():
        if key not in paid:
            yield f"{key[0]} payment {number} of {key[1]} at {key[2]} was never made"
        elif paid[key].view.amount != amount:
            yield f"{key[0]} payment {number} is {amount}, and {paid[key].view.amount} was paid"
    rows = list(audit.rows(path, "pnl", audit.Filters(limit=0)))
    yield from _sums(rows, booked, days)
    known = [row for row in rows if all((venue, row["symbol"]) not in lost for venue in VENUES)]
    yield from _unknown(known, found, chances, epoch_ms)


def _unknown(
    rows: Sequence[Mapping[str, Any]],
    found: Container[str],
    chances: Sequence[float],
    epoch_ms: int,
) -> Iterator[str]:
    """Funding of hedges that are over and that stays unknown though it could be known."""
    for row in rows:
        if row["closed_at"] is None or row["funding_usd"] is not None or row["id"] in found:
            continue
        closed_ms = datetime.fromisoformat(row["closed_at"]).timestamp() * 1000
        turns = sum(at_s >= (closed_ms - epoch_ms) / 1000 for at_s in chances)
        if turns >= KNOWN_CHANCES:
            yield f"the funding of {row['id']} is unknown {turns} undisturbed turns after its end"


def _sums(
    rows: Sequence[Mapping[str, Any]],
    booked: Mapping[Settlement, tuple[str, str | None, Decimal]],
    days: Sequence[tuple[str, str, int, str]],
) -> Iterator[str]:
    """What ``hedger audit`` adds up, of hedges and of days."""
    of_hedge: dict[str, Decimal] = defaultdict(Decimal)
    of_day: dict[tuple[str, str], tuple[int, Decimal]] = defaultdict(lambda: (0, ZERO))
    for (venue, _, hour), (_, hedge, amount) in booked.items():
        if hedge is not None:
            of_hedge[hedge] += amount
        count, total = of_day[hour[:10], venue]
        of_day[hour[:10], venue] = (count + 1, total + amount)
    for row in rows:
        name, made = row["id"], of_hedge[row["id"]]
        for what in ("funding_booked_usd", "funding_usd"):
            shown = row[what]
            if shown is not None and Decimal(shown) != made:
                yield f"the {what} of {name} is {shown}, and its payments make {made}"
    for day, venue, told, shown in days:
        count, total = of_day[day, venue]
        if (told, Decimal(shown)) != (count, total):
            yield f"{day} on {venue} has {told} payments of {shown}, and {count} make {total}"


def _paid(
    venues: Venues, holders: Mapping[tuple[str, str], str], epoch_ms: int, *, dedicated: bool
) -> Iterator[tuple[Settlement, Paid]]:
    for venue in VENUES:
        exchange, account = venues.exchange(venue), venues.account(venue)
        held: dict[str, str | None] = {}  # by market: whose order made the position
        happened: list[TradeView | PaymentView] = [
            *exchange.trades(account),
            *exchange.payments(account),
        ]
        for one in sorted(happened, key=lambda one: one.id):
            if not isinstance(one, PaymentView):
                owner = holders.get((venue, one.client_id))
                held[one.symbol] = _holder(one, held.get(one.symbol), owner, dedicated=dedicated)
                continue
            listed_ms = max(one.at_ms, exchange.paying.listed_ms(one))
            hour = datetime.fromtimestamp(one.settlement_ms / 1000, UTC).isoformat()[:13]
            listed_s = (listed_ms - epoch_ms) / 1000 + LISTED_S
            yield (venue, one.symbol, hour), Paid(one, _told(held.get(one.symbol)), listed_s)


def _told(holder: str | None) -> str | None:
    """A position that was found has no first settlement that is known, so nothing is owed."""
    return None if holder == FOUND else holder


def _holder(
    trade: TradeView, before: str | None, owner: str | None, *, dedicated: bool
) -> str | None:
    """Whose the position is after a trade: that of the hedge that last made it larger."""
    signed = trade.size if trade.is_buy else -trade.size
    if trade.size_before * signed < ZERO and abs(signed) <= abs(trade.size_before):
        # somebody else's closing leaves it open, on a shared account, whose the rest is
        others = owner is None and trade.kind is TradeKind.TRADE
        return None if others and not dedicated else before
    holder = owner or ""
    if trade.size_before != ZERO and holder != before:
        return None  # two of them made it, or it was not to be told before
    return holder
