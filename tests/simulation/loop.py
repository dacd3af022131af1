"""
An event loop in which time passes only when nobody has anything to do.

About a hundred thousand wake-ups a second, no sockets, no threads, and the same order of events
on CPython 3.11, 3.12 and 3.13: sets of tasks iterate by a number and not by an address
(reliability.md §3.1).
"""

import asyncio
import itertools
from typing import Any


class DeadlockError(RuntimeError):
    """Everything waits and nothing is due: the simulation can never go on."""


class SimTask(asyncio.Task[Any]):
    """A task whose place in a set does not depend on where it lies in memory."""

    _numbers = itertools.count(1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = next(SimTask._numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


class SimLoop(asyncio.BaseEventLoop):
    """Virtual time from 0.0 s; it jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._clock_resolution = 1e-9
        self._selector = self  # asyncio asks its selector to wait; we are asked instead
        self._scheduled: list[asyncio.TimerHandle]  # a heap, the earliest first
        self.set_task_factory(_task)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now_s

    def stall(self, seconds: float) -> None:
        """The machine stands still: time passes and nothing runs."""
        self._now_s += seconds

    def select(self, timeout: float | None) -> list[Any]:
        """Wait, as asyncio understands it."""
        if timeout is None:
            raise DeadlockError("nothing is due any more")
        if timeout > 0:
            self._now_s = max(self._now_s, self._scheduled[0].when())
        return []

    def _process_events(self, _events: list[Any]) -> None:
        """There are none: nothing here has a file descriptor."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who had to be woken: there is one thread."""


def _task(loop: asyncio.AbstractEventLoop, work: Any, **rest: Any) -> SimTask:
    return SimTask(work, loop=loop, **rest)
