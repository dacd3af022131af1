from dataclasses import replace
from typing import Any

import pytest

from adapters.sandbox.engine.params import x10_params
from adapters.sandbox.engine.types import (
    CancelReason,
    DuplicateRule,
    NewOrder,
    Refusal,
    Tif,
    UnknownAccountError,
    UnknownMarketError,
)
from tests.unit.sandbox.desk import ME, D, Desk


def refusal(desk: Desk, new: NewOrder) -> Refusal | None:
    refused = desk.exchange.check(ME, new)
    return refused.refusal if refused else None


def test_a_sound_order_is_not_refused() -> None:
    for venue in ("x10", "lighter"):
        desk = Desk(venue)
        assert refusal(desk, desk.new("buy", "0.1")) is None
        assert refusal(desk, desk.new("sell", "0.1")) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"size": "0.009"}, Refusal.QTY_BELOW_MIN),
        ({"size": "0"}, Refusal.QTY_BELOW_MIN),
        ({"size": "0.0105"}, Refusal.QTY_STEP),
        ({"size": "0.1", "price": "3124.05"}, Refusal.PRICE_STEP),
        ({"size": "5000"}, Refusal.VALUE_TOO_LARGE),
        ({"size": "1000", "is_market": True}, Refusal.VALUE_TOO_LARGE),
        ({"size": "0.1", "expires_ms": 1}, Refusal.EXPIRED),
        ({"size": "0.1", "is_market": True, "tif": Tif.GTT}, Refusal.MARKET_NOT_IOC),
        ({"size": "0.1", "price": "3600"}, Refusal.PRICE_BAND),
        ({"size": "400"}, Refusal.MARGIN),
    ],
)
def test_each_broken_rule_of_an_x10_order_has_its_own_refusal(
    change: dict[str, Any], expected: Refusal
) -> None:
    desk = Desk()
    assert refusal(desk, desk.new("buy", **change)) is expected


def test_a_market_that_is_not_listed_or_closed_is_refused() -> None:
    desk = Desk()
    new = desk.new("buy", "0.1")
    assert refusal(desk, replace(new, symbol="NOSUCH")) is Refusal.MARKET_UNKNOWN
    closed = replace(desk.exchange.rules_of("ETH"), active=False)
    desk.exchange._state.rules = {**desk.exchange.rules, "ETH": closed}
    assert refusal(desk, new) is Refusal.MARKET_CLOSED


def test_a_position_beyond_the_markets_limit_is_refused() -> None:
    desk = Desk(collateral="90000000")
    assert refusal(desk, desk.new("buy", "4500")) is None
    for _ in range(2):
        desk.buy("40", price=desk.through(is_buy=True, percent=4))
    small = replace(desk.exchange.rules_of("ETH"), max_position_value=D(250_000))
    desk.exchange._state.rules = {**desk.exchange.rules, "ETH": small}
    assert refusal(desk, desk.new("buy", "30")) is Refusal.POSITION_TOO_LARGE


def test_lighters_minimum_size_and_value_bind_resting_orders_only() -> None:
    desk = Desk("lighter")
    behind = desk.behind(is_buy=True)
    assert refusal(desk, desk.new("buy", "0.001")) is None
    small = desk.new("buy", "0.001", tif=Tif.GTT, price=behind)
    assert refusal(desk, small) is Refusal.QTY_BELOW_MIN
    cheap = desk.new("buy", "300", "1000BONK", tif=Tif.GTT)
    assert refusal(desk, replace(cheap, size=D(600))) is Refusal.NOTIONAL_BELOW_MIN


def test_reduce_only_without_a_position_too_large_or_on_its_side_is_refused() -> None:
    desk = Desk()
    assert refusal(desk, desk.new("sell", "0.1", reduce_only=True)) is Refusal.REDUCE_NO_POSITION
    desk.buy("0.1")
    assert refusal(desk, desk.new("sell", "0.2", reduce_only=True)) is Refusal.REDUCE_TOO_LARGE
    assert refusal(desk, desk.new("buy", "0.1", reduce_only=True)) is Refusal.REDUCE_SAME_SIDE
    assert refusal(desk, desk.new("sell", "0.1", reduce_only=True)) is None


