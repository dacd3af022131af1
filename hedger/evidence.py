"""
When a difference is believed: several successful reads, and a second source (S5).

The venue's list of positions is one source. Its list of the account's trades is the other: what
was traded since the hedge was planned, when the market was flat, has to add up to the position
that was read. Where the trades cannot be read, the same position must be read for as long as
the read lag instead, so that one endpoint that is down leaves no leg alone. A venue that agrees
with itself and not with our record may have forgotten: ``hedger/reconciliation/forgetting.py``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from loguru import logger

from hedger.clock import Clock
from hedger.differences import Difference, Kind
from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.money import ZERO, plain
from hedger.ledger.store import Store
from hedger.owned import forgotten
from hedger.ports import Venue
from hedger.readlag import ReadLag
from hedger.reconciliation.forgetting import Forgetting
from hedger.secondsource import traded_since_opened

QUICK_S = 1.0
KNOWN_MAX = 1_000


class Evidence:
    """What speaks against a difference that all reads agree on."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        lag: ReadLag,
        clock: Clock,
        forgetting: Forgetting,
    ) -> None:
        self._forgetting = forgetting
        self._clock = clock
        self._venues = venues
        self._store = store
        self._lag = lag
        self._since: dict[tuple[HedgeId, VenueId], tuple[Decimal, datetime]] = {}

    def span_s(self, found: Sequence[Difference]) -> float:
        """How long the further looks take: short where a second source can be asked."""
        slow = [d for d in found if d.kind is Kind.UNEXPLAINED]
        return max((self._lag.bound_s(d.venue) for d in slow), default=QUICK_S)

    def late_s(self, found: Sequence[Difference]) -> float:
        """How late the readings of these may be at most, in seconds."""
        return max((self._lag.bound_s(d.venue) for d in found), default=0.0)

    async def against(self, difference: Difference, asked_at: datetime) -> str | None:
        """
        None where it is to be believed.

        Otherwise why not: a sentence where the venue contradicts itself, which puts it in
        doubt; empty where the reading may simply be older than our last fill.
        """
        if difference.hedge is None:
            return None
        hedge = self._store.hedge(difference.hedge)
        if difference.read == difference.booked and forgotten(
            self._store, hedge.id, difference.venue
        ):
            return None  # believed already: its own record and ours are the same
        young = self._may_be_old(hedge, difference.venue, asked_at)
        venue = self._venues[difference.venue]
        traded = await traded_since_opened(venue, self._store, hedge, difference.read, self._clock)
        if traded is None:
            return "" if young or not self._seen_for_long(difference, asked_at) else None
        self._since.pop((hedge.id, difference.venue), None)
        if traded.explains(difference.read):
            if traded.forced != ZERO:
                self._tell_forced(hedge, difference, plain(traded.forced))
            return None
        if young:
            return ""
        if await self._forgetting.believes(hedge, venue.id, difference.read, traded):
            return None
        return self._forgetting.doubt(hedge, venue.id, difference.read, traded)

    def whole(self, hedge: Hedge) -> None:
        """Both venues show an open hedge as it should be: no earlier doubt of it counts."""
        for venue in hedge.venues:
            self._forgetting.whole(hedge, venue)

    def _seen_for_long(self, difference: Difference, asked_at: datetime) -> bool:
        """Whether this very position is read for as long as reads may be late."""
        assert difference.hedge is not None
        key = (difference.hedge, difference.venue)
        read, since = self._since.get(key, (difference.read, asked_at))
        if read != difference.read:
            since = asked_at
        if len(self._since) >= KNOWN_MAX:
            self._since.clear()
        self._since[key] = (difference.read, since)
        return asked_at - since >= self._lag.bound(difference.venue)

    def _may_be_old(self, hedge: Hedge, venue: VenueId, asked_at: datetime) -> bool:
        last = max(
            (
                record.done_at or record.prepared_at
                for record in self._store.orders_of(hedge.id)
                if record.prepared.order.venue == venue
            ),
            default=hedge.created_at,
        )
        return asked_at <= last + self._lag.bound(venue)

    def _tell_forced(self, hedge: Hedge, difference: Difference, forced: str) -> None:
        text = f"{difference.venue} liquidated or deleveraged {forced} {difference.symbol}"
        self._store.event("forced", text, hedge=hedge.id, level="error")
        logger.error("hedge {}: {}", hedge.id, text)
