"""Rows of funding estimates and payments; inside a transaction."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.market import FundingPayment, FundingQuote
from hedger.domain.money import ZERO, plain
from hedger.domain.order import Purpose, Side
from hedger.errors import StateError
from hedger.ledger import events, hedges, totals
from hedger.ledger import tables as t
from hedger.ledger.connection import Connection
from hedger.ledger.session import Session
from hedger.ledger.statements import Query, Statement, given, inserting

OWNERS_MAX = 50  # hedges that were open on one market at one settlement
AWAITING_MAX = 500  # at a time; the oldest come first, so none is left out for ever


def _encloses(venue: Any, first: Any, last: Any) -> sa.ColumnElement[bool]:
    """An open end reaches as far as the hedge lives."""
    at: sa.BindParameter[Any] = given("settlement_at")
    no_end_yet = sa.and_(last.is_(None), sa.text(t.LIVE))
    return sa.and_(venue == given("venue"), first <= at, sa.or_(last >= at, no_end_yet))


_HEDGE, _PAYMENT = t.hedges.c, t.funding_payments.c
_THIS_LEG = (t.legs.c.hedge_id == given("hedge"), t.legs.c.venue == given("on_venue"))
_SAME_ID = sa.and_(_PAYMENT.venue == given("venue"), _PAYMENT.payment_id == given("payment_id"))
_SAME_SETTLEMENT = sa.and_(
    _PAYMENT.venue == given("venue"),
    _PAYMENT.symbol == given("symbol"),
    _PAYMENT.settlement_at == given("settlement_at"),
)

_OBSERVE = inserting(t.funding_observations)
_OLD_OBSERVATIONS = events.older(t.funding_observations)
_OF_HEDGE = itemgetter("hedge")
_THROUGH = Query(sa.select(t.legs.c.funding_through).where(*_THIS_LEG), part=_OF_HEDGE)
_SET_THROUGH = Statement(t.legs.update().where(*_THIS_LEG), ["funding_through"], part=_OF_HEDGE)
_AWAITING = Query(
    sa.select(t.hedges)
    .where(
        _HEDGE.id.in_(sa.select(t.legs.c.hedge_id).where(sa.text(t.FUNDING_DUE))),
        _HEDGE.first_settlement_a.is_not(None),
    )
    .order_by(_HEDGE.seq)
    .limit(AWAITING_MAX)
)
_KNOWN = Query(
    sa.select(t.funding_payments)
    .where(sa.or_(_SAME_ID, _SAME_SETTLEMENT))
    .order_by(sa.not_(_SAME_ID))
    .limit(1)
)
_BOOKED_SINCE = Query(
    sa.select(_PAYMENT.seq)
    .where(_PAYMENT.venue == given("venue"), _PAYMENT.settlement_at >= given("since"))
    .limit(1)
)
_WAS_READ = Query(
    sa.select(t.position_observations.c.seq)
    .where(
        t.position_observations.c.venue == given("venue"),
        t.position_observations.c.symbol == given("symbol"),
        t.position_observations.c.size == given("held"),
    )
    .limit(1)
)
_WAS_OPENED = Query(
    sa.select(t.orders.c.seq)
    .where(
        t.orders.c.venue == given("venue"),
        t.orders.c.symbol == given("symbol"),
        t.orders.c.purpose == Purpose.OPEN,
        t.orders.c.side == given("bought"),
        t.orders.c.filled_size == given("held"),
    )
    .limit(1)
)
_TOLD = Query(
    sa.select(t.events.c.seq)
    .where(t.events.c.kind == "payment_conflict", t.events.c.text == given("sentence"))
    .limit(1)
)
_BOOK = inserting(t.funding_payments)
_ASSIGN = Statement(
    t.funding_payments.update().where(_PAYMENT.seq == given("number")), ["hedge_id"]
)
_OWNERS = Query(
    sa.select(_HEDGE.id)
    .where(
        _HEDGE.symbol == given("symbol"),
        sa.or_(
            _encloses(_HEDGE.venue_a, _HEDGE.first_settlement_a, _HEDGE.last_settlement_a),
            _encloses(_HEDGE.venue_b, _HEDGE.first_settlement_b, _HEDGE.last_settlement_b),
        ),
    )
    .order_by(_HEDGE.seq.desc())
    .limit(OWNERS_MAX)
)
_FILLS = Query(
    sa.select(t.fills.c.side, t.fills.c.size).where(
        t.fills.c.hedge_id == given("hedge"),
        t.fills.c.venue == given("on_venue"),
        t.fills.c.at <= given("until"),
    )
)


def observe(session: Session, quotes: Sequence[FundingQuote]) -> None:
    """Keep funding estimates."""
    for quote in quotes:
        number = _OBSERVE.add(
            session.conn,
            venue=quote.venue,
            symbol=quote.symbol,
            rate_1h=quote.rate_1h,
            next_settlement_at=quote.next_settlement_at,
            interval_s=quote.interval_s,
            mark_price=quote.mark_price,
            index_price=quote.index_price,
            open_interest_usd=quote.open_interest_usd,
            as_of=quote.as_of,
            source=quote.source,
        )
        if number % events.PRUNE_EVERY == 0:
            _OLD_OBSERVATIONS.run(session.conn, kept=events.OBSERVATIONS_MAX)


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
    row = _THROUGH.first(session.conn, hedge=hedge, on_venue=venue)
    if row is None:
        raise StateError(f"hedge {hedge} has no leg on {venue}")
    if row.funding_through is None or row.funding_through < through:
        _SET_THROUGH.run(session.conn, hedge=hedge, on_venue=venue, funding_through=through)
        hedges.review_funding(session, hedges.get(session.conn, hedge))


def awaiting(conn: Connection) -> list[Hedge]:
    """
    Hedges of which some funding is not known through their last settlement, oldest first.

    Told by a flag of their legs (``hedges.review_funding``), because comparing the settlements
    of every hedge that ever was would hold up the daemon.
    """
    return _AWAITING.made(conn, hedges.of_row)


def is_of_ours(
    conn: Connection, venue: VenueId, since: datetime, payments: Sequence[FundingPayment]
) -> bool:
    """
    Whether a venue's list since a settlement is that of our account, as far as we can tell.

    One payment is enough that is booked already, or is on a size that an order of ours opened or
    that was read on its market. A list without any is ours only where it is empty, and nothing is
    booked that it should have.
    """
    if any(_is_booked(conn, payment) for payment in payments):
        return True
    if any(was_held(conn, p.venue, p.symbol, p.size) for p in payments):
        return True
    return not payments and _BOOKED_SINCE.first(conn, venue=venue, since=since) is None


def was_held(conn: Connection, venue: VenueId, symbol: Symbol, size: Decimal) -> bool:
    """Whether an order of ours opened this size, or it was read on its market."""
    market = {"venue": venue, "symbol": symbol}
    side = Side.BUY if size > ZERO else Side.SELL
    opened = _WAS_OPENED.first(conn, **market, bought=side, held=abs(size))
    return opened is not None or _WAS_READ.first(conn, **market, held=size) is not None


def _is_booked(conn: Connection, payment: FundingPayment) -> bool:
    known = _known(conn, payment)
    return known is not None and not _differs(known, payment) and known.size == payment.size


def _known(conn: Connection, payment: FundingPayment) -> Any | None:
    """The booked payment with this id, or the one of the same settlement."""
    return _KNOWN.first(
        conn,
        venue=payment.venue,
        payment_id=payment.payment_id,
        symbol=payment.symbol,
        settlement_at=payment.settlement_at,
    )


def _differs(known: Any, payment: FundingPayment) -> bool:
    return (known.symbol, known.settlement_at, known.amount_usd) != (
        payment.symbol,
        payment.settlement_at,
        payment.amount_usd,
    )


def _complain(session: Session, known: Any, payment: FundingPayment) -> None:
    """Once: the same contradiction will be read again and again."""
    text = (
        f"{payment.venue} tells payment {payment.payment_id} of {plain(payment.amount_usd)} USD on "
        f"{payment.symbol} at {payment.settlement_at.isoformat()}, but the ledger has payment "
        f"{known.payment_id} of {plain(known.amount_usd)} USD at {known.settlement_at.isoformat()}"
    )
    if _TOLD.first(session.conn, sentence=text) is None:
        events.append(session, "payment_conflict", text, hedge=known.hedge_id, level="error")


def _insert(session: Session, payment: FundingPayment) -> None:
    number = _BOOK.add(
        session.conn,
        venue=payment.venue,
        symbol=payment.symbol,
        payment_id=payment.payment_id,
        settlement_at=payment.settlement_at,
        amount_usd=payment.amount_usd,
        rate_1h=payment.rate_1h,
        size=payment.size,
        booked_at=session.now,
        mark_price=payment.mark_price,
    )
    totals.add_payment(session, payment)
    _assign(session, number, payment)


def _assign(session: Session, number: int, payment: FundingPayment) -> None:
    """Give a payment to the hedge whose settlements enclose it, if there is one."""
    owner = _owner(session.conn, payment)
    if owner is None:
        return
    _ASSIGN.run(session.conn, number=number, hedge_id=owner)
    totals.add_funding(session, owner, payment.venue, payment.amount_usd)
    events.append(
        session,
        "funding",
        f"{payment.venue} funding of {plain(payment.amount_usd)} USD on {payment.symbol}",
        hedge=owner,
        data={"payment": payment.payment_id, "settlement_at": payment.settlement_at.isoformat()},
    )


def _owner(conn: Connection, payment: FundingPayment) -> HedgeId | None:
    """
    The newest that encloses it; a finished hedge without a last settlement owns nothing.

    Where its fills made nothing, it is an earlier one whose fills made just that position: an
    order may have filled after its hedge was over, and another one came and went in the same hour.
    """
    enclosing = _OWNERS.all(
        conn, symbol=payment.symbol, venue=payment.venue, settlement_at=payment.settlement_at
    )
    owners = [HedgeId(row.id) for row in enclosing]
    if len(owners) > 1 and _held(conn, owners[0], payment) == ZERO:
        made = (owner for owner in owners if _held(conn, owner, payment) == payment.size)
        return next(made, owners[0])
    return owners[0] if owners else None


def _held(conn: Connection, hedge: HedgeId, payment: FundingPayment) -> Decimal:
    """What the fills of a hedge made by the settlement, in signed coins."""
    fills = _FILLS.all(conn, hedge=hedge, on_venue=payment.venue, until=payment.settlement_at)
    return sum((fill.size if fill.side == Side.BUY else -fill.size for fill in fills), ZERO)
