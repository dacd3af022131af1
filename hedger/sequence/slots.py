"""
Whose a nonce is: seen as early as the venue shows it.

Readings lag, answers are slow or lost, and the fence behind a refused nonce begins with the
first reading that shows it used up. So none of them is waited for before the next one is asked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from hedger.clock import Clock
from hedger.domain.ids import LaneId
from hedger.errors import UnavailableError, VenueError
from hedger.ports import Venue

T = TypeVar("T")

ANSWER_S: Final = 0.3  # so long for one answer, before another is asked for
AGAIN_S: Final = 0.2
OVERLAP_S: Final = (1.0, 1.5, None)  # the same for any question; the last one is waited for


async def used_up(
    venue: Venue, lane: LaneId, nonce: int, *, clock: Clock, within_s: float
) -> int | None:
    """
    What the venue expects after ``nonce``, as soon as one reading says that it is used up.

    None if none has said so in time, whatever the reason.
    """
    loop, until_s = asyncio.get_running_loop(), clock.monotonic_s() + within_s
    asked: set[asyncio.Task[int]] = set()
    try:
        while clock.monotonic_s() < until_s:
            asked.add(loop.create_task(_read(venue, lane)))
            done, asked = await asyncio.wait(
                asked, timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED
            )
            readings = [reading.result() for reading in done]
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


async def overlapping(question: Callable[[], Awaitable[T]], clock: Clock) -> T:
    """
    The answer to a question that is asked again beside an earlier one which is slow.

    Unlike ``hedger.urgency.soon`` it throws no answer away that comes late. Only for reads.

    Raises:
        VenueError: there was no usable answer at all.
    """
    loop = asyncio.get_running_loop()
    asked: set[asyncio.Task[T]] = set()
    failed: BaseException | None = None
    try:
        for limit_s in OVERLAP_S:
            asked.add(loop.create_task(_asking(question)))
            while asked:
                done, asked = await asyncio.wait(
                    asked, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
                )
                errors = [one.exception() for one in done]
                for one, error in zip(done, errors, strict=True):
                    if error is None:
                        return one.result()
                    if not isinstance(error, UnavailableError):
                        raise error
                    failed = error
                if limit_s is not None:
                    break
            if failed is not None and limit_s is not None:
                await clock.sleep(AGAIN_S)
    finally:
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    assert failed is not None
    raise failed


async def _asking(question: Callable[[], Awaitable[T]]) -> T:
    return await question()
