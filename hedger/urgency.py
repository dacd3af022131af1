"""
Reads that a leg standing alone waits for: what does not come soon is asked for again.

A request can be lost on its way, and its time limit is long because a venue may be slow. So the
first tries are given up early and the last one has the whole limit of the adapter. Only for
reads: nothing here may be sent twice with an effect.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from hedger.clock import Clock
from hedger.domain.ids import VenueId
from hedger.errors import UnavailableError

T = TypeVar("T")

TRIES_S: Final = (1.5, 3.0, None)
PAUSE_S: Final = 0.35
PRESSED_S: Final = 1.0
BESIDE_S: Final = 0.5
OVERLAP_S: Final = (1.0, 1.0, 1.0, 1.0, None)
"""Before the same is asked beside it; the last is waited for."""
OVERLAP_AGAIN_S: Final = 0.2


async def soon(question: Callable[[], Awaitable[T]], clock: Clock) -> T:
    """
    The answer to a question that may be asked three times.

    Raises:
        VenueError: there was no usable answer; at the last time, or at once where asking again
            would only be refused again.
    """
    for limit_s in TRIES_S[:-1]:
        try:
            async with asyncio.timeout(limit_s):
                return await question()
        except TimeoutError:
            continue
        except UnavailableError:
            await clock.sleep(PAUSE_S)
    return await question()


async def once(
    question: Callable[[], Awaitable[T]], venue: VenueId, *, limit_s: float = PRESSED_S
) -> T:
    """
    The answer to a question that others must not wait for: asked one time, for a short time.

    Raises:
        VenueError: there was no usable answer in time.
    """
    try:
        async with asyncio.timeout(limit_s):
            return await question()
    except TimeoutError as error:
        raise UnavailableError(venue, f"no answer within {limit_s:g} s") from error


async def pressed(question: Callable[[], Awaitable[T]], venue: VenueId, clock: Clock) -> T:
    """
    The answer to a question that has one second, because a leg stands alone meanwhile.

    Asked once more when it fails, or beside it after half of that, in case it was lost. Whoever
    asks has something to do without the answer: mostly to take the leg off.

    Raises:
        VenueError: there was no usable answer in time.
    """
    return await once(lambda: _beside(question, clock), venue)


async def _beside(question: Callable[[], Awaitable[T]], clock: Clock) -> T:
    """The answer of one asking, or of a second one that begins when the first is slow or fails."""
    loop = asyncio.get_running_loop()
    first = loop.create_task(_asking(question))
    asked = [first]
    try:
        await asyncio.wait(asked, timeout=BESIDE_S)
        if first.done():
            if not isinstance(first.exception(), UnavailableError):
                return first.result()
            await clock.sleep(OVERLAP_AGAIN_S)
            asked.clear()
        asked.append(loop.create_task(_asking(question)))
        while True:
            done, left = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            answers = [one for one in asked if one in done]
            usable = [one for one in answers if one.exception() is None]
            if usable or not left:
                return (usable or answers)[0].result()
            asked = [one for one in asked if one in left]
    finally:
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def overlapping(question: Callable[[], Awaitable[T]], clock: Clock) -> T:
    """
    The answer to a question that is asked again beside an earlier one which is slow.

    Unlike ``soon`` it throws no answer away that comes late. Only for reads.

    Raises:
        VenueError: there was no usable answer at all.
    """
    loop = asyncio.get_running_loop()
    asked: list[asyncio.Task[T]] = []
    failed: BaseException | None = None
    try:
        for limit_s in OVERLAP_S:
            asked.append(loop.create_task(_asking(question)))
            while asked:
                ended, _ = await asyncio.wait(
                    asked, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
                )
                done = [one for one in asked if one in ended]
                asked = [one for one in asked if one not in ended]
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
                await clock.sleep(OVERLAP_AGAIN_S)
    finally:
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    assert failed is not None
    raise failed


async def _asking(question: Callable[[], Awaitable[T]]) -> T:
    return await question()
