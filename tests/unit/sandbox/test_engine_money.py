from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.sandbox.engine.params import lighter_params, x10_params
from adapters.sandbox.engine.types import (
    CancelReason,
    FundingSettled,
    OrderStatus,
    Refusal,
    TradeKind,
)
from adapters.sandbox.recording import load_recording
from adapters.sandbox.tape import VenueName
from tests.unit.sandbox.desk import ME, D, Desk

SIX = D("0.000001")


def collateral(desk: Desk) -> Decimal:
    return desk.exchange.balance(ME).collateral


def test_buying_and_selling_books_profit_and_fees_exactly() -> None:
    desk = Desk()
    bought, sold = desk.buy("1.5"), desk.sell("1.5", reduce_only=True)
    profit = sold.filled_value - bought.filled_value
    assert abs(collateral(desk) - (100_000 + profit - bought.fee - sold.fee)) <= SIX
    closed = desk.exchange.closed_positions(ME)[0]
    assert closed.was_long
    assert closed.max_size == D("1.5")
    assert closed.realised_pnl == collateral(desk) - 100_000
    assert (closed.open_fees, closed.close_fees) == (bought.fee, sold.fee)


def test_entry_prices_are_averaged_by_size() -> None:
    desk = Desk()
    first = desk.buy("1")
    desk.hours(1)
    second = desk.buy("2")
    position = desk.exchange.position(ME, "ETH")
    assert position is not None
    mean = (first.filled_value + second.filled_value) / 3
    assert abs(position.entry_price - mean) < D("1e-10")


def test_an_order_through_zero_ends_one_position_and_begins_another() -> None:
    desk = Desk()
    desk.buy("1")
    long = desk.exchange.position(ME, "ETH")
    flip = desk.sell("1.4")
    short = desk.exchange.position(ME, "ETH")
    assert long is not None
    assert short is not None
    assert short.size == D("-0.4")
    assert short.id != long.id
    assert flip.avg_price is not None
    assert abs(short.entry_price - flip.avg_price) < 1
    assert len(desk.exchange.closed_positions(ME)) == 1


def test_a_premium_account_pays_lighters_fees_and_a_standard_one_nothing() -> None:
    assert Desk("lighter").buy("1").fee > 0
    assert Desk("lighter", params=lighter_params(premium=False)).buy("1").fee == 0


@pytest.mark.parametrize("venue", ["x10", "lighter"])
def test_funding_is_the_recorded_rate_on_the_venues_own_price(venue: VenueName) -> None:
    desk = Desk(venue)
    desk.sell("10", "KAITO")
    before = collateral(desk)
    desk.hours(1)
    payment = desk.exchange.payments(ME)[0]
    row = load_recording().hours["KAITO"][0]
    rate = row.x10_rate_1h if venue == "x10" else row.lighter_rate_1h
    price = desk.exchange.mark("KAITO") if venue == "x10" else desk.exchange.index("KAITO")
    assert payment.rate == rate
    assert payment.mark == price
    assert payment.amount == (10 * price * rate).quantize(SIX)
    assert collateral(desk) == before + payment.amount
    position = desk.exchange.position(ME, "KAITO")
    assert position is not None
    assert position.funding_total == payment.amount


def test_every_crossed_hour_is_settled_once_and_in_order() -> None:
    desk = Desk()
    desk.buy("1")
    desk.hours(7)
    desk.wire.advance(1)
    desk.exchange.sync()
    stamps = [payment.settlement_ms for payment in desk.exchange.payments(ME)]
    start = desk.market.start_ms
    assert stamps == [start + hour * 3_600_000 for hour in range(1, 8)]
    settled = [event for event in desk.events if isinstance(event, FundingSettled)]
    assert [event.settlement_ms for event in settled] == stamps
    assert all(len(event.rows) == 64 for event in settled)


