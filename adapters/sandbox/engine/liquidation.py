"""Liquidation: by the venue when maintenance margin is breached, or on demand as a fault."""

from decimal import ROUND_CEILING, Decimal

from adapters.sandbox.engine import margin
from adapters.sandbox.engine.account import Account, OpenPosition
from adapters.sandbox.engine.amounts import ZERO, usd
from adapters.sandbox.engine.matching import book_trade, cancel
from adapters.sandbox.engine.order_types import CancelReason, TradeKind, TradeView
from adapters.sandbox.engine.state import VenueState
from hedger.domain.money import BPS, ceil_to_step, nearest_step, to_step

_MOST_STEPS = 200  # a bound for the loop; steps of a fifth of what is left end long before


def liquidate_breaches(state: VenueState) -> None:
    """Reduce every account whose equity has fallen below its maintenance margin."""
    for account in state.accounts.values():
        if account.open:
            _relieve(state, account)


def _relieve(state: VenueState, account: Account) -> None:
    cancelled = False
    for _ in range(_MOST_STEPS):
        equity = account.collateral + margin.unrealised(state, account)
        if not account.open or equity >= margin.maintenance_margin(state, account):
            return
        if not cancelled:
            for order in state.orders.open(account.number):
                cancel(state, order, CancelReason.LIQUIDATION)
            cancelled = True
        worst = min(account.open.values(), key=lambda held: (_profit(state, held), held.symbol))
        step = state.params.liquidation_step * worst.max_size
        close_by_force(state, account, worst.symbol, step, TradeKind.LIQUIDATION)


def _profit(state: VenueState, held: OpenPosition) -> Decimal:
    return (state.mark(held.symbol) - held.entry_price) * held.size


def close_by_force(
    state: VenueState, account: Account, symbol: str, size: Decimal, kind: TradeKind
) -> None:
    """
    Close ``size`` coins, rounded up to a step and at most the position, worse than the mark.

    There is no order behind it that the account could look up, as on the venues.
    """
    held = account.open.get(symbol)
    if held is None:
        return
    rules = state.rules_of(symbol)
    amount = min(abs(held.size), ceil_to_step(size, rules.size_step))
    if amount <= ZERO:
        return
    is_buy = held.size < ZERO
    price = _forced_price(state, symbol, is_buy=is_buy, kind=kind)
    rate = state.params.liquidation_fee
    fee_rate = rules.liquidation_fee if rate is None else rate
    charged = ZERO if kind is TradeKind.DELEVERAGE else usd(price * amount * fee_rate)
    book_trade(
        state,
        TradeView(
            id=state.next_id(),
            order_id=state.next_id(),
            client_id="",
            account=account.number,
            symbol=symbol,
            is_buy=is_buy,
            price=price,
            size=amount,
            fee=charged,
            is_taker=True,
            kind=kind,
            size_before=held.size,
            entry_value_before=account.entry_value(symbol),
            at_ms=state.now_ms,
        ),
    )


def _forced_price(state: VenueState, symbol: str, *, is_buy: bool, kind: TradeKind) -> Decimal:
    tick = state.rules_of(symbol).price_tick
    mark = state.mark(symbol)
    if kind is TradeKind.DELEVERAGE:
        return nearest_step(mark, tick)
    worse = mark * state.params.liquidation_slippage_bps / BPS
    if is_buy:
        return to_step(mark + worse, tick, ROUND_CEILING)
    return max(tick, to_step(mark - worse, tick))


def liquidation_price(state: VenueState, account: Account, symbol: str) -> Decimal | None:
    """
    The mark at which the account would be liquidated, all other marks as they are.

    None where no price of this market does it: equity and maintenance margin then move by the
    same amount, or would meet below zero only.
    """
    held = account.open.get(symbol)
    if held is None:
        return None
    equity = account.collateral + margin.unrealised(state, account)
    spare = equity - margin.maintenance_margin(state, account)
    slope = held.size - abs(held.size) * state.rules[symbol].maintenance_fraction
    if slope == ZERO:
        return None
    price = state.mark(symbol) - spare / slope
    return price if price > ZERO else None
