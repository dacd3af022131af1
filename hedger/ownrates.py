"""
Asks for what our own view of a hedge is computed with: fee rates and settled rates.

Before an order the executor keeps the account's fee rates; here they are read again once the
hedge is over, so that its fills lie between two readings. Settled rates come from the public
lists, and only for hours in which something was held.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import Symbol, VenueId
from hedger.errors import VenueError
from hedger.ledger.store import Store
from hedger.ports import QuoteSource, Venue

AGAIN_S: Final = 120.0
"""How long after an answer that held nothing new it is asked again; longer each time."""

KEPT: Final = 500  # questions that are remembered


class OwnRates:
    """Reads both kinds of rates into the ledger."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        quotes: Mapping[VenueId, QuoteSource],
        store: Store,
        clock: Clock,
    ) -> None:
        self._venues = venues
        self._quotes = quotes
        self._store = store
        self._clock = clock
        self._in_vain: dict[tuple[VenueId, Symbol, datetime], tuple[int, float]] = {}

    async def fees(self, id_: VenueId, account: str, symbol: Symbol) -> bool:
        """Read the fee rates of the account anew; whether that was possible."""
        venue = self._venues.get(id_)
        if venue is None or venue.account != account:
            return False  # they can be asked for with that account's key only
        asked_at = self._clock.now()
        try:
            told = await venue.fees(symbol)
        except VenueError as error:
            logger.warning("the fee rates of {} stay unknown for now: {}", id_, error)
            return False
        self._store.note_fees((id_, account, symbol), told, asked_at)
        return True

    async def settled(self, id_: VenueId, symbol: Symbol, since: datetime) -> bool:
        """Read the public list of settled rates; whether it held something new."""
        question = (id_, symbol, since)
        times, asked_s = self._in_vain.get(question, (0, 0.0))
        if id_ not in self._quotes or (
            times and self._clock.monotonic_s() < asked_s + times * AGAIN_S
        ):
            return False
        try:
            found = await self._quotes[id_].settled_rates(symbol, since)
        except VenueError as error:
            logger.warning("settled rates of {} stay unknown for now: {}", id_, error)
            return False
        if self._store.note_settled(list(found.values())):
            self._in_vain.pop(question, None)
            return True
        self._in_vain[question] = (times + 1, self._clock.monotonic_s())
        for old in list(self._in_vain)[:-KEPT]:
            del self._in_vain[old]
        return False
