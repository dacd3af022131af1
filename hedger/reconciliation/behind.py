"""
A ledger that is behind the venues: an older copy was put back, or the file was lost.

At a start, before anything is opened, each venue's list of past orders is read back to the last
event of the ledger. An order that carries a start of this ledger (``hedger/ledger/starts.py``)
and is not in it was ours and was forgotten: it is looked up and booked with its fills, and the
hedge it belongs to is driven again. So what the ledger knows of its own, and with that what may
be taken off on a shared account, is true again before recovery and reconciliation use it.

Orders of a market that name no hedge the ledger knows become one hedge, an orphan, that ends
flat. Its id is the one that an order of it names, if any does. What earlier ones of them left
undone is gone (``merged.py``).

An order may have been on its way when the process that sent it ended, and come to the venue after
it was asked. So a venue is asked again where a position appears that our fills do not explain, and
once more some time after a start whose ledger was behind; both for as long as what an earlier life
has signed may be valid. A process that ends before all is booked leaves no later event behind for
the next start to begin from: only one that has caught up does (``CAUGHT_UP``).

While orders are being booked, or a venue has not answered, hedges are shown that are not whole yet:
why is kept in the ledger (``BEHIND``), so that `hedger status` can say it beside them.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from loguru import logger

from hedger.clock import Clock
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import HedgeId, OrderId, Symbol, VenueId, hedge_of, order_id
from hedger.domain.money import ZERO, plain
from hedger.domain.order import Filled, Found, Order, PastOrder, Prepared, Purpose
from hedger.errors import StateError, VenueError
from hedger.ids import IdMaker
from hedger.ledger.records import CAUGHT_UP, earlier_key
from hedger.ledger.starts import same_ledger
from hedger.ledger.store import Store
from hedger.monitoring.knownmarkets import KnownMarkets
from hedger.pace import Pace
from hedger.ports import Venue
from hedger.reconciliation.merged import gone_before
from hedger.together import together

Progress = Callable[[str], None]

MARGIN: Final = timedelta(minutes=1)  # clocks, and orders whose end a venue dates a little early
LOST_BACK: Final = timedelta(days=7)  # where the ledger is new, though another one worked here
VALID_S: Final = 660.0  # after a start: Lighter's transactions live ten minutes, and clocks differ
ONCE_MORE_S: Final = 60.0
CLAIM_FIRST_S: Final = 15.0  # between questions about one position, and more each time
CLAIM_MAX_S: Final = 300.0

BEHIND: Final = "behind"
"""Meta key: why the ledger may not know every order of ours; empty where it does."""


class Behind:
    """Asks each venue once, and again for as long as it does not answer."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        pair: tuple[VenueId, VenueId],
        store: Store,
        known: KnownMarkets,
        ids: IdMaker,
        clock: Clock,
    ) -> None:
        self._venues = venues
        self._pair = pair
        self._store = store
        self._known = known
        self._ids = ids
        self._clock = clock
        caught_up = store.meta(CAUGHT_UP)
        worked = store.last_worked(None if caught_up is None else int(caught_up))
        if worked is None and caught_up is not None:
            worked = clock.now() - LOST_BACK + MARGIN
        self._since = None if worked is None else worked - MARGIN
        self._began_s = clock.monotonic_s()
        self._pace = Pace(clock, first_s=CLAIM_FIRST_S, max_s=CLAIM_MAX_S)
        self._once_more = True
        self._caught_up = False
        self._asking = asyncio.Lock()
        self._booking = ""  # what is being booked now, in words
        self._hedges: dict[Symbol, HedgeId] = {}  # what this process has booked into
        self._left: dict[VenueId, str] = {}
        if self._since is not None:
            self._left = dict.fromkeys(venues, "not asked yet")

    @property
    def reason(self) -> str:
        """Why nothing may be opened yet; empty once every venue was asked and all is booked."""
        if not self._left:
            return self._booking
        told = "; ".join(f"{venue}: {why}" for venue, why in sorted(self._left.items()))
        return f"whether the ledger is behind the venues is not known yet ({told})"

    async def run(self, progress: Progress, within_s: float | None = None) -> None:
        """
        Ask who has not answered yet and book what was forgotten; ``within_s`` bounds the wait.

        Raises:
            StateError: the ledger cannot be used.
        """
        if self._once_more and self._age_s() > ONCE_MORE_S:
            self._once_more = False
            if self._store.overtaken or self._store.lost:
                self._left = dict.fromkeys(self._venues, "not asked again yet")
        if self._left:
            async with self._asking:  # somebody else may ask just now
                await self._catch_up(progress, within_s)
        awaited = self._once_more and (self._store.overtaken or self._store.lost)
        if not (self._caught_up or self.reason or awaited):
            self._store.set_meta(CAUGHT_UP, str(self._store.epoch))
            self._caught_up = True

    async def _catch_up(self, progress: Progress, within_s: float | None) -> None:
        found: dict[VenueId, list[PastOrder]] = {}
        try:
            async with asyncio.timeout(within_s):
                await together(self._ask(venue, found) for venue in tuple(self._left))
        except TimeoutError:
            logger.warning("{}", self.reason)
        forgotten = [past for venue in self._pair for past in found.get(venue, ())]
        if forgotten:
            self._booking = (
                f"the ledger was behind the venues: {len(forgotten)} orders of ours are being"
                " booked, and hedges of theirs are not whole before"
            )
        self._keep()
        try:
            await self._book_all(forgotten, progress)
        finally:
            self._booking = ""
        self._keep()

    def _keep(self) -> None:
        """What `hedger status` says."""
        if self.reason != (self._store.meta(BEHIND) or ""):
            self._store.set_meta(BEHIND, self.reason)

    async def _book_all(self, forgotten: Sequence[PastOrder], progress: Progress) -> None:
        if forgotten:
            self._tell(forgotten, progress)
            self._overtake(forgotten)
        # those that name their hedge come first, so that the others find it
        named_first = sorted(
            forgotten, key=lambda each: (hedge_of(each.client_id) is None, each.at)
        )
        turns = {venue: asyncio.Lock() for venue in self._venues}
        async with asyncio.TaskGroup() as group:
            looks = [group.create_task(self._looked_up(p, turns[p.venue])) for p in named_first]
            for past, look in zip(named_first, looks, strict=True):
                try:
                    self._book(past, await look)
                except (VenueError, StateError) as error:
                    self._left[past.venue] = f"order {past.client_id} could not be booked: {error}"
                    logger.error("{}: {}", past.venue, self._left[past.venue])
        for hedge in self._store.live():  # an earlier start may have booked, and ended before this
            self._note_gone(hedge.id)

    def _note_gone(self, hedge: HedgeId) -> None:
        """What earlier hedges, booked into this one, did not take off themselves is not there."""
        for venue, size in gone_before(self._store.orders_of(hedge), self._pair[0]).items():
            key = earlier_key(hedge, venue)
            if plain(size) != (self._store.meta(key) or "0"):
                self._store.set_meta(key, plain(size))

    async def claim(self, venue: VenueId, symbol: Symbol, excess: Decimal) -> None:
        """
        Ask again where a venue holds ``excess`` signed coins beyond what our fills make.

        Asked for the same excess again and again, it does less and less often.

        Raises:
            StateError: the ledger cannot be used.
        """
        asks = self._since is not None and self._age_s() <= VALID_S
        if asks and self._pace.due(f"{venue}:{symbol}:{plain(excess)}"):
            self._left.setdefault(venue, "not asked again yet")
            await self.run(logger.info)

    def _age_s(self) -> float:
        return self._clock.monotonic_s() - self._began_s

    async def _ask(self, id_: VenueId, found: dict[VenueId, list[PastOrder]]) -> None:
        assert self._since is not None
        try:
            past = await self._venues[id_].past_orders(self._since)
        except VenueError as error:
            self._left[id_] = error.detail
            return
        found[id_] = [each for each in past if self._is_forgotten(each)]
        del self._left[id_]

    def _is_forgotten(self, past: PastOrder) -> bool:
        if not same_ledger(past.sent.start, self._store.start):
            return False
        return self._store.order_known_as(past.venue, past.client_id) is None

    def _tell(self, forgotten: Sequence[PastOrder], progress: Progress) -> None:
        venues = {venue: [p for p in forgotten if p.venue == venue] for venue in self._pair}
        counted = " and ".join(f"{len(p)} on {v}" for v, p in venues.items() if p)
        text = (
            f"the ledger is behind the venues since {self._since:%Y-%m-%dT%H:%MZ}: it does not"
            f" know orders of ours, {counted}; they are looked up and booked, and what they left"
            " open is taken up"
        )
        logger.error("{}", text)
        progress(text)
        self._store.alert(text, data={"orders": [past.client_id for past in forgotten][:50]})

    def _overtake(self, forgotten: Sequence[PastOrder]) -> None:
        for past in forgotten:
            self._store.overtake(past.sent.start)

    async def _looked_up(self, past: PastOrder, turn: asyncio.Lock) -> Found | VenueError:
        """One order after the other on a venue; a leg may stand alone, so no venue waits."""
        prepared = self._prepared(past, hedge_of(past.client_id) or HedgeId(past.client_id))
        async with turn:
            try:
                found = await self._venues[past.venue].find(prepared)
            except VenueError as error:
                return error
        if not isinstance(found, Found) or not found.final:
            return VenueError(past.venue, "it lists the order, and does not show its end yet")
        if sum((fill.size for fill in found.fills), ZERO) != found.filled:
            return VenueError(past.venue, "the trades of the order are not complete yet")
        return found

    def _prepared(self, past: PastOrder, hedge: HedgeId) -> Prepared:
        named = hedge_of(past.client_id) is not None
        order = Order(
            id=OrderId(past.client_id) if named else order_id(hedge, past.sent),
            hedge=hedge,
            venue=past.venue,
            symbol=past.symbol,
            purpose=Purpose.CLOSE if past.reduce_only else Purpose.OPEN,
            attempt=1,
            side=past.side,
            size=past.size,
            limit_price=past.limit_price,
            expires_at=past.at,
        )
        return Prepared(
            order=order,
            account=self._venues[past.venue].account,
            client_id=past.client_id,
            payload=past.payload,
            expires_at=past.at,
        )

    def _book(self, past: PastOrder, found: Found | VenueError) -> None:
        prepared = self._prepared(past, self._hedge_for(past))
        if isinstance(found, VenueError):
            raise found
        # the hedge, and with it the name of the order, is known only now
        fills = tuple(replace(fill, order=prepared.order.id) for fill in found.fills)
        self._store.book_past(
            prepared, Filled(prepared, found.filled, fills, found.venue_order_id, found.status)
        )

    def _hedge_for(self, past: PastOrder) -> HedgeId:
        """
        The hedge that the order names, or the one on its market, or a new orphan.

        One whose orders could not all be booked at once is over, perhaps, when the rest of them
        is: they belong together, and it is taken up again.
        """
        named = hedge_of(past.client_id)
        if named is not None and self._store.knows(named):
            return self._hedges.setdefault(past.symbol, named)
        live = self._store.live_on(past.symbol)
        if live is not None:
            return live.id
        if past.symbol in self._hedges:
            return self._hedges[past.symbol]
        now = self._clock.now()
        orphan = Hedge(
            id=named or self._ids.hedge(past.symbol),
            symbol=past.symbol,
            venue_a=self._pair[0],
            venue_b=self._pair[1],
            side_a=past.side if past.venue == self._pair[0] else past.side.opposite,
            requested_usd=ZERO,
            planned_size=ZERO,
            state=State.ORPHAN,
            target=Target.FLAT,
            reason="its orders were not in the ledger",
            created_at=now,
            updated_at=now,
        )
        self._known.keep()
        self._store.adopt(orphan)
        self._hedges[past.symbol] = orphan.id
        return orphan.id