def test_what_was_predicted_in_an_hour_is_what_is_settled_at_its_end() -> None:
    desk = Desk("lighter")
    predicted = desk.exchange.predicted_rate("BTC")
    due = desk.exchange.next_settlement_ms()
    assert desk.exchange.funding_rows("BTC") == []
    desk.hours(1)
    row = desk.exchange.funding_rows("BTC")[0]
    assert (row.settlement_ms, row.rate) == (due, predicted)


def test_funding_rows_can_be_asked_for_by_time_and_number() -> None:
    desk = Desk()
    desk.hours(9)
    rows = desk.exchange.funding_rows("ETH")
    assert len(rows) == 9
    stamps = [row.settlement_ms for row in rows]
    assert desk.exchange.funding_rows("ETH", from_ms=stamps[3], to_ms=stamps[5]) == rows[3:6]
    assert desk.exchange.funding_rows("ETH", from_ms=stamps[3] + 1, limit=2) == rows[-2:]
    assert desk.exchange.funding_rows("ETH", to_ms=stamps[0] - 1) == []


def test_positions_do_not_depend_on_how_often_somebody_looks() -> None:
    watched, alone = Desk(hour_s=5), Desk(hour_s=5)
    for desk in (watched, alone):
        desk.rest("sell", "0.5", price=desk.exchange.mark("ETH") + 5)
        desk.buy("0.2")
    for _ in range(250):
        watched.wire.advance(100)
        watched.exchange.mark("ETH")
    alone.wire.advance(25_000)
    assert watched.size() == alone.size() != D("0.2")
    assert collateral(watched) == collateral(alone)


def test_margin_follows_the_leverage_of_the_market() -> None:
    desk = Desk()
    assert desk.exchange.leverage(ME, "ETH") == 10
    desk.buy("1")
    mark = desk.exchange.mark("ETH")
    assert desk.exchange.balance(ME).initial_margin == (mark / 10).quantize(SIX)
    assert desk.exchange.set_leverage(ME, "ETH", D(50)) is None
    assert desk.exchange.balance(ME).initial_margin == (mark / 50).quantize(SIX)
    refused = desk.exchange.set_leverage(ME, "ETH", D(51))
    assert refused is not None
    assert refused.refusal is Refusal.LEVERAGE_ABOVE_MAX


def test_a_leverage_too_low_for_the_open_position_is_refused_and_not_set() -> None:
    desk = Desk(collateral="400")
    desk.buy("1")
    refused = desk.exchange.set_leverage(ME, "ETH", D(2))
    assert refused is not None
    assert refused.refusal is Refusal.MARGIN
    assert desk.exchange.leverage(ME, "ETH") == 10


def test_resting_orders_hold_margin_on_x10_and_none_on_lighter() -> None:
    x10, lighter = Desk("x10"), Desk("lighter")
    x10.rest("buy", "1")
    lighter.rest("buy", "1")
    assert x10.exchange.balance(ME).initial_margin > 0
    assert lighter.exchange.balance(ME).initial_margin == 0


def test_margin_is_judged_again_when_an_order_is_matched() -> None:
    desk = Desk("lighter", collateral="200")
    order = desk.exchange.admit(ME, desk.new("buy", "1"))
    desk.exchange.deposit(ME, D("-100"))
    order = desk.exchange.match(order.id)
    assert (order.cancel_reason, order.filled) == (CancelReason.MARGIN, D(0))


def test_a_breach_of_maintenance_margin_liquidates_in_steps() -> None:
    desk = Desk(collateral="4000", params=replace(x10_params(), default_leverage=None))
    resting = desk.rest("buy", "0.01", price=desk.behind(is_buy=True, percent=4))
    desk.sell("50", price=desk.through(is_buy=False, percent=4))
    desk.exchange.deposit(ME, D("-2200"))
    desk.hours(1)  # the mark rises by 10: a loss of 500 on 50 coins
    forced = [trade for trade in desk.exchange.trades(ME) if trade.kind is TradeKind.LIQUIDATION]
    assert [trade.size for trade in forced] == [10] * len(forced)
    assert desk.size() == -50 + sum(trade.size for trade in forced) < 0
    view = desk.exchange.order(ME, resting.id)
    assert view is not None
    assert view.cancel_reason is CancelReason.LIQUIDATION
    balance = desk.exchange.balance(ME)
    assert balance.equity >= balance.maintenance_margin


