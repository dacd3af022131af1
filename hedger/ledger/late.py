"""
Fills that come after the end: of an order believed to have none, or of a hedge that is over.

Booking such a fill, telling a person and taking its hedge up again are one transaction. Were they
two, nobody would take the hedge up after a crash in between: its order counts as dead no longer.
"""

from datetime import datetime
from typing import Any

from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import HedgeId
from hedger.domain.money import plain
from hedger.domain.order import Filled
from hedger.ledger import events, hedges, taken
from hedger.ledger.records import Changes, OrderState
from hedger.ledger.session import Session

LATE = "late:"
"""Meta key of a hedge that waits for its market: ``late:<symbol>:<hedge>``, and why."""


def take_up(session: Session, row: Any, outcome: Filled, since: datetime) -> Hedge | None:
    """
    What follows from fills of an order that are booked only now, the first of them made at
    ``since``; the hedge, if it was at rest and is CONVERGING now.

    ``row`` is the order as it was before. Where neither the order nor its hedge was over, nothing
    follows. A hedge that is on its way, or waits for a person, is left to those who drive it: they
    read both legs again. One whose market has another hedge by now waits until that one is over
    (``take_up_next``), and the alert says so. It does not matter what the order was for: whether
    anything is left to take off, the readings of both venues tell, not our guess.
    """
    hedge = hedges.get(session.conn, row.hedge_id)
    before = OrderState(row.state)
    if not before.terminal and not hedge.state.terminal:
        return None
    if before.terminal:
        taken.forget(session, row.hedge_id, row.venue, row.seq, since)
    hedges.review_funding(session, hedge)
    was = f"was believed {before} and" if before.terminal else "of a hedge that was over"
    text = f"order {row.id} {was} filled {plain(outcome.size)} {hedge.symbol} late on {row.venue}"
    other = hedges.live_on(session.conn, hedge.symbol) if hedge.state.terminal else None
    events.alert(session, text + _waits(hedge, other), hedge.id, {"order": row.id})
    if hedge.state is State.OPEN:
        target = Changes(target=Target.MATCH)
        return hedges.move(session, hedge, State.CONVERGING, text, changes=target)
    return reopen_or_wait(session, hedge, text) if hedge.state.terminal else None


def reopen_or_wait(session: Session, ended: Hedge, text: str) -> Hedge | None:
    """
    Take up a hedge that was over; None where it waits, because another one has its market.

    Which of both it is, is told by whoever calls.
    """
    if hedges.live_on(session.conn, ended.symbol) is not None:
        events.set_meta(session, _key(ended), text)
        return None
    return hedges.reopen(session, ended, text)


def take_up_next(session: Session, ended: Hedge) -> None:
    """
    Take up a hedge whose late fill found its market with ``ended``, which is over by now.

    It is over as well, for nobody has the market now. Where ``ended`` has taken the excess off
    already, it finds both venues flat and ends. Of several, each waits for the one before it.
    """
    if waiting := events.metas(session.conn, f"{LATE}{ended.symbol}:"):
        key, text = min(waiting.items())
        events.set_meta(session, key, "")
        hedge = hedges.get(session.conn, HedgeId(key.rpartition(":")[2]))
        hedges.reopen(session, hedge, text)


def _key(hedge: Hedge) -> str:
    return f"{LATE}{hedge.symbol}:{hedge.id}"


def _waits(hedge: Hedge, other: Hedge | None) -> str:
    if other is None:
        return ""
    return f"; hedge {hedge.id} is taken up when {other.id}, which has its market, is over"
