"""Rows of decisions, and what earlier hedges teach about the next one; inside a transaction."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa

from hedger.domain.hedge import State
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.market import RateSeen
from hedger.domain.money import BPS, ZERO
from hedger.ledger import events
from hedger.ledger import tables as t
from hedger.ledger.records import Decision, LegCash, Rollbacks
from hedger.ledger.session import Session
from hedger.ledger.text import EXACT

DECISIONS_MAX = 100_000  # rows, each an hour of one reason on one market
RATES_MAX = 2_000  # of one market, for how long a spread has lasted
HEDGES_MAX = 200  # the latest, for what rollbacks cost


def record(session: Session, decisions: Sequence[Decision]) -> None:
    """Count each decision into the row of its hour, market and reason."""
    if not decisions:
        return
    hour = session.now.replace(minute=0, second=0, microsecond=0)
    c = t.decisions.c
    for decision in decisions:
        this = (
            c.hour == hour,
            c.symbol == decision.symbol,
            c.about == decision.about,
            c.code == decision.code,
        )
        latest = {
            "last_at": session.now,
            "text": decision.text,
            "value_usd": decision.value_usd,
        }
        counted = session.conn.execute(
            t.decisions.update().where(*this).values(times=c.times + 1, **latest)
        )
        if counted.rowcount == 0:
            session.conn.execute(
                t.decisions.insert().values(
                    hour=hour,
                    symbol=decision.symbol,
                    about=decision.about,
                    code=decision.code,
                    first_at=session.now,
                    times=1,
                    **latest,
                )
            )
    events.keep_newest(session, t.decisions, DECISIONS_MAX)


def rates_seen(conn: sa.Connection, symbol: Symbol, since: datetime) -> list[RateSeen]:
    """Funding estimates of one market since an instant of our clock, the newest first."""
    c = t.funding_observations.c
    query = (
        sa.select(c.venue, c.next_settlement_at, c.rate_1h)
        .where(c.as_of >= since, c.symbol == symbol)
        .order_by(c.as_of.desc(), c.seq.desc())
        .limit(RATES_MAX)
    )
    return [
        RateSeen(
            venue=VenueId(row.venue), settlement_at=row.next_settlement_at, rate_1h=row.rate_1h
        )
        for row in conn.execute(query)
    ]


def leg_cash(conn: sa.Connection, hedge: HedgeId) -> dict[VenueId, LegCash]:
    """What the fills of a hedge came to so far, and its funding as far as it is known."""
    rows = conn.execute(sa.select(t.legs).where(t.legs.c.hedge_id == hedge)).mappings()
    return {
        VenueId(row["venue"]): LegCash(
            size=_total(row, "size"),
            cash_usd=_total(row, "usd"),
            opened_usd=abs(row["open_usd"]),
            funding_usd=row["funding_usd"],
            funding_through=row["funding_through"],
        )
        for row in rows
    }


def _total(row: sa.RowMapping, what: str) -> Decimal:
    total = ZERO
    for purpose in ("open", "close", "rollback"):
        total = EXACT.add(total, row[f"{purpose}_{what}"])
    return total


def rollbacks(conn: sa.Connection) -> Rollbacks:
    """How many of the latest hedges were rolled back after a fill, and what that cost."""
    h = t.hedges.c
    tried = sa.select(h.id).where(
        h.state.not_in([State.REFUSED, State.PLANNED]), h.first_settlement_a.is_not(None)
    )
    ids = list(conn.execute(tried.order_by(h.seq.desc()).limit(HEDGES_MAX)).scalars())
    rows = conn.execute(sa.select(t.legs).where(t.legs.c.hedge_id.in_(ids))).mappings().all()
    undone: dict[str, tuple[Decimal, Decimal]] = {}
    for row in rows:
        if row["rollback_size"] != ZERO and row["close_size"] == ZERO:
            cost, value = undone.get(row["hedge_id"], (ZERO, ZERO))
            flat = _total(row, "size") == ZERO
            undone[row["hedge_id"]] = (
                cost + (_total(row, "fees_usd") - _total(row, "usd") if flat else ZERO),
                max(value, abs(row["open_usd"])),
            )
    shares = [cost / value * BPS for cost, value in undone.values() if value > ZERO]
    mean = sum(shares, ZERO) / len(shares) if shares else ZERO
    return Rollbacks(attempts=len(ids), rollbacks=len(undone), cost_bps=mean)
