"""
Which hedge an entry of a venue's books belongs to.

It follows from the order behind it, or from when the hedge lived; never from our fills and
payments, so that the venues' books and ours share no rows.
"""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from hedger.domain.account import Entry, EntryKind
from hedger.domain.ids import HedgeId
from hedger.ledger import account_tables as at
from hedger.ledger import tables as t
from hedger.ledger.connection import Connection
from hedger.ledger.statements import Query, given

SKEW = timedelta(seconds=5)  # between the venue's stamps and our clock
NEAR = timedelta(seconds=2)  # a position begins with a trade; both are the venue's stamps

_ORDER, _ENTRY, _HEDGE = t.orders.c, at.account_entries.c, t.hedges.c
_BY_ORDER = Query(
    sa.select(_ORDER.hedge_id)
    .where(
        _ORDER.venue == given("venue"),
        _ORDER.symbol == given("symbol"),
        _ORDER.venue_order_id == given("order_ref"),
    )
    .limit(1)
)
_FEES_NEAR = Query(
    sa.select(_ENTRY.at, _ENTRY.hedge_id).where(
        _ENTRY.venue == given("venue"),
        _ENTRY.account == given("account"),
        _ENTRY.kind == EntryKind.FEE,
        _ENTRY.symbol == given("symbol"),
        _ENTRY.at >= given("after"),
        _ENTRY.at <= given("before"),
    )
)
_LIVED = Query(
    sa.select(_HEDGE.id)
    .where(
        _HEDGE.symbol == given("symbol"),
        _HEDGE.created_at <= given("made_by"),
        sa.or_(_HEDGE.closed_at.is_(None), _HEDGE.closed_at >= given("over_after")),
    )
    .order_by(_HEDGE.seq.desc())
    .limit(1)
)


def _encloses(venue: Any, first: Any, last: Any) -> sa.ColumnElement[bool]:
    at_: sa.BindParameter[Any] = given("settlement_at")
    no_end_yet = sa.and_(last.is_(None), sa.text(t.LIVE))
    return sa.and_(venue == given("venue"), first <= at_, sa.or_(last >= at_, no_end_yet))


_SETTLED = Query(
    sa.select(_HEDGE.id)
    .where(
        _HEDGE.symbol == given("symbol"),
        sa.or_(
            _encloses(_HEDGE.venue_a, _HEDGE.first_settlement_a, _HEDGE.last_settlement_a),
            _encloses(_HEDGE.venue_b, _HEDGE.first_settlement_b, _HEDGE.last_settlement_b),
        ),
    )
    .order_by(_HEDGE.seq.desc())
    .limit(1)
)


def owner_of(conn: Connection, account: str, entry: Entry) -> HedgeId | None:
    """The hedge behind an entry; None when it is none of ours."""
    match entry.kind:
        case EntryKind.UNEXPLAINED:
            return None
        case EntryKind.FUNDING:
            return _of_settlement(conn, entry)
        case _ if entry.order_ref is not None:
            return _of_order(conn, entry) or _of_time(conn, entry)
        case _:
            known, owner = _of_first_trade(conn, account, entry)
            return owner if known else _of_time(conn, entry)


def _of_order(conn: Connection, entry: Entry) -> HedgeId | None:
    return _id(
        _BY_ORDER.value(conn, venue=entry.venue, symbol=entry.symbol, order_ref=entry.order_ref)
    )


def _of_first_trade(conn: Connection, account: str, entry: Entry) -> tuple[bool, HedgeId | None]:
    """Whose trade a position began with, and whether it is booked already."""
    began = entry.since or entry.at
    rows = _FEES_NEAR.all(
        conn,
        venue=entry.venue,
        account=account,
        symbol=entry.symbol,
        after=began - NEAR,
        before=began + NEAR,
    )
    if not rows:
        return False, None
    return True, _id(min(rows, key=lambda row: abs(row.at - began)).hedge_id)


def _of_time(conn: Connection, entry: Entry) -> HedgeId | None:
    """The newest hedge that lived there and then."""
    began = entry.since or entry.at
    return _id(
        _LIVED.value(conn, symbol=entry.symbol, made_by=began + SKEW, over_after=began - SKEW)
    )


def _of_settlement(conn: Connection, entry: Entry) -> HedgeId | None:
    """The hedge whose settlements on that venue enclose this one."""
    return _id(_SETTLED.value(conn, symbol=entry.symbol, venue=entry.venue, settlement_at=entry.at))


def _id(value: str | None) -> HedgeId | None:
    return None if value is None else HedgeId(value)
