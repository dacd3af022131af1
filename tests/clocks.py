"""Clocks for tests without a loop of virtual time."""

import asyncio
from datetime import UTC, datetime, timedelta


class ManualClock:
    """Stands still until it is moved; sleeping moves it."""

    def __init__(self, start: datetime = datetime(2026, 1, 2, 21, tzinfo=UTC)) -> None:
        self._start = start
        self._passed_s = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed_s)

    def monotonic_s(self) -> float:
        return self._passed_s

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        assert seconds >= 0
        self._passed_s += seconds

    def set_back(self, seconds: float) -> None:
        """The wall clock alone."""
        self._start -= timedelta(seconds=seconds)
