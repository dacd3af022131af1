"""Lighter's public market data over httpx: no key, no SDK, no account."""

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from loguru import logger

from adapters.budget import Budget
from adapters.common.door import guarded
from adapters.http_quotes import PublicHttp
from adapters.lighter import wire
from adapters.lighter.answers import CODE_OK, RATE_CODES
from adapters.lighter.fields import reading
from adapters.lighter.names import Names
from adapters.upcoming import Upcoming
from hedger.clock import Clock
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import FundingQuote, Instrument, MarketStatus, OrderBook, SettledRate
from hedger.errors import (
    DeniedError,
    DriftError,
    UnavailableError,
    UnlistedError,
    VenueError,
)

INTERVAL: Final = timedelta(hours=1)
INTERVAL_S: Final = 3_600
REFERENCE: Final = (Symbol("ETH"), Symbol("BTC"))
"""Funding settles on all markets at once, so one that is always there tells when."""

MAX_ORDERS: Final = 250  # per side, what the venue gives at most
FAR_FUTURE_MS: Final = 5_000_000_000_000  # the largest that it takes
FAR: Final = Decimal(2)  # times the mark of a market: no book of it is so far away
PAGE_ROWS: Final = 749  # and the most rows of one answer
MAX_PAGES: Final = 24
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LOOK_BACK: Final = timedelta(hours=3)


