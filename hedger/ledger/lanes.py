"""Rows of sequence lanes, fillers and reserved values; inside a transaction."""

from typing import Any

import sqlalchemy as sa

from hedger.domain.ids import LaneId
from hedger.domain.order import Filler
from hedger.ledger import events
from hedger.ledger import tables as t
from hedger.ledger.records import LaneNote
from hedger.ledger.session import Session

COUNTERS = ("mismatches", "resyncs", "drifts", "gaps", "cool_downs")


def note(session: Session, note: LaneNote) -> None:
    """Write where a lane stands, and tell what happened to it, if that is to be told."""
    c = t.lanes.c
    values: dict[str, Any] = {
        "venue": note.venue,
        "carries": note.carries,
        "state": note.state,
        "reason": note.reason,
        "changed_at": session.now,
        "cool_down_until": note.cool_down_until,
    }
    counted = {name: c[name] + int(name in note.counted) for name in COUNTERS}
    changed = session.conn.execute(
        t.lanes.update().where(c.lane == note.lane).values(**values, **counted)
    )
    if changed.rowcount == 0:
        first = {name: int(name in note.counted) for name in COUNTERS}
        session.conn.execute(t.lanes.insert().values(lane=note.lane, **values, **first))
    if not note.kind:
        return
    data = {"lane": note.lane, "state": note.state, **note.data}
    events.append(session, note.kind, note.text, level=note.level, data=data)
    if note.alert:
        events.alert(session, note.text, None, data)


def reserve(session: Session, lane: LaneId, through: int) -> None:
    """Let every value up to ``through`` count as used; it never goes down."""
    c = t.lanes.c
    changed = session.conn.execute(
        t.lanes.update()
        .where(c.lane == lane, sa.or_(c.reserved.is_(None), c.reserved < through))
        .values(reserved=through)
    )
    if changed.rowcount == 0:
        assert reserved(session.conn, lane) is None, f"{lane} would go back to {through}"
        blank = {"venue": "", "carries": "", "state": "ready", "reason": "reserves blocks"}
        session.conn.execute(
            t.lanes.insert().values(
                lane=lane,
                changed_at=session.now,
                reserved=through,
                **blank,
                **dict.fromkeys(COUNTERS, 0),
            )
        )


def reserved(conn: sa.Connection, lane: LaneId) -> int | None:
    """The highest reserved value."""
    return conn.execute(sa.select(t.lanes.c.reserved).where(t.lanes.c.lane == lane)).scalar()


def intend_filler(session: Session, filler: Filler, why: str) -> None:
    """Commit what is to use up a nonce that no order of ours has; ``why`` empty: a gap."""
    session.conn.execute(
        t.fillers.insert().values(
            lane=filler.lane,
            nonce=filler.nonce,
            tx_hash=filler.tx_hash,
            payload=filler.payload,
            expires_at=filler.expires_at,
            prepared_at=session.now,
            epoch=session.epoch,
        )
    )
    events.append(
        session,
        "filler",
        why or f"using up nonce {filler.nonce} of {filler.lane}, which nothing of ours has used",
        level="info" if why else "warning",
        data={"lane": filler.lane, "nonce": filler.nonce, "tx_hash": filler.tx_hash},
    )
