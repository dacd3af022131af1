"""Orders through the unmodified Lighter SDK: what the API refuses and what the sequencer does."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from hedger.clock import Clock
from tests.unit.sandbox.lighter_face_venue import ETH, KEY, KEYS, LighterVenue, lighter_venue


@pytest.fixture
async def venue(virtual_time: Clock) -> AsyncIterator[LighterVenue]:
    async with lighter_venue(virtual_time) as venue:
        yield venue


async def _status(venue: LighterVenue, client_index: int) -> str | None:
    orders = await venue.orders(client_index)
    return orders[0]["status"] if orders else None


async def test_a_market_order_of_the_sdk_fills(venue: LighterVenue) -> None:
    tx = await venue.executed(await venue.signed_market("0.5", sell=True, client_index=77))

    assert (tx.status, tx.nonce) == (2, 0)
    assert venue.size == Decimal("-0.5")
    order = (await venue.orders(77))[0]
    assert (order["status"], order["filled_base_amount"]) == ("filled", "0.5000")
    assert json.loads(tx.event_info)["to"]["u"] == 77
    position = await venue.position()
    assert (position["sign"], position["position"]) == (-1, "0.5000")


async def test_200_means_accepted_and_the_fill_comes_with_the_taker_latency(
    venue: LighterVenue,
) -> None:
    signed = await venue.signed_market("0.5", client_index=5)
    sent_ms = venue.exchange.wire_now_ms()
    answer = await venue.send(signed)

    assert 140 <= answer.predicted_execution_time_ms - sent_ms <= 200
    assert (await venue.tx(signed[2])).status == 1
    assert await venue.orders(5) == []
    assert venue.size == 0
    await venue.clock.sleep(0.2)
    assert (await venue.tx(signed[2])).status == 2
    assert venue.size == Decimal("0.5")


async def test_a_tampered_transaction_gets_21120(venue: LighterVenue) -> None:
    tx_type, info, tx_hash = await venue.signed_market("0.5")
    tampered = (tx_type, info.replace('"BaseAmount":5000', '"BaseAmount":6000'), tx_hash)
    assert tampered[1] != info
    assert await venue.refused(tampered) == 21120
    assert (await venue.executed((tx_type, info, tx_hash))).status == 2


async def test_a_transaction_of_an_unknown_key_or_account_is_refused(venue: LighterVenue) -> None:
    tx_type, info, tx_hash = await venue.signed_market()
    other_key = info.replace(f'"ApiKeyIndex":{KEY}', '"ApiKeyIndex":200')
    other_account = info.replace('"AccountIndex":', '"AccountIndex":1')
    assert await venue.refused((tx_type, other_key, tx_hash)) == 21109
    assert await venue.refused((tx_type, other_account, tx_hash)) == 21100


async def test_an_order_of_another_chain_gets_21120(virtual_time: Clock) -> None:
    import lighter
    from lighter.nonce_manager import NonceManagerType

    async with lighter_venue(virtual_time) as venue:
        stranger = lighter.SignerClient(
            url=venue.url,
            account_index=KEYS.account_index,
            api_private_keys={KEY: KEYS.api_keys[KEY]},
            nonce_management_type=NonceManagerType.NONE,
            chain_id=304,
        )
        try:
            assert await venue.refused(await venue.signed_market()) == 21120
        finally:
            await stranger.close()
            await venue.client.close()


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"kind": "reject", "reason": "margin"}, "canceled-margin-not-allowed"),
        ({"kind": "reject", "reason": "slippage"}, "canceled-too-much-slippage"),
        ({"kind": "reject", "reason": "no_liquidity"}, "canceled-not-enough-liquidity"),
        ({"kind": "reject", "reason": "reduce_only"}, "canceled-reduce-only"),
        ({"kind": "no_fill"}, "canceled-not-enough-liquidity"),
    ],
)
async def test_accepted_and_then_canceled_uses_the_nonce(
    venue: LighterVenue, fault: dict[str, Any], status: str
) -> None:
    venue.fault(**fault)
    await venue.executed(await venue.signed_market(client_index=9))

    assert await _status(venue, 9) == status
    assert venue.size == 0
    assert await venue.next_nonce() == 1


async def test_too_little_margin_is_found_at_execution_for_takers(virtual_time: Clock) -> None:
    async with lighter_venue(virtual_time, balance_usd="100") as venue:
        tx = await venue.executed(await venue.signed_market("5", client_index=9))
        assert tx.status == 2
        assert await _status(venue, 9) == "canceled-margin-not-allowed"
        assert await venue.refused(await venue.signed_resting("5")) == 21739
        assert await venue.next_nonce() == 1


async def test_a_partial_fill_is_canceled_with_what_it_got(venue: LighterVenue) -> None:
    venue.fault("partial_fill", fraction="0.4")
    tx = await venue.executed(await venue.signed_market("0.5", client_index=9))

    order = (await venue.orders(9))[0]
    assert order["status"] == "canceled-not-enough-liquidity"
    assert (order["filled_base_amount"], order["remaining_base_amount"]) == ("0.2000", "0.3000")
    event = json.loads(tx.event_info)
    assert (event["to"]["is"], event["to"]["rs"]) == (5000, 3000)
    assert venue.size == Decimal("0.2")


async def test_a_wrong_reduction_leaves_no_order_but_only_the_transaction(
    venue: LighterVenue,
) -> None:
    flat = await venue.executed(await venue.signed_market(reduce_only=True, client_index=1))
    assert (flat.status, json.loads(flat.event_info)["ae"]) == (0, "AppErrNoPositionFound")
    await venue.executed(await venue.signed_market("0.5"))
    same_side = await venue.executed(await venue.signed_market(reduce_only=True, client_index=2))

    assert same_side.status == 0
    assert await venue.orders(1, 2) == []
    assert venue.size == Decimal("0.5")
    assert await venue.next_nonce() == 3


async def test_an_oversized_reduction_closes_the_position_and_no_more(venue: LighterVenue) -> None:
    await venue.executed(await venue.signed_market("0.5"))
    await venue.executed(await venue.signed_market("9", sell=True, reduce_only=True))
    assert venue.size == 0
    position = await venue.position()
    assert (position["sign"], position["position"]) == (1, "0.0000")


async def test_prices_far_from_the_mark_are_refused_at_the_api(venue: LighterVenue) -> None:
    too_high = venue.price(False, bps=600)
    assert await venue.refused(await venue.signed_market(price=too_high)) == 21733
    limit = await venue.sign("create_order", ETH, 1, 5000, too_high, False, 0, 0, order_expiry=0)
    assert await venue.refused(limit) == 21734
    assert await venue.next_nonce() == 0


async def test_a_client_order_index_is_unique_among_working_orders_only(
    venue: LighterVenue,
) -> None:
    await venue.executed(await venue.signed_resting(client_index=8))
    assert await venue.refused(await venue.signed_resting(client_index=8)) == 21728
    assert await venue.refused(await venue.signed_market(client_index=8)) == 21728
    await venue.executed(await venue.sign("cancel_order", ETH, 8))
    assert (await venue.executed(await venue.signed_market(client_index=8))).status == 2
    assert [order["status"] for order in await venue.orders(8)] == ["filled", "canceled"]


async def test_minimum_amounts_bind_resting_orders_only(venue: LighterVenue) -> None:
    assert await venue.refused(await venue.signed_resting("0.0010")) == 21706
    assert (await venue.executed(await venue.signed_market("0.0001"))).status == 2


async def test_unknown_markets_and_bad_expiries_are_refused(venue: LighterVenue) -> None:
    unknown = await venue.sign("create_order", 99_999, 1, 1, 1, False, 1, 0, order_expiry=0)
    assert await venue.refused(unknown) == 21602
    soon_ms = venue.exchange.wire_now_ms() + 60_000
    price = venue.price(False, bps=-100)
    resting = await venue.sign(
        "create_order", ETH, 1, 5000, price, False, 0, 1, order_expiry=soon_ms
    )
    assert await venue.refused(resting) == 21711


async def test_what_the_sandbox_does_not_model_is_refused_by_name(venue: LighterVenue) -> None:
    isolated = await venue.sign("update_leverage", ETH, 500, 1)
    assert await venue.refused(isolated) == 21613
    margin = await venue.sign("update_margin", ETH, 5, 1)
    assert await venue.refused(margin) == 21613
    stop = await venue.sign(
        "create_order", ETH, 1, 5000, venue.price(True), True, 2, 0,
        trigger_price=venue.price(True), order_expiry=venue.exchange.wire_now_ms() + 900_000,
    )  # fmt: skip
    assert await venue.refused(stop) == 21710


async def test_leverage_is_changed_by_a_transaction(venue: LighterVenue) -> None:
    await venue.executed(await venue.sign("update_leverage", ETH, 500, 0))
    await venue.executed(await venue.signed_market())
    assert (await venue.position())["initial_margin_fraction"] == "5.00"
    assert await venue.refused(await venue.sign("update_leverage", ETH, 100, 0)) == 21113


async def test_resting_orders_are_canceled_by_either_index_or_all_at_once(
    venue: LighterVenue,
) -> None:
    for client_index in (1, 2, 3, 4):
        await venue.executed(await venue.signed_resting(client_index=client_index))
    active = (await venue.read("accountActiveOrders", account_index=KEYS.account_index))["orders"]
    assert [order["client_order_index"] for order in active] == [1, 2, 3, 4]
    assert all(order["order_index"] < 2**60 for order in active)

    by_client = await venue.executed(await venue.sign("cancel_order", ETH, 1))
    by_index = await venue.executed(await venue.sign("cancel_order", ETH, active[1]["order_index"]))
    assert (by_client.status, json.loads(by_index.event_info)["u"]) == (2, 2)
    await venue.executed(await venue.sign("cancel_all_orders", 0, 0))
    assert venue.exchange.orders(KEYS.account_index, open_only=True) == []


async def test_a_resting_order_can_be_modified_and_keeps_its_index(venue: LighterVenue) -> None:
    await venue.executed(await venue.signed_resting("0.5", client_index=1))
    before = (await venue.orders(1))[0]
    price = venue.price(False, bps=-200)
    changed = await venue.executed(await venue.sign("modify_order", ETH, 1, 7000, price))

    assert changed.status == 2
    (after,) = await venue.orders(1)
    assert after["order_index"] == before["order_index"]
    assert (after["initial_base_amount"], after["base_price"]) == ("0.7000", price)


async def test_a_scheduled_cancel_all_is_a_dead_mans_switch(virtual_time: Clock) -> None:
    async with lighter_venue(virtual_time) as venue:
        await venue.executed(await venue.signed_resting(client_index=1))
        at_ms = venue.exchange.wire_now_ms() + 301_000
        await venue.executed(await venue.sign("cancel_all_orders", 1, at_ms))
        await venue.clock.sleep(290)
        assert len(venue.exchange.orders(KEYS.account_index, open_only=True)) == 1
        await venue.clock.sleep(15)
        assert venue.exchange.orders(KEYS.account_index, open_only=True) == []


async def test_load_tests_may_go_without_signatures(virtual_time: Clock) -> None:
    async with lighter_venue(virtual_time, verify_signatures=False) as venue:
        tx_type, info, _ = await venue.signed_market("0.5")
        body = json.loads(info) | {"BaseAmount": 6000}
        answer = await venue.client.tx_api.send_tx(tx_type=tx_type, tx_info=json.dumps(body))
        assert answer.code == 200
        await venue.clock.sleep(1)
        assert venue.size == Decimal("0.6")
