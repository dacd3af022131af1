"""
Funding received and paid: read from the venues' own ledgers, complete or unknown, never zero.

A venue lists a payment some time after its settlement. A hedge's funding is therefore known
through a settlement only once a full and successful reading began ``payment_lag_s`` after that
settlement was first seen as the next one, all earlier ones having passed (S38). When that was
is kept in the ledger, so that commands without a daemon learn it, too. Settlements are on the
venues' market clocks, the looks on ours.

A payment may be listed later than that, when nothing waits for it any more. So the lists are read
again for ``WATCHED``, each time when the latest settlement is twice as long ago, and what is new
in them goes to the hedge that held the position, however long that is over.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from loguru import logger

from hedger.audit.legrows import SEEN, STILL
from hedger.clock import Clock
from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, VenueId
from hedger.errors import VenueError
from hedger.ledger.store import Store
from hedger.ownlists import OwnLists
from hedger.ports import QuoteSource, Venue

SIGHTINGS_MAX = 50
WATCHED = timedelta(hours=2)
"""How long after the last awaited payments the lists are still read."""

BACK = timedelta(hours=12)
"""How far back, on the market clock: one page of each list has more."""

AGAIN_LEAST = timedelta(minutes=2)
NOTED_AGAIN = timedelta(minutes=10)  # how exactly it is kept until when a list is read
WATCH = "payments_watched:"
"""Meta key of a venue: until when its list of payments is read though nothing is awaited."""


class Accruals:
    """Keeps the funding of every hedge that still lacks some, and what is listed later."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        quotes: Mapping[VenueId, QuoteSource],
        store: Store,
        clock: Clock,
        payment_lag_s: float,
    ) -> None:
        self._venues = venues
        self._quotes = quotes
        self._store = store
        self._clock = clock
        self._payment_lag_s = payment_lag_s
        self._asked: dict[VenueId, tuple[datetime | None, frozenset[HedgeId]]] = {}
        self._again_at: dict[VenueId, datetime] = {}
        self._lists = OwnLists(clock)

    async def run(self) -> int:
        """One reading of both venues; the number of payments that were new."""
        new = 0
        hedges = self._store.awaiting_funding()
        for venue in self._venues:
            if not hedges and not self._is_watched(venue):
                continue
            try:
                upcoming = await self._sight(venue)
                hedges = self._ended(hedges, venue, upcoming)
                new += await self._read(venue, hedges, upcoming)
            except VenueError as error:
                logger.warning("funding of {} stays unknown for now: {}", venue, error)
        return new

    def _ended(self, hedges: list[Hedge], venue: VenueId, upcoming: datetime) -> list[Hedge]:
        """Note the last settlement of hedges that ended while it could not be read."""
        noted = []
        for hedge in hedges:
            if hedge.state.terminal and _last(hedge, venue) is None and venue in hedge.venues:
                hedge = (  # noqa: PLW2901 - the same hedge, now complete
                    self._store.note(hedge, last_settlement_a=upcoming)
                    if venue == hedge.venue_a
                    else self._store.note(hedge, last_settlement_b=upcoming)
                )
            noted.append(hedge)
        return noted

    async def _sight(self, venue: VenueId) -> datetime:
        """The next settlement; when it was first seen as the next one is noted."""
        upcoming = await self._quotes[venue].next_settlement()
        seen = self._seen(venue)
        if upcoming not in seen:
            seen[upcoming] = self._clock.now()
            newest = sorted(seen)[-SIGHTINGS_MAX:]
            text = {at.isoformat(): seen[at].isoformat() for at in newest}
            self._store.set_meta(_key(venue), json.dumps(text))
        self._note_still(venue, upcoming)
        return upcoming

    def _note_still(self, venue: VenueId, upcoming: datetime) -> None:
        """When each settlement was last seen to be still to come: what was held at it is known."""
        key = f"{STILL}{venue}"
        noted: dict[str, str] = json.loads(self._store.meta(key) or "{}")
        noted[upcoming.isoformat()] = self._clock.now().isoformat()
        newest = sorted(noted, key=datetime.fromisoformat)[-SIGHTINGS_MAX:]
        self._store.set_meta(key, json.dumps({at: noted[at] for at in newest}))

    def _seen(self, venue: VenueId) -> dict[datetime, datetime]:
        """When each settlement was first seen as the next one."""
        stored = json.loads(self._store.meta(_key(venue)) or "{}")
        return {
            datetime.fromisoformat(at): datetime.fromisoformat(seen) for at, seen in stored.items()
        }

    async def _read(self, venue: VenueId, hedges: list[Hedge], upcoming: datetime) -> int:
        """Read the venue's payments where something new may be in its list."""
        starts = [s for hedge in hedges if (s := _first(hedge, venue)) is not None]
        now = self._clock.now()
        through = self._passed(venue, now - timedelta(seconds=self._payment_lag_s))
        asked_through, asked_of = self._asked.get(venue, (None, frozenset()))
        whose = frozenset(hedge.id for hedge in hedges)
        awaited = bool(starts) and (through != asked_through or not whose <= asked_of)
        if not awaited and now < self._again_at.get(venue, now):
            return 0
        since = self._since(venue, starts, upcoming)
        payments = await self._venues[venue].funding_payments(since)
        known = self._store.recognizes(venue, since, payments)
        if not self._lists.believes(venue, known=known, length=len(payments)):
            return 0
        self._ended(self._store.awaiting_funding(), venue, upcoming)  # while the list was read
        new = self._store.book_payments(payments)
        if through is not None:
            for hedge in hedges:
                if venue in hedge.venues:
                    self._store.funding_complete(hedge.id, venue, through)
        self._asked[venue] = through, whose
        settled_at = self._seen(venue).get(upcoming, now)
        self._again_at[venue] = now + max(AGAIN_LEAST, now - settled_at)
        if hedges:
            self._watch(venue, now + WATCHED)
        if new:
            logger.info("{} funding payments of {} booked", new, venue)
        return new

    def _since(self, venue: VenueId, starts: list[datetime], upcoming: datetime) -> datetime:
        """Back to what is awaited, and further for what is late; not to before our first hedge."""
        _, first = self._store.beginnings(venue)
        back = upcoming - BACK
        return min([*starts, back if first is None else max(back, first)])

    def _watch(self, venue: VenueId, until: datetime) -> None:
        noted = self._store.meta(f"{WATCH}{venue}")
        if noted is None or datetime.fromisoformat(noted) < until - NOTED_AGAIN:
            self._store.set_meta(f"{WATCH}{venue}", until.isoformat())

    def _is_watched(self, venue: VenueId) -> bool:
        noted = self._store.meta(f"{WATCH}{venue}")
        return noted is not None and self._clock.now() < datetime.fromisoformat(noted)

    def _passed(self, venue: VenueId, before: datetime) -> datetime | None:
        """The latest settlement that was the next one already at that time."""
        return max((at for at, seen in self._seen(venue).items() if seen <= before), default=None)


def _key(venue: VenueId) -> str:
    return f"{SEEN}{venue}"


def _last(hedge: Hedge, venue: VenueId) -> datetime | None:
    return hedge.last_settlement_a if venue == hedge.venue_a else hedge.last_settlement_b


def _first(hedge: Hedge, venue: VenueId) -> datetime | None:
    return hedge.first_settlement_a if venue == hedge.venue_a else hedge.first_settlement_b
