"""Rows of events, alerts, observations of positions and small values; inside a transaction."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from hedger.domain.hedge import State
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.market import Position
from hedger.ledger import tables as t
from hedger.ledger.connection import Connection
from hedger.ledger.records import Alert, OrderState, Stats
from hedger.ledger.session import Session
from hedger.ledger.statements import LAST, Query, Statement, given, inserting

EVENTS_MAX = 500_000
OBSERVATIONS_MAX = 500_000
ALERTS_MAX = 10_000
PRUNE_EVERY = 1_000
"""
How many of the newest rows are kept of what only grows. Steps from state to state are kept for
ever, as are hedges, orders, fills and payments. Every ``PRUNE_EVERY``-th new row the older ones
are deleted.
"""


_BEFORE = Query(
    sa.select(t.events.c.at)
    .where(t.events.c.epoch < given("epoch", type_=sa.Integer))
    .order_by(t.events.c.seq.desc())
    .limit(1)
)


def older(table: sa.Table, *conditions: Any) -> Statement:
    """Delete what is older than the newest ``kept`` rows, as far as ``conditions`` allow."""
    newest = sa.select(sa.func.max(table.c.seq)).scalar_subquery()
    old = table.c.seq <= newest - given("kept", type_=sa.Integer)
    return Statement(table.delete().where(old, *conditions))


def _count(table: sa.Table, *conditions: Any) -> Any:
    return sa.select(sa.func.count()).select_from(table).where(*conditions).scalar_subquery()


def _by_state(table: sa.Table) -> Query:
    number = sa.func.count().label("number")
    return Query(sa.select(table.c.state, number).group_by(table.c.state))


_ENCODE = json.JSONEncoder(default=str, separators=(",", ":"), sort_keys=True).encode
_LIMIT = given("limit", type_=sa.Integer)
_UNSEEN = t.alerts.c.acknowledged_at.is_(None)

_APPEND = inserting(t.events)
_ALERT = inserting(t.alerts)
_UNACKNOWLEDGED = Query(
    sa.select(t.alerts).where(_UNSEEN).order_by(t.alerts.c.seq.desc()).limit(_LIMIT)
)
_ALERTS_AFTER = Query(
    sa.select(t.alerts)
    .where(t.alerts.c.seq > given("number"))
    .order_by(t.alerts.c.seq)
    .limit(_LIMIT)
)
_ACKNOWLEDGE = Statement(
    t.alerts.update().where(t.alerts.c.seq == given("number"), _UNSEEN), ["acknowledged_at"]
)
_MARKET = itemgetter("venue", "symbol")
READINGS_AT_ONCE = 4
"""Of one position: the jobs that read it beside each other."""
_OBSERVE = inserting(t.position_observations, part=_MARKET)
_LAST_OBSERVATION = Query(
    sa.select(t.position_observations)
    .where(
        t.position_observations.c.venue == given("venue"),
        t.position_observations.c.symbol == given("symbol"),
    )
    .order_by(t.position_observations.c.seq.desc())
    .limit(READINGS_AT_ONCE),
    part=_MARKET,
)
_META = Query(
    sa.select(t.meta.c.value).where(t.meta.c.key == given("key")), part=itemgetter("kind")
)
_METAS = Query(
    sa.select(t.meta.c.key, t.meta.c.value)
    .where(t.meta.c.key.between(given("prefix"), given("last")))
    .order_by(t.meta.c.key),
    part=itemgetter("kind"),
)
_SET_META = Statement(
    t.meta.update().where(t.meta.c.key == given("this")),
    ["value", "at"],
    part=itemgetter("kind"),
)
_NEW_META = inserting(t.meta, part=itemgetter("kind"))
_OLD_EVENTS = older(t.events, t.events.c.to_state.is_(None))
_OLD_ALERTS = older(t.alerts)
_OLD_OBSERVATIONS = older(t.position_observations)
_HEDGES_BY_STATE = _by_state(t.hedges)
_ORDERS_BY_STATE = _by_state(t.orders)
_COUNTS = Query(
    sa.select(
        _count(t.fills).label("fills"),
        _count(t.funding_payments).label("payments"),
        _count(t.events).label("events"),
        _count(t.alerts, _UNSEEN).label("alerts"),
    )
)


def append(
    session: Session,
    kind: str,
    text: str,
    *,
    hedge: HedgeId | None = None,
    level: str = "info",
    data: Mapping[str, object] | None = None,
    step: tuple[State | None, State] | None = None,
) -> None:
    """Append one event; ``step`` is the transition it tells."""
    assert level in {"debug", "info", "warning", "error"}
    before, after = step or (None, None)
    number = _APPEND.add(
        session.conn,
        at=session.now,
        epoch=session.epoch,
        level=level,
        kind=kind,
        hedge_id=hedge,
        from_state=before,
        to_state=after,
        text=text,
        data=_json(data),
    )
    if number % PRUNE_EVERY == 0:
        prune(session)


def alert(
    session: Session, text: str, hedge: HedgeId | None, data: Mapping[str, object] | None
) -> None:
    """An error event, and an alert until somebody acknowledges it."""
    append(session, "alert", text, hedge=hedge, level="error", data=data)
    _ALERT.run(session.conn, at=session.now, hedge_id=hedge, text=text, data=_json(data))


def unacknowledged(conn: Connection, limit: int) -> list[Alert]:
    """The newest alerts nobody has seen, oldest first."""
    return [_alert(row) for row in reversed(_UNACKNOWLEDGED.all(conn, limit=limit))]


def alerts_after(conn: Connection, number: int, limit: int) -> list[Alert]:
    """The oldest alerts with a higher number, in their order."""
    return [_alert(row) for row in _ALERTS_AFTER.all(conn, number=number, limit=limit)]


def _alert(row: Any) -> Alert:
    return Alert(
        number=row.seq, at=row.at, hedge=row.hedge_id, text=row.text, data=json.loads(row.data)
    )


def acknowledge(session: Session, number: int, who: str) -> bool:
    """Whether an unseen alert is now a seen one, with an event of who said so."""
    seen = _ACKNOWLEDGE.run(session.conn, number=number, acknowledged_at=session.now)
    if seen.rowcount != 1:
        return False
    (row,) = _ALERTS_AFTER.all(session.conn, number=number - 1, limit=1)
    text = f"alert {number} was seen, says {who}"
    data = {"alert": number, "who": who}
    append(session, "acknowledged", text, hedge=row.hedge_id, data=data)
    return True


def observe(session: Session, positions: Sequence[Position], hedge: HedgeId | None) -> None:
    """Keep readings of positions."""
    for position in positions:
        number = _OBSERVE.add(
            session.conn,
            hedge_id=hedge,
            venue=position.venue,
            symbol=position.symbol,
            size=position.size,
            entry_price=position.entry_price,
            read_started_at=position.read_started_at,
            as_of=position.as_of,
            source=position.source,
        )
        if number % PRUNE_EVERY == 0:
            _OLD_OBSERVATIONS.run(session.conn, kept=OBSERVATIONS_MAX)


def last_observation(conn: Connection, venue: VenueId, symbol: Symbol) -> Position | None:
    """
    The reading of a position that was kept last; of those that went on at once, the one that
    started last. What our clock said at another time does not count: it may have been set back.
    """
    found = _LAST_OBSERVATION.made(conn, _position, venue=venue, symbol=symbol)
    if not found:
        return None
    beside = [one for one in found if one.read_started_at <= found[0].as_of]
    return max(beside, key=lambda one: one.read_started_at, default=found[0])


def _position(row: Any) -> Position:
    return Position(
        venue=row.venue,
        symbol=row.symbol,
        size=row.size,
        entry_price=row.entry_price,
        read_started_at=row.read_started_at,
        as_of=row.as_of,
        source=row.source,
    )


def last_before(conn: Connection, epoch: int) -> datetime | None:
    """When the last event of an earlier epoch was; None where there is none."""
    found: datetime | None = _BEFORE.value(conn, epoch=epoch)
    return found


def prune(session: Session) -> None:
    """Hold events and alerts to their bounds; at opening and every ``PRUNE_EVERY`` events."""
    _OLD_EVENTS.run(session.conn, kept=EVENTS_MAX)
    _OLD_ALERTS.run(session.conn, kept=ALERTS_MAX)


def meta(conn: Connection, key: str) -> str | None:
    """A small value."""
    return _META.value(conn, key=key, kind=key.partition(":")[0])


def metas(conn: Connection, prefix: str) -> dict[str, str]:
    """The small values whose keys begin so; an emptied one is left out."""
    kind, colon, _ = prefix.partition(":")
    found = _METAS.all(conn, prefix=prefix, last=prefix + LAST, kind=kind if colon else None)
    return {row.key: row.value for row in found if row.value}


def set_meta(session: Session, key: str, value: str) -> None:
    """Keep a small value. What stands before its key's first colon is its kind."""
    kind = key.partition(":")[0]
    changed = _SET_META.run(session.conn, this=key, value=value, at=session.now, kind=kind)
    if changed.rowcount == 0:
        _NEW_META.run(session.conn, key=key, value=value, at=session.now, kind=kind)


def stats(conn: Connection, database_bytes: int, epoch: int) -> Stats:
    """Counts for ``hedger status``."""
    counts = _COUNTS.all(conn)[0]
    return Stats(
        hedges={State(state).value: n for state, n in _HEDGES_BY_STATE.all(conn)},
        orders={OrderState(state).value: n for state, n in _ORDERS_BY_STATE.all(conn)},
        fills=counts.fills,
        payments=counts.payments,
        events=counts.events,
        alerts=counts.alerts,
        database_bytes=database_bytes,
        epoch=epoch,
    )


def _json(data: Mapping[str, object] | None) -> str:
    return _ENCODE(data) if data else "{}"
