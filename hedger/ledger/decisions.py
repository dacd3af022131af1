"""Rows of decisions, and what earlier hedges teach about the next one; inside a transaction."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from hedger.domain.hedge import State
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.market import RateSeen
from hedger.domain.money import BPS, ZERO
from hedger.ledger import events
from hedger.ledger import tables as t
from hedger.ledger.connection import Connection
from hedger.ledger.records import Decision, LegCash, Rollbacks
from hedger.ledger.session import Session
from hedger.ledger.statements import Query, Statement, given, inserting
from hedger.ledger.text import EXACT

DECISIONS_MAX = 100_000  # rows, each an hour of one reason on one market
RATES_MAX = 2_000  # of one market, for how long a spread has lasted
HEDGES_MAX = 200  # the latest, for what rollbacks cost

_DECISION, _RATE, _HEDGE, _LEG = (
    t.decisions.c,
    t.funding_observations.c,
    t.hedges.c,
    t.legs.c,
)
_COUNT = Statement(
    t.decisions.update()
    .where(
        _DECISION.hour == given("this_hour"),
        _DECISION.symbol == given("on_symbol"),
        _DECISION.about == given("this_about"),
        _DECISION.code == given("this_code"),
    )
    .values(times=_DECISION.times + 1),
    ["last_at", "text", "value_usd"],
)
_NEW = inserting(t.decisions)
_OLD = events.older(t.decisions)
_RATES = Query(
    sa.select(_RATE.venue, _RATE.next_settlement_at, _RATE.rate_1h)
    .where(_RATE.as_of >= given("since"), _RATE.symbol == given("symbol"))
    .order_by(_RATE.as_of.desc(), _RATE.seq.desc())
    .limit(RATES_MAX)
)
_LEGS = Query(sa.select(t.legs).where(_LEG.hedge_id == given("hedge")), part=itemgetter("hedge"))
_TRIED = (
    sa.select(_HEDGE.id)
    .where(
        _HEDGE.state != State.REFUSED,
        _HEDGE.state != State.PLANNED,
        _HEDGE.first_settlement_a.is_not(None),
    )
    .order_by(_HEDGE.seq.desc())
    .limit(HEDGES_MAX)
)
_LEGS_TRIED = Query(sa.select(t.legs).where(_LEG.hedge_id.in_(_TRIED)).order_by(_LEG.hedge_id))


def record(session: Session, decisions: Sequence[Decision]) -> None:
    """Count each decision into the row of its hour, market and reason."""
    hour = session.now.replace(minute=0, second=0, microsecond=0)
    for decision in decisions:
        latest = {"last_at": session.now, "text": decision.text, "value_usd": decision.value_usd}
        counted = _COUNT.run(
            session.conn,
            this_hour=hour,
            on_symbol=decision.symbol,
            this_about=decision.about,
            this_code=decision.code,
            **latest,
        )
        if counted.rowcount == 0:
            number = _NEW.add(
                session.conn,
                hour=hour,
                symbol=decision.symbol,
                about=decision.about,
                code=decision.code,
                first_at=session.now,
                times=1,
                **latest,
            )
            if number % events.PRUNE_EVERY == 0:
                _OLD.run(session.conn, kept=DECISIONS_MAX)


def rates_seen(conn: Connection, symbol: Symbol, since: datetime) -> list[RateSeen]:
    """Funding estimates of one market since an instant of our clock, the newest first."""
    return [
        RateSeen(
            venue=VenueId(row.venue), settlement_at=row.next_settlement_at, rate_1h=row.rate_1h
        )
        for row in _RATES.all(conn, since=since, symbol=symbol)
    ]


def leg_cash(conn: Connection, hedge: HedgeId) -> dict[VenueId, LegCash]:
    """What the fills of a hedge came to so far, and its funding as far as it is known."""
    return {
        VenueId(row.venue): LegCash(
            size=_total(row, "size"),
            cash_usd=_total(row, "usd"),
            opened_usd=abs(row.open_usd),
            funding_usd=row.funding_usd,
            funding_through=row.funding_through,
        )
        for row in _LEGS.all(conn, hedge=hedge)
    }


def _total(row: Any, what: str) -> Decimal:
    total = ZERO
    for purpose in ("open", "close", "rollback"):
        total = EXACT.add(total, getattr(row, f"{purpose}_{what}"))
    return total


def rollbacks(conn: Connection) -> Rollbacks:
    """How many of the latest hedges were rolled back after a fill, and what that cost."""
    rows = _LEGS_TRIED.all(conn)
    undone: dict[str, tuple[Decimal, Decimal]] = {}
    for row in rows:
        if row.rollback_size != ZERO and row.close_size == ZERO:
            cost, value = undone.get(row.hedge_id, (ZERO, ZERO))
            flat = _total(row, "size") == ZERO
            undone[row.hedge_id] = (
                cost + (_total(row, "fees_usd") - _total(row, "usd") if flat else ZERO),
                max(value, abs(row.open_usd)),
            )
    shares = [cost / value * BPS for cost, value in undone.values() if value > ZERO]
    mean = sum(shares, ZERO) / len(shares) if shares else ZERO
    attempts = len({row.hedge_id for row in rows})
    return Rollbacks(attempts=attempts, rollbacks=len(undone), cost_bps=mean)
