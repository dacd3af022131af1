"""
The next settlement of a venue, remembered for as long as it is certain to be still to come.

Funding settles once an hour, and many jobs ask when. A venue says it on its market clock, which
need not be ours (the sandbox's is another year, and can be moved): then every answer lies outside
of the hour that follows on our clock, and nothing is remembered.
"""

from datetime import datetime, timedelta
from typing import Final

from hedger.clock import Clock

MARGIN: Final = timedelta(minutes=5)
"""How long before it the venue is asked again: longer than any clock may be wrong."""


class Upcoming:
    """What one venue said last."""

    def __init__(self, clock: Clock, interval: timedelta) -> None:
        self._clock = clock
        self._interval = interval
        self._said: tuple[datetime, float] | None = None

    def known(self) -> datetime | None:
        """The next settlement; None when the venue has to be asked."""
        if self._said is None or self._clock.monotonic_s() >= self._said[1]:
            return None
        return self._said[0]

    def note(self, upcoming: datetime) -> None:
        """
        Take an answer of now into account.

        How long it holds is counted without our time of day, which may be set meanwhile.
        """
        left = upcoming - self._clock.now()
        self._said = None
        if MARGIN < left <= self._interval:
            until_s = self._clock.monotonic_s() + (left - MARGIN).total_seconds()
            self._said = (upcoming, until_s)
