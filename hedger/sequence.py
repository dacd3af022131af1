"""
Sequence lanes: which nonce an order may carry, one order at a time per API key.

A lane is (venue, account, API key). Its next value is not a counter beside the orders but
follows from the orders themselves: one above the highest nonce that a stored intent used or
may have used (seeds 000 and 003; reliability.md §2.6). The venue is asked at the first use in
a process and after any doubt; its answer may lag, so the larger value counts and the lane
never goes back on a single reading.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from loguru import logger

from hedger.domain.ids import LaneId
from hedger.ledger.store import Store
from hedger.ports import Venue


@dataclass(slots=True)
class _Lane:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    synced: bool = False


class Lanes:
    """The one owner of every lane, in this process and (by the state lock) on this machine."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lanes: dict[LaneId, _Lane] = {}

    def _lane(self, lane: LaneId) -> _Lane:
        return self._lanes.setdefault(lane, _Lane())

    @asynccontextmanager
    async def hold(self, lane: LaneId | None) -> AsyncIterator[None]:
        """Keep a lane to ourselves from allocation until the order's end is known."""
        if lane is None:
            yield
            return
        async with self._lane(lane).lock:
            yield

    async def next_value(self, venue: Venue, lane: LaneId | None) -> int | None:
        """
        The nonce for the next order; call it inside ``hold``.

        Raises:
            VenueError: the venue had to be asked and did not answer.
        """
        if lane is None:
            return None
        state = self._lane(lane)
        assert state.lock.locked()
        high = self._store.lane_high(lane)
        if state.synced and high is not None:
            return high + 1
        remote = await venue.next_nonce(lane)
        local = remote if high is None else high + 1
        if remote != local:
            logger.warning("sequence of {} corrected: {} to {}", lane, local, max(local, remote))
            self._store.event(
                "lane_resync",
                f"sequence of {lane}: we had {local}, the venue says {remote}",
                level="warning",
                data={"lane": lane, "before": local, "after": max(local, remote)},
            )
        state.synced = True
        return max(local, remote)

    def doubt(self, lane: LaneId | None) -> None:
        """Ask the venue before the lane is used again."""
        if lane is not None:
            self._lane(lane).synced = False
