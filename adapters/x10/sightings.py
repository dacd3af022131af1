"""
What became of an order, from X10's order rows and trade rows. Pure.

The traps (x10.md §3.3): an immediate order that filled in part ends CANCELLED with a
``filledQty``, so CANCELLED says nothing about what was traded; ``filledQty`` may be missing;
trades carry the venue's order id but not ours; one of our ids may lead to several orders.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from adapters.x10.fields import Row
from hedger.domain.ids import VenueId
from hedger.domain.money import ZERO
from hedger.domain.order import Fill, Found, Order, Side
from hedger.errors import ContradictionError

FILLED = "FILLED"
FINAL = frozenset({FILLED, "CANCELLED", "REJECTED", "EXPIRED"})
"""Statuses after which the venue does nothing more; any other word is not final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderState:
    """One row of X10's order tables. ``filled`` is None where the venue does not say."""

    id: str
    status: str
    final: bool
    filled: Decimal | None
    created_at: datetime
    updated_at: datetime


def same_id(row: Row, client_id: str) -> bool:
    """Whether the row is about our order."""
    return row.has("externalId") and row.id("externalId") == client_id


def order_state(row: Row, order: Order, names: AbstractSet[str]) -> OrderState:
    """
    One row, checked to be the order that we sent.

    Its side is that of its trades: what it did is booked as it was.

    Raises:
        ContradictionError: it has our id, but another market.
    """
    if row.word("market") not in names:
        raise ContradictionError(order.venue, f"{order.id} is there on {row.word('market')}")
    word = row.word("status").upper()
    return OrderState(
        id=row.id("id"),
        status=_words(row, word),
        final=word in FINAL,
        filled=_filled(row, word),
        created_at=row.instant("createdTime"),
        updated_at=row.instant("updatedTime"),
    )


def fill(venue: VenueId, row: Row, order: Order, names: AbstractSet[str]) -> Fill:
    """
    One trade of our order, on the side that it had.

    Raises:
        ContradictionError: it has our order's id, but another market.
        DriftError: a field is not what it always was.
    """
    if row.word("market") not in names:
        raise ContradictionError(order.venue, f"a trade of {order.id} is on {row.word('market')}")
    if row.word("side").upper() not in {"BUY", "SELL"}:
        raise row.drift(f"side {row.word('side')!r} of a trade")
    return Fill(
        venue=venue,
        trade_id=row.id("id"),
        order=order.id,
        symbol=order.symbol,
        side=Side(row.word("side").lower()),
        size=row.positive("qty"),
        price=row.positive("price"),
        fee_usd=row.decimal("fee"),
        at=row.instant("createdTime"),
        is_maker=not row.flag_or("isTaker", default=True),
    )


def traded(states: Sequence[OrderState]) -> Decimal | None:
    """What the venue says was filled in all; None where one of the orders does not say."""
    total = ZERO
    for state in states:
        if state.filled is None:
            return None
        total += state.filled
    return total


def found(
    states: Sequence[OrderState], fills: Sequence[Fill], now: datetime, read_lag_s: float
) -> Found:
    """
    Everything known about our id, as one.

    Where the venue does not say how much was filled, the trades say it, but they may lag: they
    are believed only once the order has been at rest for longer than the lag. Trades of an ended
    order that make more than it says are true: they moved the position.
    """
    assert states
    total = traded(states)
    executed = sum((one.size for one in fills), ZERO)
    final = all(state.final for state in states)
    if total is None:
        total = executed
        rested = now - max(state.updated_at for state in states)
        final = final and rested > timedelta(seconds=read_lag_s)
    return Found(
        final=final,
        filled=max(total, executed),
        fills=tuple(sorted(fills, key=lambda one: (one.at, one.trade_id))),
        venue_order_id=",".join(state.id for state in states),
        status=", ".join(state.status for state in states),
    )


def all_traded(
    rows: Sequence[Row], names: AbstractSet[str], since: datetime
) -> tuple[Decimal, Decimal, Decimal]:
    """
    Coins bought and sold since an instant, and signed those of another type than TRADE.

    Raises:
        DriftError: a row is of another market, or has a side that we do not know.
    """
    bought = sold = forced = ZERO
    for row in rows:
        if row.word("market") not in names:
            told = " or ".join(sorted(names))
            raise row.drift(f"a trade of {row.word('market')} among those of {told}")
        side = row.word("side").upper()
        if side not in {"BUY", "SELL"}:
            raise row.drift(f"side {side!r} of a trade")
        if row.instant("createdTime") < since:
            continue
        size = row.positive("qty")
        if side == "BUY":
            bought += size
        else:
            sold += size
        if row.word_or("tradeType", "TRADE").upper() != "TRADE":
            forced += size if side == "BUY" else -size
    return bought, sold, forced


def _filled(row: Row, word: str) -> Decimal | None:
    if row.has("filledQty"):
        return row.decimal("filledQty")
    if word == FILLED:
        return row.decimal("qty")  # that is what the word means
    if word in FINAL and row.has("cancelledQty"):
        return row.decimal("qty") - row.decimal("cancelledQty")
    return None


def _words(row: Row, word: str) -> str:
    reason = row.word_or("statusReason", "NONE").upper()
    return word if reason == "NONE" else f"{word} {reason}"
