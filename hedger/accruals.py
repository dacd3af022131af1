"""
Funding received and paid: read from the venues' own ledgers, complete or unknown, never zero.

A venue lists a payment some time after its settlement. A hedge's funding is therefore known
through a settlement only once a full and successful reading began ``payment_lag_s`` after that
settlement was seen to have passed (S38). Settlements are on the venues' market clocks.
"""

from collections.abc import Mapping
from datetime import datetime

from loguru import logger

from hedger.clock import Clock
from hedger.domain.hedge import Hedge
from hedger.domain.ids import VenueId
from hedger.errors import VenueError
from hedger.ledger.store import Store
from hedger.ports import QuoteSource, Venue

SIGHTINGS_MAX = 1_000


class Accruals:
    """Keeps the funding of every hedge that still lacks some."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        quotes: Mapping[VenueId, QuoteSource],
        store: Store,
        clock: Clock,
        payment_lag_s: float,
    ) -> None:
        self._venues = venues
        self._quotes = quotes
        self._store = store
        self._clock = clock
        self._payment_lag_s = payment_lag_s
        self._sightings: dict[VenueId, list[tuple[float, datetime]]] = {}

    async def run(self) -> int:
        """One reading of both venues; the number of payments that were new."""
        new = 0
        hedges = self._store.awaiting_funding()
        for venue in self._venues:
            try:
                await self._sight(venue)
                if hedges:
                    new += await self._read(venue, hedges)
            except VenueError as error:
                logger.warning("funding of {} stays unknown for now: {}", venue, error)
        return new

    async def _sight(self, venue: VenueId) -> None:
        """Note when which settlement was the next one."""
        seen = self._sightings.setdefault(venue, [])
        seen.append((self._clock.monotonic_s(), await self._quotes[venue].next_settlement()))
        del seen[:-SIGHTINGS_MAX]

    async def _read(self, venue: VenueId, hedges: list[Hedge]) -> int:
        starts = [s for hedge in hedges if (s := _first(hedge, venue)) is not None]
        if not starts:
            return 0
        began_s = self._clock.monotonic_s()
        payments = await self._venues[venue].funding_payments(min(starts))
        new = self._store.book_payments(payments)
        through = self._passed(venue, began_s - self._payment_lag_s)
        if through is not None:
            for hedge in hedges:
                if venue in hedge.venues:
                    self._store.funding_complete(hedge.id, venue, through)
        if new:
            logger.info("{} funding payments of {} booked", new, venue)
        return new

    def _passed(self, venue: VenueId, before_s: float) -> datetime | None:
        """The latest settlement that was upcoming at a look before ``before_s``."""
        return max(
            (at for seen_s, at in self._sightings[venue] if seen_s <= before_s), default=None
        )


def _first(hedge: Hedge, venue: VenueId) -> datetime | None:
    return hedge.first_settlement_a if venue == hedge.venue_a else hedge.first_settlement_b
