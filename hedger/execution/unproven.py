"""
Going on with a hedge though it is not proven what became of one of its orders.

While the end of an order is sought for the first time nothing else is done. A venue may never tell
it: its orders cannot be read, or it has lost them. The legs are read all the same, and one of them
must not stand alone meanwhile. So once the search has ended without a proof, what both sources of
a venue agree on is acted upon, by reducing orders on the other venue only; the order stays unknown.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial

from hedger.clock import Clock
from hedger.domain.hedge import Hedge
from hedger.domain.ids import VenueId
from hedger.domain.money import plain
from hedger.domain.order import Unresolved
from hedger.errors import VenueError
from hedger.ledger.store import Store
from hedger.owned import ours, own_size
from hedger.ports import Venue
from hedger.readlag import ReadLag
from hedger.secondsource import traded_since_opened
from hedger.urgency import overlapping


class Unproven:
    """Holds the legs on which an order is unknown against the venue's own trades."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        clock: Clock,
        lag: ReadLag,
        dedicated: bool,
    ) -> None:
        self._dedicated = dedicated
        self._lag = lag
        self._venues = venues
        self._store = store
        self._clock = clock

    async def against(self, hedge: Hedge, unknown: Sequence[Unresolved]) -> str:
        """
        Why the legs cannot be relied on beside these orders; empty where they can.

        A position says nothing by itself: the trades of the account have to make just that. Where
        they cannot be read, it has to read the same for as long as readings may be late.
        """
        for venue in dict.fromkeys(one.prepared.order.venue for one in unknown):
            try:
                if why := await self._contradicts(hedge, self._venues[venue]):
                    return why
            except VenueError as error:
                return f"{venue} cannot be read: {error.detail}"
        return ""

    async def _contradicts(self, hedge: Hedge, venue: Venue) -> str:
        look = partial(venue.position, hedge.symbol)
        read = (await overlapping(look, self._clock)).size
        read_s = self._clock.monotonic_s()
        shown = f"{venue.id} shows {plain(read)} {hedge.symbol}"
        traded = await traded_since_opened(venue, self._store, hedge, read, self._clock)
        if traded is None:
            spent_s = self._clock.monotonic_s() - read_s
            await self._clock.sleep(max(0.0, self._lag.bound_s(venue.id) - spent_s))
            again = (await overlapping(look, self._clock)).size
            if again != read:
                return f"{shown} and then {plain(again)}"
            return self._whose(hedge, venue, read)
        if traded.net != read:
            return f"{shown}, and its own trades make {plain(traded.net)}"
        return self._whose(hedge, venue, read)

    def _whose(self, hedge: Hedge, venue: Venue, read: Decimal) -> str:
        """
        On a shared account, what is there beyond our fills may be what is unknown.

        A leg that reads smaller than they make is what is left of ours, as in every reading.
        """
        own = own_size(self._store, hedge.id, venue.id)
        if self._dedicated or read == ours(read, own, dedicated=False):
            return ""
        return (
            f"{venue.id} shows {plain(read)} {hedge.symbol}, and {plain(own)} is proven to be ours"
        )
