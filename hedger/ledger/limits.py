"""What the limits of risk count, by query from rows that are there anyway; inside a view."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from hedger.domain.hedge import State
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.money import ZERO
from hedger.domain.order import Purpose
from hedger.ledger import tables as t
from hedger.ledger.connection import Connection
from hedger.ledger.hedges import live, total
from hedger.ledger.statements import Query, given
from hedger.ledger.text import EXACT

_HEDGE, _ORDER, _LEG = t.hedges.c, t.orders.c, t.legs.c
_ASKED = Query(
    sa.select(_HEDGE.symbol, _HEDGE.requested_usd).where(
        _HEDGE.created_at >= given("since"), _HEDGE.state != State.REFUSED
    )
)
_NUMBER = sa.func.count().label("number")
_SENT = Query(
    sa.union_all(
        sa.select(_ORDER.venue, _NUMBER)
        .where(_ORDER.prepared_at >= given("since"))
        .group_by(_ORDER.venue),
        sa.select(_ORDER.venue, _NUMBER)
        .join(t.burns, t.burns.c.order_id == _ORDER.id)
        .where(t.burns.c.prepared_at >= given("since"))
        .group_by(_ORDER.venue),
        sa.select(t.lanes.c.venue, _NUMBER)
        .join(t.fillers, t.fillers.c.lane == t.lanes.c.lane)
        .where(t.fillers.c.prepared_at >= given("since"))
        .group_by(t.lanes.c.venue),
    )
)
_TAKEN_BACK = (
    sa.select(_ORDER.hedge_id)
    .where(_ORDER.prepared_at >= given("since"), _ORDER.purpose == Purpose.ROLLBACK)
    .distinct()
)
_UNWOUND = Query(
    sa.select(_HEDGE.symbol, _HEDGE.updated_at, *(c for c in _LEG if c.name != "venue"))
    .join(t.legs, _LEG.hedge_id == _HEDGE.id)
    .where(
        _HEDGE.id.in_(_TAKEN_BACK),
        _HEDGE.opened_at.is_(None),
        _HEDGE.state == State.CLOSED,
        _HEDGE.requested_usd != ZERO,
    )
    .order_by(_HEDGE.seq)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One hedge that was begun. ``usd`` is per leg, as asked for."""

    symbol: Symbol
    usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwound:
    """One hedge that was taken back before it ever opened, and what our own fills lost by it."""

    symbol: Symbol
    at: datetime
    cost_usd: Decimal


def asked_since(conn: Connection, since: datetime) -> list[Asked]:
    """Hedges begun since an instant that were not refused; positions found are none."""
    return [one for one in _ASKED.made(conn, _asked, since=since) if one.usd > ZERO]


def _asked(row: Any) -> Asked:
    return Asked(symbol=Symbol(row.symbol), usd=row.requested_usd)


def orders_since(conn: Connection, since: datetime) -> Mapping[VenueId, int]:
    """
    Orders committed since an instant, by venue, and those that live hedges still need.

    Every transaction under a nonce counts like an order: burns, and fillers, which are changes of
    leverage, cancels and what closes gaps. Where orders have no lane, a change of leverage and a
    cancel are requests without a row, and do not count.
    """
    counted: Counter[VenueId] = Counter()
    for row in _SENT.all(conn, since=since):
        counted[VenueId(row.venue)] += row.number
    for hedge in live(conn):
        if hedge.state is State.PLANNED:
            counted[hedge.venue_a] += 1
        if hedge.state in {State.PLANNED, State.OPENING_A}:
            counted[hedge.venue_b] += 1
    return counted


def unwound_since(conn: Connection, since: datetime) -> Sequence[Unwound]:
    """Hedges that ended since an instant without ever having been open, with their cost."""
    legs: dict[str, list[Any]] = {}
    for row in _UNWOUND.all(conn, since=since):
        legs.setdefault(row.hedge_id, []).append(row)
    return [
        Unwound(symbol=Symbol(rows[0].symbol), at=rows[0].updated_at, cost_usd=_cost(rows))
        for rows in legs.values()
    ]


def _cost(legs: Sequence[Any]) -> Decimal:
    """What the cash of all fills lost, and the fees: the hedge is flat."""
    found = ZERO
    for leg in legs:
        cash = total((leg.open_usd, leg.close_usd, leg.rollback_usd))
        fees = total((leg.open_fees_usd, leg.close_fees_usd, leg.rollback_fees_usd))
        found = EXACT.add(found, EXACT.subtract(fees, cash))
    return found