def test_the_liquidation_price_is_where_equity_meets_maintenance() -> None:
    desk = Desk(collateral="400")
    desk.buy("1")
    price = desk.exchange.liquidation_price(ME, "ETH")
    position = desk.exchange.position(ME, "ETH")
    assert price is not None
    assert position is not None
    equity = collateral(desk) + (price - position.entry_price)
    assert abs(equity - price * D("0.01")) < D("0.00001")


def test_a_position_whose_margin_moves_as_its_equity_has_no_liquidation_price() -> None:
    desk = Desk()
    desk.buy("1")
    state = desk.exchange._state
    whole_value = replace(state.rules_of("ETH"), maintenance_fraction=D(1))
    state.rules = {**state.rules, "ETH": whole_value}
    assert desk.exchange.liquidation_price(ME, "ETH") is None


def test_a_position_can_be_liquidated_on_demand_in_part_and_in_full() -> None:
    desk = Desk()
    desk.sell("1")
    desk.exchange.liquidate(ME, "ETH", D("0.25"))
    assert desk.size() == D("-0.75")
    desk.exchange.liquidate(ME, "ETH", kind=TradeKind.DELEVERAGE)
    assert desk.size() == 0
    kinds = [trade.kind for trade in desk.exchange.trades(ME)]
    assert kinds == [TradeKind.TRADE, TradeKind.LIQUIDATION, TradeKind.DELEVERAGE]
    assert [order.status for order in desk.exchange.orders(ME)] == [OrderStatus.FILLED]
    desk.exchange.liquidate(ME, "ETH")
    assert len(desk.exchange.trades(ME)) == 3


def test_statistics_describe_the_market_as_it_is() -> None:
    desk = Desk()
    desk.hours(3)
    stats = desk.exchange.stats("SOL")
    assert stats.low <= stats.mark <= stats.high
    assert stats.bid < stats.ask
    assert stats.open_interest == load_recording().hours["SOL"][3].x10_oi_usd
    assert stats.predicted_rate == load_recording().hours["SOL"][3].x10_rate_1h
    assert stats.last_rate == load_recording().hours["SOL"][2].x10_rate_1h


def test_public_trades_show_our_fills_among_the_modelled_ones() -> None:
    desk = Desk()
    desk.exchange.public_trades("ETH")
    bought = desk.buy("0.1")
    prints = desk.exchange.public_trades("ETH")
    assert prints[-1].price == bought.avg_price
    assert prints[-1].id == desk.exchange.trades(ME)[0].id
    assert desk.exchange.public_trades("ETH") == prints


@settings(max_examples=40, deadline=None)
@given(
    orders=st.lists(
        st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 3000), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_money_and_positions_always_add_up(orders: list[tuple[str, int, bool]]) -> None:
    desk = Desk("lighter", collateral="1000000")
    for side, thousandths, hour in orders:
        desk.send(desk.new(side, str(Decimal(thousandths) / 1000)))
        if hour:
            desk.hours(1)
    trades, payments = desk.exchange.trades(ME), desk.exchange.payments(ME)
    signed = sum((trade.size if trade.is_buy else -trade.size) for trade in trades)
    assert desk.size() == signed
    cash = sum((-trade.value if trade.is_buy else trade.value) for trade in trades)
    fees = sum(trade.fee for trade in trades)
    funding = sum(payment.amount for payment in payments)
    balance = desk.exchange.balance(ME)
    worth = cash + signed * desk.exchange.mark("ETH") - fees + funding + 1_000_000
    assert abs(balance.equity - worth) < SIX * 3 * (len(trades) + 1)
