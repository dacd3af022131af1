"""What a venue says about its markets and about our account: frozen, in our units."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from hedger.domain.ids import Symbol, VenueId
from hedger.domain.money import ZERO


class MarketStatus(StrEnum):
    """What may be done on a market now."""

    ACTIVE = "active"
    REDUCE_ONLY = "reduce_only"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """The rules of one market. Sizes in coins, prices and values in USD."""

    venue: VenueId
    symbol: Symbol
    name: str  # the venue's spelling, for people
    status: MarketStatus
    size_step: Decimal
    price_tick: Decimal
    min_size: Decimal
    min_notional_usd: Decimal = ZERO
    minima_bind_takers: bool = True  # False: only orders that rest have to be so large
    max_order_value_usd: Decimal | None = None
    price_band: Decimal | None = None  # fraction: how far from the mark a limit price may be
    max_leverage: Decimal | None = None
    maintenance: Decimal | None = None  # fraction of the value below which it is liquidated
    market_id: int | None = None  # where the venue has a number for it
    identity: str = ""  # the venue's own and unchanging word for it, never its name


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingQuote:
    """
    The present estimate of the next funding charge of one market.

    ``rate_1h`` is a signed fraction per hour; positive means that longs pay shorts.
    ``next_settlement_at`` and ``interval_s`` are the venue's own statement, on the venue's
    market clock: they are compared with each other, never with our clock.
    """

    venue: VenueId
    symbol: Symbol
    rate_1h: Decimal
    next_settlement_at: datetime
    interval_s: int
    mark_price: Decimal
    index_price: Decimal | None
    open_interest_usd: Decimal | None
    as_of: datetime  # our clock, when the answer was read
    source: str  # endpoint and field, for the audit
    volume_24h_usd: Decimal | None = None
    cap_1h: Decimal | None = None  # the venue's own bound on rate_1h; None where it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class RateSeen:
    """One funding estimate that was observed: for which settlement (market clock)."""

    venue: VenueId
    settlement_at: datetime
    rate_1h: Decimal


@dataclass(frozen=True, slots=True)
class Level:
    """One price level of a book."""

    price: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBook:
    """Best price first on both sides."""

    venue: VenueId
    symbol: Symbol
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    as_of: datetime

    @property
    def mid(self) -> Decimal | None:
        """Half way between the best prices; None when a side is empty."""
        if not self.bids or not self.asks:
            return None
        return (self.bids[0].price + self.asks[0].price) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """Fee rates of our account as fractions of the value traded."""

    maker: Decimal
    taker: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """
    A fresh reading of the account. ``available_usd`` is free margin for new orders.

    ``cash_usd`` is what was paid in plus everything realised, without the profit of open
    positions; None where the venue does not say. ``held_usd`` is the value of all open positions
    at mark, ours and anybody else's, shorts counted like longs; None where it does not say.
    """

    venue: VenueId
    available_usd: Decimal
    equity_usd: Decimal
    as_of: datetime
    cash_usd: Decimal | None = None
    held_usd: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """
    A reading of one position. ``size`` is in coins and signed: positive long, negative short.

    It exists only when the venue answered. Flat is ``size == 0`` from a successful read; a
    failed read is an exception and never a Position.
    """

    venue: VenueId
    symbol: Symbol
    size: Decimal
    entry_price: Decimal | None
    read_started_at: datetime
    as_of: datetime
    source: str
    mark_price: Decimal | None = None
    liquidation_price: Decimal | None = None  # None: the venue names none


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """
    What every trade of the account on one market since an instant adds up to, in coins.

    Ours and anybody else's. ``forced`` is the part that the venue did itself, signed: liquidation
    and deleveraging. ``trades`` are the venue's names of them, to see whether ours are among them.
    """

    venue: VenueId
    symbol: Symbol
    bought: Decimal
    sold: Decimal
    forced: Decimal
    read_started_at: datetime
    trades: frozenset[str] = frozenset()

    @property
    def net(self) -> Decimal:
        """What the trades make of a flat position, in signed coins."""
        return self.bought - self.sold


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingPayment:
    """One settlement booked by the venue. ``amount_usd`` is positive when we received it."""

    venue: VenueId
    symbol: Symbol
    payment_id: str
    settlement_at: datetime  # on the venue's market clock, rounded to the settlement
    amount_usd: Decimal
    rate_1h: Decimal
    size: Decimal  # signed coins held at the settlement
    mark_price: Decimal | None = None  # it was computed with; None: the venue does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledRate:
    """
    A rate that was charged: signed fraction per hour, positive when longs paid.

    ``per_coin_usd`` is what one coin was charged, rate times price, with the same sign; None
    where the venue's public list does not tell it.
    """

    venue: VenueId
    symbol: Symbol
    settlement_at: datetime  # on the venue's market clock, rounded to the settlement
    rate_1h: Decimal
    per_coin_usd: Decimal | None = None
