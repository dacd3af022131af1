"""Matching: immediate-or-cancel, post-only and resting orders, and what a fill does."""

from dataclasses import replace
from decimal import Decimal

from adapters.sandbox.engine import margin
from adapters.sandbox.engine.amounts import ZERO, sign, usd
from adapters.sandbox.engine.book import Fill, Plan
from adapters.sandbox.engine.events import (
    BalanceChanged,
    BookChanged,
    OrderChanged,
    PositionChanged,
    TradeMade,
)
from adapters.sandbox.engine.order_types import (
    CancelReason,
    NewOrder,
    OrderStatus,
    OrderView,
    Tif,
    TradeKind,
    TradeView,
)
from adapters.sandbox.engine.prints import record_print
from adapters.sandbox.engine.state import VenueState
from hedger.domain.money import floor_to_step


def admit(state: VenueState, account: int, new: NewOrder) -> OrderView:
    """Record an order as NEW. It does nothing until it is matched."""
    state.account(account)
    state.rules_of(new.symbol)
    order = OrderView(
        id=state.next_id(),
        account=account,
        new=new,
        status=OrderStatus.NEW,
        cancel_reason=None,
        filled=ZERO,
        filled_value=ZERO,
        fee=ZERO,
        arrived_ms=state.now_ms,
        created_ms=state.now_ms,
        updated_ms=state.now_ms,
    )
    _record(state, order)
    return order


def match(state: VenueState, order: OrderView) -> OrderView:
    """
    Bring a NEW order to the book; the state it leaves it in.

    Margin and reduce-only are judged again here: time may have passed since it was admitted.
    """
    if order.status is not OrderStatus.NEW or order.id in state.resting:
        return order
    new = order.new
    if new.expires_ms is not None and new.expires_ms <= state.now_ms:
        return finish(state, order, OrderStatus.EXPIRED, CancelReason.EXPIRED)
    if new.forced_reason is not None:
        return cancel(state, order, new.forced_reason)
    if not state.rules_of(new.symbol).trades:
        return cancel(state, order, CancelReason.MARKET_CLOSED)
    wanted = _allowed_size(state, order)
    if wanted is None:
        return cancel(state, order, CancelReason.REDUCE_ONLY)
    plan = _plan(state, order, wanted)
    if new.tif is Tif.POST_ONLY and (plan.fills or plan.own_orders):
        return cancel(state, order, CancelReason.POST_ONLY)
    limit = _fill_limit(state, order)
    plan = _cut(plan, limit) if limit is not None else plan
    if not new.reduce_only and not _affordable(state, order, plan):
        return cancel(state, order, CancelReason.MARGIN)
    for maker_id in plan.own_orders:
        cancel(state, state.orders.get(maker_id), CancelReason.SELF_TRADE)
    for fill in plan.fills:
        order = _execute(state, order, fill)
    if new.late_rest_ms is not None and order.remaining:
        state.late_rests[order.id] = new.late_rest_ms
    order = _fill_beyond(state, order)
    return _after_taking(state, order, plan, wanted)


def _fill_beyond(state: VenueState, order: OrderView) -> OrderView:
    """What a fault lets an order fill that is filled already."""
    if order.new.overfill and order.status is OrderStatus.FILLED:
        for fill in _plan(state, order, order.new.overfill).fills:
            order = _execute(state, order, fill)
    return order


def _after_taking(state: VenueState, order: OrderView, plan: Plan, wanted: Decimal) -> OrderView:
    if order.status is OrderStatus.FILLED:
        return order
    if order.new.tif is not Tif.IOC:
        state.resting[order.id] = None
        _book_changed(state, order.new.symbol)
        note_balance(state, order.account)  # a resting order may hold margin
        return order
    if order.filled == wanted:
        return cancel(state, order, CancelReason.REDUCE_ONLY)  # the rest exceeds the position
    limited = order.new.fill_limit is not None
    beyond = plan.more_beyond and not limited
    return cancel(state, order, CancelReason.SLIPPAGE if beyond else CancelReason.NO_LIQUIDITY)


