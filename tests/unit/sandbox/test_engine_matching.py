from dataclasses import replace

import pytest

from adapters.sandbox.engine.params import x10_params
from adapters.sandbox.engine.types import (
    CancelReason,
    Event,
    OrderChanged,
    OrderStatus,
    OrderView,
    Tif,
    TradeMade,
)
from adapters.sandbox.tape import VenueName
from tests.unit.sandbox.desk import ME, OTHER, D, Desk


@pytest.mark.parametrize("venue", ["x10", "lighter"])
def test_an_ioc_order_takes_the_best_prices_of_the_book(venue: VenueName) -> None:
    desk = Desk(venue)
    best = desk.exchange.book("ETH").asks[0]
    order = desk.buy("0.1")
    assert order.status is OrderStatus.FILLED
    assert order.avg_price == best.price
    assert desk.size() == D("0.1")
    assert order.fee == (best.price * D("0.1") * desk.exchange.params.taker_fee).quantize(
        D("0.000001")
    )


def test_the_book_lies_around_the_mark_on_the_tick_and_never_crosses() -> None:
    for venue in ("x10", "lighter"):
        desk = Desk(venue)
        for symbol, rules in desk.exchange.rules.items():
            bids, asks = desk.exchange.book(symbol)
            mark = desk.exchange.mark(symbol)
            assert bids[0].price < asks[0].price
            assert bids[0].price <= mark <= asks[0].price
            assert len(bids) == len(asks) == 20
            for level in (*bids, *asks):
                assert level.price % rules.price_tick == 0
                assert level.size % rules.size_step == 0
                assert level.size > 0


def test_an_ioc_order_larger_than_the_book_is_cancelled_with_what_it_got() -> None:
    desk = Desk(params=replace(x10_params(), depth_usd_of={"ETH": D(5000)}))
    total = sum(level.size for level in desk.exchange.book("ETH").asks)
    order = desk.buy("10")
    assert order.status is OrderStatus.CANCELLED
    assert order.cancel_reason is CancelReason.NO_LIQUIDITY
    assert order.filled == total == desk.size()


def test_an_ioc_order_stops_at_its_limit_price() -> None:
    desk = Desk()
    first, second = desk.exchange.book("ETH").asks[:2]
    order = desk.buy(str(first.size + second.size), price=first.price)
    assert order.filled == first.size
    assert order.cancel_reason is CancelReason.SLIPPAGE


def test_an_ioc_order_that_does_not_reach_the_book_fills_nothing() -> None:
    desk = Desk()
    order = desk.buy("0.1", price=desk.behind(is_buy=True))
    assert (order.status, order.filled) == (OrderStatus.CANCELLED, D(0))
    assert desk.exchange.position(ME, "ETH") is None


def test_what_was_taken_is_gone_until_the_ladder_refreshes() -> None:
    desk = Desk()
    first = desk.exchange.book("ETH").asks[0]
    desk.buy(str(first.size))
    assert desk.exchange.book("ETH").asks[0].price > first.price
    desk.wire.advance(1_900)
    assert desk.exchange.book("ETH").asks[0].price > first.price
    desk.wire.advance(200)
    assert desk.exchange.book("ETH").asks[0] == first


def test_an_order_is_recorded_first_and_does_nothing_until_it_is_matched() -> None:
    desk = Desk()
    order = desk.exchange.admit(ME, desk.new("buy", "0.1"))
    assert order.status is OrderStatus.NEW
    assert order.id > 2**53
    assert desk.exchange.trades(ME) == []
    desk.wire.advance(1_000)
    assert desk.exchange.match(order.id).filled == D("0.1")


def test_an_order_cancelled_before_it_is_matched_never_trades() -> None:
    desk = Desk()
    order = desk.exchange.admit(ME, desk.new("buy", "0.1"))
    desk.exchange.cancel(ME, order.id)
    assert desk.exchange.match(order.id).cancel_reason is CancelReason.USER
    assert desk.size() == 0


def test_an_order_that_expires_before_it_is_matched_never_trades() -> None:
    desk = Desk()
    new = desk.new("buy", "0.1", expires_ms=desk.wire.now_ms() + 500)
    order = desk.exchange.admit(ME, new)
    desk.wire.advance(500)
    assert desk.exchange.match(order.id).status is OrderStatus.EXPIRED


def test_a_post_only_order_that_would_cross_is_cancelled() -> None:
    desk = Desk()
    order = desk.rest("buy", "0.1", tif=Tif.POST_ONLY, price=desk.through(is_buy=True))
    assert order.cancel_reason is CancelReason.POST_ONLY
    assert order.filled == 0


