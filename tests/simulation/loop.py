"""
An event loop in which time passes only when nobody has anything to do.

Several hundred thousand wake-ups a second, no sockets, no threads, and the same order of events
on CPython 3.11, 3.12 and 3.13: sets of tasks iterate by a number and not by an address
(reliability.md §3.1), and what is due at one instant runs in the order in which it was asked for.
"""

import asyncio
import contextvars
import itertools
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, TypeVarTuple

_Args = TypeVarTuple("_Args")

RESOLUTION_S = 1e-9  # what is due so soon is due now


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


class _Soon(asyncio.Handle):
    """A call at the present instant; made without asking the loop for its debug mode."""

    __slots__ = ()

    def __init__(
        self, callback: Any, args: Any, loop: "SimLoop", context: contextvars.Context | None
    ) -> None:
        self._context = contextvars.copy_context() if context is None else context
        self._loop = loop
        self._cancelled = False
        self._callback = callback
        self._args = args
        self._repr = None
        self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    """A call at an instant to come."""

    __slots__ = ()

    def __init__(
        self,
        when_s: float,
        callback: Any,
        args: Any,
        loop: "SimLoop",
        context: contextvars.Context | None,
    ) -> None:
        self._context = contextvars.copy_context() if context is None else context
        self._loop = loop
        self._cancelled = False
        self._callback = callback
        self._args = args
        self._repr = None
        self._source_traceback = None
        self._when = when_s
        self._scheduled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = self._args = None  # type: ignore[assignment]


class SimLoop(asyncio.BaseEventLoop):
    """Virtual time from 0.0 s; it jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self._ready: deque[Any] = deque()  # handles, with all that they are made of
        self._timers: list[tuple[float, int, _Timer]] = []  # a heap, the earliest first
        self._numbers = itertools.count(1)
        self._stopping = False
        self.set_task_factory(_task)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.now_s

    def stall(self, seconds: float) -> None:
        """The machine stands still: time passes and nothing runs."""
        self.now_s += seconds

    # -- what asyncio asks of a loop, without its checks for threads and debugging ------------

    def call_soon(
        self,
        callback: Callable[[*_Args], object],
        *args: *_Args,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        handle = _Soon(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Args], object],
        *args: *_Args,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        when_s = self.now_s + delay
        timer = _Timer(when_s, callback, args, self, context)
        heappush(self._timers, (when_s, next(self._numbers), timer))
        return timer

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Args], object],
        *args: *_Args,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = _Timer(when, callback, args, self, context)
        heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def _run_once(self) -> None:
        """Everything until somebody stops the loop; asyncio would ask again and again."""
        ready, timers = self._ready, self._timers
        while not self._stopping:
            if not ready:
                self._wait()
            due_s = self.now_s + RESOLUTION_S
            while timers and timers[0][0] < due_s:
                timer = heappop(timers)[2]
                if not timer._cancelled:
                    ready.append(timer)
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle._cancelled:
                    try:
                        handle._context.run(handle._callback, *handle._args)
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:  # noqa: BLE001 - as a handle does
                        self._raised(handle, error)

    def _raised(self, handle: Any, error: BaseException) -> None:
        name = getattr(handle._callback, "__qualname__", type(handle._callback).__name__)
        text = f"{name} raised"
        self.call_exception_handler({"message": text, "exception": error, "handle": handle})

    def _wait(self) -> None:
        """Nobody has anything to do: let time pass until the next timer."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heappop(timers)
        if not timers:
            raise DeadlockError("nothing is due any more")
        self.now_s = max(self.now_s, timers[0][0])

    def _write_to_self(self) -> None:
        """Nobody sleeps who had to be woken: there is one thread."""


def _task(loop: asyncio.AbstractEventLoop, work: Any, **rest: Any) -> SimTask:
    return SimTask(work, loop=loop, **rest)
