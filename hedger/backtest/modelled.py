"""What the daemon would have read from venues in an hour: quotes, books and rules of a market."""

from datetime import datetime
from decimal import Decimal

from hedger.backtest.costs import Terms
from hedger.backtest.package import Listing
from hedger.backtest.replay import Look
from hedger.backtest.series import instant
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import FundingQuote, Instrument, Level, MarketStatus, OrderBook
from hedger.domain.money import BPS
from hedger.opportunity import Pair

HOUR_S = 3_600
RECORDED = "recorded"


class Modelled:
    """One market at both venues."""

    def __init__(self, terms: Terms, venues: tuple[VenueId, VenueId]) -> None:
        self._terms = terms
        self._venues = venues
        self._symbol = terms.listed.symbol
        self.instruments = (
            _instrument(venues[0], self._symbol, terms.listed.a),
            _instrument(venues[1], self._symbol, terms.listed.b),
        )

    def pair(self, look: Look) -> Pair:
        """The rates of the hour as estimates of the next settlement."""
        return Pair(
            symbol=self._symbol,
            a=self._quote(look, self._venues[0], look.rate_a, look.price_a),
            b=self._quote(look, self._venues[1], look.rate_b, look.price_b),
        )

    def _quote(self, look: Look, venue: VenueId, rate: float, price: float) -> FundingQuote:
        return FundingQuote(
            venue=venue,
            symbol=self._symbol,
            rate_1h=exact(rate),
            next_settlement_at=instant(look.hour + 1),
            interval_s=HOUR_S,
            mark_price=exact(price),
            index_price=None,
            open_interest_usd=None,
            as_of=instant(look.hour),
            source=RECORDED,
        )

    def books(self, look: Look) -> tuple[OrderBook, OrderBook]:
        """One level a side: what crossing costs, around mids that the basis parts."""
        terms, at = self._terms, instant(look.hour)
        price, part = exact(look.price), exact(terms.basis_bps(look.hour)) / 2 / BPS
        coins = terms.depth_usd / price
        return (
            self._book(self._venues[0], price * (1 + part), terms.slip_a, coins=coins, at=at),
            self._book(self._venues[1], price * (1 - part), terms.slip_b, coins=coins, at=at),
        )

    def _book(
        self, venue: VenueId, mid: Decimal, slip: float, *, coins: Decimal, at: datetime
    ) -> OrderBook:
        part = exact(slip)
        return OrderBook(
            venue=venue,
            symbol=self._symbol,
            bids=(Level(mid * (1 - part), coins),),
            asks=(Level(mid * (1 + part), coins),),
            as_of=at,
        )


def exact(value: float) -> Decimal:
    """The decimal that a recorded number was written as."""
    return Decimal(repr(value))


def _instrument(venue: VenueId, symbol: Symbol, listing: Listing) -> Instrument:
    return Instrument(
        venue=venue,
        symbol=symbol,
        name=listing.name,
        status=MarketStatus.ACTIVE,
        size_step=listing.size_step,
        price_tick=listing.price_tick,
        min_size=listing.min_size,
        min_notional_usd=listing.min_notional_usd,
        max_order_value_usd=listing.max_order_value_usd,
    )