def test_a_resting_order_stands_in_the_book_until_it_is_cancelled() -> None:
    desk = Desk()
    order = desk.rest("buy", "0.123", tif=Tif.POST_ONLY)
    assert order.status is OrderStatus.NEW
    shown = [level for level in desk.exchange.book("ETH").bids if level.price == order.new.price]
    assert shown[0].size >= D("0.123")
    desk.exchange.cancel(ME, order.id)
    assert desk.exchange.orders(ME, open_only=True) == []


def test_a_resting_order_expires_on_wire_time() -> None:
    desk = Desk()
    order = desk.rest("buy", "0.1", expires_ms=desk.wire.now_ms() + 10_000)
    desk.hours(1)
    desk.wire.advance(10_000)
    view = desk.exchange.order(ME, order.id)
    assert view is not None
    assert (view.status, view.cancel_reason) == (OrderStatus.EXPIRED, CancelReason.EXPIRED)


def test_a_price_move_fills_a_resting_order_as_maker_at_its_own_price() -> None:
    desk = Desk("lighter")
    mark = desk.exchange.mark("ETH")
    order = desk.rest("sell", "0.1", price=mark + D("5"))  # the mark rises by 10 in hour 0
    desk.hours(1)
    view = desk.exchange.order(ME, order.id)
    assert view is not None
    assert view.status is OrderStatus.FILLED
    assert view.avg_price == mark + 5
    trade = desk.exchange.trades(ME, order.id)[0]
    assert not trade.is_taker
    assert trade.fee == (trade.value * D("0.00004")).quantize(D("0.000001"))


def test_a_gtt_order_takes_what_it_reaches_and_rests_with_the_remainder() -> None:
    desk = Desk()
    first = desk.exchange.book("ETH").asks[0]
    order = desk.rest("buy", str(first.size + 1), price=first.price)
    assert order.status is OrderStatus.PARTIALLY_FILLED
    assert order.filled == first.size
    assert desk.exchange.book("ETH").bids[0].price == first.price
    assert desk.exchange.book("ETH").bids[0].size == 1


def test_orders_of_two_of_our_accounts_match_with_each_other() -> None:
    desk = Desk()
    inside = desk.exchange.book("ETH").asks[0].price - D("0.1")
    resting = desk.rest("sell", "0.2", OTHER, price=inside)
    taken = desk.buy("0.15")
    assert taken.avg_price == inside
    maker = desk.exchange.order(OTHER, resting.id)
    assert maker is not None
    assert (maker.status, maker.filled) == (OrderStatus.PARTIALLY_FILLED, D("0.15"))
    assert desk.size() == -desk.size(account=OTHER) == D("0.15")
    assert desk.exchange.trades(ME)[0].id == desk.exchange.trades(OTHER)[0].id


def test_an_order_does_not_trade_with_its_own_account() -> None:
    desk = Desk()
    inside = desk.exchange.book("ETH").asks[0].price - D("0.1")
    resting = desk.rest("sell", "0.2", price=inside)
    taken = desk.buy("0.1")
    assert taken.avg_price is not None
    assert taken.avg_price > inside
    maker = desk.exchange.order(ME, resting.id)
    assert maker is not None
    assert maker.cancel_reason is CancelReason.SELF_TRADE


def test_a_partial_fill_fault_limits_what_trades() -> None:
    desk = Desk()
    order = desk.buy("1", fill_limit=D("0.4567"))
    assert order.filled == D("0.456")
    assert order.cancel_reason is CancelReason.NO_LIQUIDITY
    assert desk.buy("1", fill_limit=D(0)).filled == 0


def test_a_forced_reason_cancels_the_order_whole_after_it_was_accepted() -> None:
    desk = Desk()
    order = desk.buy("1", forced_reason=CancelReason.MARGIN)
    assert (order.status, order.filled) == (OrderStatus.CANCELLED, D(0))
    assert order.cancel_reason is CancelReason.MARGIN


def test_matching_an_order_twice_changes_nothing() -> None:
    desk = Desk()
    order = desk.buy("0.1")
    resting = desk.rest("buy", "0.1")
    assert desk.exchange.match(order.id) == order
    assert desk.exchange.match(resting.id) == resting
    assert desk.size() == D("0.1")


