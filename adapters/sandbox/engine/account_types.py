"""Positions, payments and money of an account. Units as in ``types``."""

from dataclasses import dataclass
from decimal import Decimal

from adapters.sandbox.engine.order_types import TradeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """
    One version of a position. ``size`` is signed; zero in the version that closed it.

    ``realised_pnl`` holds price profit, fees and funding of this position; ``fees`` and
    ``funding_total`` (positive when received) are its parts.
    """

    id: int
    account: int
    symbol: str
    size: Decimal
    entry_price: Decimal
    realised_pnl: Decimal
    fees: Decimal
    funding_total: Decimal
    leverage: Decimal
    opened_ms: int
    updated_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedPosition:
    """A position that has gone flat."""

    id: int
    account: int
    symbol: str
    was_long: bool
    max_size: Decimal
    entry_price: Decimal
    exit_price: Decimal
    realised_pnl: Decimal
    trade_pnl: Decimal
    funding_total: Decimal
    open_fees: Decimal
    close_fees: Decimal
    leverage: Decimal
    kind: TradeKind
    opened_ms: int
    closed_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentView:
    """One funding settlement of one position."""

    id: int
    account: int
    symbol: str
    settlement_ms: int  # market time, on the hour
    amount: Decimal  # USD, positive when received
    rate: Decimal  # signed fraction per hour, positive: longs pay
    size: Decimal  # signed coins at the settlement
    mark: Decimal  # the price it was computed with: X10's mark, Lighter's index
    position_id: int
    at_ms: int  # wire time at which it was booked


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceView:
    """One version of an account's money, USD."""

    account: int
    collateral: Decimal  # deposits plus everything realised
    equity: Decimal  # collateral plus unrealised profit
    unrealised: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    available: Decimal  # equity less initial margin, never below zero
    exposure: Decimal  # sum of position values at mark
    updated_ms: int
