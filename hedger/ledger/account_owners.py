"""
Which hedge an entry of a venue's books belongs to.

It follows from the order behind it, or from when the hedge lived; never from our fills and
payments, so that the venues' books and ours share no rows.
"""

from datetime import timedelta

import sqlalchemy as sa

from hedger.domain.account import Entry, EntryKind
from hedger.domain.hedge import TERMINAL
from hedger.domain.ids import HedgeId
from hedger.ledger import account_tables as at
from hedger.ledger import tables as t

SKEW = timedelta(seconds=5)  # between the venue's stamps and our clock
NEAR = timedelta(seconds=2)  # a position begins with a trade; both are the venue's stamps


def owner_of(conn: sa.Connection, account: str, entry: Entry) -> HedgeId | None:
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


def _of_order(conn: sa.Connection, entry: Entry) -> HedgeId | None:
    c = t.orders.c
    query = sa.select(c.hedge_id).where(
        c.venue == entry.venue, c.symbol == entry.symbol, c.venue_order_id == entry.order_ref
    )
    return _id(conn.execute(query.limit(1)).scalar())


def _of_first_trade(conn: sa.Connection, account: str, entry: Entry) -> tuple[bool, HedgeId | None]:
    """Whose trade a position began with, and whether it is booked already."""
    began = entry.since or entry.at
    c = at.account_entries.c
    query = sa.select(c.at, c.hedge_id).where(
        c.venue == entry.venue,
        c.account == account,
        c.kind == EntryKind.FEE,
        c.symbol == entry.symbol,
        c.at.between(began - NEAR, began + NEAR),
    )
    rows = conn.execute(query).all()
    if not rows:
        return False, None
    return True, _id(min(rows, key=lambda row: abs(row.at - began)).hedge_id)


def _of_time(conn: sa.Connection, entry: Entry) -> HedgeId | None:
    """The newest hedge that lived there and then."""
    began = entry.since or entry.at
    h = t.hedges.c
    query = sa.select(h.id).where(
        h.symbol == entry.symbol,
        h.created_at <= began + SKEW,
        sa.or_(h.closed_at.is_(None), h.closed_at >= began - SKEW),
    )
    return _id(conn.execute(query.order_by(h.seq.desc()).limit(1)).scalar())


def _of_settlement(conn: sa.Connection, entry: Entry) -> HedgeId | None:
    """The hedge whose settlements on that venue enclose this one."""
    h = t.hedges.c
    sides = [
        sa.and_(
            venue == entry.venue,
            first <= entry.at,
            sa.or_(last >= entry.at, sa.and_(last.is_(None), h.state.not_in(sorted(TERMINAL)))),
        )
        for venue, first, last in (
            (h.venue_a, h.first_settlement_a, h.last_settlement_a),
            (h.venue_b, h.first_settlement_b, h.last_settlement_b),
        )
    ]
    query = sa.select(h.id).where(h.symbol == entry.symbol, sa.or_(*sides))
    return _id(conn.execute(query.order_by(h.seq.desc()).limit(1)).scalar())


def _id(value: str | None) -> HedgeId | None:
    return None if value is None else HedgeId(value)
