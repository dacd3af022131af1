"""
The leverage of both legs' markets: set, and read back, before a hedge opens (S47).

A bot whose change of leverage failed traded at 10 times instead of once. What counts is what the
venue says afterwards, never that it took a request. Where the change is a transaction with a
nonce, it goes through the lane of opening orders like they do: committed first, sent once.

A venue may not be able to say the configured figure: Lighter counts margin in whole basis points,
so 23 times is not there, and 435 bps (22.99 times) is the nearest that risks no more. Each venue
names that nearest one, and nothing but just it is right.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import LaneId, Symbol, VenueId
from hedger.domain.money import plain, rounded
from hedger.domain.order import Accepted, Purpose
from hedger.errors import VenueError
from hedger.ledger.store import Store
from hedger.ports import Venue
from hedger.sequence import Lanes

PROVEN_FOR_S: Final = 300.0  # then it is read again, and changed only where it is not right
RULES_FOR_S: Final = 60.0  # what the market allows
READ_FOR_S: Final = 30.0  # what was read for something else so lately proves it, too
LOOK_S: Final = 0.5
PATIENCE_S: Final = 5.0  # for the lane: an opening order may be on it


class LeverageKeeper:
    """Knows which markets' leverage is proven, and proves the others."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        lanes: Lanes,
        clock: Clock,
        lag_s: Callable[[VenueId], float],
        leverage: Decimal,
        enabled: bool,
    ) -> None:
        self._venues = venues
        self._store = store
        self._lanes = lanes
        self._clock = clock
        self._lag_s = lag_s
        self._leverage = leverage
        self._enabled = enabled
        self._proven: dict[tuple[VenueId, Symbol], float] = {}
        self._locks = {venue: asyncio.Lock() for venue in venues}

    def proven(self, symbol: Symbol, venues: Sequence[VenueId]) -> bool:
        """Whether nothing has to be asked before a hedge may open."""
        return not self._enabled or all(self._holds(venue, symbol) for venue in venues)

    def _holds(self, venue: VenueId, symbol: Symbol) -> bool:
        """Whether what was read of one venue is not too old."""
        proven_s = self._proven.get((venue, symbol))
        return proven_s is not None and self._clock.monotonic_s() - proven_s < PROVEN_FOR_S

    async def doubts(self, symbol: Symbol, venues: Sequence[VenueId]) -> Mapping[VenueId, str]:
        """Why the leverage of a market is not what it has to be, by venue; empty when it is."""
        if not self._enabled:
            return {}
        found = await asyncio.gather(*(self._doubt(venue, symbol) for venue in venues))
        return {venue: why for venue, why in zip(venues, found, strict=True) if why}

    async def _doubt(self, venue: VenueId, symbol: Symbol) -> str:
        async with self._locks[venue]:
            if self._holds(venue, symbol):
                return ""
            try:
                why = await self._prove(self._venues[venue], symbol)
            except VenueError as error:
                why = f"the leverage of {symbol} on {venue} is not proven: {error.detail}"
            if not why:
                self._proven[venue, symbol] = self._clock.monotonic_s()
            return why

    async def _prove(self, venue: Venue, symbol: Symbol) -> str:
        most = (await venue.instrument(symbol, max_age_s=RULES_FOR_S)).max_leverage
        if most is not None and most < venue.leverage_within(self._leverage):
            return (
                f"{symbol} on {venue.id} allows a leverage of {_shown(most)} at most,"
                f" trading.leverage is {plain(self._leverage)}"
            )
        read = await venue.leverage(symbol, max_age_s=READ_FOR_S)
        if not self._right(venue, read):
            was = "unknown" if read is None else _shown(read)
            wanted = plain(self._leverage)
            logger.info("leverage of {} on {}: {} to {}", symbol, venue.id, was, wanted)
            read = await self._changed(venue, symbol)
        if self._right(venue, read):
            return ""
        said = "nothing, or that its margin is isolated" if read is None else _shown(read)
        return (
            f"the leverage of {symbol} on {venue.id} is not {plain(self._leverage)}:"
            f" the venue says {said}"
        )

    def _right(self, venue: Venue, read: Decimal | None) -> bool:
        return read is not None and read == venue.leverage_within(self._leverage)

    async def _changed(self, venue: Venue, symbol: Symbol) -> Decimal | None:
        """Change it; what the venue says afterwards."""
        lane = venue.lane(Purpose.OPEN)
        if lane is None:
            return await venue.set_leverage(symbol, self._leverage)
        return await self._by_transaction(venue, symbol, lane)

    async def _by_transaction(self, venue: Venue, symbol: Symbol, lane: LaneId) -> Decimal | None:
        async with self._lanes.hold(lane, patience_s=PATIENCE_S):
            nonce = await self._lanes.next_value(lane)
            assert nonce is not None
            change = await venue.prepare_leverage(symbol, self._leverage, lane, nonce)
            why = f"leverage of {symbol} on {venue.id} to {plain(self._leverage)}, nonce {nonce}"
            self._store.intend_filler(change, why)
            answer = await venue.submit_filler(change)
            self._lanes.answered(lane, nonce, answer)
            if not isinstance(answer, Accepted):
                self._lanes.missed(lane, f"a change of leverage got {type(answer).__name__}")
            until_s = self._clock.monotonic_s() + self._lag_s(venue.id)
            read = await venue.leverage(symbol)
            while not self._right(venue, read) and self._clock.monotonic_s() < until_s:
                await self._clock.sleep(LOOK_S)
                read = await venue.leverage(symbol)
            if not self._right(venue, read):
                self._lanes.missed(lane, "a change of leverage is not seen")
            return read


def _shown(leverage: Decimal) -> str:
    return rounded(leverage, 4)
