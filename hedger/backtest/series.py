"""
The hours of one market at which both venues' rates are known, compactly.

An hour is named by its settlement: hours since the epoch. A *run* is a stretch of hours without
a hole. Nothing is known about a hole, so a hedge cannot be held across one.
"""

import math
from array import array
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

    ``generated_from`` is the place of the first hour that nobody recorded; the length where
    everything was.
    """

    symbol: Symbol
    hours: "array[int]"
    rate_a: "array[float]"
    rate_b: "array[float]"
    mark_a: "array[float]"
    mark_b: "array[float]"
    interest_a: "array[float]"
    interest_b: "array[float]"
    generated_from: int

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
        places = [n for n, hour in enumerate(self.hours) if first_hour <= hour < end_hour]
        start, end = (places[0], places[-1] + 1) if places else (0, 0)
        return Series(
            symbol=self.symbol,
            hours=self.hours[start:end],
            rate_a=self.rate_a[start:end],
            rate_b=self.rate_b[start:end],
            mark_a=self.mark_a[start:end],
            mark_b=self.mark_b[start:end],
            interest_a=self.interest_a[start:end],
            interest_b=self.interest_b[start:end],
            generated_from=min(max(self.generated_from - start, 0), end - start),
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

    def add(
        self,
        hour: int,
        rates: tuple[float, float],
        marks: tuple[float, float] = (UNKNOWN, UNKNOWN),
        interests: tuple[float, float] = (UNKNOWN, UNKNOWN),
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

    def done(self, generated_from: int | None = None) -> Series:
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
            generated_from=len(self.hours) if generated_from is None else generated_from,
        )


def instant(hour: int) -> datetime:
    """The settlement that names an hour."""
    return datetime.fromtimestamp(hour * HOUR_S, UTC)