def test_a_reduce_only_order_for_the_whole_remainder_may_be_below_the_minimum() -> None:
    desk = Desk()
    desk.buy("0.015")
    desk.sell("0.01", reduce_only=True)
    assert desk.size() == D("0.005")
    assert refusal(desk, desk.new("sell", "0.005", reduce_only=True)) is None
    assert refusal(desk, desk.new("sell", "0.004", reduce_only=True)) is Refusal.QTY_BELOW_MIN
    assert desk.sell("0.005", reduce_only=True).filled == D("0.005")
    assert desk.size() == 0


def test_reduce_only_is_judged_again_when_the_order_is_matched() -> None:
    desk = Desk()
    desk.buy("0.2")
    late = desk.exchange.admit(ME, desk.new("sell", "0.2", reduce_only=True))
    desk.sell("0.1", reduce_only=True)
    assert desk.exchange.match(late.id).cancel_reason is CancelReason.REDUCE_ONLY
    assert desk.size() == D("0.1")


def test_an_oversized_reduce_only_order_is_cut_to_the_position_on_lighter() -> None:
    desk = Desk("lighter")
    desk.buy("0.2")
    order = desk.sell("0.5", reduce_only=True)
    assert order.filled == D("0.2")
    assert order.cancel_reason is CancelReason.REDUCE_ONLY
    assert desk.size() == 0


def test_a_reduce_only_order_needs_no_margin() -> None:
    desk = Desk(collateral="40")
    desk.buy("0.1")
    assert refusal(desk, desk.new("buy", "0.1")) is Refusal.MARGIN
    assert refusal(desk, desk.new("sell", "0.1", reduce_only=True)) is None
    assert desk.sell("0.1", reduce_only=True).filled == D("0.1")


def test_a_resting_reduce_only_order_never_opens_a_position() -> None:
    desk = Desk("lighter")
    desk.buy("0.1")
    resting = desk.rest("sell", "0.1", price=desk.exchange.mark("ETH") + 5, reduce_only=True)
    desk.sell("0.1")
    desk.hours(1)
    view = desk.exchange.order(ME, resting.id)
    assert view is not None
    assert view.cancel_reason is CancelReason.REDUCE_ONLY
    assert desk.size() == 0


@pytest.mark.parametrize(
    ("rule", "after_fill"),
    [(DuplicateRule.OPEN, None), (DuplicateRule.EVER, Refusal.DUPLICATE)],
)
def test_both_meanings_of_a_duplicate_client_id_can_be_chosen(
    rule: DuplicateRule, after_fill: Refusal | None
) -> None:
    desk = Desk(params=replace(x10_params(), duplicates=rule))
    resting = desk.rest("buy", "0.1", client_id="same")
    assert refusal(desk, desk.new("buy", "0.1", client_id="same")) is Refusal.DUPLICATE
    desk.exchange.cancel(ME, resting.id)
    assert refusal(desk, desk.new("buy", "0.1", client_id="same")) is after_fill


def test_the_meaning_of_duplicates_can_be_switched_at_any_time() -> None:
    desk = Desk()
    desk.buy("0.1", client_id="same")
    again = desk.new("buy", "0.1", client_id="same")
    assert refusal(desk, again) is None
    desk.exchange.duplicates = DuplicateRule.EVER
    assert refusal(desk, again) is Refusal.DUPLICATE


def test_more_than_the_allowed_number_of_open_orders_is_refused() -> None:
    desk = Desk()
    for _ in range(200):
        desk.exchange.admit(ME, desk.new("buy", "0.01", price=desk.behind(is_buy=True)))
    assert refusal(desk, desk.new("buy", "0.01")) is Refusal.TOO_MANY_ORDERS


def test_all_broken_rules_can_be_seen_in_order() -> None:
    desk = Desk()
    new = desk.new("sell", "0.0005", reduce_only=True, price="2000.01")
    broken = [refused.refusal for refused in desk.exchange.refusals(ME, new)]
    assert broken == [
        Refusal.QTY_BELOW_MIN,
        Refusal.QTY_STEP,
        Refusal.PRICE_STEP,
        Refusal.PRICE_BAND,
        Refusal.REDUCE_NO_POSITION,
    ]


def test_what_does_not_exist_is_an_error_and_not_an_empty_answer() -> None:
    desk = Desk()
    with pytest.raises(UnknownAccountError):
        desk.exchange.positions(1)
    with pytest.raises(UnknownMarketError):
        desk.exchange.mark("NOSUCH")