def _allowed_size(state: VenueState, order: OrderView) -> Decimal | None:
    """How much may trade; None when a reduce-only order may not trade at all."""
    left = order.remaining
    if not order.new.reduce_only:
        return left
    held = state.account(order.account).size(order.new.symbol)
    if sign(held) == (1 if order.new.is_buy else -1) or held == ZERO:
        return None
    if left > abs(held):
        return abs(held) if state.params.clips_reduce_only else None
    return left


def _fill_limit(state: VenueState, order: OrderView) -> Decimal | None:
    until_ms = order.new.fill_limit_until_ms
    if order.new.fill_limit is None or (until_ms is not None and until_ms <= state.now_ms):
        return None
    step = state.rules[order.new.symbol].size_step
    return max(ZERO, floor_to_step(order.new.fill_limit, step) - order.filled)


def _plan(state: VenueState, order: OrderView, size: Decimal) -> Plan:
    symbol = order.new.symbol
    return state.book(symbol).plan(
        state.ladder(symbol),
        state.resting_orders(symbol),
        account=order.account,
        is_buy=order.new.is_buy,
        size=size,
        limit=order.new.price,
    )


def _cut(plan: Plan, limit: Decimal) -> Plan:
    fills: list[Fill] = []
    left = limit
    for fill in plan.fills:
        piece = min(left, fill.size)
        if piece <= ZERO:
            break
        fills.append(fill._replace(size=piece))
        left -= piece
    return replace(plan, fills=tuple(fills))


def _affordable(state: VenueState, order: OrderView, plan: Plan) -> bool:
    new = order.new
    size, value = plan.size, plan.value
    if new.tif is not Tif.IOC:  # the rest will stand in the book at its limit price
        value += (order.remaining - size) * new.price
        size = order.remaining
    if size == ZERO:
        return True
    account = state.account(order.account)
    cost = margin.order_cost(
        state,
        account,
        symbol=new.symbol,
        is_buy=new.is_buy,
        size=size,
        price=value / size,
        except_order=order.id,
    )
    if cost == ZERO:
        return True
    free = margin.free_margin(state, account) + margin.reserved_by(state, account, order)
    return cost <= free


def _execute(state: VenueState, order: OrderView, fill: Fill) -> OrderView:
    """One fill of a taker, and of its maker if that is one of our accounts."""
    trade_id = state.next_id()
    if fill.maker_id is None:
        symbol, asks = order.new.symbol, order.new.is_buy
        state.take(symbol, asks=asks, price=fill.price, size=fill.size)
        _book_changed(state, order.new.symbol)
        return apply_fill(state, order, fill.price, fill.size, is_taker=True, trade_id=trade_id)
    maker = state.orders.get(fill.maker_id)
    allowed = _allowed_size(state, maker)
    if allowed is None or allowed < fill.size:
        cancel(state, maker, CancelReason.REDUCE_ONLY)
        return order
    apply_fill(state, maker, fill.price, fill.size, is_taker=False, trade_id=trade_id)
    _book_changed(state, order.new.symbol)
    return apply_fill(state, order, fill.price, fill.size, is_taker=True, trade_id=trade_id)


def apply_fill(
    state: VenueState,
    order: OrderView,
    price: Decimal,
    size: Decimal,
    *,
    is_taker: bool,
    trade_id: int,
) -> OrderView:
    """Book one account's side of a fill: order, trade, position, money."""
    holder = state.account(order.account)
    maker_rate, taker_rate = state.fees(order.new.symbol)
    rate = taker_rate if is_taker else maker_rate
    fee = usd(price * size * rate)
    filled = order.filled + size
    done = filled >= order.new.size
    order = replace(
        order,
        status=OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED,
        filled=filled,
        filled_value=order.filled_value + price * size,
        fee=order.fee + fee,
        updated_ms=state.now_ms,
    )
    if done:
        state.resting.pop(order.id, None)
    _record(state, order)
    book_trade(
        state,
        TradeView(
            id=trade_id,
            order_id=order.id,
            client_id=order.new.client_id,
            account=order.account,
            symbol=order.new.symbol,
            is_buy=order.new.is_buy,
            price=price,
            size=size,
            fee=fee,
            is_taker=is_taker,
            kind=TradeKind.TRADE,
            extra=order.new.extra,
            size_before=holder.size(order.new.symbol),
            entry_value_before=holder.entry_value(order.new.symbol),
            at_ms=state.now_ms,
        ),
    )
    return order


