"""Cross margin of an account: what it is worth and what its positions and orders tie up."""

from decimal import Decimal

from adapters.sandbox.engine.account import Account
from adapters.sandbox.engine.account_types import BalanceView
from adapters.sandbox.engine.amounts import ZERO, usd
from adapters.sandbox.engine.order_types import OrderView
from adapters.sandbox.engine.state import VenueState


def unrealised(state: VenueState, account: Account) -> Decimal:
    """Price profit of the open positions at mark, USD."""
    return sum(
        (
            usd((state.mark(symbol) - held.entry_price) * held.size)
            for symbol, held in account.open.items()
        ),
        ZERO,
    )


def initial_margin(
    state: VenueState, account: Account, *, except_order: int | None = None
) -> Decimal:
    """
    Margin tied up at the chosen leverages, USD.

    Where open orders reserve margin it is that of max(|position + buys|, |position - sells|)
    (x10.md §9); reduce-only orders never count.
    """
    buys: dict[str, Decimal] = {}
    sells: dict[str, Decimal] = {}
    if state.params.reserves_open_orders:
        for order in state.orders.open(account.number):
            if not order.new.reduce_only and order.id != except_order:
                side = buys if order.new.is_buy else sells
                side[order.new.symbol] = side.get(order.new.symbol, ZERO) + order.remaining
    total = ZERO
    for symbol in sorted(account.open.keys() | buys.keys() | sells.keys()):
        size = account.size(symbol)
        most = max(abs(size + buys.get(symbol, ZERO)), abs(size - sells.get(symbol, ZERO)))
        total += most * state.mark(symbol) / state.leverage(account, symbol)
    return usd(total)


def maintenance_margin(state: VenueState, account: Account) -> Decimal:
    """Equity below this is liquidated, USD."""
    return usd(
        sum(
            (
                abs(held.size) * state.mark(symbol) * state.rules[symbol].maintenance_fraction
                for symbol, held in account.open.items()
            ),
            ZERO,
        )
    )


def exposure(state: VenueState, account: Account) -> Decimal:
    """Sum of the position values at mark, USD."""
    return usd(
        sum(
            (abs(held.size) * state.mark(symbol) for symbol, held in account.open.items()),
            ZERO,
        )
    )


def balance(state: VenueState, account: Account) -> BalanceView:
    """The account's money now."""
    profit = unrealised(state, account)
    equity = account.collateral + profit
    initial = initial_margin(state, account)
    return BalanceView(
        account=account.number,
        collateral=account.collateral,
        equity=equity,
        unrealised=profit,
        initial_margin=initial,
        maintenance_margin=maintenance_margin(state, account),
        available=max(ZERO, equity - initial),
        exposure=exposure(state, account),
        updated_ms=state.now_ms,
    )


def free_margin(state: VenueState, account: Account) -> Decimal:
    """Equity less initial margin; below zero when positions lost more than was spare."""
    return account.collateral + unrealised(state, account) - initial_margin(state, account)


def reserved_by(state: VenueState, account: Account, order: OrderView) -> Decimal:
    """How much of the initial margin an open order itself ties up."""
    if not state.params.reserves_open_orders or order.new.reduce_only:
        return ZERO
    return initial_margin(state, account) - initial_margin(state, account, except_order=order.id)


def order_cost(
    state: VenueState,
    account: Account,
    *,
    symbol: str,
    is_buy: bool,
    size: Decimal,
    price: Decimal,
    except_order: int | None = None,
) -> Decimal:
    """
    Free margin that an order needs, USD (x10.md §9, order cost).

    A closing order costs nothing up to twice the position. What opens exposure needs its
    initial margin, the loss it starts with against the mark, and the taker fee.
    """
    direction = 1 if is_buy else -1
    standing = direction * account.size(symbol)
    if state.params.reserves_open_orders:
        for order in state.orders.open(account.number, symbol):
            mine = order.id == except_order or order.new.reduce_only
            if order.new.is_buy == is_buy and not mine:
                standing += order.remaining
    opening = max(ZERO, size + min(ZERO, 2 * standing))
    if opening == ZERO:
        return ZERO
    loss = max(ZERO, direction * (price - state.mark(symbol))) * opening
    margin = price * opening / state.leverage(account, symbol)
    return usd(margin + loss + price * opening * state.fees(symbol)[1])
