"""What became of orders: their fills, their totals and their end; inside a transaction."""

from collections.abc import Sequence
from decimal import Context
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from hedger.domain.hedge import Hedge
from hedger.domain.money import ZERO, plain, rounded
from hedger.domain.order import Fill, Filled, Outcome, Prepared, Purpose, Refused, Unresolved
from hedger.errors import IllegalTransitionError, StateError
from hedger.ledger import events, hedges, late, totals
from hedger.ledger import tables as t
from hedger.ledger.intents import row_of
from hedger.ledger.records import OrderState
from hedger.ledger.session import Session
from hedger.ledger.statements import Change, Query, Statement, given, inserting
from hedger.ledger.text import EXACT, prose_text

AVERAGE = Context(prec=16)  # for reading; the exact value stands beside it

_FILL = t.fills.c
_KNOWN = Query(
    sa.select(_FILL.order_id, _FILL.side, _FILL.size, _FILL.price, _FILL.fee_usd).where(
        _FILL.venue == given("venue"), _FILL.trade_id == given("trade_id")
    )
)
_BOOK = inserting(t.fills)
_FILLS_OF = Query(
    sa.select(_FILL.size, _FILL.price, _FILL.fee_usd).where(_FILL.order_id == given("order"))
)
_BURNS_SETTLED = Statement(
    t.burns.update().where(t.burns.c.order_id == given("order")).values(state="settled")
)
_ORDER = Change(t.orders, t.orders.c.id == given("order"), part=itemgetter("hedge"))


def settle(session: Session, outcome: Outcome) -> Hedge | None:
    """Record what became of an order; see ``Store.settle``."""
    row = row_of(session.conn, outcome.prepared.order.id)
    match outcome:
        case Filled():
            return _settle_filled(session, row, outcome)
        case Refused():
            _settle_refused(session, row, outcome)
        case Unresolved():
            _settle_unresolved(session, row, outcome)
    return None


def _settle_filled(session: Session, row: Any, outcome: Filled) -> Hedge | None:
    booked = _book(session, row, outcome.fills)
    after, values = _filled(session, row, outcome)
    before = OrderState(row.state)
    if before.terminal and not booked:
        return None  # nothing new is known
    price = values["avg_price"]
    at = f" at {rounded(price)}" if price is not None else ""
    level, text = "info", f"filled {plain(outcome.size)} of {plain(row.size)}{at} on {row.venue}"
    if before.terminal:
        level, text = "error", f"was believed {before}, but {text}"
    values |= {"venue_order_id": outcome.venue_order_id, "status": outcome.status}
    _finish(session, row, after, values, level=level, text=text)
    since = min((fill.at for fill in booked), default=None)
    return late.take_up(session, row, outcome, since) if since is not None else None


def _settle_refused(session: Session, row: Any, outcome: Refused) -> None:
    after = OrderState.DEAD if outcome.dead else OrderState.REFUSED
    if OrderState(row.state).terminal:
        if row.filled_size != ZERO:
            raise IllegalTransitionError(f"order {row.id} is {row.state}, it cannot be {after}")
        return  # the first proof that nothing happened is enough
    detail = f"{outcome.reason}: {outcome.detail}"
    text = f"was refused by {row.venue} ({outcome.code}, {detail})"
    if outcome.dead:
        text = f"was never executed on {row.venue} and cannot be any more: {outcome.detail}"
    values = {"status": outcome.code, "detail": detail}
    _finish(session, row, after, values, level="warning", text=text)


def _settle_unresolved(session: Session, row: Any, outcome: Unresolved) -> None:
    after = OrderState.UNRESOLVED
    if OrderState(row.state).terminal:
        raise IllegalTransitionError(f"order {row.id} is {row.state}, it cannot be {after}")
    if (row.state, row.detail) == (after, prose_text(outcome.detail)):
        return
    text = f"is unknown on {row.venue}: {outcome.detail}"
    _finish(session, row, after, {"detail": outcome.detail}, level="error", text=text)


def abandon(session: Session, prepared: Prepared, detail: str) -> None:
    """Record that an order was certainly never sent."""
    row = row_of(session.conn, prepared.order.id)
    before, after = OrderState(row.state), OrderState.ABANDONED
    if before is after:
        return
    if before.terminal:
        raise IllegalTransitionError(f"order {row.id} is {before}, it cannot be {after}")
    text = f"was not sent: {detail}"
    _finish(session, row, after, {"detail": detail}, level="warning", text=text)


def _book(session: Session, row: Any, fills: Sequence[Fill]) -> Sequence[Fill]:
    """Insert the fills that are not known yet, with their totals; those."""
    booked: list[Fill] = []
    for fill in fills:
        assert (fill.order, fill.venue) == (row.id, row.venue)
        known = _KNOWN.first(session.conn, venue=fill.venue, trade_id=fill.trade_id)
        told = (fill.order, fill.side, fill.size, fill.price, fill.fee_usd)
        if known is not None:
            if tuple(known) != told:
                raise StateError(
                    f"{fill.venue} now tells trade {fill.trade_id} differently: {told}, "
                    f"the ledger has {tuple(known)}"
                )
            continue
        _BOOK.run(
            session.conn,
            venue=fill.venue,
            trade_id=fill.trade_id,
            order_id=fill.order,
            hedge_id=row.hedge_id,
            symbol=fill.symbol,
            side=fill.side,
            size=fill.size,
            price=fill.price,
            fee_usd=fill.fee_usd,
            at=fill.at,
            is_maker=fill.is_maker,
        )
        totals.add_fill(session, row.hedge_id, Purpose(row.purpose), fill)
        booked.append(fill)
    return booked


def _filled(session: Session, row: Any, outcome: Filled) -> tuple[OrderState, dict[str, Any]]:
    """The state and the sums of an order from all of its fills."""
    found = _FILLS_OF.all(session.conn, order=row.id)
    size = hedges.total([fill.size for fill in found])
    if size != outcome.size:
        raise IllegalTransitionError(
            f"order {row.id} is said to have filled {plain(outcome.size)},"
            f" but {plain(size)} are booked"
        )
    value = hedges.total([EXACT.multiply(fill.size, fill.price) for fill in found])
    values = {
        "filled_size": size,
        "filled_usd": value,
        "avg_price": AVERAGE.divide(value, size) if size else None,
        "fee_usd": hedges.total([fill.fee_usd for fill in found]),
    }
    if size == ZERO:
        return OrderState.ZERO, values
    return (OrderState.FILLED if size >= row.size else OrderState.PARTIAL), values


def _finish(
    session: Session,
    row: Any,
    after: OrderState,
    values: dict[str, Any],
    *,
    level: str,
    text: str,
) -> None:
    """Write what became of an order, release what nothing waits for any longer, and tell it."""
    if after.terminal:
        values = {**values, "done_at": session.now}
        if Purpose(row.purpose) is Purpose.OPEN:
            hedges.release(session, row.hedge_id, row.venue)
        _BURNS_SETTLED.run(session.conn, order=row.id)
    values = {**values, "state": after}
    _ORDER.of(values).run(session.conn, order=row.id, hedge=row.hedge_id, **values)
    events.append(
        session,
        "outcome",
        f"{row.purpose} order {row.id} {text}",
        hedge=row.hedge_id,
        level=level,
        data={"order": row.id, "state": after, "before": row.state},
    )
