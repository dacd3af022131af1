"""
The hours of one market at which both venues' rates are known, compactly.

An hour is named by its settlement: hours since the epoch. A *run* is a stretch of hours without
a hole. Nothing is known about a hole, so a hedge cannot be held across one.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hedger.backtest.columns import HOUR_S
from hedger.domain.ids import Symbol

UNKNOWN = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """
    Parallel columns, oldest first. Marks and open interest are USD, nan where not recorded.

    ``sources`` numbers who recorded an hour (``Record.sources``). ``generated``: nobody did.
    """

    symbol: Symbol
    hours: "array[int]"
    rate_a: "array[float]"
    rate_b: "array[float]"
    mark_a: "array[float]"
    mark_b: "array[float]"
    interest_a: "array[float]"
    interest_b: "array[float]"
    sources: "array[int]"
    generated: bool = False

    def __len__(self) -> int:
        return len(self.hours)

    def runs(self) -> Iterator[tuple[int, int]]:
        """First place and end (excluded) of every run."""
        hours, start = self.hours, 0
        for place in range(1, len(hours)):
            if hours[place] != hours[place - 1] + 1:
                yield start, place
                start = place
        if hours:
            yield start, len(hours)

    def part(self, first_hour: int, end_hour: int) -> "Series":
        """The hours from ``first_hour`` on and before ``end_hour``."""
        within = slice(bisect_left(self.hours, first_hour), bisect_left(self.hours, end_hour))
        return Series(
            symbol=self.symbol,
            hours=self.hours[within],
            rate_a=self.rate_a[within],
            rate_b=self.rate_b[within],
            mark_a=self.mark_a[within],
            mark_b=self.mark_b[within],
            interest_a=self.interest_a[within],
            interest_b=self.interest_b[within],
            sources=self.sources[within],
            generated=self.generated,
        )


@dataclass(slots=True, kw_only=True)
class Maker:
    """Collects hours of one market in order."""

    symbol: Symbol
    hours: "array[int]" = field(default_factory=lambda: array("q"))
    rate_a: "array[float]" = field(default_factory=lambda: array("d"))
    rate_b: "array[float]" = field(default_factory=lambda: array("d"))
    mark_a: "array[float]" = field(default_factory=lambda: array("d"))
    mark_b: "array[float]" = field(default_factory=lambda: array("d"))
    interest_a: "array[float]" = field(default_factory=lambda: array("d"))
    interest_b: "array[float]" = field(default_factory=lambda: array("d"))
    sources: "array[int]" = field(default_factory=lambda: array("i"))

    def add(
        self,
        hour: int,
        rates: tuple[float, float],
        marks: tuple[float, float] = (UNKNOWN, UNKNOWN),
        interests: tuple[float, float] = (UNKNOWN, UNKNOWN),
        source: int = 0,
    ) -> None:
        """One more hour, later than all before."""
        assert not self.hours or hour > self.hours[-1]
        self.hours.append(hour)
        self.rate_a.append(rates[0])
        self.rate_b.append(rates[1])
        self.mark_a.append(marks[0])
        self.mark_b.append(marks[1])
        self.interest_a.append(interests[0])
        self.interest_b.append(interests[1])
        self.sources.append(source)

    def done(self, *, generated: bool = False) -> Series:
        """The finished series."""
        return Series(
            symbol=self.symbol,
            hours=self.hours,
            rate_a=self.rate_a,
            rate_b=self.rate_b,
            mark_a=self.mark_a,
            mark_b=self.mark_b,
            interest_a=self.interest_a,
            interest_b=self.interest_b,
            sources=self.sources,
            generated=generated,
        )


def instant(hour: int) -> datetime:
    """The settlement that names an hour."""
    return datetime.fromtimestamp(hour * HOUR_S, UTC)
