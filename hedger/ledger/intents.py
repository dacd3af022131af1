"""Rows of order intents and burns, and what they are read back as; inside a transaction."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import HedgeId, LaneId, OrderId, VenueId
from hedger.domain.money import ZERO, plain
from hedger.domain.order import NEVER_SENT, Order, Prepared, Purpose, Side
from hedger.errors import IllegalTransitionError, StateError
from hedger.ledger import events, hedges
from hedger.ledger import tables as t
from hedger.ledger.connection import Connection
from hedger.ledger.records import OrderRecord, OrderState, Shortfall
from hedger.ledger.session import Session
from hedger.ledger.sqlite import IntegrityError
from hedger.ledger.statements import Query, given, inserting, members
from hedger.ports import Margin

_ROW, _BURN, _FILLER = t.orders.c, t.burns.c, t.fillers.c
_ORDERS = sa.select(t.orders)
_OPEN = (
    sa.select(
        _ROW.id,
        _ROW.hedge_id,
        _ROW.venue,
        _ROW.symbol,
        _ROW.purpose,
        _ROW.attempt,
        _ROW.side,
        _ROW.size,
        _ROW.limit_price,
        _ROW.order_expires_at,
        _ROW.account,
        _ROW.client_id,
        _ROW.payload,
        _ROW.expires_at,
        _ROW.lane,
        _ROW.nonce,
        _ROW.tx_hash,
    )
    .where(sa.text(t.UNSETTLED))
    .order_by(_ROW.seq)
)
_OF_HEDGE = _ROW.hedge_id == given("hedge")

_BY_HEDGE = itemgetter("hedge")
_INSERT = inserting(t.orders, part=itemgetter("hedge_id"))
_NEW_BURN = inserting(t.burns)
_BURNS_OF = Query(sa.select(t.burns).where(_BURN.order_id == given("order")).order_by(_BURN.seq))
_OPEN_INTENTS = Query(_OPEN)
_OPEN_INTENTS_OF = Query(_OPEN.where(_OF_HEDGE), part=_BY_HEDGE)
_SHORT = (OrderState.DEAD, OrderState.REFUSED, OrderState.ZERO, OrderState.PARTIAL)
_BEYOND = sa.and_(
    _ROW.state == OrderState.FILLED,
    sa.cast(_ROW.filled_size, sa.Float) > sa.cast(_ROW.size, sa.Float),
)
_UNEVEN_SINCE = Query(
    _ORDERS.where(
        sa.or_(*(_ROW.state == state for state in _SHORT), _BEYOND),
        _ROW.status != NEVER_SENT,
        _ROW.done_at >= given("since"),
    )
    .order_by(_ROW.seq.desc())
    .limit(given("limit", type_=sa.Integer))
)
_ALERTED = sa.select(t.alerts.c.seq).where(
    t.alerts.c.hedge_id == _ROW.hedge_id,
    sa.func.instr(t.alerts.c.text, _ROW.id + ":") > 0,
)
_MORE_UNTOLD = Query(
    _ORDERS.where(
        _BEYOND,
        _ROW.done_at >= given("since"),
        ~_ALERTED.exists(),
    ).order_by(_ROW.seq)
)
_BY_CLIENT_ID = Query(
    _ORDERS.where(_ROW.venue == given("venue"), _ROW.client_id == given("client_id"))
)
_LAST_ACCOUNT = Query(
    sa.select(_ROW.account).where(_ROW.venue == given("venue")).order_by(_ROW.seq.desc()).limit(1)
)
_ORDERS_OF = Query(_ORDERS.where(_OF_HEDGE).order_by(_ROW.seq), part=_BY_HEDGE)
_BY_ID = Query(_ORDERS.where(_ROW.id == given("order")))
_USED = sa.union_all(
    sa.select(sa.func.max(_ROW.nonce).label("nonce")).where(
        _ROW.lane == given("lane"), sa.text(t.NONCE_TAKEN)
    ),
    sa.select(sa.func.max(_BURN.nonce)).where(_BURN.lane == given("lane")),
    sa.select(sa.func.max(_FILLER.nonce)).where(_FILLER.lane == given("lane")),
).subquery()
_LANE_HIGH = Query(sa.select(sa.func.max(_USED.c.nonce)))
_LANE_REFUSED = Query(
    sa.select(sa.func.max(_ROW.nonce)).where(
        _ROW.lane == given("lane"),
        _ROW.state == OrderState.REFUSED,
        _ROW.status != NEVER_SENT,
    )
)

_purpose, _side, _state = members(Purpose), members(Side), members(OrderState)


def intend(
    session: Session,
    prepared: Prepared,
    margins: Sequence[Margin],
    move_to: tuple[State, str] | None,
    rules: Mapping[str, str] | None = None,
) -> Shortfall | Hedge | None:
    """Reserve, commit the intent and move the hedge: all of it, or nothing and a shortfall."""
    order = prepared.order
    hedge = hedges.get(session.conn, order.hedge)
    if hedge.state.terminal:
        raise IllegalTransitionError(f"hedge {hedge.id} is {hedge.state}: it takes no more orders")
    shortfall = hedges.reserve(session, hedge.id, margins)
    if shortfall is not None:
        return shortfall
    insert(session, prepared)
    events.append(
        session,
        "intent",
        f"{order.purpose} {order.side} {plain(order.size)} {order.symbol} on {order.venue} "
        f"at {plain(order.limit_price)} or better, order {order.id}",
        hedge=hedge.id,
        data={
            "order": order.id,
            "client_id": prepared.client_id,
            "nonce": prepared.nonce,
            "attempt": order.attempt,
            "reserved_usd": {margin.venue: str(margin.needed_usd) for margin in margins},
            **({"rules": dict(rules)} if rules else {}),
        },
    )
    if move_to is None:
        return None
    to, reason = move_to
    return hedges.move(session, hedge, to, reason, data={"order": order.id})


def insert(session: Session, prepared: Prepared) -> None:
    """A row of an order of which nothing is known but that it was signed."""
    order = prepared.order
    try:
        _INSERT.run(
            session.conn,
            id=order.id,
            hedge_id=order.hedge,
            venue=order.venue,
            symbol=order.symbol,
            purpose=order.purpose,
            attempt=order.attempt,
            side=order.side,
            size=order.size,
            limit_price=order.limit_price,
            order_expires_at=order.expires_at,
            state=OrderState.PREPARED,
            filled_size=ZERO,
            filled_usd=ZERO,
            fee_usd=ZERO,
            prepared_at=session.now,
            epoch=session.epoch,
            account=prepared.account,
            client_id=prepared.client_id,
            expires_at=prepared.expires_at,
            lane=prepared.lane,
            nonce=prepared.nonce,
            tx_hash=prepared.tx_hash,
            payload=prepared.payload,
            payload_sha256=hashlib.sha256(prepared.payload.encode()).hexdigest(),
        )
    except IntegrityError as error:
        raise StateError(
            f"order {order.id} cannot be committed: its id, its client id "
            f"{prepared.client_id} or its nonce {prepared.nonce} is taken, or an earlier order "
            f"of hedge {order.hedge} on {order.venue} is not settled ({error})"
        ) from error


def intend_burn(session: Session, original: Prepared, burn: Prepared) -> None:
    """Commit what is to use up the nonce of ``original``."""
    row_of(session.conn, original.order.id)
    _NEW_BURN.run(
        session.conn,
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
    events.append(
        session,
        "burn",
        f"using up nonce {burn.nonce} of order {original.order.id}",
        hedge=original.order.hedge,
        level="warning",
        data={"order": original.order.id, "client_id": burn.client_id, "tx_hash": burn.tx_hash},
    )


def burns_of(conn: Connection, original: Prepared) -> list[Prepared]:
    """Every burn of one order, oldest first."""
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
        for row in _BURNS_OF.all(conn, order=original.order.id)
    ]


def open_intents(conn: Connection, hedge: HedgeId | None) -> list[Prepared]:
    """Orders whose end is not proven, oldest first."""
    if hedge is None:
        return _OPEN_INTENTS.made(conn, _prepared)
    return _OPEN_INTENTS_OF.made(conn, _prepared, hedge=hedge)


def uneven_since(conn: Connection, since: datetime, limit: int) -> list[OrderRecord]:
    """Orders that ended since an instant with less or more than was asked for, the newest ones."""
    # the same question for a minute, so that its answer can be remembered
    minute = since.replace(second=0, microsecond=0)
    found = _UNEVEN_SINCE.made(conn, _record, since=minute, limit=limit)
    return [record for record in found if record.done_at is None or record.done_at >= since]


def more_untold(conn: Connection, since: datetime) -> list[OrderRecord]:
    """Orders that ended since then with more than was asked for, of which no alert tells."""
    return _MORE_UNTOLD.made(conn, _record, since=since)


def by_client_id(conn: Connection, venue: VenueId, client_id: str) -> OrderRecord | None:
    """The order that a venue knows by this id; None when it is none of ours."""
    return _BY_CLIENT_ID.one(conn, _record, venue=venue, client_id=client_id)


def last_account(conn: Connection, venue: VenueId) -> str | None:
    """Whose order was the last one on a venue."""
    found: str | None = _LAST_ACCOUNT.value(conn, venue=venue)
    return found


def orders_of(conn: Connection, hedge: HedgeId) -> list[OrderRecord]:
    """Every order of a hedge, oldest first."""
    return _ORDERS_OF.made(conn, _record, hedge=hedge)


def get(conn: Connection, order_id: OrderId) -> OrderRecord:
    """One order."""
    return _record(row_of(conn, order_id))


def lane_high(conn: Connection, lane: LaneId) -> int | None:
    """The highest nonce that was or may have been used, by an order, a burn or a filler."""
    return _LANE_HIGH.value(conn, lane=lane)


def lane_refused(conn: Connection, lane: LaneId) -> int | None:
    """The highest nonce of an order that reached the venue and was refused there."""
    return _LANE_REFUSED.value(conn, lane=lane)


def row_of(conn: Connection, order_id: OrderId) -> Any:
    row = _BY_ID.first(conn, order=order_id)
    if row is None:
        raise StateError(f"order {order_id} was never committed to the ledger")
    return row


def _prepared(row: Any) -> Prepared:
    order = Order(
        id=row.id,
        hedge=row.hedge_id,
        venue=row.venue,
        symbol=row.symbol,
        purpose=_purpose(row.purpose),
        attempt=row.attempt,
        side=_side(row.side),
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


def _record(row: Any) -> OrderRecord:
    return OrderRecord(
        prepared=_prepared(row),
        state=_state(row.state),
        filled_size=row.filled_size,
        filled_usd=row.filled_usd,
        avg_price=row.avg_price,
        fee_usd=row.fee_usd,
        venue_order_id=row.venue_order_id,
        status=row.status,
        detail=row.detail,
        prepared_at=row.prepared_at,
        done_at=row.done_at,
        epoch=row.epoch,
    )
