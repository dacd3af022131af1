"""What the limits of risk count, by query from rows that are there anyway; inside a view."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa

from hedger.domain.hedge import State
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.money import ZERO
from hedger.domain.order import Purpose
from hedger.ledger import tables as t
from hedger.ledger.hedges import live, total
from hedger.ledger.text import EXACT


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


def asked_since(conn: sa.Connection, since: datetime) -> list[Asked]:
    """Hedges begun since an instant that were not refused; positions found are none."""
    c = t.hedges.c
    query = sa.select(c.symbol, c.requested_usd).where(
        c.created_at >= since, c.state != State.REFUSED
    )
    found = [Asked(symbol=row.symbol, usd=row.requested_usd) for row in conn.execute(query)]
    return [one for one in found if one.usd > ZERO]


def orders_since(conn: sa.Connection, since: datetime) -> Mapping[VenueId, int]:
    """Orders committed since an instant, by venue, and those that live hedges still need."""
    c = t.orders.c
    query = sa.select(c.venue, sa.func.count()).where(c.prepared_at >= since).group_by(c.venue)
    counted: Counter[VenueId] = Counter()
    for venue, number in conn.execute(query):
        counted[venue] += number
    for hedge in live(conn):
        if hedge.state is State.PLANNED:
            counted[hedge.venue_a] += 1
        if hedge.state in {State.PLANNED, State.OPENING_A}:
            counted[hedge.venue_b] += 1
    return counted


def unwound_since(conn: sa.Connection, since: datetime) -> Sequence[Unwound]:
    """Hedges that ended since an instant without ever having been open, with their cost."""
    o, h = t.orders.c, t.hedges.c
    taken_back = (
        sa.select(o.hedge_id)
        .where(o.prepared_at >= since, o.purpose == Purpose.ROLLBACK)
        .distinct()
    )
    query = sa.select(h.id, h.symbol, h.updated_at).where(
        h.id.in_(taken_back),
        h.opened_at.is_(None),
        h.state == State.CLOSED,
        h.requested_usd != ZERO,
    )
    return [
        Unwound(symbol=row.symbol, at=row.updated_at, cost_usd=_cost(conn, row.id))
        for row in conn.execute(query).all()
    ]


def _cost(conn: sa.Connection, hedge_id: str) -> Decimal:
    """What the cash of all fills lost, and the fees: the hedge is flat."""
    found = ZERO
    for leg in conn.execute(sa.select(t.legs).where(t.legs.c.hedge_id == hedge_id)):
        cash = total((leg.open_usd, leg.close_usd, leg.rollback_usd))
        fees = total((leg.open_fees_usd, leg.close_fees_usd, leg.rollback_fees_usd))
        found = EXACT.add(found, EXACT.subtract(fees, cash))
    return found
