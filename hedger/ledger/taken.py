"""
What somebody else took off a leg, and which orders of ours were there by then; in a transaction.

Only an order that was there may be what was seen to be gone: a fill of it that is booked later
may explain it. What was gone before an order was intended stays gone, whatever that order fills.
"""

import json
from decimal import Decimal

import sqlalchemy as sa

from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.money import ZERO, plain
from hedger.ledger import events
from hedger.ledger import tables as t
from hedger.ledger.records import taken_key
from hedger.ledger.session import Session
from hedger.ledger.statements import Query, given

_ROW = t.orders.c
_LAST = Query(sa.select(sa.func.max(_ROW.seq)).where(_ROW.hedge_id == given("hedge")))


def size_in(text: str | None) -> Decimal:
    """The size in a value of such a key, in signed coins; zero where there is none."""
    return sum((size for size, _ in _parts(text)), ZERO)


def note(session: Session, hedge: HedgeId, venue: VenueId, size: Decimal) -> None:
    """Note ``size`` more; every order of the hedge so far may be what did it."""
    key = taken_key(hedge, venue)
    last = _LAST.value(session.conn, hedge=hedge) or 0
    _keep(session, key, [*_parts(events.meta(session.conn, key)), (size, last)])


def forget(session: Session, hedge: HedgeId, venue: VenueId, order: int = 0) -> None:
    """
    Forget what may have been an order of ours whose fills are booked only now.

    ``order`` is its number; without one the ledger did not know it, and all may have been it.
    """
    key = taken_key(hedge, venue)
    parts = _parts(events.meta(session.conn, key))
    if kept := [part for part in parts if part[1] is not None and part[1] < order]:
        _keep(session, key, kept)
    elif parts:
        events.set_meta(session, key, "")


def _keep(session: Session, key: str, parts: list[tuple[Decimal, int | None]]) -> None:
    told = [{"size": plain(size), "after": last} for size, last in parts]
    events.set_meta(session, key, json.dumps(told))


def _parts(text: str | None) -> list[tuple[Decimal, int | None]]:
    """Sizes, each with the number of the last order then; an older ledger kept only their sum."""
    if not text:
        return []
    if not text.startswith("["):
        return [(Decimal(text), None)]
    return [(Decimal(part["size"]), part["after"]) for part in json.loads(text)]
