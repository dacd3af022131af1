"""
What the engine is told and what it says: frozen values, exact decimals, times in integer ms.

Sizes are coins, prices USD per coin, values USD. ``_ms`` fields are wire time (UTC) unless the
name says ``settlement``: settlements are market time, on the hour. This module only gathers
the names, so that the faces have one place to import from.
"""

from adapters.sandbox.engine.account_types import (
    BalanceView,
    ClosedPosition,
    PaymentView,
    PositionView,
)
from adapters.sandbox.engine.errors import (
    EngineError,
    UnknownAccountError,
    UnknownMarketError,
    UnknownOrderError,
)
from adapters.sandbox.engine.events import (
    BalanceChanged,
    BookChanged,
    Event,
    FundingSettled,
    MarkChanged,
    OrderChanged,
    PositionChanged,
    TradeMade,
)
from adapters.sandbox.engine.market_types import ZERO, Book, FundingRow, Level, MarketStats, Rules
from adapters.sandbox.engine.order_types import (
    CancelReason,
    DuplicateRule,
    NewOrder,
    OrderStatus,
    OrderView,
    PublicTrade,
    Refusal,
    Refused,
    Tif,
    TradeKind,
    TradeView,
)

__all__ = [
    "ZERO",
    "BalanceChanged",
    "BalanceView",
    "Book",
    "BookChanged",
    "CancelReason",
    "ClosedPosition",
    "DuplicateRule",
    "EngineError",
    "Event",
    "FundingRow",
    "FundingSettled",
    "Level",
    "MarkChanged",
    "MarketStats",
    "NewOrder",
    "OrderChanged",
    "OrderStatus",
    "OrderView",
    "PaymentView",
    "PositionChanged",
    "PositionView",
    "PublicTrade",
    "Refusal",
    "Refused",
    "Rules",
    "Tif",
    "TradeKind",
    "TradeMade",
    "TradeView",
    "UnknownAccountError",
    "UnknownMarketError",
    "UnknownOrderError",
]
