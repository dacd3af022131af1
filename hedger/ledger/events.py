"""Rows of events, alerts, observations of positions and small values; inside a transaction."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from hedger.domain.hedge import State
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.market import Position
from hedger.ledger import tables as t
from hedger.ledger.records import Alert, OrderState, Stats
from hedger.ledger.session import Session

EVENTS_MAX = 500_000
OBSERVATIONS_MAX = 500_000
ALERTS_MAX = 10_000
PRUNE_EVERY = 1_000
"""
How many of the newest rows are kept of what only grows. Steps from state to state are kept for
ever, as are hedges, orders, fills and payments.
"""


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
    result = session.conn.execute(
        t.events.insert().values(
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
    )
    (number,) = result.inserted_primary_key or (0,)
    if number % PRUNE_EVERY == 0:
        prune(session)


def alert(
    session: Session, text: str, hedge: HedgeId | None, data: Mapping[str, object] | None
) -> None:
    """An error event, and an alert until somebody acknowledges it."""
    append(session, "alert", text, hedge=hedge, level="error", data=data)
    session.conn.execute(
        t.alerts.insert().values(at=session.now, hedge_id=hedge, text=text, data=_json(data))
    )


def unacknowledged(conn: sa.Connection, limit: int) -> list[Alert]:
    """The newest alerts nobody has seen, oldest first."""
    found = conn.execute(
        sa.select(t.alerts)
        .where(t.alerts.c.acknowledged_at.is_(None))
        .order_by(t.alerts.c.seq.desc())
        .limit(limit)
    ).all()
    return [_alert(row) for row in reversed(found)]


def alerts_after(conn: sa.Connection, number: int, limit: int) -> list[Alert]:
    """The oldest alerts with a higher number, in their order."""
    query = sa.select(t.alerts).where(t.alerts.c.seq > number).order_by(t.alerts.c.seq)
    return [_alert(row) for row in conn.execute(query.limit(limit))]


def _alert(row: sa.Row[Any]) -> Alert:
    return Alert(
        number=row.seq, at=row.at, hedge=row.hedge_id, text=row.text, data=json.loads(row.data)
    )


def acknowledge(session: Session, number: int) -> bool:
    """Whether an unseen alert is now a seen one."""
    changed = session.conn.execute(
        t.alerts.update()
        .where(t.alerts.c.seq == number, t.alerts.c.acknowledged_at.is_(None))
        .values(acknowledged_at=session.now)
    )
    return changed.rowcount == 1


def observe(session: Session, positions: Sequence[Position], hedge: HedgeId | None) -> None:
    """Keep readings of positions."""
    if not positions:
        return
    session.conn.execute(
        t.position_observations.insert(),
        [
            {
                "hedge_id": hedge,
                "venue": position.venue,
                "symbol": position.symbol,
                "size": position.size,
                "entry_price": position.entry_price,
                "read_started_at": position.read_started_at,
                "as_of": position.as_of,
                "source": position.source,
            }
            for position in positions
        ],
    )
    keep_newest(session, t.position_observations, OBSERVATIONS_MAX)


def last_observation(conn: sa.Connection, venue: VenueId, symbol: Symbol) -> Position | None:
    """The reading of a position that started last."""
    c = t.position_observations.c
    row = conn.execute(
        sa.select(t.position_observations)
        .where(c.venue == venue, c.symbol == symbol)
        .order_by(c.read_started_at.desc(), c.seq.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    return Position(
        venue=row.venue,
        symbol=row.symbol,
        size=row.size,
        entry_price=row.entry_price,
        read_started_at=row.read_started_at,
        as_of=row.as_of,
        source=row.source,
    )


def keep_newest(session: Session, table: sa.Table, count: int, *conditions: Any) -> None:
    """Delete what is older than the newest ``count`` rows, as far as ``conditions`` allow."""
    newest = sa.select(sa.func.max(table.c.seq)).scalar_subquery()
    session.conn.execute(table.delete().where(table.c.seq <= newest - count, *conditions))


def prune(session: Session) -> None:
    """Hold events and alerts to their bounds; at opening and every ``PRUNE_EVERY`` events."""
    keep_newest(session, t.events, EVENTS_MAX, t.events.c.to_state.is_(None))
    keep_newest(session, t.alerts, ALERTS_MAX)


def meta(conn: sa.Connection, key: str) -> str | None:
    """A small value."""
    return conn.execute(sa.select(t.meta.c.value).where(t.meta.c.key == key)).scalar()


def metas(conn: sa.Connection, prefix: str) -> dict[str, str]:
    """The small values whose keys begin so; an emptied one is left out."""
    c = t.meta.c
    query = sa.select(c.key, c.value).where(c.key.startswith(prefix, autoescape=True))
    return {row.key: row.value for row in conn.execute(query.order_by(c.key)) if row.value}


def set_meta(session: Session, key: str, value: str) -> None:
    """Keep a small value."""
    changed = session.conn.execute(
        t.meta.update().where(t.meta.c.key == key).values(value=value, at=session.now)
    )
    if changed.rowcount == 0:
        session.conn.execute(t.meta.insert().values(key=key, value=value, at=session.now))


def stats(conn: sa.Connection, database_bytes: int, epoch: int) -> Stats:
    """Counts for ``hedger status``."""

    def count(table: sa.Table, *conditions: Any) -> int:
        query = sa.select(sa.func.count()).select_from(table).where(*conditions)
        return int(conn.execute(query).scalar_one())

    def by_state(table: sa.Table) -> dict[str, int]:
        query = sa.select(table.c.state, sa.func.count().label("number")).group_by(table.c.state)
        return {row.state: row.number for row in conn.execute(query)}

    return Stats(
        hedges={State(state).value: n for state, n in by_state(t.hedges).items()},
        orders={OrderState(state).value: n for state, n in by_state(t.orders).items()},
        fills=count(t.fills),
        payments=count(t.funding_payments),
        events=count(t.events),
        alerts=count(t.alerts, t.alerts.c.acknowledged_at.is_(None)),
        database_bytes=database_bytes,
        epoch=epoch,
    )


def _json(data: Mapping[str, object] | None) -> str:
    return json.dumps(data or {}, default=str, separators=(",", ":"), sort_keys=True)
