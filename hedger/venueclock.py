"""
How far a venue's clock is from ours, measured from the dates of its answers.

An HTTP answer names the second in which it was made (``Date``, RFC 9110 §6.6.1). It was made
after we began to ask and before we had it, so one answer bounds the difference to a little more
than a second, and several bound it further. What is signed to expire, and what proves that
something has expired, is said in the venue's time (reliability.md §2.3, §2.5).

Our own clock may be the one that is wrong; nobody needs to know which.
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
    """When one question was asked and answered on our clock, and the date in the answer."""

    at_s: float  # on the steady clock
    date: str
    sent_at: datetime
    came_at: datetime
    bounds_s: tuple[float, float] | None = None  # of the offset, once it was asked for

    def bounds(self) -> tuple[float, float] | None:
        """How far ahead their clock was, at least and at most; None where the date is none."""
        if self.bounds_s is None and (made_at := _instant(self.date)) is not None:
            self.bounds_s = (
                (made_at - self.came_at).total_seconds(),
                (made_at - self.sent_at).total_seconds() + RESOLUTION_S,
            )
        return self.bounds_s


class VenueClock:
    """The measured offset of one venue. Its adapter shows it every answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: deque[_Answer] = deque(maxlen=REMEMBERED_MAX)

    def answered(self, date: str | None, sent_at: datetime) -> None:
        """
        Take note of an answer that has just come to a question asked at ``sent_at``.

        ``date`` is its header as it came; it is read when somebody asks for the offset. Without
        a usable one nothing is learned, nor where our own clock was set back meanwhile.
        """
        now = self._clock.now()
        if date is not None and now >= sent_at:
            self._seen.append(_Answer(self._clock.monotonic_s(), date, sent_at, now))

    @property
    def offset(self) -> Offset | None:
        """
        What the latest answers agree on; None before the first one that had a date.

        From the newest back to the first that contradicts: a clock was set in between.
        """
        oldest_s = self._clock.monotonic_s() - REMEMBERED_S
        low_s, high_s, measured_at = float("-inf"), float("inf"), None
        for one in reversed(self._seen):
            if (bounds := one.bounds()) is None:
                continue
            lower, upper = max(low_s, bounds[0]), min(high_s, bounds[1])
            if measured_at is None:
                measured_at = one.came_at  # the newest counts whatever its age
            elif one.at_s < oldest_s or lower > upper:
                break
            low_s, high_s = lower, upper
        if measured_at is None:
            return None
        return Offset(low_s=low_s, high_s=high_s, measured_at=measured_at)


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
