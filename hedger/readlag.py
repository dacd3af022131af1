"""
How late each venue's reads are, measured from our own fills (reliability.md §2.3, LAG).

A fill of ours is a fact with a time. The look that shows it first, after one that did not, tells
how late that venue's reads were. Twice the worst of the window is believed, never less than the
venue's declared bound and never more than the configured cap; beyond the cap a person is told,
because a fence that waits for less than the venue's real lag proves nothing.

A look that shows the fill at once measures nothing: it may have come late because of us.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import VenueId
from hedger.ledger.store import Store
from hedger.ports import Capabilities, Venue
from hedger.settings_recovery import ReadLag as Rules

SAFETY = 2.0
"""The bound over the worst that was measured."""


LOOKS_APART_S = 2.5
"""
Looks are closer together than this, unless we stood still or could not reach the venue. Then
what it would have shown meanwhile is unknown, and is not held against it.
"""


@dataclass(slots=True)
class Watch:
    """What we wait to see at a venue: the starts of the looks that did not show it."""

    first_missed_at: datetime | None = None
    missed_at: datetime | None = None

    def missed(self, asked_at: datetime) -> None:
        """A look that began at ``asked_at`` did not show it."""
        self.first_missed_at = self.first_missed_at or asked_at
        self.missed_at = asked_at


class ReadLag:
    """The measured bound of every venue, kept in the ledger's meta by the hour."""

    def __init__(
        self, *, venues: Mapping[VenueId, Venue], store: Store, clock: Clock, rules: Rules
    ) -> None:
        self._venues = venues
        self._store = store
        self._clock = clock
        self._rules = rules
        self._worst = {venue: self._stored(venue) for venue in venues}

    def bound_s(self, venue: VenueId) -> float:
        """How late a read of orders and positions may be, in seconds."""
        floor_s = self._venues[venue].capabilities.read_lag_s
        wanted_s = max(floor_s, SAFETY * self.worst_s(venue))
        return min(wanted_s, max(floor_s, self._rules.cap_s))

    def bound(self, venue: VenueId) -> timedelta:
        """``bound_s`` as a difference of instants."""
        return timedelta(seconds=self.bound_s(venue))

    def limits(self, venue: VenueId) -> Capabilities:
        """The venue's capabilities with the measured bound in place of the declared one."""
        return replace(self._venues[venue].capabilities, read_lag_s=self.bound_s(venue))

    def worst_s(self, venue: VenueId) -> float:
        """The worst that was measured in the window; 0 where no look ever came too early."""
        if not self._worst[venue]:
            return 0.0
        oldest = self._hour(self._clock.now() - timedelta(hours=self._rules.window_h))
        return max((s for hour, s in self._worst[venue].items() if hour >= oldest), default=0.0)

    def shown(
        self, venue: VenueId, what: str, watch: Watch, *, since: datetime, asked_at: datetime
    ) -> None:
        """
        A look that began at ``asked_at`` shows what happened at ``since``, both on our clock.

        Counts only if an earlier look, begun after ``since``, had not shown it; and only if we
        began to look while it could still be late: long after our fill, a position that is not
        as our fills made it was changed by somebody else.
        """
        if watch.first_missed_at is None or watch.missed_at is None or watch.missed_at <= since:
            return
        if watch.first_missed_at - since > self.bound(venue):
            return
        seen_at = min(asked_at, watch.missed_at + timedelta(seconds=LOOKS_APART_S))
        late_s = (seen_at - since).total_seconds()
        if late_s <= self.worst_s(venue):
            return
        before_s = self.bound_s(venue)
        self._keep(venue, late_s)
        logger.info("{}: {} showed {:.2f} s after a fill of ours", venue, what, late_s)
        if self.bound_s(venue) != before_s:
            self._tell(venue, what, late_s, before_s)

    def _tell(self, venue: VenueId, what: str, late_s: float, before_s: float) -> None:
        bound_s = self.bound_s(venue)
        self._store.event(
            "read_lag",
            f"{venue} showed {what} {late_s:.1f} s after our fill: its reads are now believed to"
            f" be up to {bound_s:.1f} s late, before {before_s:.1f} s",
            level="warning",
            data={"venue": venue, "late_s": f"{late_s:.3f}", "bound_s": f"{bound_s:.3f}"},
        )
        if SAFETY * late_s > self._rules.cap_s:
            self._store.alert(
                f"{venue} showed {what} {late_s:.1f} s after our fill; twice that is more than"
                f" read_lag.cap_s ({self._rules.cap_s:g} s), so what looks dead there may not be",
                data={"venue": venue},
            )

    def _keep(self, venue: VenueId, late_s: float) -> None:
        now = self._clock.now()
        oldest = self._hour(now - timedelta(hours=self._rules.window_h))
        known = {hour: s for hour, s in self._worst[venue].items() if hour >= oldest}
        hour = self._hour(now)
        known[hour] = max(late_s, known.get(hour, 0.0))
        self._worst[venue] = known
        self._store.set_meta(_key(venue), json.dumps({h: round(s, 3) for h, s in known.items()}))

    def _stored(self, venue: VenueId) -> dict[str, float]:
        text = self._store.meta(_key(venue))
        return {} if text is None else {hour: float(s) for hour, s in json.loads(text).items()}

    @staticmethod
    def _hour(instant: datetime) -> str:
        return instant.strftime("%Y-%m-%dT%H")


def _key(venue: VenueId) -> str:
    return f"read_lag:{venue}"
