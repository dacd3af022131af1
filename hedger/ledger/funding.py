"""Rows of funding estimates and payments; inside a transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hedger.domain.hedge import TERMINAL
from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.market import FundingPayment, FundingQuote
from hedger.errors import StateError
from hedger.ledger import events, hedges, totals
from hedger.ledger import tables as t
from hedger.ledger.session import Session

AWAITING_MAX = 500  # at a time; the oldest come first, so none is left out for ever


def observe(session: Session, quotes: Sequence[FundingQuote]) -> None:
    """Keep funding estimates."""
    if not quotes:
        return
    names = FundingQuote.__dataclass_fields__.keys() & t.funding_observations.c.keys()
    session.conn.execute(
        t.funding_observations.insert(),
        [{name: getattr(quote, name) for name in names} for quote in quotes],
    )
    events.keep_newest(session, t.funding_observations, events.OBSERVATIONS_MAX)


def book(session: Session, payments: Sequence[FundingPayment]) -> int:
    """Book every payment once; how many were new."""
    booked = 0
    for payment in sorted(payments, key=lambda p: (p.settlement_at, p.venue, p.symbol)):
        known = _known(session.conn, payment)
        if known is None:
            _insert(session, payment)
            booked += 1
        elif _differs(known, payment):
            _complain(session, known, payment)
        elif known.hedge_id is None:
            _assign(session, known.seq, payment)
    return booked


def complete(session: Session, hedge: HedgeId, venue: VenueId, through: datetime) -> None:
    """Note how far the payments of a leg are known."""
    this = (t.legs.c.hedge_id == hedge, t.legs.c.venue == venue)
    row = session.conn.execute(sa.select(t.legs.c.funding_through).where(*this)).first()
    if row is None:
        raise StateError(f"hedge {hedge} has no leg on {venue}")
    if row.funding_through is None or row.funding_through < through:
        session.conn.execute(t.legs.update().where(*this).values(funding_through=through))
        hedges.review_funding(session, hedge)


def awaiting(conn: sa.Connection) -> list[HedgeId]:
    """
    Hedges of which some funding is not known through their last settlement, oldest first.

    Told by a flag of their legs (``hedges.review_funding``), because comparing the settlements
    of every hedge that ever was would hold up the daemon.
    """
    h, leg = t.hedges.c, t.legs.c
    query = (
        sa.select(h.id, h.seq)
        .join(t.legs, leg.hedge_id == h.id)
        .where(sa.text(t.FUNDING_DUE), h.first_settlement_a.is_not(None))
        .distinct()
    )
    due = sorted(conn.execute(query), key=lambda row: row.seq)
    return [HedgeId(row.id) for row in due[:AWAITING_MAX]]


def _known(conn: sa.Connection, payment: FundingPayment) -> sa.Row[Any] | None:
    """The booked payment with this id, or the one of the same settlement."""
    c = t.funding_payments.c
    same_id = sa.and_(c.venue == payment.venue, c.payment_id == payment.payment_id)
    same_settlement = sa.and_(
        c.venue == payment.venue,
        c.symbol == payment.symbol,
        c.settlement_at == payment.settlement_at,
    )
    query = sa.select(t.funding_payments).where(sa.or_(same_id, same_settlement))
    return conn.execute(query.order_by(sa.not_(same_id)).limit(1)).first()


def _differs(known: sa.Row[Any], payment: FundingPayment) -> bool:
    return (known.symbol, known.settlement_at, known.amount_usd) != (
        payment.symbol,
        payment.settlement_at,
        payment.amount_usd,
    )


def _complain(session: Session, known: sa.Row[Any], payment: FundingPayment) -> None:
    """Once: the same contradiction will be read again and again."""
    text = (
        f"{payment.venue} tells payment {payment.payment_id} of {payment.amount_usd} USD on "
        f"{payment.symbol} at {payment.settlement_at.isoformat()}, but the ledger has payment "
        f"{known.payment_id} of {known.amount_usd} USD at {known.settlement_at.isoformat()}"
    )
    c = t.events.c
    told = sa.select(c.seq).where(c.kind == "payment_conflict", c.text == text).limit(1)
    if session.conn.execute(told).first() is None:
        events.append(session, "payment_conflict", text, hedge=known.hedge_id, level="error")


def _insert(session: Session, payment: FundingPayment) -> None:
    values = {name: getattr(payment, name) for name in FundingPayment.__dataclass_fields__}
    result = session.conn.execute(
        t.funding_payments.insert().values(**values, booked_at=session.now)
    )
    totals.add_payment(session, payment)
    assert result.inserted_primary_key is not None
    _assign(session, result.inserted_primary_key[0], payment)


def _assign(session: Session, number: int, payment: FundingPayment) -> None:
    """Give a payment to the hedge whose settlements enclose it, if there is one."""
    owner = _owner(session.conn, payment)
    if owner is None:
        return
    c = t.funding_payments.c
    session.conn.execute(t.funding_payments.update().where(c.seq == number).values(hedge_id=owner))
    totals.add_funding(session, owner, payment.venue, payment.amount_usd)
    events.append(
        session,
        "funding",
        f"{payment.venue} funding of {payment.amount_usd} USD on {payment.symbol}",
        hedge=owner,
        data={"payment": payment.payment_id, "settlement_at": payment.settlement_at.isoformat()},
    )


def _owner(conn: sa.Connection, payment: FundingPayment) -> HedgeId | None:
    """An open end reaches as far as the hedge lives; a finished hedge without one owns nothing."""
    c = t.hedges.c

    def encloses(venue: Any, first: Any, last: Any) -> sa.ColumnElement[bool]:
        no_end_yet = sa.and_(last.is_(None), c.state.not_in(sorted(TERMINAL)))
        return sa.and_(
            venue == payment.venue,
            first <= payment.settlement_at,
            sa.or_(last >= payment.settlement_at, no_end_yet),
        )

    query = (
        sa.select(c.id)
        .where(
            c.symbol == payment.symbol,
            sa.or_(
                encloses(c.venue_a, c.first_settlement_a, c.last_settlement_a),
                encloses(c.venue_b, c.first_settlement_b, c.last_settlement_b),
            ),
        )
        .order_by(c.seq.desc())
        .limit(1)
    )
    owner = conn.execute(query).scalar()
    return None if owner is None else HedgeId(owner)
