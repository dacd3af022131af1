"""Rows of order intents and burns, and what they are read back as; inside a transaction."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import HedgeId, LaneId, OrderId, VenueId
from hedger.domain.money import ZERO
from hedger.domain.order import NEVER_SENT, Order, Prepared, Purpose, Side
from hedger.errors import IllegalTransitionError, StateError
from hedger.ledger import events, hedges
from hedger.ledger import tables as t
from hedger.ledger.records import (
    OPEN_STATES,
    OrderRecord,
    OrderState,
    Shortfall,
)
from hedger.ledger.session import Session
from hedger.ports import Margin

NO_EFFECT = (OrderState.DEAD, OrderState.REFUSED)


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
    row_of(session.conn, original.order.id)
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


def open_intents(conn: sa.Connection, hedge: HedgeId | None) -> list[Prepared]:
    """Orders whose end is not proven, oldest first."""
    query = sa.select(t.orders).where(t.orders.c.state.in_(sorted(OPEN_STATES))).order_by("seq")
    if hedge is not None:
        query = query.where(t.orders.c.hedge_id == hedge)
    return [_prepared(row) for row in conn.execute(query)]


def dead_since(conn: sa.Connection, since: datetime, limit: int) -> list[OrderRecord]:
    """Orders that were sent and should have no effect, since an instant, the newest ones."""
    c = t.orders.c
    query = (
        sa.select(t.orders)
        .where(c.state.in_(NO_EFFECT), c.status != NEVER_SENT, c.done_at >= since)
        .order_by(c.seq.desc())
        .limit(limit)
    )
    return [_record(row) for row in conn.execute(query)]


def by_client_id(conn: sa.Connection, venue: VenueId, client_id: str) -> OrderRecord | None:
    """The order that a venue knows by this id; None when it is none of ours."""
    c = t.orders.c
    query = sa.select(t.orders).where(c.venue == venue, c.client_id == client_id)
    row = conn.execute(query).first()
    return None if row is None else _record(row)


def orders_of(conn: sa.Connection, hedge: HedgeId) -> list[OrderRecord]:
    """Every order of a hedge, oldest first."""
    query = sa.select(t.orders).where(t.orders.c.hedge_id == hedge).order_by("seq")
    return [_record(row) for row in conn.execute(query)]


def get(conn: sa.Connection, order_id: OrderId) -> OrderRecord:
    """One order."""
    return _record(row_of(conn, order_id))


def next_number(conn: sa.Connection, hedge: HedgeId) -> int:
    """One more than the number of orders: they are never deleted."""
    query = sa.select(sa.func.count()).where(t.orders.c.hedge_id == hedge)
    return int(conn.execute(query).scalar_one()) + 1


def lane_high(conn: sa.Connection, lane: LaneId) -> int | None:
    """The highest nonce that was or may have been used, by an order, a burn or a filler."""
    o, b = t.orders.c, t.burns.c
    used = sa.select(sa.func.max(o.nonce)).where(o.lane == lane, sa.text(t.NONCE_TAKEN))
    burnt = sa.select(sa.func.max(b.nonce)).where(b.lane == lane)
    filled = sa.select(sa.func.max(t.fillers.c.nonce)).where(t.fillers.c.lane == lane)
    found = [conn.execute(query).scalar() for query in (used, burnt, filled)]
    return max((nonce for nonce in found if nonce is not None), default=None)


def lane_refused(conn: sa.Connection, lane: LaneId) -> int | None:
    """The highest nonce of an order that reached the venue and was refused there."""
    c = t.orders.c
    query = sa.select(sa.func.max(c.nonce)).where(
        c.lane == lane, c.state == OrderState.REFUSED, c.status != NEVER_SENT
    )
    return conn.execute(query).scalar()


def row_of(conn: sa.Connection, order_id: OrderId) -> sa.Row[Any]:
    row = conn.execute(sa.select(t.orders).where(t.orders.c.id == order_id)).first()
    if row is None:
        raise StateError(f"order {order_id} was never committed to the ledger")
    return row


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
