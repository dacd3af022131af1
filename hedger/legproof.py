"""
The proof of leg A: its position shows exactly what its fills made.

Leg B is not sent before. What is read meanwhile tells how late the venue shows positions.
"""

from datetime import datetime

from loguru import logger

from hedger.clock import Clock
from hedger.domain.hedge import Hedge
from hedger.domain.market import Position
from hedger.errors import VenueError
from hedger.ledger.store import Store
from hedger.position_cache import PositionCache
from hedger.readlag import ReadLag, Watch
from hedger.urgency import pressed

LOOK_S = 0.25


class LegProof:
    """Looks at leg A until it is proven, or until it is too late for leg B."""

    def __init__(
        self, *, store: Store, positions: PositionCache, lag: ReadLag, clock: Clock
    ) -> None:
        self._store = store
        self._positions = positions
        self._lag = lag
        self._clock = clock

    async def seen(self, hedge: Hedge, deadline: datetime, within_s: float) -> bool:
        """
        Whether leg A's position shows exactly what its fills made, before the deadline.

        A wall clock that was set back puts the deadline off by minutes, so no more than
        ``within_s`` are waited for here, whatever it says.
        """
        until_s = self._clock.monotonic_s() + within_s
        booked = self._store.leg_size(hedge.id, hedge.venue_a)
        filled_at = self._store.orders_of(hedge.id)[-1].done_at or self._clock.now()
        watch = Watch()

        async def look() -> Position:
            return await self._positions.get(
                hedge.venue_a, hedge.symbol, max_age_s=0, hedge=hedge.id
            )

        while self._clock.now() <= deadline and self._clock.monotonic_s() <= until_s:
            try:
                position = await pressed(look, hedge.venue_a, self._clock)
                asked_at = position.read_started_at
                if position.size == booked:
                    self._lag.shown(
                        hedge.venue_a, "a position", watch, since=filled_at, asked_at=asked_at
                    )
                    return True
                watch.missed(asked_at)
            except VenueError as error:
                logger.warning("hedge {}: leg A cannot be seen, {}", hedge.id, error)
            await self._clock.sleep(LOOK_S)
        return False

    def sent_at(self, hedge: Hedge) -> datetime:
        """When leg A's order went out; of several, the one that took the place of the others."""
        return max(
            record.prepared_at
            for record in self._store.orders_of(hedge.id)
            if record.prepared.order.venue == hedge.venue_a
        )
