"""Rows of order intents, burns and fills; inside a transaction."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from decimal import Context
from typing import Any

import sqlalchemy as sa

from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import HedgeId, LaneId, OrderId
from hedger.domain.money import ZERO
from hedger.domain.order import (
    Fill,
    Filled,
    Order,
    Outcome,
    Prepared,
    Purpose,
    Refused,
    Side,
    Unresolved,
)
from hedger.errors import IllegalTransitionError, StateError
from hedger.ledger import events, hedges, totals
from hedger.ledger import tables as t
from hedger.ledger.records import (
    NONCE_FREE_STATES,
    OPEN_STATES,
    OrderRecord,
    OrderState,
    Shortfall,
)
from hedger.ledger.session import Session
from hedger.ledger.text import EXACT
from hedger.ports import Margin

AVERAGE = Context(prec=16)  # for reading; the exact value stands beside it


def intend(
    session: Session,
    prepared: Prepared,
    margins: Sequence[Margin],
    move_to: tuple[State, str] | None,
) -> Shortfall | Hedge | None:
    """Reserve, commit the intent and move the hedge: all of it, or nothing and a shortfall."""
    order = prepared.order
    hedge = hedges.get(session.conn, order.hedge)
    if hedge.state.terminal:
        raise IllegalTransitionError(f"hedge {hedge.id} is {hedge.state}: it takes no more orders")
    shortfall = hedges.reserve(session, hedge.id, margins)
    if shortfall is not None:
        return shortfall
    _insert(session, prepared)
    events.append(
        session,
        "intent",
        f"{order.purpose} {order.side} {order.size} {order.symbol} on {order.venue} "
        f"at {order.limit_price} or better, order {order.id}",
        hedge=hedge.id,
        data={
            "order": order.id,
            "client_id": prepared.client_id,
            "nonce": prepared.nonce,
            "attempt": order.attempt,
            "reserved_usd": {margin.venue: str(margin.needed_usd) for margin in margins},
        },
    )
    if move_to is None:
        return None
    to, reason = move_to
    return hedges.move(session, hedge, to, reason, data={"order": order.id})


def _insert(session: Session, prepared: Prepared) -> None:
    order = prepared.order
    values = {
        "id": order.id,
        "hedge_id": order.hedge,
        "venue": order.venue,
        "symbol": order.symbol,
        "purpose": order.purpose,
        "attempt": order.attempt,
        "side": order.side,
        "size": order.size,
        "limit_price": order.limit_price,
        "order_expires_at": order.expires_at,
        "state": OrderState.PREPARED,
        "filled_size": ZERO,
        "filled_usd": ZERO,
        "fee_usd": ZERO,
        "prepared_at": session.now,
        "epoch": session.epoch,
        "account": prepared.account,
        "client_id": prepared.client_id,
        "expires_at": prepared.expires_at,
        "lane": prepared.lane,
        "nonce": prepared.nonce,
        "tx_hash": prepared.tx_hash,
        "payload": prepared.payload,
        "payload_sha256": hashlib.sha256(prepared.payload.encode()).hexdigest(),
    }
    try:
        session.conn.execute(t.orders.insert().values(**values))
    except sa.exc.IntegrityError as error:
        raise StateError(
            f"order {order.id} cannot be committed: its id, its client id "
            f"{prepared.client_id} or its nonce {prepared.nonce} is taken, or an earlier order "
            f"of hedge {order.hedge} on {order.venue} is not settled ({error.orig})"
        ) from error


def intend_burn(session: Session, original: Prepared, burn: Prepared) -> None:
    """Commit what is to use up the nonce of ``original``."""
    _row(session.conn, original.order.id)
    session.conn.execute(
        t.burns.insert().values(
            order_id=original.order.id,
            client_id=burn.client_id,
            expires_at=burn.expires_at,
            lane=burn.lane,
            nonce=burn.nonce,
            tx_hash=burn.tx_hash,
            payload=burn.payload,
            state="prepared",
            prepared_at=session.now,
            epoch=session.epoch,
        )
    )
    events.append(
        session,
        "burn",
        f"using up nonce {burn.nonce} of order {original.order.id}",
        hedge=original.order.hedge,
        level="warning",
        data={"order": original.order.id, "client_id": burn.client_id, "tx_hash": burn.tx_hash},
    )


def burns_of(conn: sa.Connection, original: Prepared) -> list[Prepared]:
    """Every burn of one order, oldest first."""
    found = conn.execute(
        sa.select(t.burns).where(t.burns.c.order_id == original.order.id).order_by("seq")
    )
    return [
        replace(
            original,
            client_id=row.client_id,
            payload=row.payload,
            expires_at=row.expires_at,
            lane=row.lane,
            nonce=row.nonce,
            tx_hash=row.tx_hash,
        )
        for row in found
    ]


def settle(session: Session, outcome: Outcome) -> None:
    """Record what became of an order; see ``Store.settle``."""
    row = _row(session.conn, outcome.prepared.order.id)
    match outcome:
        case Filled():
            _settle_filled(session, row, outcome)
        case Refused():
            _settle_refused(session, row, outcome)
        case Unresolved():
            _settle_unresolved(session, row, outcome)


def _settle_filled(session: Session, row: sa.Row[Any], outcome: Filled) -> None:
    booked = _book(session, row, outcome.fills)
    after, values = _filled(session, row, outcome)
    before = OrderState(row.state)
    if before.terminal and not booked:
        return  # nothing new is known
    level, text = "info", f"filled {outcome.size} of {row.size} on {row.venue}"
    if before.terminal:
        level, text = "error", f"was believed {before}, but {text}"
    values |= {"venue_order_id": outcome.venue_order_id, "status": outcome.status}
    _finish(session, row, after, values, level=level, text=text)


def _settle_refused(session: Session, row: sa.Row[Any], outcome: Refused) -> None:
    after = OrderState.DEAD if outcome.dead else OrderState.REFUSED
    if OrderState(row.state).terminal:
        if row.filled_size != ZERO:
            raise IllegalTransitionError(f"order {row.id} is {row.state}, it cannot be {after}")
        return  # the first proof that nothing happened is enough
    detail = f"{outcome.reason}: {outcome.detail}"
    text = f"is {after} on {row.venue} {outcome.code}, {detail}"
    values = {"status": outcome.code, "detail": detail}
    _finish(session, row, after, values, level="warning", text=text)


def _settle_unresolved(session: Session, row: sa.Row[Any], outcome: Unresolved) -> None:
    after = OrderState.UNRESOLVED
    if OrderState(row.state).terminal:
        raise IllegalTransitionError(f"order {row.id} is {row.state}, it cannot be {after}")
    if (row.state, row.detail) == (after, outcome.detail):
        return
    text = f"is unknown on {row.venue}: {outcome.detail}"
    _finish(session, row, after, {"detail": outcome.detail}, level="error", text=text)


def abandon(session: Session, prepared: Prepared, detail: str) -> None:
    """Record that an order was certainly never sent."""
    row = _row(session.conn, prepared.order.id)
    before, after = OrderState(row.state), OrderState.ABANDONED
    if before is after:
        return
    if before.terminal:
        raise IllegalTransitionError(f"order {row.id} is {before}, it cannot be {after}")
    text = f"was not sent: {detail}"
    _finish(session, row, after, {"detail": detail}, level="warning", text=text)


def open_intents(conn: sa.Connection, hedge: HedgeId | None) -> list[Prepared]:
    """Orders whose end is not proven, oldest first."""
    query = sa.select(t.orders).where(t.orders.c.state.in_(sorted(OPEN_STATES))).order_by("seq")
    if hedge is not None:
        query = query.where(t.orders.c.hedge_id == hedge)
    return [_prepared(row) for row in conn.execute(query)]


def orders_of(conn: sa.Connection, hedge: HedgeId) -> list[OrderRecord]:
    """Every order of a hedge, oldest first."""
    query = sa.select(t.orders).where(t.orders.c.hedge_id == hedge).order_by("seq")
    return [_record(row) for row in conn.execute(query)]


def get(conn: sa.Connection, order_id: OrderId) -> OrderRecord:
    """One order."""
    return _record(_row(conn, order_id))


def next_number(conn: sa.Connection, hedge: HedgeId) -> int:
    """One more than the number of orders: they are never deleted."""
    query = sa.select(sa.func.count()).where(t.orders.c.hedge_id == hedge)
    return int(conn.execute(query).scalar_one()) + 1


def lane_high(conn: sa.Connection, lane: LaneId) -> int | None:
    """The highest nonce that was or may have been used, by an order or a burn."""
    o, b = t.orders.c, t.burns.c
    used = sa.select(sa.func.max(o.nonce)).where(
        o.lane == lane, o.state.not_in(sorted(NONCE_FREE_STATES))
    )
    burnt = sa.select(sa.func.max(b.nonce)).where(b.lane == lane)
    found = [conn.execute(query).scalar() for query in (used, burnt)]
    return max((nonce for nonce in found if nonce is not None), default=None)


def _row(conn: sa.Connection, order_id: OrderId) -> sa.Row[Any]:
    row = conn.execute(sa.select(t.orders).where(t.orders.c.id == order_id)).first()
    if row is None:
        raise StateError(f"order {order_id} was never committed to the ledger")
    return row


def _book(session: Session, row: sa.Row[Any], fills: Sequence[Fill]) -> int:
    """Insert the fills that are not known yet, with their totals; how many there were."""
    booked = 0
    for fill in fills:
        assert (fill.order, fill.venue) == (row.id, row.venue)
        c = t.fills.c
        known = session.conn.execute(
            sa.select(c.order_id, c.side, c.size, c.price, c.fee_usd).where(
                c.venue == fill.venue, c.trade_id == fill.trade_id
            )
        ).first()
        told = (fill.order, fill.side, fill.size, fill.price, fill.fee_usd)
        if known is not None:
            if tuple(known) != told:
                raise StateError(
                    f"{fill.venue} now tells trade {fill.trade_id} differently: {told}, "
                    f"the ledger has {tuple(known)}"
                )
            continue
        values = {name: getattr(fill, name) for name in Fill.__dataclass_fields__}
        values |= {"order_id": values.pop("order"), "hedge_id": row.hedge_id}
        session.conn.execute(t.fills.insert().values(**values))
        totals.add_fill(session, row.hedge_id, Purpose(row.purpose), fill)
        booked += 1
    return booked


def _filled(
    session: Session, row: sa.Row[Any], outcome: Filled
) -> tuple[OrderState, dict[str, Any]]:
    """The state and the sums of an order from all of its fills."""
    c = t.fills.c
    found = session.conn.execute(
        sa.select(c.size, c.price, c.fee_usd).where(c.order_id == row.id)
    ).all()
    size = hedges.total([fill.size for fill in found])
    if size != outcome.size:
        raise IllegalTransitionError(
            f"order {row.id} is said to have filled {outcome.size}, but {size} are booked"
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
    row: sa.Row[Any],
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
        session.conn.execute(
            t.burns.update().where(t.burns.c.order_id == row.id).values(state="settled")
        )
    session.conn.execute(
        t.orders.update().where(t.orders.c.id == row.id).values(**values, state=after)
    )
    events.append(
        session,
        "outcome",
        f"{row.purpose} order {row.id} {text}",
        hedge=row.hedge_id,
        level=level,
        data={"order": row.id, "state": after, "before": row.state},
    )


def _prepared(row: sa.Row[Any]) -> Prepared:
    order = Order(
        id=row.id,
        hedge=row.hedge_id,
        venue=row.venue,
        symbol=row.symbol,
        purpose=Purpose(row.purpose),
        attempt=row.attempt,
        side=Side(row.side),
        size=row.size,
        limit_price=row.limit_price,
        expires_at=row.order_expires_at,
    )
    return Prepared(
        order=order,
        account=row.account,
        client_id=row.client_id,
        payload=row.payload,
        expires_at=row.expires_at,
        lane=row.lane,
        nonce=row.nonce,
        tx_hash=row.tx_hash,
    )


def _record(row: sa.Row[Any]) -> OrderRecord:
    names = set(OrderRecord.__dataclass_fields__) - {"prepared", "state"}
    return OrderRecord(
        prepared=_prepared(row),
        state=OrderState(row.state),
        **{name: getattr(row, name) for name in names},
    )
