"""Rows of sequence lanes, fillers and reserved values; inside a transaction."""

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hedger.domain.ids import LaneId
from hedger.domain.order import Filler
from hedger.ledger import events
from hedger.ledger import tables as t
from hedger.ledger.connection import Connection
from hedger.ledger.records import CooledDown, LaneNote
from hedger.ledger.session import Session
from hedger.ledger.statements import Query, Statement, given, inserting

COUNTERS = ("mismatches", "resyncs", "drifts", "gaps", "cool_downs")
PLACE = ("venue", "carries", "state", "reason", "changed_at", "cool_down_until")

_LANE = t.lanes.c
_THIS = _LANE.lane == given("this")
_NOTE = Statement(
    t.lanes.update()
    .where(_THIS)
    .values({name: _LANE[name] + given(f"more_{name}", type_=sa.Integer) for name in COUNTERS}),
    PLACE,
)
_NEW = inserting(t.lanes)
_RESERVE = Statement(
    t.lanes.update().where(
        _THIS, sa.or_(_LANE.reserved.is_(None), _LANE.reserved < given("through"))
    ),
    ["reserved"],
)
_RESERVED = Query(sa.select(_LANE.reserved).where(_THIS))
_FILLER = inserting(t.fillers)
_COOL_DOWN_UNTIL = Query(sa.select(_LANE.cool_down_until).where(_THIS))
_COOL_DOWNS = Query(
    sa.select(t.events.c.seq, t.events.c.at, t.events.c.data).where(
        t.events.c.kind == "lane_cool_down", t.events.c.at >= given("since")
    )
)


def note(session: Session, note: LaneNote) -> None:
    """Write where a lane stands, and tell what happened to it, if that is to be told."""
    values: dict[str, Any] = {
        "venue": note.venue,
        "carries": note.carries,
        "state": note.state,
        "reason": note.reason,
        "changed_at": session.now,
        "cool_down_until": note.cool_down_until,
    }
    counted = {name: int(name in note.counted) for name in COUNTERS}
    more = {f"more_{name}": number for name, number in counted.items()}
    changed = _NOTE.run(session.conn, this=note.lane, **values, **more)
    if changed.rowcount == 0:
        _NEW.run(session.conn, lane=note.lane, **values, **counted)
    if not note.kind:
        return
    data = {"lane": note.lane, "state": note.state, **note.data}
    events.append(session, note.kind, note.text, level=note.level, data=data)
    if note.alert:
        events.alert(session, note.text, None, data)


def cooled(conn: Connection, lane: LaneId, since: datetime) -> CooledDown | None:
    """
    The last cool-down of a lane that began after ``since``; None when there was none.

    Its event tells the length and the number. Those of earlier versions do not: a first one.
    """
    for row in sorted(_COOL_DOWNS.all(conn, since=since), reverse=True):  # by number
        data = json.loads(row.data)
        if data["lane"] == lane:
            return CooledDown(
                at=row.at,
                seconds=data.get("cool_down_s", float("inf")),
                times=data.get("times", 1),
                until=_COOL_DOWN_UNTIL.value(conn, this=lane),
            )
    return None


def reserve(session: Session, lane: LaneId, through: int) -> None:
    """Let every value up to ``through`` count as used; it never goes down."""
    changed = _RESERVE.run(session.conn, this=lane, through=through, reserved=through)
    if changed.rowcount == 0:
        assert reserved(session.conn, lane) is None, f"{lane} would go back to {through}"
        blank = {"venue": "", "carries": "", "state": "ready", "reason": "reserves blocks"}
        _NEW.run(
            session.conn,
            lane=lane,
            changed_at=session.now,
            reserved=through,
            **blank,
            **dict.fromkeys(COUNTERS, 0),
        )


def reserved(conn: Connection, lane: LaneId) -> int | None:
    """The highest reserved value."""
    return _RESERVED.value(conn, this=lane)


def intend_filler(session: Session, filler: Filler, why: str) -> None:
    """Commit what is to use up a nonce that no order of ours has; ``why`` empty: a gap."""
    _FILLER.run(
        session.conn,
        lane=filler.lane,
        nonce=filler.nonce,
        tx_hash=filler.tx_hash,
        payload=filler.payload,
        expires_at=filler.expires_at,
        prepared_at=session.now,
        epoch=session.epoch,
    )
    events.append(
        session,
        "filler",
        why or f"using up nonce {filler.nonce} of {filler.lane}, which nothing of ours has used",
        level="info" if why else "warning",
        data={"lane": filler.lane, "nonce": filler.nonce, "tx_hash": filler.tx_hash},
    )
