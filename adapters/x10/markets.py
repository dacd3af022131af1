"""The account's own memory of market rules; the SDK's is filled once and never again."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from adapters.common.identities import Listing
from adapters.common.marketbook import ANY_AGE, MarketBook
from adapters.x10 import wire
from adapters.x10.fields import Row
from adapters.x10.http import AccountHttp
from adapters.x10.names import Names
from hedger.clock import Clock
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Instrument

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Market:
    """The rules of one market, and what signing on it needs."""

    instrument: Instrument
    assets: wire.SigningAssets


class Markets:
    """All markets, read together; see ``MarketBook``."""

    def __init__(self, venue: VenueId, http: AccountHttp, names: Names, clock: Clock) -> None:
        self._venue = venue
        self._http = http
        self._names = names
        self._book = MarketBook(venue, clock, self._read)
        self._strange: set[Symbol] = set()

    def recognise(self, identities: Mapping[Symbol, str], earlier: Mapping[Symbol, str]) -> None:
        """Which of the venue's markets our symbols were to an earlier process."""
        if self._names.markets.take_up(identities, earlier):
            self._book.forget()

    def identities(self) -> Mapping[Symbol, str]:
        """Which market each symbol is known to be."""
        return self._names.markets.known()

    async def refresh(self) -> None:
        """
        Read the rules of all markets.

        Raises:
            VenueError: they could not be read; what was known before stays.
        """
        await self._book.refresh()

    async def get(self, symbol: Symbol, max_age_s: float = ANY_AGE) -> Market:
        """
        One market.

        Raises:
            VenueError: see ``MarketBook.get``.
        """
        return await self._book.get(symbol, max_age_s)

    def lists(self, symbol: Symbol) -> bool:
        """Whether the venue was ever seen to have this market."""
        return self._book.lists(symbol)

    async def named(
        self, read: Callable[[], Awaitable[T]], symbols: Callable[[T], Iterable[Symbol]]
    ) -> T:
        """
        What was read, and its ``symbols`` by the names of now.

        A market that nobody listed yet may be one of ours under a new name, so it is read once
        more when those are known.
        """
        found = await read()
        strange = {symbol for symbol in symbols(found) if not self.lists(symbol)}
        if strange <= self._strange:
            return found
        await self.refresh()
        self._strange |= {symbol for symbol in strange if not self.lists(symbol)}
        return await read()

    async def _read(self) -> Listing[Market]:
        page = await self._http.content("/info/markets")
        listing = wire.perpetuals(self._venue, page.data, self._names)
        return Listing(wire.understood(listing.rows, self._market), listing.drift)

    def _market(self, symbol: Symbol, row: Row) -> Market:
        return Market(wire.instrument(self._venue, symbol, row), wire.signing_assets(row))
