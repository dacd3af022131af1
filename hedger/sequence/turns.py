"""
Whose turn it is on a lane: first come, first served, urgent ones first.

An ``asyncio.Lock`` belongs to one loop and a ``threading.Lock`` blocks one. This one is safe
from both: tasks of any loop and plain threads wait in the same queue (seed 003).
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator


class Turns:
    """At most ``width`` holders at a time; 1 makes it a lock."""

    def __init__(self, width: int = 1) -> None:
        assert width >= 1
        self._mutex = threading.Lock()
        self._free = width
        self._waiting: deque[Callable[[], bool]] = deque()
        self._urgent: deque[Callable[[], bool]] = deque()

    def try_acquire(self) -> bool:
        """Take a turn if nobody has to be waited for."""
        with self._mutex:
            if self._free == 0:
                return False
            self._free -= 1
            return True

    def release(self) -> None:
        """Give the turn back, or on to whoever waits."""
        while (wake := self._next()) is not None:
            if wake():
                return

    @property
    def busy(self) -> bool:
        """Whether somebody would have to wait now."""
        return self._free == 0

    async def acquire(self, *, urgent: bool = False) -> None:
        """Take a turn in a task; one that is cancelled while it waits leaves the queue."""
        if not self.try_acquire():
            await self._wait(urgent=urgent)

    @contextlib.asynccontextmanager
    async def task(self, *, urgent: bool = False) -> AsyncIterator[None]:
        """Hold a turn in a task."""
        await self.acquire(urgent=urgent)
        try:
            yield
        finally:
            self.release()

    @contextlib.contextmanager
    def thread(self, *, urgent: bool = False, timeout_s: float = 60.0) -> Iterator[None]:
        """
        Hold a turn in a thread.

        Raises:
            TimeoutError: it was not our turn in time.
        """
        if not self.try_acquire():
            self._wait_here(timeout_s, urgent=urgent)
        try:
            yield
        finally:
            self.release()

    async def _wait(self, *, urgent: bool) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()

        def wake() -> bool:
            if loop.is_closed() or ready.cancelled():
                return False
            if _running() is loop:
                ready.set_result(None)
            else:
                loop.call_soon_threadsafe(_set, ready)
            return True

        if not self._queue_up(wake, urgent=urgent):
            return
        try:
            await ready
        except asyncio.CancelledError:
            if not self._leave(wake):
                self.release()  # it had just become ours
            raise

    def _wait_here(self, timeout_s: float, *, urgent: bool) -> None:
        ready = threading.Event()

        def wake() -> bool:
            ready.set()
            return True

        if not self._queue_up(wake, urgent=urgent) or ready.wait(timeout_s):
            return
        if self._leave(wake):
            raise TimeoutError(f"it was not our turn within {timeout_s:g} s")

    def _queue_up(self, wake: Callable[[], bool], *, urgent: bool) -> bool:
        """Whether we have to wait: a turn may have come free in between."""
        with self._mutex:
            if self._free:
                self._free -= 1
                return False
            (self._urgent if urgent else self._waiting).append(wake)
            return True

    def _leave(self, wake: Callable[[], bool]) -> bool:
        """Whether we were still in the queue."""
        with self._mutex:
            for queue in (self._urgent, self._waiting):
                if wake in queue:
                    queue.remove(wake)
                    return True
        return False

    def _next(self) -> Callable[[], bool] | None:
        with self._mutex:
            for queue in (self._urgent, self._waiting):
                if queue:
                    return queue.popleft()
            self._free += 1
            return None


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _set(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
