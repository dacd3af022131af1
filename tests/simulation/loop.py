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


_Ready = tuple[contextvars.Context | None, Callable[..., object], tuple[Any, ...]]
"""A call at the present instant; without a context it is made in the loop's own."""

_Due = tuple[float, int, Callable[..., object] | None, Any]
"""
A call at an instant to come: that, a number, the callback and its arguments. Where there is no
callback it is a ``_Call``, which may have been cancelled.
"""


class SimTask(asyncio.Task[Any]):
    """
    A task whose place in a set depends neither on where it lies in memory nor on what ran before
    its loop was made.
    """

    def __init__(
        self, work: Any, *, loop: Any, name: str | None, context: contextvars.Context | None
    ) -> None:
        self._number: int = next(loop.task_numbers)
        super().__init__(work, loop=loop, name=name or "sim", context=context)

    def __hash__(self) -> int:
        return self._number


class _Call:
    """A call that may be cancelled before it is made."""

    __slots__ = ("args", "callback")

    def __init__(self, callback: Any, args: tuple[Any, ...]) -> None:
        self.callback = callback
        self.args = args

    def cancel(self) -> None:
        self.callback = None
        self.args = ()

    def make(self) -> None:
        if self.callback is not None:
            self.callback(*self.args)


def _nothing() -> None:
    """Only time has come."""


class SimLoop(asyncio.BaseEventLoop):
    """Virtual time from 0.0 s; it jumps to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self._ready: deque[_Ready] = deque()
        self._timers: list[_Due] = []  # a heap, the earliest first
        self._numbers = itertools.count(1)
        self.task_numbers = itertools.count(1)
        self._stopping = False

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.now_s

    def stall(self, seconds: float) -> None:
        """The machine stands still: time passes and nothing runs."""
        self.now_s += seconds

    def others(
        self,
        seconds: float,
        held: Callable[[contextvars.Context], bool],
        ended: Callable[[], bool],
    ) -> None:
        """
        Whoever calls stands still for so long, and with it every task whose context is ``held``.

        All others go on, in time; then what was held comes in its order. Not to be called again
        before it is over.
        """
        until_s = self.now_s + seconds
        waiting: list[_Ready] = []
        due = len(self._ready)
        standing = asyncio.current_task(self)
        heappush(self._timers, (until_s, next(self._numbers), _nothing, ()))  # nobody passes it
        if standing is not None:
            asyncio.tasks._leave_task(self, standing)
        try:
            while self.now_s < until_s and not self._stopping and not ended():
                self._turn(held, waiting)
        finally:
            if standing is not None:
                asyncio.tasks._enter_task(self, standing)
        self._ready.extend(waiting)
        # whoever counts what was ready before finds as much
        self._ready.extend([(None, _nothing, ())] * max(0, due - len(self._ready)))

    def _turn(self, held: Callable[[contextvars.Context], bool], waiting: "list[_Ready]") -> None:
        """Once everything that is ready now, as in ``_run_once``, but for what is held."""
        ready, timers = self._ready, self._timers
        if not ready:
            self.now_s = max(self.now_s, timers[0][0])
        while timers and timers[0][0] < self.now_s + RESOLUTION_S:
            _, _, callback, args = heappop(timers)
            if callback is None:
                callback, args = args.make, ()
            ready.append((None, callback, args))
        for _ in range(len(ready)):
            context, callback, args = ready.popleft()
            if context is not None and held(context):
                waiting.append((context, callback, args))
                continue
            try:
                if context is None:
                    callback(*args)
                else:
                    context.run(callback, *args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - as a handle does
                self.raised(callback, error)

    def run_in_executor(  # there is one thread: it is done at once
        self, executor: object, func: Callable[[*_Args], Any], *args: *_Args
    ) -> asyncio.Future[Any]:
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whoever awaits it has it
            done.set_exception(error)
        return done

    def passes(self, seconds: float) -> bool:
        """
        Let so much time go by at once, where nothing else happens in it; whether it did.

        Whoever runs now may ask for this instead of waiting: it comes to the same.
        """
        if self._ready:
            return False
        until_s = self.now_s + seconds
        timers = self._timers
        while timers and timers[0][0] <= until_s + RESOLUTION_S:
            if timers[0][2] is not None or timers[0][3].callback is not None:
                return False
            heappop(timers)  # was cancelled
        self.now_s = until_s
        return True

    def after(self, seconds: float, callback: Callable[..., object], *args: object) -> None:
        """As ``call_later``, for good: it cannot be cancelled."""
        heappush(self._timers, (self.now_s + seconds, next(self._numbers), callback, args))

    # -- what asyncio asks of a loop, without its checks for threads and debugging ------------

    def call_soon(  # type: ignore[override]  # it is asked for no more than this
        self,
        callback: Callable[[*_Args], object],
        *args: *_Args,
        context: contextvars.Context | None = None,
    ) -> _Call | None:
        if context is not None:  # futures and tasks, which never cancel it
            self._ready.append((context, callback, args))
            return None
        call = _Call(callback, args)
        self._ready.append((None, call.make, ()))
        return call

    call_soon_threadsafe = call_soon  # type: ignore[assignment]  # there is one thread

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[[*_Args], object],
        *args: *_Args,
        context: contextvars.Context | None = None,
    ) -> _Call:
        return self.call_at(self.now_s + delay, callback, *args)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[[*_Args], object],
        *args: *_Args,
        context: contextvars.Context | None = None,
    ) -> _Call:
        call = _Call(callback, args)
        heappush(self._timers, (when, next(self._numbers), None, call))
        return call

    def create_task(  # type: ignore[override]  # asked for no more than this
        self,
        coro: Any,
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> SimTask:
        return SimTask(coro, loop=self, name=name, context=context)

    # False, as futures ask for each of them, and without a call that is written in Python
    get_debug = staticmethod(bool)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def _run_once(self) -> None:
        """Everything until somebody stops the loop; asyncio would ask again and again."""
        ready, timers = self._ready, self._timers
        while not self._stopping:
            if not ready:  # nobody has anything to do: time passes until the next timer
                while timers and timers[0][2] is None and timers[0][3].callback is None:
                    heappop(timers)  # was cancelled
                if not timers:
                    raise DeadlockError("nothing is due any more")
                self.now_s = max(self.now_s, timers[0][0])
            due_s = self.now_s + RESOLUTION_S
            while timers and timers[0][0] < due_s:
                _, _, callback, args = heappop(timers)
                if callback is None:
                    callback, args = args.make, ()
                ready.append((None, callback, args))
            for _ in range(len(ready)):
                context, callback, args = ready.popleft()
                try:
                    if context is None:
                        callback(*args)
                    else:
                        context.run(callback, *args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001 - as a handle does
                    self.raised(callback, error)

    def raised(self, callback: Callable[..., object], error: BaseException) -> None:
        """A call has raised where nobody waits for it: as a handle does."""
        name = getattr(callback, "__qualname__", type(callback).__name__)
        self.call_exception_handler({"message": f"{name} raised", "exception": error})

    def _write_to_self(self) -> None:
        """Nobody sleeps who had to be woken: there is one thread."""