def test_orders_are_found_by_id_and_by_client_id_of_their_own_account_only() -> None:
    desk = Desk()
    order = desk.buy("0.1", client_id="eth-1")
    assert desk.exchange.order(ME, order.id) == desk.exchange.order(ME, "eth-1") == order
    assert desk.exchange.order(OTHER, order.id) is None
    assert desk.exchange.order(OTHER, "eth-1") is None


def test_lagged_reads_show_orders_and_positions_as_they_were() -> None:
    desk = Desk()
    before_ms = desk.wire.now_ms()
    desk.wire.advance(100)
    order = desk.exchange.admit(ME, desk.new("buy", "0.1"))
    admitted_ms = desk.wire.now_ms()
    desk.wire.advance(100)
    desk.exchange.match(order.id)
    assert desk.exchange.order(ME, order.id, before_ms) is None
    assert desk.exchange.orders(ME, admitted_ms, open_only=True)[0].status is OrderStatus.NEW
    assert desk.exchange.position(ME, "ETH", admitted_ms) is None
    assert desk.exchange.positions(ME, desk.wire.now_ms())[0].size == D("0.1")
    assert desk.exchange.trades(ME, as_of_ms=admitted_ms) == []


def test_events_come_in_order_and_a_callback_may_trade() -> None:
    desk = Desk()
    answers: list[OrderView] = []

    def hedge(event: Event) -> None:
        if isinstance(event, TradeMade) and event.trade.is_buy:
            answers.append(desk.sell("0.1"))

    desk.exchange.subscribe(hedge)
    desk.events.clear()
    desk.buy("0.1")
    assert answers[0].filled == D("0.1")
    assert desk.size() == 0
    orders = [event.order.status for event in desk.events if isinstance(event, OrderChanged)]
    new, filled = OrderStatus.NEW, OrderStatus.FILLED
    assert orders == [new, filled, new, filled]


def test_who_asks_for_one_kind_of_event_hears_no_other_and_all_others_still_do() -> None:
    desk = Desk()
    trades: list[Event] = []
    ends = desk.exchange.subscribe(trades.append, TradeMade)
    desk.buy("0.1")
    assert trades == [event for event in desk.events if isinstance(event, TradeMade)]
    assert len(trades) == 1
    assert any(isinstance(event, OrderChanged) for event in desk.events)
    ends()
    desk.buy("0.1")
    assert len(trades) == 1


def test_a_book_keeps_its_version_until_somebody_takes_from_it() -> None:
    desk = Desk()
    version = desk.exchange.book_version("ETH")
    assert desk.exchange.book("ETH").version == version == desk.exchange.book_version("ETH")
    desk.buy("0.1")
    assert desk.exchange.book_version("ETH") > version


def test_ids_grow_and_carry_the_wire_time() -> None:
    desk = Desk()
    ids = [desk.buy("0.01").id for _ in range(5)]
    assert ids == sorted(set(ids))
    assert (ids[0] >> 22) + 1_288_834_974_657 == desk.wire.now_ms()


def test_lighters_order_ids_fit_its_signer() -> None:
    assert 2**48 < Desk("lighter").buy("0.01").id < 2**60


def test_an_edition_lasts_until_something_changes_and_is_unknown_right_after() -> None:
    desk = Desk()
    desk.wire.advance(1_000)
    flat = desk.exchange.edition(300, at_marks=True)
    desk.hours(1)  # without a position the marks show nowhere
    assert flat is not None
    assert desk.exchange.edition(300, at_marks=True) == flat
    desk.buy("1")
    assert desk.exchange.edition(300, at_marks=True) is None
    desk.wire.advance(300)
    held = desk.exchange.edition(300, at_marks=True)
    orders = desk.exchange.edition(300, at_marks=False)
    assert held not in (None, flat)
    desk.wire.advance(60_000)
    assert desk.exchange.edition(300, at_marks=True) != held
    assert desk.exchange.edition(300, at_marks=False) == orders


def test_open_orders_of_an_instant_are_those_of_the_whole_history() -> None:
    desk = Desk()
    instants = []
    for number in range(6):
        order = desk.rest("buy", "0.1")
        desk.wire.advance(10)
        if number % 2:
            desk.exchange.cancel(ME, order.id)
        instants.append(desk.exchange.wire_now_ms())
        desk.wire.advance(10)
    for at_ms in (0, *instants):
        everything = desk.exchange.orders(ME, at_ms)
        expected = [order for order in everything if order.is_open]
        assert desk.exchange.orders(ME, at_ms, open_only=True) == expected
