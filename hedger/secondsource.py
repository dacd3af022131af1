"""
The second source beside a venue's list of positions: the trades of the account.

A hedge is planned on a market where both venues are flat, so its position is what was traded
there since, by us, by a person or by the venue itself.

Trades are stamped by the venue, whose clock is not ours: one that is set off would hide our own
fills. So they are counted from the venue's own stamp of our first fill, or from the planning of
the hedge in the venue's time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from loguru import logger

from hedger.clock import Clock
from hedger.domain.hedge import Hedge
from hedger.domain.money import ZERO
from hedger.domain.order import Purpose
from hedger.errors import VenueError
from hedger.ledger.store import Store
from hedger.ports import Venue
from hedger.urgency import overlapping


@dataclass(frozen=True, slots=True, kw_only=True)
class SinceOpened:
    """
    What was traded on a hedge's market since it began, in signed coins.

    ``current`` tells that every fill of ours is among it: the list is no older than the last.
    """

    net: Decimal
    forced: Decimal
    current: bool

    def explains(self, size: Decimal) -> bool:
        """Whether they make just this position, and are not older than our last fill."""
        return self.current and self.net == size


async def traded_since_opened(
    venue: Venue,
    store: Store,
    hedge: Hedge,
    read: Decimal,
    clock: Clock,
    *,
    forgotten: bool = False,
) -> SinceOpened | None:
    """
    What was traded on the hedge's market since it began, held against the position ``read``.

    Where it does not make that since our first fill, it is counted from the planning of the
    hedge: something may have been traded in between. None where the venue does not answer, and
    for a hedge that was not planned (an orphan): the market was not flat then. With ``forgotten``
    an orphan whose first order on the venue opens counts from its first fill: it was planned, on a
    flat market, and only our ledger has forgotten that.
    """
    planned = hedge.planned_size != ZERO
    if not planned and not (forgotten and _opened(store, hedge, venue)):
        return None
    ours = store.trades_of(hedge.id, venue.id)
    began = [planned_at(venue, hedge)] if planned else []
    found: SinceOpened | None = None
    for since in [*sorted(ours.values())[:1], *began]:
        try:
            traded = await overlapping(partial(venue.traded, hedge.symbol, since), clock)
        except VenueError as error:
            logger.warning("{}: the trades of {} cannot be read: {}", venue.id, hedge.symbol, error)
            return None
        current = ours.keys() <= traded.trades
        counted = SinceOpened(net=traded.net, forced=traded.forced, current=current)
        if counted.explains(read):
            return counted
        found = found or counted
    return found


def _opened(store: Store, hedge: Hedge, venue: Venue) -> bool:
    """Whether the order of ours that filled first on a leg opened it."""
    there = [
        record.prepared.order
        for record in sorted(store.orders_of(hedge.id), key=lambda each: each.prepared.expires_at)
        if record.prepared.order.venue == venue.id and record.filled_size
    ]
    return bool(there) and there[0].purpose is Purpose.OPEN


def planned_at(venue: Venue, hedge: Hedge) -> datetime:
    """When the hedge was planned, not later than so on the venue's clock."""
    offset = venue.offset
    if offset is None:
        return hedge.created_at - timedelta(seconds=venue.capabilities.clock_skew_s)
    return offset.theirs_at_least(hedge.created_at)
