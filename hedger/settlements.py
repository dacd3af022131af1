"""
How long it is until funding is next settled, on our clock.

A venue states its next settlement on its own market clock, which need not be ours (the sandbox's
is another year, and can run faster). So the pace is learnt: the settlement that was stated
changes at some moment of our clock, and the time between two changes is an interval. Until one
was seen, a statement that lies within one interval of our clock is taken at its word; any other
is unknown.
"""

from datetime import datetime, timedelta

from hedger.clock import Clock
from hedger.domain.ids import VenueId
from hedger.domain.market import FundingQuote


class SettlementClock:
    """What each venue's statements say about when it pays next, in seconds of our clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stated: dict[VenueId, datetime] = {}
        self._changed_s: dict[VenueId, float] = {}
        self._interval_s: dict[VenueId, float] = {}

    def remaining_s(self, quote: FundingQuote) -> float | None:
        """Seconds until the settlement that the quote names; None when that is unknown."""
        venue, now_s = quote.venue, self._clock.monotonic_s()
        stated = self._stated.get(venue)
        if stated is not None and quote.next_settlement_at > stated:
            self._note_change(quote, stated, now_s)
        if stated is None or quote.next_settlement_at > stated:
            self._stated[venue] = quote.next_settlement_at
        interval_s = self._interval_s.get(venue)
        if interval_s is not None:
            return max(0.0, interval_s - (now_s - self._changed_s[venue]))
        ahead_s = (quote.next_settlement_at - self._clock.now()).total_seconds()
        return ahead_s if 0.0 <= ahead_s <= quote.interval_s else None

    def _note_change(self, quote: FundingQuote, stated: datetime, now_s: float) -> None:
        """A settlement has passed; two in a row tell the pace, one alone only when."""
        venue, before_s = quote.venue, self._changed_s.get(quote.venue)
        one = timedelta(seconds=quote.interval_s)
        if before_s is not None and quote.next_settlement_at - stated == one:
            self._interval_s[venue] = now_s - before_s
        else:
            self._interval_s.pop(venue, None)
        self._changed_s[venue] = now_s
