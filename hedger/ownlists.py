"""
Whether a venue's list of payments is believed to be that of our account.

A row of Lighter's list names no account, and one on the way may put another's list in the place of
ours. So a list in which nothing is known to be ours is not believed before it is read again and
again for ``UNKNOWN_S``.
"""

from typing import Final

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import VenueId

UNKNOWN_S: Final = 200.0
"""The third reading in a row, by a job that runs every 120 s."""


class OwnLists:
    """Remembers since when the lists of a venue have nothing of ours."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._unknown_s: dict[VenueId, float] = {}

    def believes(self, venue: VenueId, *, known: bool, length: int) -> bool:
        """Whether a list is known to be ours, or looks strange for so long that it must be."""
        if known:
            self._unknown_s.pop(venue, None)
            return True
        now_s = self._clock.monotonic_s()
        unknown_s = now_s - self._unknown_s.setdefault(venue, now_s)
        logger.warning(
            "none of the {} payments that {} lists is known to be ours, for {:.0f} s now",
            length,
            venue,
            unknown_s,
        )
        return unknown_s >= UNKNOWN_S
