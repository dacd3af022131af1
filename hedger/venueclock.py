"""
How far a venue's clock is from ours, measured from the dates of its answers.

An HTTP answer names the second in which it was made (``Date``, RFC 9110 §6.6.1). It was made
after we began to ask and before we had it, so one answer bounds the difference to a little more
than a second, and several bound it further. What is signed to expire, and what proves that
something has expired, is said in the venue's time (reliability.md §2.3, §2.5).

Our own clock may be the one that is wrong; nobody needs to know which. Answers are kept against
the steady clock: where ours is set between an answer and the next order, that order is signed by
the venue's time all the same.
"""

import contextlib
import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

from hedger.clock import Clock

RESOLUTION_S: Final = 1.0
"""A date says the second that has begun; the rest of it is unknown."""

REMEMBERED_S: Final = 15.0
"""Older answers are left out: clocks run apart, and a step of one must soon be seen."""

REMEMBERED_MAX: Final = 32

USUAL: Final = re.compile(r"[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT")
"""The form that RFC 9110 prescribes; others are read slowly."""

DATE_CHARS_MAX: Final = 64
FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LAST: Final = datetime(3000, 1, 1, tzinfo=UTC)

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """Their clock minus ours lies between ``low_s`` and ``high_s``, as of ``measured_at``."""

    low_s: float
    high_s: float
    measured_at: datetime

    @property
    def assumed_s(self) -> float:
        """The smallest difference that agrees with what was seen; none without evidence."""
        return max(self.low_s, min(0.0, self.high_s))

    def theirs(self, ours: datetime) -> datetime:
        """An instant of ours on their clock, as far as it is known."""
        return ours + timedelta(seconds=self.assumed_s)

    def ours(self, theirs: datetime) -> datetime:
        """An instant on their clock on ours, as far as it is known."""
        return theirs - timedelta(seconds=self.assumed_s)

    def theirs_at_least(self, ours: datetime) -> datetime:
        """What their clock certainly showed at an instant of ours; for proofs."""
        return ours + timedelta(seconds=self.low_s)


@dataclass(slots=True)
class _Answer:
    """When one question was asked and answered, and the date in the answer."""

    date: str
    sent_s: float  # on the steady clock
    came_s: float
    came_at: datetime
    bounds_s: tuple[float, float] | None = None  # of their clock at its zero, once asked for

    def bounds(self) -> tuple[float, float] | None:
        """When the steady clock began, at least and at most; None where the date is none."""
        if self.bounds_s is None and (made_at := _instant(self.date)) is not None:
            made_s = _since_first(made_at)
            self.bounds_s = (made_s - self.came_s, made_s - self.sent_s + RESOLUTION_S)
        return self.bounds_s


class VenueClock:
    """The measured offset of one venue. Its adapter shows it every answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: deque[_Answer] = deque(maxlen=REMEMBERED_MAX)

    def answered(self, date: str | None, sent_s: float) -> None:
        """
        Take note of an answer that has just come to a question asked at ``sent_s``.

        ``date`` is its header as it came; it is read when somebody asks for the offset. Without
        a usable one nothing is learned.
        """
        if date is not None:
            came_s = self._clock.monotonic_s()
            self._seen.append(_Answer(date, sent_s, came_s, self._clock.now()))

    @property
    def offset(self) -> Offset | None:
        """
        What the latest answers agree on; None before the first one that had a date.

        From the newest back to the first that contradicts: a clock was set in between.
        """
        now_s = self._clock.monotonic_s()
        oldest_s = now_s - REMEMBERED_S
        low_s, high_s, measured_at = float("-inf"), float("inf"), None
        for one in reversed(self._seen):
            if (bounds := one.bounds()) is None:
                continue
            lower, upper = max(low_s, bounds[0]), min(high_s, bounds[1])
            if measured_at is None:
                measured_at = one.came_at  # the newest counts whatever its age
            elif one.came_s < oldest_s or lower > upper:
                break
            low_s, high_s = lower, upper
        if measured_at is None:
            return None
        ours_s = _since_first(self._clock.now()) - now_s
        return Offset(low_s=low_s - ours_s, high_s=high_s - ours_s, measured_at=measured_at)


def _since_first(at: datetime) -> float:
    return (at - FIRST).total_seconds()


@lru_cache(maxsize=64)
def _instant(date: str) -> datetime | None:
    """
    The instant of an HTTP date, which is always GMT; None where it is none.

    A date of another millennium is none: sums with it would leave the calendar.
    """
    if len(date) > DATE_CHARS_MAX:
        return None
    if (usual := USUAL.fullmatch(date)) is not None and usual[2] in MONTHS:
        day, month, *rest = usual.groups()
        year, hour, minute, second = map(int, rest)
        with contextlib.suppress(ValueError):
            at = (year, MONTHS.index(month) + 1, int(day), hour, minute, second)
            return _sane(datetime(*at, tzinfo=UTC))
    try:
        found = parsedate_to_datetime(date)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return _sane(found)


def _sane(found: datetime) -> datetime | None:
    return found if FIRST <= found < LAST else None
