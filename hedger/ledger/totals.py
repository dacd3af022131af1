"""
Exact totals as rows, changed in the transaction that writes what they sum.

``sum()`` over text is a float in SQLite, so the adding is done here. Cash is signed: a buy is
negative. Fees are what we paid, so they are subtracted from cash.
"""

from datetime import datetime
from decimal import Decimal
from operator import itemgetter

import sqlalchemy as sa

from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.market import FundingPayment
from hedger.domain.money import ZERO
from hedger.domain.order import Fill, Purpose
from hedger.errors import StateError
from hedger.ledger import tables as t
from hedger.ledger.columns import Exact
from hedger.ledger.session import Session
from hedger.ledger.statements import Change, Query, given, inserting
from hedger.ledger.text import EXACT, instant_text

EMPTY_LEG = {c.name: ZERO for c in t.legs.c if isinstance(c.type, Exact)}
EMPTY_DAY = {c.name: ZERO if isinstance(c.type, Exact) else 0 for c in t.days.c}

_THIS_LEG = (t.legs.c.hedge_id == given("hedge"), t.legs.c.venue == given("of_venue"))
_OF_HEDGE = itemgetter("hedge")
_LEG = Query(sa.select(t.legs).where(*_THIS_LEG), part=_OF_HEDGE)
_CHANGE_LEG = Change(t.legs, *_THIS_LEG, part=_OF_HEDGE)
_THIS_DAY = (t.days.c.day == given("of_day"), t.days.c.venue == given("of_venue"))
_DAY = Query(sa.select(t.days).where(*_THIS_DAY))
_NEW_DAY = inserting(t.days)
_CHANGE_DAY = Change(t.days, *_THIS_DAY)


def add_fill(session: Session, hedge_id: HedgeId, purpose: Purpose, fill: Fill) -> None:
    """Count one execution into its leg and its day."""
    value = EXACT.multiply(fill.size, fill.price)
    cash = -value if fill.side.sign > 0 else value
    _add_to_leg(
        session,
        hedge_id,
        fill.venue,
        {
            f"{purpose}_size": fill.size if fill.side.sign > 0 else -fill.size,
            f"{purpose}_usd": cash,
            f"{purpose}_fees_usd": fill.fee_usd,
        },
    )
    _add_to_day(
        session,
        fill.at,
        fill.venue,
        {"fills": 1, "traded_usd": value, "cash_usd": cash, "fees_usd": fill.fee_usd},
    )


def add_payment(session: Session, payment: FundingPayment) -> None:
    """Count one funding payment into the day of its settlement."""
    _add_to_day(
        session,
        payment.settlement_at,
        payment.venue,
        {"payments": 1, "funding_usd": payment.amount_usd},
    )


def add_funding(session: Session, hedge_id: HedgeId, venue: VenueId, amount: Decimal) -> None:
    """Count one funding payment into the leg it belongs to."""
    _add_to_leg(session, hedge_id, venue, {"funding_usd": amount})


def _add_to_leg(
    session: Session, hedge_id: HedgeId, venue: VenueId, amounts: dict[str, Decimal]
) -> None:
    row = _LEG.first(session.conn, hedge=hedge_id, of_venue=venue)
    if row is None:
        raise StateError(f"hedge {hedge_id} has no leg on {venue}")
    sums = {name: EXACT.add(getattr(row, name), amount) for name, amount in amounts.items()}
    _CHANGE_LEG.of(sums).run(session.conn, hedge=hedge_id, of_venue=venue, **sums)


def _add_to_day(
    session: Session, at: datetime, venue: VenueId, amounts: dict[str, Decimal | int]
) -> None:
    day = instant_text(at)[:10]
    row = _DAY.first(session.conn, of_day=day, of_venue=venue)
    if row is None:
        _NEW_DAY.run(session.conn, **{**EMPTY_DAY, "day": day, "venue": venue, **amounts})
        return
    sums: dict[str, Decimal | int] = {
        name: EXACT.add(getattr(row, name), amount)
        if isinstance(amount, Decimal)
        else getattr(row, name) + amount
        for name, amount in amounts.items()
    }
    _CHANGE_DAY.of(sums).run(session.conn, of_day=day, of_venue=venue, **sums)
