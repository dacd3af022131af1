"""
Whose a nonce is: seen as early as the venue shows it.

Readings lag, answers are slow or lost, and the fence behind a refused nonce begins with the
first reading that shows it used up. So none of them is waited for before the next one is asked.
"""

import asyncio
from typing import Final

from hedger.clock import Clock
from hedger.domain.ids import LaneId
from hedger.errors import VenueError
from hedger.ports import Venue

ANSWER_S: Final = 0.3  # so long for one answer, before another is asked for
AGAIN_S: Final = 0.2


async def used_up(
    venue: Venue, lane: LaneId, nonce: int, *, clock: Clock, within_s: float
) -> int | None:
    """
    What the venue expects after ``nonce``, as soon as one reading says that it is used up.

    None if none has said so in time, whatever the reason.
    """
    loop, until_s = asyncio.get_running_loop(), clock.monotonic_s() + within_s
    asked: list[asyncio.Task[int]] = []
    try:
        while clock.monotonic_s() < until_s:
            asked.append(loop.create_task(_read(venue, lane)))
            done, _ = await asyncio.wait(
                asked, timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED
            )
            readings = [reading.result() for reading in asked if reading in done]
            asked = [reading for reading in asked if reading not in done]
            if readings and max(readings) > nonce:
                return max(readings)
            await clock.sleep(AGAIN_S)
    finally:
        for reading in asked:
            reading.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    return None


async def _read(venue: Venue, lane: LaneId) -> int:
    """What the venue expects; below every nonce where it cannot be read."""
    try:
        return await venue.next_nonce(lane)
    except VenueError:
        return -1
