"""
Exact totals as rows, changed in the transaction that writes what they sum.

``sum()`` over text is a float in SQLite, so the adding is done here. Cash is signed: a buy is
negative. Fees are what we paid, so they are subtracted from cash.
"""

from datetime import datetime
from decimal import Decimal

from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.market import FundingPayment
from hedger.domain.money import ZERO
from hedger.domain.order import Fill, Purpose
from hedger.errors import StateError
from hedger.ledger import tables as t
from hedger.ledger.session import Session
from hedger.ledger.text import EXACT, instant_text


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
    this = (t.legs.c.hedge_id == hedge_id, t.legs.c.venue == venue)
    row = session.conn.execute(t.legs.select().where(*this)).mappings().first()
    if row is None:
        raise StateError(f"hedge {hedge_id} has no leg on {venue}")
    sums = {name: EXACT.add(row[name], amount) for name, amount in amounts.items()}
    session.conn.execute(t.legs.update().where(*this).values(**sums))


def _add_to_day(
    session: Session, at: datetime, venue: VenueId, amounts: dict[str, Decimal | int]
) -> None:
    day = instant_text(at)[:10]
    this = (t.days.c.day == day, t.days.c.venue == venue)
    row = session.conn.execute(t.days.select().where(*this)).mappings().first()
    if row is None:
        empty = {c.name: ZERO if isinstance(c.type, t.Exact) else 0 for c in t.days.c}
        values = {**empty, "day": day, "venue": venue, **amounts}
        session.conn.execute(t.days.insert().values(**values))
        return
    sums = {
        name: EXACT.add(row[name], amount) if isinstance(amount, Decimal) else row[name] + amount
        for name, amount in amounts.items()
    }
    session.conn.execute(t.days.update().where(*this).values(**sums))
