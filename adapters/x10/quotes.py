"""
X10's public market data, without a key and without the SDK.

``/info/markets`` answers rules, marks, funding and the next settlement of all markets at once,
so a scan costs one request and a book one more.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from adapters.budget import Budget
from adapters.common.door import guarded
from adapters.common.identities import Listing
from adapters.http_quotes import PublicHttp
from adapters.upcoming import Upcoming
from adapters.x10 import wire
from adapters.x10.fields import Row, to_ms
from adapters.x10.names import Names
from hedger.clock import Clock
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import FundingQuote, Instrument, MarketStatus, OrderBook, SettledRate
from hedger.errors import DeniedError, DriftError

MARKETS = "/info/markets"
FAR_FUTURE_MS = 5_000_000_000_000
SETTLED_MAX = 1_000
INTERVAL = timedelta(hours=1)


@guarded
class XQuotes:
    """
    The quote source of X10. Every method raises ``VenueError`` where there is no usable answer.

    ``base_url`` ends in ``/api/v1``; ``names`` holds our names of markets that X10 spells
    differently.
    """

    def __init__(
        self,
        *,
        id: VenueId,  # noqa: A002  the port's own word
        base_url: str,
        names: Mapping[Symbol, str],
        clock: Clock,
        timeout_s: float,
        budget: Budget | None = None,
    ) -> None:
        self._id = id
        self._names = Names(names)
        self._clock = clock
        self._http = PublicHttp(id, base_url, timeout_s, budget)
        self._upcoming = Upcoming(clock, INTERVAL)

    @property
    def id(self) -> VenueId:
        return self._id

    def recognise(self, identities: Mapping[Symbol, str], earlier: Mapping[Symbol, str]) -> None:
        """Which of the venue's markets our symbols were to an earlier process."""
        self._names.markets.take_up(identities, earlier)

    async def instruments(self, *, urgent: bool = False) -> Mapping[Symbol, Instrument]:
        """Rules of every perpetual market; one that we do not understand is absent."""
        rows = (await self._rows(urgent=urgent)).rows
        return wire.understood(rows, partial(wire.instrument, self._id))

    async def funding(self) -> Mapping[Symbol, FundingQuote]:
        """The present estimate of every active market."""
        listing = await self._rows()
        rows = {s: row for s, row in listing.rows.items() if s not in listing.drift}
        now = self._clock.now()

        def parse(symbol: Symbol, row: Row) -> FundingQuote | None:
            if wire.status_of(row) is not MarketStatus.ACTIVE:
                return None
            return wire.funding_quote(self._id, symbol, row, now)

        parsed = wire.understood(rows, parse)
        found = {symbol: quote for symbol, quote in parsed.items() if quote is not None}
        if found:
            self._upcoming.note(min(quote.next_settlement_at for quote in found.values()))
        return found

    async def next_settlement(self) -> datetime:
        """The earliest next charge of any active market; all of them charge on the hour."""
        if (upcoming := self._upcoming.known()) is not None:
            return upcoming
        quotes = await self.funding()
        if not quotes:
            raise DriftError(self._id, "no active market says when funding is next charged")
        return min(quote.next_settlement_at for quote in quotes.values())

    async def book(self, symbol: Symbol, depth: int = 50, *, urgent: bool = False) -> OrderBook:
        """The best ``depth`` prices of both sides; of a market that was renamed as well."""
        market = self._names.market(symbol)
        try:
            return await self._book(symbol, market, depth, urgent=urgent)
        except DeniedError:
            await self._rows(urgent=urgent)
            if (renamed := self._names.market(symbol)) == market:
                raise
            return await self._book(symbol, renamed, depth, urgent=urgent)

    async def _book(self, symbol: Symbol, market: str, depth: int, *, urgent: bool) -> OrderBook:
        path = f"{MARKETS}/{market}/orderbook"
        body = await self._http.get_json(path, urgent=urgent)
        page = wire.unwrap(self._id, f"GET {path}", body)
        now = self._clock.now()
        return wire.book(self._id, symbol, market, page.data, depth=depth, as_of=now)

    async def settled_rates(
        self, symbol: Symbol, since: datetime
    ) -> Mapping[datetime, SettledRate]:
        """The applied rates of one market; the venue's clock need not be ours."""
        market = self._names.market(symbol)
        path = f"/info/{market}/funding"
        wanted = {"startTime": to_ms(since), "endTime": FAR_FUTURE_MS, "limit": SETTLED_MAX}
        body = await self._http.get_json(path, wanted)
        page = wire.unwrap(self._id, f"GET {path}", body)
        return wire.settled_rates(self._id, symbol, market, page.data, since)

    async def close(self) -> None:
        """Give back connections."""
        await self._http.close()

    async def _rows(self, *, urgent: bool = False) -> Listing[Row]:
        body = await self._http.get_json(MARKETS, urgent=urgent)
        return wire.perpetuals(self._id, wire.unwrap(self._id, "markets", body).data, self._names)
