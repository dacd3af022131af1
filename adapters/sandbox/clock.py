"""
The two clocks of the sandbox. All instants are integer milliseconds since the epoch, UTC.

Wire time is real UTC (virtual in tests) and stamps messages and expiries. Market time governs
marks and settlements: it moves with wire time, faster by a factor, and can be advanced.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

from aiohttp import web

from hedger.clock import Clock

HOUR_MS = 3_600_000
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def http_date(instant: datetime) -> str:
    """An instant as an HTTP header has it, to the second that has begun."""
    return _date_of(instant.astimezone(UTC).replace(microsecond=0))


@lru_cache(maxsize=8)
def _date_of(second: datetime) -> str:
    """Many answers are given within a second."""
    day = f"{_DAYS[second.weekday()]}, {second.day:02d} {_MONTHS[second.month - 1]} {second.year}"
    return f"{day} {second.hour:02d}:{second.minute:02d}:{second.second:02d} GMT"


def dating(clock: Clock) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """For ``on_response_prepare``: every answer is dated by ``clock``, not by the machine."""

    async def date(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = http_date(clock.now())

    return date


class WireClock(Protocol):
    """Real UTC in milliseconds."""

    def now_ms(self) -> int:
        """The present instant."""


class ClockMs:
    """A ``hedger.clock.Clock`` read in whole milliseconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now_ms(self) -> int:
        """The present instant, rounded down."""
        return (self._clock.now() - _EPOCH) // _MILLISECOND


class ManualClock:
    """Wire time that stands still until it is moved; for tests of the engine alone."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """The instant it was last moved to."""
        return self._now_ms

    def advance(self, ms: int) -> None:
        """Move forward."""
        assert ms >= 0
        self._now_ms += ms


class MarketClock:
    """
    Market time: ``start_ms`` when it is made, then one hour for every ``hour_s`` of wire time.

    With ``hour_s=3600`` both clocks run at the same speed. ``advance`` moves market time only.
    It never goes back, even if the machine's clock is set back.
    """

    def __init__(self, wire: WireClock, *, start_ms: int, hour_s: float) -> None:
        if hour_s <= 0:
            msg = f"hour_s must be above 0, not {hour_s}: a market hour takes some wire time"
            raise ValueError(msg)
        self._wire = wire
        self._start_ms = start_ms
        # An integer ratio keeps hour boundaries exact whatever the float was.
        self._hour_wire_ms = max(1, round(hour_s * 1000))
        self._origin_ms = wire.now_ms()
        self._advanced_ms = 0
        self._instant = (self._origin_ms, start_ms)

    @property
    def start_ms(self) -> int:
        """Market time at which the sandbox began."""
        return self._start_ms

    @property
    def hour_s(self) -> float:
        """Wire seconds per market hour."""
        return self._hour_wire_ms / 1000

    def now_ms(self) -> int:
        """The present market instant."""
        return self.instant()[1]

    def instant(self) -> tuple[int, int]:
        """Wire time and market time; the very same object as long as neither has moved."""
        wire_ms = self._wire.now_ms()
        if wire_ms != self._instant[0]:
            self._move(wire_ms)
        return self._instant

    def _move(self, wire_ms: int) -> None:
        passed = (wire_ms - self._origin_ms) * HOUR_MS // self._hour_wire_ms
        market_ms = max(self._instant[1], self._start_ms + passed + self._advanced_ms)
        self._instant = (wire_ms, market_ms)

    def advance(self, ms: int) -> None:
        """
        Move market time forward; wire time is untouched.

        Raises:
            ValueError: ``ms`` is negative.
        """
        if ms < 0:
            msg = f"market time cannot go back: {ms} ms"
            raise ValueError(msg)
        self._advanced_ms += ms
        self._move(self._wire.now_ms())
