"""A venue that loses a batch: positions, orders and trades of one market, gone and come back."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from adapters.sandbox.engine.account import Account, OpenPosition
from adapters.sandbox.engine.account_types import ClosedPosition, PaymentView, PositionView
from adapters.sandbox.engine.amounts import ZERO
from adapters.sandbox.engine.errors import EngineError
from adapters.sandbox.engine.history import History
from adapters.sandbox.engine.matching import note_balance
from adapters.sandbox.engine.order_store import LostOrders
from adapters.sandbox.engine.order_types import TradeView
from adapters.sandbox.engine.state import VenueState

Row = TypeVar("Row", TradeView, PaymentView, ClosedPosition)


@dataclass(slots=True)
class Lost:
    """What a venue no longer knows of one account and market."""

    account: int
    symbol: str
    position: OpenPosition | None = None
    versions: History[PositionView] | None = None
    closed: list[ClosedPosition] = field(default_factory=list)
    trades: list[TradeView] = field(default_factory=list)
    payments: list[PaymentView] = field(default_factory=list)
    orders: LostOrders | None = None
    money: Decimal = ZERO  # what those trades and payments had added to the collateral, USD


def forget(
    state: VenueState, number: int, symbol: str, *, positions: bool, orders: bool, trades: bool
) -> Lost:
    """
    Lose parts of what an account has in a market, as if they had never been.

    Losing trades takes their money back too: fees, realised profit, and the payments of the
    market. Margin follows from the positions that are left. Orders that are on their way to the
    book are not lost.
    """
    account = state.account(number)
    state.rules_of(symbol)
    lost = Lost(number, symbol)
    if positions:
        lost.position = account.open.pop(symbol, None)
        lost.versions = account.positions.pop(symbol, None)
        lost.closed, account.closed = _parted(account.closed, symbol)
    if trades:
        lost.trades, account.trades = _parted(account.trades, symbol)
        lost.payments, account.payments = _parted(account.payments, symbol)
        lost.money = sum((trade.realised - trade.fee for trade in lost.trades), ZERO)
        lost.money += sum((payment.amount for payment in lost.payments), ZERO)
        account.collateral -= lost.money
    if orders:
        flying = {order.id for order in state.orders.open(number, symbol)} - set(state.resting)
        lost.orders = state.orders.forget(number, symbol, flying)
        for order_id in lost.orders.versions:
            state.resting.pop(order_id, None)
            state.late_rests.pop(order_id, None)
    _changed(state, number)
    return lost


def remember(state: VenueState, lost: Lost) -> None:
    """
    Put back what was lost.

    Raises:
        EngineError: a new position was opened in that market meanwhile.
    """
    account = state.account(lost.account)
    if lost.position is not None and lost.symbol in account.open:
        msg = f"a position in {lost.symbol} was opened meanwhile; close it first"
        raise EngineError(msg)
    _put_position_back(account, lost)
    account.closed = [*lost.closed, *account.closed]
    account.trades = sorted([*lost.trades, *account.trades], key=lambda trade: trade.id)
    account.payments = sorted([*lost.payments, *account.payments], key=lambda one: one.id)
    account.collateral += lost.money
    if lost.orders is not None:
        state.orders.remember(lost.orders)
    _changed(state, lost.account)


def _put_position_back(account: Account, lost: Lost) -> None:
    if lost.position is not None:
        account.open[lost.symbol] = lost.position
    if lost.versions is not None and lost.symbol not in account.positions:
        account.positions[lost.symbol] = lost.versions
    elif lost.position is not None and lost.versions is not None:
        account.positions[lost.symbol].add(lost.versions.newest.updated_ms, lost.versions.newest)


def _parted(rows: list[Row], symbol: str) -> tuple[list[Row], list[Row]]:
    return (
        [row for row in rows if row.symbol == symbol],
        [row for row in rows if row.symbol != symbol],
    )


def _changed(state: VenueState, number: int) -> None:
    state.version += 1
    state.changes += 1
    state.changed_ms = state.now_ms
    note_balance(state, number)
