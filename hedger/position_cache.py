"""
A short memory of positions, and the record of every look at one.

Readings are kept for ``ttl_s`` (5 s, seed 004 bug 4), written to the ledger with their source
and time, and forgotten as soon as an order of ours on that market may have changed them. What
sizes an order or declares a position flat reads through it with ``max_age_s=0``, so that the
audit can later show exactly what was seen.
"""

from collections.abc import Mapping
from decimal import Decimal

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.market import Position
from hedger.ledger.store import Store
from hedger.ports import Venue

Key = tuple[VenueId, Symbol]


class PositionCache:
    """Positions by venue and symbol. A failed read raises and stores nothing."""

    def __init__(
        self, *, venues: Mapping[VenueId, Venue], store: Store, clock: Clock, ttl_s: float
    ) -> None:
        self._venues = venues
        self._store = store
        self._clock = clock
        self._ttl_s = ttl_s
        self._known: dict[Key, tuple[Position, float]] = {}
        self._generation: dict[Key, int] = {}

    async def get(
        self,
        venue: VenueId,
        symbol: Symbol,
        *,
        max_age_s: float | None = None,
        hedge: HedgeId | None = None,
    ) -> Position:
        """
        A position not older than ``max_age_s`` (default: the configured ``ttl_s``).

        Raises:
            VenueError: the venue had to be asked and did not answer usably.
        """
        key = (venue, symbol)
        limit_s = self._ttl_s if max_age_s is None else max_age_s
        known = self._known.get(key)
        if known is not None:
            age_s = self._clock.monotonic_s() - known[1]
            if age_s < limit_s:
                logger.debug("position {} {}: cache_age_s={:.3f}", venue, symbol, age_s)
                return known[0]
        generation = self._generation.get(key, 0)
        started = self._clock.monotonic_s()
        position = await self._venues[venue].position(symbol)
        self._store.observe([position], hedge=hedge)
        if self._generation.get(key, 0) == generation:
            self._known[key] = (position, started)
        logger.debug("position {} {}: {} cache_age_s=0", venue, symbol, position.size)
        return position

    def mark_price(self, venue: VenueId, symbol: Symbol) -> Decimal | None:
        """What the venue valued the position at in the reading in memory, if that is young."""
        known = self._known.get((venue, symbol))
        if known is None or self._clock.monotonic_s() - known[1] >= self._ttl_s:
            return None
        return known[0].mark_price

    def age_s(self, venue: VenueId, symbol: Symbol) -> float:
        """How old the reading in memory is, in seconds; infinite when there is none."""
        known = self._known.get((venue, symbol))
        return float("inf") if known is None else self._clock.monotonic_s() - known[1]

    def forget(self, venue: VenueId, symbol: Symbol) -> None:
        """An order of ours may change the position: nothing read before counts any more."""
        key = (venue, symbol)
        self._generation[key] = self._generation.get(key, 0) + 1
        self._known.pop(key, None)
