"""The last answer to one question, given again to whoever can do with its age."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from hedger.clock import Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """What was answered, when it was asked and when the answer came."""

    answer: T
    asked_at: datetime
    came_at: datetime
    asked_s: float  # on the steady clock


class Lately(Generic[T]):
    """
    One question about the account. ``forget`` is called before anything may change its answer:
    what was asked earlier, also if it is still on its way, is then never given again.
    """

    def __init__(self, clock: Clock, ask: Callable[[], Awaitable[T]]) -> None:
        self._clock = clock
        self._ask = ask
        self._told: Told[T] | None = None
        self._forgotten = 0

    def known(self, max_age_s: float) -> Told[T] | None:
        """The last answer if it was asked for no longer ago than that."""
        if self._told is None or self._clock.monotonic_s() - self._told.asked_s >= max_age_s:
            return None
        return self._told

    async def get(self, max_age_s: float) -> Told[T]:
        """
        The last answer if it is young enough, else a new one; 0 always asks.

        Raises:
            VenueError: there was no usable answer.
        """
        if max_age_s > 0 and (known := self.known(max_age_s)) is not None:
            return known
        forgotten, asked_at = self._forgotten, self._clock.now()
        asked_s = self._clock.monotonic_s()
        told = Told(await self._ask(), asked_at, self._clock.now(), asked_s)
        if forgotten == self._forgotten:
            self._told = told
        return told

    def forget(self) -> None:
        """Something may have changed."""
        self._forgotten += 1
        self._told = None
