"""Orders, fills and the rules an order can break. Units as in ``types``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


class Tif(StrEnum):
    """How long an order lives."""

    IOC = "ioc"
    GTT = "gtt"
    POST_ONLY = "post_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """
    An order as it arrives.

    ``fill_limit`` is a fault: at most this much may fill, 0 for nothing; the rest behaves as if
    the book were empty, until ``fill_limit_until_ms`` where it is given. ``late_rest_ms`` is a
    fault: what is left fills at that instant although the order has ended. ``overfill`` is a
    fault: once the order is filled, so much more fills. ``forced_reason`` is a fault: matching
    cancels the order whole with that reason. ``extra`` is kept and shown, never read.
    """

    client_id: str
    symbol: str
    is_buy: bool
    size: Decimal
    price: Decimal  # worst acceptable
    tif: Tif = Tif.IOC
    reduce_only: bool = False
    expires_ms: int | None = None
    is_market: bool = False
    fill_limit: Decimal | None = None
    fill_limit_until_ms: int | None = None
    late_rest_ms: int | None = None
    overfill: Decimal = Decimal(0)
    forced_reason: "CancelReason | None" = None
    extra: Mapping[str, str] = field(default_factory=dict)


class OrderStatus(StrEnum):
    """Where an order stands. All but the first two are final."""

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"

    @property
    def is_final(self) -> bool:
        """Whether it can change no more."""
        return self is not OrderStatus.NEW and self is not OrderStatus.PARTIALLY_FILLED


class CancelReason(StrEnum):
    """Why an order ended before it was filled."""

    NO_LIQUIDITY = "no_liquidity"  # nothing (more) to take at all, or forced
    MARGIN = "margin"
    REDUCE_ONLY = "reduce_only"
    POST_ONLY = "post_only"
    SLIPPAGE = "slippage"  # the book has more, but beyond the limit price
    SELF_TRADE = "self_trade"
    EXPIRED = "expired"
    USER = "user"
    LIQUIDATION = "liquidation"
    MARKET_CLOSED = "market_closed"  # the market was halted before the match


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """One version of an order. An IOC order that was partly filled ends CANCELLED."""

    id: int  # above 2**53, snowflake-like
    account: int
    new: NewOrder
    status: OrderStatus
    cancel_reason: CancelReason | None
    filled: Decimal
    filled_value: Decimal
    fee: Decimal  # USD paid so far
    arrived_ms: int
    created_ms: int
    updated_ms: int

    @property
    def avg_price(self) -> Decimal | None:
        """Mean price of what was filled; None while nothing was."""
        return self.filled_value / self.filled if self.filled else None

    @property
    def remaining(self) -> Decimal:
        """What was asked for and not filled; nothing where more was filled than was asked."""
        return max(Decimal(0), self.new.size - self.filled)

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return not self.status.is_final


class TradeKind(StrEnum):
    """Why two orders met."""

    TRADE = "trade"
    LIQUIDATION = "liquidation"
    DELEVERAGE = "deleverage"


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeView:
    """One account's side of a fill."""

    id: int
    order_id: int
    client_id: str
    account: int
    symbol: str
    is_buy: bool
    price: Decimal
    size: Decimal
    fee: Decimal
    is_taker: bool
    kind: TradeKind
    size_before: Decimal  # signed position before this fill
    entry_value_before: Decimal  # its entry price times its absolute size, USD
    realised: Decimal = Decimal(0)  # price profit that it booked, USD
    extra: Mapping[str, str] = field(default_factory=dict)  # that of the order
    at_ms: int

    @property
    def value(self) -> Decimal:
        """USD traded."""
        return self.price * self.size


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """A trade as everybody sees it."""

    id: int
    symbol: str
    taker_is_buy: bool
    price: Decimal
    size: Decimal
    kind: TradeKind
    at_ms: int


class Refusal(StrEnum):
    """A business rule that an order breaks."""

    MARKET_UNKNOWN = "market_unknown"
    MARKET_CLOSED = "market_closed"
    MARKET_REDUCE_ONLY = "market_reduce_only"
    QTY_BELOW_MIN = "qty_below_min"
    QTY_STEP = "qty_step"
    PRICE_STEP = "price_step"
    NOTIONAL_BELOW_MIN = "notional_below_min"
    VALUE_TOO_LARGE = "value_too_large"
    POSITION_TOO_LARGE = "position_too_large"
    TOO_MANY_ORDERS = "too_many_orders"
    PRICE_BAND = "price_band"
    EXPIRED = "expired"
    REDUCE_TOO_LARGE = "reduce_too_large"
    REDUCE_NO_POSITION = "reduce_no_position"
    REDUCE_SAME_SIDE = "reduce_same_side"
    MARGIN = "margin"
    DUPLICATE = "duplicate"
    MARKET_NOT_IOC = "market_not_ioc"
    LEVERAGE_BELOW_MIN = "leverage_below_min"
    LEVERAGE_ABOVE_MAX = "leverage_above_max"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an order is not accepted; ``detail`` is for people."""

    refusal: Refusal
    detail: str


class DuplicateRule(StrEnum):
    """Which earlier orders a client id may not repeat. The venue's meaning is unknown."""

    OPEN = "open"  # only working orders count
    EVER = "ever"  # every order of the account counts
    OFF = "off"
