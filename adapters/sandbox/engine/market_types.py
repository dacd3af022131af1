"""Markets: their rules, books, figures and settled rates. Units as in ``types``."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """
    The rules of one market at one venue, as recorded (see data/ORIGIN.md).

    ``None`` means that the venue has no such limit. The fields of the other venue are unset.
    """

    symbol: str  # our name of the asset: ETH
    name: str  # the venue's spelling: ETH-USD
    market_id: int
    size_step: Decimal
    price_tick: Decimal
    min_size: Decimal
    min_notional: Decimal | None = None  # USD; Lighter asks it of resting orders only
    max_market_value: Decimal | None = None  # USD of one market order
    max_limit_value: Decimal | None = None  # USD of one limit order
    max_position_value: Decimal | None = None  # USD
    max_open_orders: int = 200
    max_leverage: Decimal
    initial_fraction: Decimal  # margin fraction of the default leverage
    maintenance_fraction: Decimal  # at the default risk tier
    price_band: Decimal  # fraction: how far beyond the mark a limit price may be
    market_price_band: Decimal  # the same for orders sent as market orders
    listed: bool = True  # whether it is in the venue's list; what is not cannot be named either
    active: bool = True
    reduce_only: bool = False  # nothing may be opened; says nothing where not active
    status: str = ""  # the venue's word where it is another than the two flags make
    maker_fee: Decimal | None = None  # fraction; None: that of the venue
    taker_fee: Decimal | None = None
    category: str = ""
    # X10
    asset_precision: int = 0
    synthetic_id: str = ""
    synthetic_resolution: int = 0
    # Lighter
    size_decimals: int = 0
    price_decimals: int = 0
    closeout_fraction: Decimal = ZERO
    liquidation_fee: Decimal = ZERO  # fraction of the value closed by a liquidation

    @property
    def trades(self) -> bool:
        """Whether anything is traded there at all."""
        return self.listed and self.active


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketStats:
    """Figures of one market over the last 24 market hours; prices USD."""

    mark: Decimal
    index: Decimal
    last_price: Decimal
    bid: Decimal
    ask: Decimal
    low: Decimal
    high: Decimal
    price_change: Decimal  # USD since 24 market hours ago, or since the start
    volume_base: Decimal
    volume: Decimal
    open_interest_base: Decimal
    open_interest: Decimal
    predicted_rate: Decimal  # fraction per hour, settled at next_settlement_ms
    last_rate: Decimal  # fraction per hour, last settled
    next_settlement_ms: int  # market time


class Level(NamedTuple):
    """One price level of a book."""

    price: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """Best price first on both sides. Unpacks as ``bids, asks = exchange.book(...)``."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    version: int  # grows with every change of this market's book

    def __iter__(self) -> Iterator[tuple[Level, ...]]:
        return iter((self.bids, self.asks))


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingRow:
    """A settled rate of one market."""

    symbol: str
    settlement_ms: int  # market time, on the hour
    rate: Decimal  # signed fraction per hour
    price: Decimal  # X10's mark or Lighter's index at the settlement
