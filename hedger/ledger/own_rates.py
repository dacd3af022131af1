"""
Rows of rates that our own view of a hedge is computed with; inside a transaction.

Fee rates of the account as it was told them, and settled rates from the public lists. Neither
comes from the venue's list of what it charged us.
"""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Fees, SettledRate
from hedger.ledger import account_tables as at
from hedger.ledger import events
from hedger.ledger.connection import Connection
from hedger.ledger.session import Session
from hedger.ledger.statements import Query, Statement, given, inserting

Market = tuple[VenueId, str, Symbol]
"""A venue, our account there, and one of its markets."""

SETTLED_MAX = 500_000  # rows; the oldest go first

_FEE, _RATE = at.fee_rates.c, at.settled_rates.c
_LATEST = Query(
    sa.select(at.fee_rates)
    .where(
        _FEE.venue == given("venue"),
        _FEE.account == given("account"),
        _FEE.symbol == given("symbol"),
    )
    .order_by(_FEE.seq.desc())
    .limit(1)
)
_NEW_FEES = inserting(at.fee_rates)
_CARRY_ON = Statement(at.fee_rates.update().where(_FEE.seq == given("number")), ["until"])
_KNOWN = Query(
    sa.select(_RATE.settlement_at).where(
        _RATE.venue == given("venue"),
        _RATE.symbol == given("symbol"),
        _RATE.settlement_at >= given("since"),
    )
)
_NEW_RATE = inserting(at.settled_rates)
_OLD_RATES = events.older(at.settled_rates)


def fees(conn: Connection, market: Market) -> Fees | None:
    """The latest fee rates of an account on one market that were kept; None: none were."""
    venue, account, symbol = market
    row = _LATEST.first(conn, venue=venue, account=account, symbol=symbol)
    return None if row is None else Fees(maker=row.maker, taker=row.taker)


def note_fees(session: Session, market: Market, told: Fees, asked_at: datetime) -> None:
    """Keep a reading: the row of the same rates reaches further, others are a new row."""
    venue, account, symbol = market
    row = _LATEST.first(session.conn, venue=venue, account=account, symbol=symbol)
    if row is not None and (row.maker, row.taker) == (told.maker, told.taker):
        _CARRY_ON.run(session.conn, number=row.seq, until=max(row.until, asked_at))
        return
    _NEW_FEES.add(
        session.conn,
        venue=venue,
        account=account,
        symbol=symbol,
        maker=told.maker,
        taker=told.taker,
        as_of=session.now,
        until=session.now,
    )


def note_settled(session: Session, rates: Iterable[SettledRate]) -> int:
    """Keep what is new, each settlement once; how many rows that were."""
    told = sorted(rates, key=lambda rate: rate.settlement_at)
    if not told:
        return 0
    first, new = told[0], 0
    known = {
        row.settlement_at
        for row in _KNOWN.all(
            session.conn, venue=first.venue, symbol=first.symbol, since=first.settlement_at
        )
    }
    for rate in told:
        if rate.settlement_at in known:
            continue
        number = _NEW_RATE.add(
            session.conn,
            venue=rate.venue,
            symbol=rate.symbol,
            settlement_at=rate.settlement_at,
            rate_1h=rate.rate_1h,
            per_coin_usd=rate.per_coin_usd,
            read_at=session.now,
        )
        new += 1
        if number % events.PRUNE_EVERY == 0:
            _OLD_RATES.run(session.conn, kept=SETTLED_MAX)
    return new