def book_trade(state: VenueState, trade: TradeView) -> None:
    """Let a trade change the position and the money of its account."""
    account = state.account(trade.account)
    delta = trade.size if trade.is_buy else -trade.size
    trade = replace(trade, realised=account.realises(trade.symbol, delta, trade.price))
    account.trades.append(trade)
    state.orders.add_trade(trade)
    state.emit(TradeMade(trade))
    if trade.is_taker:
        record_print(state, trade)
    views = account.apply_fill(
        trade.symbol,
        delta,
        trade.price,
        trade.fee,
        new_id=state.next_id(),
        leverage=state.leverage(account, trade.symbol),
        now_ms=state.now_ms,
        kind=trade.kind,
    )
    for view in views:
        state.emit(PositionChanged(view))
    note_balance(state, trade.account)


def note_balance(state: VenueState, number: int) -> None:
    """Keep and announce the present balance of an account."""
    account = state.account(number)
    view = margin.balance(state, account)
    account.balances.add(state.now_ms, view)
    state.emit(BalanceChanged(view))


def cancel(state: VenueState, order: OrderView, reason: CancelReason) -> OrderView:
    """End an order that is still open; anything else is returned as it is."""
    return finish(state, order, OrderStatus.CANCELLED, reason)


def finish(
    state: VenueState, order: OrderView, status: OrderStatus, reason: CancelReason
) -> OrderView:
    """Give an open order its last state."""
    if not order.is_open:
        return order
    order = replace(order, status=status, cancel_reason=reason, updated_ms=state.now_ms)
    rested = order.id in state.resting
    state.resting.pop(order.id, None)
    _record(state, order)
    if rested:
        _book_changed(state, order.new.symbol)
        note_balance(state, order.account)
    return order


def expire_orders(state: VenueState) -> None:
    """End every open order whose expiry has come."""
    for order in state.orders.open():
        if order.new.expires_ms is not None and order.new.expires_ms <= state.now_ms:
            finish(state, order, OrderStatus.EXPIRED, CancelReason.EXPIRED)


def fill_late_rests(state: VenueState) -> None:
    """Fill what is left of orders that have ended, once their time has come."""
    for order_id in [id_ for id_, at_ms in state.late_rests.items() if at_ms <= state.now_ms]:
        del state.late_rests[order_id]
        order = state.orders.get(order_id)
        status, reason = order.status, order.cancel_reason
        for fill in _plan(state, order, order.remaining).fills:
            order = _execute(state, order, fill)
        if order.is_open:  # not all of it could be had
            _record(state, replace(order, status=status, cancel_reason=reason))


def cross_resting(state: VenueState) -> None:
    """Fill resting orders that the moved book has reached, as makers at their own price."""
    for order_id in list(state.resting):
        order = state.orders.get(order_id)
        tradable = state.rules_of(order.new.symbol).trades
        if order.is_open and tradable and state.reached(order):
            _fill_resting(state, order)


def _fill_resting(state: VenueState, order: OrderView) -> None:
    new = order.new
    wanted = _allowed_size(state, order)
    if wanted is None:
        cancel(state, order, CancelReason.REDUCE_ONLY)
        return
    limit = _fill_limit(state, order)
    book = state.book(new.symbol)
    plan = book.plan(
        state.ladder(new.symbol),
        (),
        account=order.account,
        is_buy=new.is_buy,
        size=wanted if limit is None else min(wanted, limit),
        limit=new.price,
    )
    if not plan.fills:
        return
    for fill in plan.fills:
        state.take(new.symbol, asks=new.is_buy, price=fill.price, size=fill.size)
    apply_fill(state, order, new.price, plan.size, is_taker=False, trade_id=state.next_id())
    _book_changed(state, new.symbol)


def _record(state: VenueState, order: OrderView) -> None:
    state.orders.record(order, state.now_ms)
    state.emit(OrderChanged(order))


def _book_changed(state: VenueState, symbol: str) -> None:
    state.books[symbol].touched()
    state.emit(BookChanged(symbol))
