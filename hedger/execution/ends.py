"""
An order whose end is unknown: seen soon, between two searches, that its end can be found.

A search is long, and searches come less and less often. Where a venue tells nothing of orders for
minutes, or takes no transactions, the end can be proven as soon as it does again; until then the
order's lane gives no nonce. So one or two requests see in between whether that has changed, and
only then a search begins before its time. Nothing is proven here: that is left to the search.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.order import Accepted, Prepared
from hedger.errors import UnavailableError, VenueError
from hedger.ledger.store import Store
from hedger.ports import Venue
from hedger.sequence import Lanes
from hedger.urgency import once

ENDS_S: Final = 5.0
ANSWER_S: Final = 3.0
BURN_S: Final = 1.0  # it has the lane meanwhile
PATIENCE_S: Final = 0.1  # for the lane: who is on it comes first


class Told(IntEnum):
    """How much a venue tells of an order with a nonce."""

    NOTHING = 0
    FREE = 1  # its nonce is not used, and nothing that would use it is taken in
    TAKEN = 2  # its nonce is used, or about to be
    SHOWN = 3  # and it can be looked up


class Ends:
    """Looks at what venues tell of unknown orders. Sends nothing but the identical burns."""

    def __init__(self, *, venues: Mapping[VenueId, Venue], store: Store, lanes: Lanes) -> None:
        self._venues = venues
        self._store = store
        self._lanes = lanes
        self._told: dict[str, Told] = {}

    async def in_reach(self, hedge: HedgeId) -> Mapping[str, Told]:
        """
        What is told of an unknown order of a hedge, where that is more than before; else nothing.

        It counts as new until it is ``sought``.
        """
        kept = {prepared.order.id for prepared in self._store.open_intents()}
        self._told = {name: told for name, told in self._told.items() if name in kept}
        for prepared in self._store.open_intents(hedge):
            if prepared.lane is None:
                continue  # its fence is its expiry: that is waited for
            name = prepared.order.id
            before = self._told.get(name)
            told = await self._heard(prepared, before or Told.NOTHING)
            if before is not None and told > before:
                return {name: told}
            self._told[name] = told
        return {}

    def sought(self, found: Mapping[str, Told]) -> None:
        """The search that ``found`` was news for has been made."""
        self._told.update(found)

    async def _heard(self, prepared: Prepared, before: Told) -> Told:
        """A used nonce stays used, and what can be looked up is the search's to ask."""
        if before is Told.SHOWN:
            return before
        venue = self._venues[prepared.order.venue]
        if before is not Told.TAKEN:
            try:
                if await self._nonce(prepared, venue) is Told.FREE:
                    return Told.FREE
            except VenueError:
                return Told.NOTHING
        try:
            await once(lambda: venue.find(prepared), venue.id, limit_s=ANSWER_S)
        except VenueError:
            return Told.TAKEN
        return Told.SHOWN

    async def _nonce(self, prepared: Prepared, venue: Venue) -> Told:
        """Whether the nonce is used; where it is not, its burn is sent once more."""
        lane, nonce = prepared.lane, prepared.nonce
        assert lane is not None
        assert nonce is not None
        if await once(lambda: venue.next_nonce(lane), venue.id) > nonce:
            return Told.TAKEN
        burns = self._store.burns_of(prepared)
        if not burns:
            return Told.FREE
        try:
            async with self._lanes.hold(lane, patience_s=PATIENCE_S):
                answer = await once(lambda: venue.submit(burns[-1]), venue.id, limit_s=BURN_S)
        except UnavailableError:
            return Told.FREE
        return Told.TAKEN if isinstance(answer, Accepted) else Told.FREE
