"""What subscribers of an exchange are told."""

from dataclasses import dataclass
from typing import get_args

from adapters.sandbox.engine.account_types import BalanceView, PaymentView, PositionView
from adapters.sandbox.engine.market_types import FundingRow
from adapters.sandbox.engine.order_types import OrderView, TradeView


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """An order was recorded or changed."""

    order: OrderView


@dataclass(frozen=True, slots=True)
class TradeMade:
    """One of our accounts traded."""

    trade: TradeView


@dataclass(frozen=True, slots=True)
class PositionChanged:
    """A position changed; its size is zero when it closed."""

    position: PositionView


@dataclass(frozen=True, slots=True)
class BalanceChanged:
    """Money moved on an account."""

    balance: BalanceView


@dataclass(frozen=True, slots=True)
class FundingSettled:
    """A market hour ended. ``rows`` has every market, ``payments`` only held positions."""

    settlement_ms: int
    rows: tuple[FundingRow, ...]
    payments: tuple[PaymentView, ...]


@dataclass(frozen=True, slots=True)
class BookChanged:
    """The book of a market is another one."""

    symbol: str


@dataclass(frozen=True, slots=True)
class MarkChanged:
    """The mark of a market moved."""

    symbol: str


Event = (
    OrderChanged
    | TradeMade
    | PositionChanged
    | BalanceChanged
    | FundingSettled
    | BookChanged
    | MarkChanged
)

EVENTS = get_args(Event)
"""Every kind of them."""