@guarded
class LighterQuotes:
    """The ``QuoteSource`` port."""

    def __init__(
        self,
        *,
        id: VenueId,  # noqa: A002 - the port names the property so
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
        self._markets: wire.Markets | None = None
        self._markets_data: Any = None
        self._last_settlement: datetime | None = None
        self._upcoming = Upcoming(clock, INTERVAL)

    @property
    def id(self) -> VenueId:
        return self._id

    async def close(self) -> None:
        await self._http.close()

    def recognise(self, identities: Mapping[Symbol, str], earlier: Mapping[Symbol, str]) -> None:
        self._names.markets.take_up(identities, earlier)

    async def instruments(self, *, urgent: bool = False) -> Mapping[Symbol, Instrument]:
        return (await self._read_markets(urgent=urgent)).instruments

    async def funding(self) -> Mapping[Symbol, FundingQuote]:
        """Three answers, without any one of which there is no quote; one is remembered."""
        markets = await self._read_markets()
        rates = await self._get("funding-rates")
        settles_at = await self.next_settlement()
        with reading(self._id, "GET /funding-rates"):
            by_market = wire.lighter_rates(rates)
        as_of = self._clock.now()
        quotes: dict[Symbol, FundingQuote] = {}
        for symbol, instrument in markets.instruments.items():
            mark = markets.marks.get(symbol)
            rate = by_market.get(-1 if instrument.market_id is None else instrument.market_id)
            if mark is None or rate is None or instrument.status is not MarketStatus.ACTIVE:
                continue
            quotes[symbol] = FundingQuote(
                venue=self._id,
                symbol=symbol,
                rate_1h=rate,
                next_settlement_at=settles_at,
                interval_s=INTERVAL_S,
                mark_price=mark.price,
                index_price=mark.index,
                open_interest_usd=mark.open_interest_usd,
                as_of=as_of,
                source="GET /funding-rates rate / 8",
                volume_24h_usd=mark.volume_24h_usd,
                cap_1h=mark.rate_cap_1h,
            )
        return quotes

    async def next_settlement(self) -> datetime:
        """
        An hour after the last settlement of the reference market.

        It is asked with an end in the far future, because the venue's market clock need not be
        ours. The start, which the venue leaves out, is an hour before the last settlement
        known, else a little before now, else the beginning.
        """
        upcoming = self._upcoming.known()
        if upcoming is None:
            upcoming = await self._read_settlement() + INTERVAL
            self._upcoming.note(upcoming)
        return upcoming

    async def _read_settlement(self) -> datetime:
        market = await self._reference()
        known = self._last_settlement
        starts = [self._clock.now() - LOOK_BACK] if known is None else [known - INTERVAL]
        for start in (*starts, EPOCH + timedelta(seconds=1)):
            last = await self._last_settled_since(market, start)
            if last is not None:
                self._last_settlement = last
                return last
        raise UnavailableError(self._id, "GET /fundings: no settlement is on record yet")

    async def book(self, symbol: Symbol, depth: int = 50, *, urgent: bool = False) -> OrderBook:
        """
        ``depth`` counts single orders, as the venue does: the levels may be fewer.

        Raises:
            DriftError: its prices are not those of this market; the answer names none.
        """
        assert depth >= 1
        data = await self._get(
            "orderBookOrders",
            urgent=urgent,
            market_id=await self._market_id(symbol, urgent=urgent),
            limit=min(depth, MAX_ORDERS),
        )
        with reading(self._id, "GET /orderBookOrders"):
            book = wire.book(data, self._id, symbol, self._clock.now())
        if self._markets is None:
            with contextlib.suppress(VenueError):  # then its prices cannot be held against any
                await self._read_markets(urgent=urgent)
        self._check_prices(book)
        return book

    def _check_prices(self, book: OrderBook) -> None:
        """An order priced by the book of another market would have no limit, or never fill."""
        mark = None if self._markets is None else self._markets.marks.get(book.symbol)
        for side in (book.bids, book.asks):
            if mark is None or not side or mark.price < side[0].price * FAR < mark.price * FAR**2:
                continue
            told = f"a book of {book.symbol} at {side[0].price} where its mark is {mark.price}"
            raise DriftError(self._id, f"GET /orderBookOrders: {told}")

    async def settled_rates(
        self, symbol: Symbol, since: datetime
    ) -> Mapping[datetime, SettledRate]:
        """One page: at most a month. The venue leaves out the instant it is asked from."""
        data = await self._get(
            "fundings",
            market_id=await self._market_id(symbol),
            resolution="1h",
            start_timestamp=int(since.timestamp() * 1000) - 1,
            end_timestamp=FAR_FUTURE_MS,
            count_back=0,
        )
        with reading(self._id, "GET /fundings"):
            found = wire.settled_rates(data, self._id, symbol)
        return {at: row for at, row in found.items() if at >= since}

    async def _last_settled_since(self, market: int, start: datetime) -> datetime | None:
        """Full pages are followed forward, whichever end the venue cuts them at."""
        last: datetime | None = None
        for _ in range(MAX_PAGES):
            data = await self._get(
                "fundings",
                market_id=market,
                resolution="1h",
                start_timestamp=int(start.timestamp() * 1000),
                end_timestamp=FAR_FUTURE_MS,
                count_back=0,  # all of them
            )
            with reading(self._id, "GET /fundings"):
                stamps = wire.settlements(data)
            if not stamps or stamps[-1] == last:
                return last
            last = stamps[-1]
            if len(stamps) < PAGE_ROWS:
                return last
            start = last
        raise UnavailableError(self._id, f"GET /fundings: more than {MAX_PAGES} pages")

    async def _reference(self) -> int:
        markets = self._markets or await self._read_markets()
        for symbol in (*REFERENCE, *markets.instruments):
            found = markets.instruments.get(symbol)
            if found is not None and found.market_id is not None:
                return found.market_id
        raise UnavailableError(self._id, "no market to learn the settlements from")

    async def _market_id(self, symbol: Symbol, *, urgent: bool = False) -> int:
        """Also of a market that is listed no more: its exit needs a book."""
        known = self._names.markets
        if known.number(symbol) is None:
            await self._read_markets(urgent=urgent)
        if (number := known.number(symbol)) is None:
            raise UnlistedError(self._id, f"market {symbol} is not listed there")
        return int(number)

    async def _read_markets(self, *, urgent: bool = False) -> wire.Markets:
        data = await self._get("orderBookDetails", urgent=urgent)
        if self._markets is not None and data is self._markets_data:
            return self._markets  # the very answer of last time
        with reading(self._id, "GET /orderBookDetails"):
            markets = wire.markets(data, self._id, self._names)
        for complaint in markets.unreadable:
            logger.warning("{}: market left out: {}", self._id, complaint)
        self._markets, self._markets_data = markets, data
        return markets

    async def _get(self, name: str, *, urgent: bool = False, **params: str | int) -> Any:
        """One answer whose own ``code`` is 200 as well; the HTTP status alone says little."""
        data = await self._http.get_json(f"/api/v1/{name}", params, urgent=urgent)
        code = data.get("code", CODE_OK) if isinstance(data, dict) else CODE_OK
        if code != CODE_OK:
            kind = UnavailableError if code in RATE_CODES else DeniedError
            raise kind(self._id, f"GET /{name}: code {code}: {data.get('message', '')}")
        return data
