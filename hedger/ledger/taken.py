"""
What somebody else took off a leg, and which orders of ours were there by then; in a transaction.

Only an order that was there may be what was seen to be gone: a fill of it that is booked later
may explain it. What was gone before an order was intended, or before it filled, stays gone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

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

MARGIN: Final = timedelta(seconds=5)
"""By how much a venue's clock and ours may differ where nobody is told of it."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Signed coins, the last order of the hedge by then, and when it was noted."""

    size: Decimal
    after: int | None = None
    at: datetime | None = None

    def may_be(self, order: int, since: datetime | None) -> bool:
        """Whether an order did it whose fills since an instant are booked only now."""
        if self.after is None:
            return True
        was_there = self.after >= order
        had_filled = since is None or self.at is None or since <= self.at + MARGIN
        return was_there and had_filled


def size_in(text: str | None) -> Decimal:
    """The size in a value of such a key, in signed coins; zero where there is none."""
    return sum((part.size for part in _parts(text)), ZERO)


def note(session: Session, hedge: HedgeId, venue: VenueId, size: Decimal) -> None:
    """Note ``size`` more; every order of the hedge so far may be what did it."""
    key = taken_key(hedge, venue)
    last = _LAST.value(session.conn, hedge=hedge) or 0
    now = _Part(size, last, session.now)
    _keep(session, key, [*_parts(events.meta(session.conn, key)), now])


def forget(
    session: Session,
    hedge: HedgeId,
    venue: VenueId,
    order: int = 0,
    since: datetime | None = None,
) -> None:
    """
    Forget what may have been an order of ours whose fills ``since`` then are booked only now.

    ``order`` is its number; without one the ledger did not know it, and all may have been it.
    """
    key = taken_key(hedge, venue)
    parts = _parts(events.meta(session.conn, key))
    if kept := [part for part in parts if order and not part.may_be(order, since)]:
        _keep(session, key, kept)
    elif parts:
        events.set_meta(session, key, "")


def _keep(session: Session, key: str, parts: Sequence[_Part]) -> None:
    told = [
        {
            "size": plain(part.size),
            "after": part.after,
            "at": None if part.at is None else part.at.isoformat(),
        }
        for part in parts
    ]
    events.set_meta(session, key, json.dumps(told))


def _parts(text: str | None) -> list[_Part]:
    """An older ledger kept only the sum, and then no instant."""
    if not text:
        return []
    if not text.startswith("["):
        return [_Part(Decimal(text))]
    return [
        _Part(
            Decimal(part["size"]),
            part["after"],
            datetime.fromisoformat(part["at"]) if part.get("at") else None,
        )
        for part in json.loads(text)
    ]
