"""
Whether the venues' clocks agree with ours well enough to open anything (reliability.md §2.5).

Beyond ``recovery.clock_offset_s`` a person is alerted and nothing is opened; exits go on, because
what they sign and prove is said in the venue's own time (``hedger/venueclock.py``).
"""

import json
from collections.abc import Mapping

from loguru import logger

from hedger.domain.ids import VenueId
from hedger.ledger.store import Store
from hedger.ports import Venue
from hedger.settings_recovery import Recovery as Rules
from hedger.venueclock import Offset

CLOCK = "clock:"
"""Meta key of a venue's clock: JSON with ``low_s``, ``high_s``, ``measured_at``, ``beyond``."""

MOVED_S = 1.0
"""By how much an offset has to change to be kept anew; a date tells no less."""


class ClockWatch:
    """Tells when a venue's clock has run off, and keeps the offsets for ``hedger status``."""

    def __init__(self, *, venues: Mapping[VenueId, Venue], store: Store, rules: Rules) -> None:
        self._venues = venues
        self._store = store
        self._rules = rules
        self._kept: dict[VenueId, tuple[float, bool]] = {}
        self._told: set[VenueId] = set()

    def held_back(self) -> list[str]:
        """Why nothing is opened, one sentence for each clock that is off."""
        return [
            self._text(id_, offset)
            for id_, venue in self._venues.items()
            if (offset := venue.offset) is not None and self._beyond(offset)
        ]

    def look(self) -> None:
        """Keep what has changed, and alert once for each clock that has run off."""
        for id_, venue in self._venues.items():
            offset = venue.offset
            if offset is None:
                continue
            beyond = self._beyond(offset)
            self._keep(id_, offset, beyond=beyond)
            if not beyond:
                self._told.discard(id_)
            elif id_ not in self._told:
                text = self._text(id_, offset)
                logger.error("{}", text)
                self._store.alert(text, data={"venue": id_})
                self._told.add(id_)

    def _beyond(self, offset: Offset) -> bool:
        return abs(offset.assumed_s) > self._rules.clock_offset_s

    def _keep(self, venue: VenueId, offset: Offset, *, beyond: bool) -> None:
        before = self._kept.get(venue)
        moved = before is None or abs(before[0] - offset.assumed_s) >= MOVED_S
        if not moved and before is not None and before[1] is beyond:
            return
        found = {
            "low_s": round(offset.low_s, 3),
            "high_s": round(offset.high_s, 3),
            "measured_at": offset.measured_at.isoformat(),
            "beyond": beyond,
        }
        self._store.set_meta(CLOCK + venue, json.dumps(found))
        self._kept[venue] = (offset.assumed_s, beyond)

    def _text(self, venue: VenueId, offset: Offset) -> str:
        ahead = "ahead of" if offset.assumed_s > 0 else "behind"
        return (
            f"the clock of {venue} is {abs(offset.assumed_s):.1f} s {ahead} ours, more than"
            f" recovery.clock_offset_s ({self._rules.clock_offset_s:g} s); nothing is opened,"
            " exits go on: set this machine's clock by NTP"
        )
