"""The only module that reads time or sleeps. Everything else is handed a ``Clock``."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wire time: real UTC in production, virtual in tests."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""

    def monotonic_s(self) -> float:
        """Seconds that never go back, for measuring waits."""

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run for that long."""


def day_began(now: datetime) -> datetime:
    """Midnight UTC of the day that ``now`` is in; limits per day count from there."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class LoopClock:
    """
    Time of the running event loop, starting at ``epoch``.

    Under a virtual-time loop this makes hours pass in milliseconds, for the program and for
    the venues in the same loop alike.
    """

    def __init__(self, epoch: datetime) -> None:
        assert epoch.tzinfo is not None
        self._epoch = epoch

    def now(self) -> datetime:
        return self._epoch + timedelta(seconds=asyncio.get_running_loop().time())

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
