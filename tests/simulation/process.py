"""
One life of the daemon's process, and how it ends.

Everything that a process does to the world goes through ``Process.effect`` and everything that
it learns comes back through ``Process.resumed``. These are the boundaries at which it can be
killed; once it is dead every effect is refused, so that a ``finally`` cannot cheat
(reliability.md §3.2).
"""

import asyncio
from collections.abc import Callable
from contextvars import Context, ContextVar
from datetime import datetime, timedelta

from tests.simulation.loop import SimLoop

_OF: ContextVar["Process | None"] = ContextVar("process", default=None)
"""Whose a task is: of a process, or of the world."""


class Killed(BaseException):
    """``kill -9``: this process does nothing any more."""


class Process:
    """
    A generation.

    Attributes:
        number: 1 for the first.
        alive: whether its effects still count.
        at_death: what is done when it is killed.
        skew_s: how far this machine's wall clock is off, in seconds.
        stalled_until_s: loop time before which it does not run on.
        serves: whether its daemon has come so far that its jobs run.
        intends: venue and client id of the order whose intent it is just committing.
    """

    def __init__(
        self, number: int, hook: Callable[["Process", str], None], skew_s: float = 0.0
    ) -> None:
        self.number = number
        self.alive = True
        self.skew_s = skew_s
        self.stalled_until_s = 0.0
        self.serves = False
        self.intends: tuple[str, str] | None = None
        self.dead: asyncio.Event = asyncio.Event()
        self.at_death: list[Callable[[], None]] = []
        self.on_death: Callable[[Process], None] | None = None
        self._hook = hook

    def kill(self) -> None:
        """From now on nothing it does has an effect."""
        self.alive = False
        self.dead.set()
        for last in self.at_death:
            last()
        if self.on_death is not None:
            self.on_death(self)

    def effect(self, label: str) -> None:
        """
        A boundary before something leaves the process.

        Raises:
            Killed: the process is dead, or dies here.
        """
        if self.alive:
            self._hook(self, label)
        if not self.alive:
            raise Killed

    def owns_this(self) -> None:
        """The running task, and every one that it makes, is this process's."""
        _OF.set(self)

    def stand_still(self, seconds: float, changed: Callable[[], None]) -> None:
        """
        Nothing of this process runs for so long (``SIGSTOP``), wherever it is just now.

        Everything else goes on; its own timers and answers come when it runs again. A process
        that is killed meanwhile stands still no longer. ``changed`` is told before and after.
        """
        changed()
        self.stalled_until_s = now_s() + seconds
        changed()
        running().others(seconds, self._waits, lambda: not self.alive)
        changed()
        self.stalled_until_s = 0.0
        changed()

    def _waits(self, context: Context) -> bool:
        return context.get(_OF) is self

    async def resumed(self, label: str) -> None:
        """
        A boundary after a wait: the process runs on, unless it is dead or stands still.

        Raises:
            Killed: the process is dead, or dies here.
        """
        if self.stalled_until_s:
            # its end may move, and a dead one does not wait
            while self.alive and (left_s := self.stalled_until_s - now_s()) > 0:  # noqa: ASYNC110
                await asyncio.sleep(left_s)
        self.effect(label)


running: Callable[[], SimLoop] = asyncio.get_running_loop  # type: ignore[assignment]


def now_s() -> float:
    """Seconds of the running loop."""
    return running().now_s


def _wake(sleeper: "asyncio.Future[None]") -> None:
    if not sleeper.done():
        sleeper.set_result(None)


class SimClock:
    """The clock of one process: the loop's time, with that machine's error of the wall clock."""

    def __init__(self, epoch: datetime, process: Process) -> None:
        self._epoch = epoch
        self._process = process
        self._skew_s = process.skew_s
        self._loop = running()
        self._read_s = 0.0
        self._shown = epoch + timedelta(seconds=self._skew_s)

    def now(self) -> datetime:
        seconds, skew_s = self._loop.now_s, self._process.skew_s
        # it is read many times at one instant
        if seconds != self._read_s or skew_s != self._skew_s:
            self._read_s, self._skew_s = seconds, skew_s
            self._shown = self._epoch + timedelta(seconds=seconds + skew_s)
        return self._shown

    def monotonic_s(self) -> float:
        return self._loop.now_s

    async def sleep(self, seconds: float) -> None:
        process, loop = self._process, self._loop
        if not process.alive:
            raise Killed
        if seconds <= 0:
            await asyncio.sleep(0)
        elif not loop.passes(seconds):
            awoken: asyncio.Future[None] = asyncio.Future(loop=loop)
            loop.after(seconds, _wake, awoken)
            await awoken
        if process.stalled_until_s:
            await process.resumed("sleep")
        else:
            process.effect("sleep")
