"""Orders over the unmodified official SDK: placing, refusals, results."""

import asyncio
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from functools import partial
from typing import Any

import aiohttp
import pytest
from x10.errors import ApiError
from x10.models.order import OrderType, TimeInForce

from adapters.sandbox.engine.types import DuplicateRule
from adapters.sandbox.x10_face.order_body import parse_order
from adapters.sandbox.x10_face.signing import is_signed_by, order_hash
from hedger.clock import Clock
from tests.unit.sandbox.x10_face_venue import KEYS, MARKET, X10Venue, body_of, x10_venue


@pytest.fixture
async def venue(virtual_time: Clock) -> AsyncIterator[X10Venue]:
    async with x10_venue(virtual_time) as opened:
        yield opened


async def refused_with(venue: X10Venue, code: int, **order: Any) -> None:
    side, qty = order.pop("side", "BUY"), order.pop("qty", "0.5")
    with pytest.raises(ApiError) as raised:
        await venue.place(side, qty, **order)
    assert "code 400" in str(raised.value)
    assert f'"code": {code}' in str(raised.value)


async def test_an_ioc_order_is_answered_before_it_is_matched(venue: X10Venue) -> None:
    order_id = await venue.place("BUY", "0.5")
    assert order_id > 2**53
    assert (await venue.client.account.get_order_by_id(order_id)).data.status == "NEW"
    await venue.clock.sleep(0.3)
    order = (await venue.client.account.get_order_by_id(order_id)).data
    assert (order.status, order.filled_qty) == ("FILLED", Decimal("0.5"))
    assert order.payed_fee > 0


async def test_an_order_is_found_by_external_id_with_its_trades_by_order_id(
    venue: X10Venue,
) -> None:
    order_id = await venue.place("SELL", "0.5", order_external_id="ours-7")
    await venue.clock.sleep(1)
    (order,) = (await venue.client.account.get_order_by_external_id("ours-7")).data
    trades = (await venue.client.account.get_trades(market_names=[MARKET])).data
    assert order.id == order_id
    assert {trade.order_id for trade in trades} == {order_id}
    assert sum(trade.qty for trade in trades) == order.filled_qty == Decimal("0.5")
    assert sum(trade.fee for trade in trades) == order.payed_fee
    assert (await venue.client.account.get_order_by_external_id("unknown")).data == []


async def test_a_filled_order_makes_a_position_of_absolute_size(venue: X10Venue) -> None:
    await venue.filled("SELL", "0.5")
    (position,) = (await venue.client.account.get_positions(market_names=[MARKET])).data
    assert (position.side, position.size) == ("SHORT", Decimal("0.5"))
    assert position.status == "OPENED"


async def test_a_tampered_quantity_gets_1101(venue: X10Venue) -> None:
    body = body_of(await venue.signed("BUY", "0.5")) | {"qty": "0.6"}
    status, answer = await venue.post("/user/order", body)
    assert (status, answer["status"], answer["error"]["code"]) == (400, "ERROR", 1101)


async def test_what_is_not_signed_may_be_changed(venue: X10Venue) -> None:
    body = body_of(await venue.signed("BUY", "0.5")) | {"type": "MARKET", "id": "other"}
    status, answer = await venue.post("/user/order", body)
    assert (status, answer["data"]["externalId"]) == (200, "other")


STARK_ORDER = 0x0800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
INVERSE_TOO_LARGE = pow(2**251, -1, STARK_ORDER)


@pytest.mark.parametrize("bad", [0, 1, INVERSE_TOO_LARGE, 2**251, STARK_ORDER - 1, 2**256, -5])
@pytest.mark.parametrize("part", ["r", "s"])
async def test_a_signature_of_nonsense_gets_1101_and_no_panic(
    venue: X10Venue, part: str, bad: int
) -> None:
    body = body_of(await venue.signed())
    body["settlement"]["signature"][part] = hex(bad)
    _, answer = await venue.post("/user/order", body)
    assert answer["error"]["code"] == 1101


async def test_many_random_orders_verify_as_the_sdk_signed_them(venue: X10Venue) -> None:
    draw = random.Random(4)
    rules, key = venue.exchange.rules_of("ETH"), int(KEYS.public_key, 16)
    for number in range(100):
        order = await venue.signed(
            draw.choice(["BUY", "SELL"]),
            f"{draw.randrange(1, 10**6)}e-{draw.randrange(1, 6)}",
            price=Decimal(draw.randrange(1, 10**9)).scaleb(-draw.randrange(1, 6)),
            builder_fee=draw.choice([None, Decimal("0.00013")]),
            builder_id=5,
            nonce=draw.randrange(2**32),
            ttl_s=draw.randrange(1, 10**5) / 7,
            order_external_id=f"random-{number}",
        )
        body = parse_order(body_of(order))
        hashed = partial(
            order_hash,
            body.signed_terms,
            rules=rules,
            vault=KEYS.vault,
            public_key=key,
            chain_id=KEYS.chain_id,
        )
        assert is_signed_by(key, body.r, body.s, hashed)


async def test_key_comes_before_vault_and_vault_before_signature(venue: X10Venue) -> None:
    body = body_of(await venue.signed()) | {"qty": "9"}
    body["settlement"] |= {"collateralPosition": "10003"}
    assert (await venue.post("/user/order", body))[1]["error"]["code"] == 1102
    body["settlement"] |= {"starkKey": "0x123"}
    assert (await venue.post("/user/order", body))[1]["error"]["code"] == 1100


async def test_an_unknown_market_gets_1001(venue: X10Venue) -> None:
    body = body_of(await venue.signed()) | {"market": "NOPE-USD"}
    assert (await venue.post("/user/order", body))[1]["error"]["code"] == 1001


async def test_a_duplicate_external_id_gets_1134_even_when_the_first_is_done(
    venue: X10Venue,
) -> None:
    await venue.filled()
    await refused_with(venue, 1134, nonce=2)


async def test_with_the_other_switch_only_open_orders_count_as_duplicates(
    virtual_time: Clock,
) -> None:
    async with x10_venue(virtual_time, duplicates=DuplicateRule.OPEN) as venue:
        await venue.place()
        await refused_with(venue, 1134, nonce=2)
        await venue.clock.sleep(1)
        await venue.place(nonce=3)


async def test_size_price_and_fee_rules_have_their_codes(venue: X10Venue) -> None:
    rules = venue.exchange.rules_of("ETH")
    await refused_with(venue, 1120, qty=str(rules.min_size / 10))
    await refused_with(venue, 1121, qty=str(rules.min_size + rules.size_step / 2))
    await refused_with(venue, 1124, price=venue.price("BUY") + rules.price_tick / 2)
    await refused_with(venue, 1128, taker_fee=Decimal("0.0001"))
    await refused_with(venue, 1140, qty="1000")
    await refused_with(venue, 1122, qty="10000")
    await refused_with(venue, 1141, price=venue.price("BUY", bps=3_000))


async def test_expiry_is_judged_by_wire_time_on_arrival(venue: X10Venue) -> None:
    late = await venue.signed(ttl_s=10)
    venue.settle_hours(2)  # market time does not matter
    await venue.clock.sleep(10.1)
    with pytest.raises(ApiError, match='"code": 1135'):
        await venue.client.orders.place_order(late)
    await refused_with(venue, 1135, ttl_s=29 * 86_400)
    await venue.place(ttl_s=5)


async def test_reduce_only_rules_have_their_codes(venue: X10Venue) -> None:
    await refused_with(venue, 1137, side="SELL", reduce_only=True)
    await venue.filled("BUY", "0.5", order_external_id="open")
    await refused_with(venue, 1138, side="BUY", reduce_only=True)
    await refused_with(venue, 1136, side="SELL", qty="0.6", reduce_only=True)
    await venue.filled("SELL", "0.5", reduce_only=True, order_external_id="close")
    assert (await venue.client.account.get_positions()).data == []
    (closed,) = (await venue.client.account.get_positions_history()).data
    assert closed.exit_type == "TRADE"
    assert closed.realised_pnl_breakdown.close_fees < 0


async def test_a_market_order_must_be_ioc(venue: X10Venue) -> None:
    body = body_of(await venue.signed(time_in_force=TimeInForce.GTT)) | {"type": "MARKET"}
    assert (await venue.post("/user/order", body))[1]["error"]["code"] == 1139
    order = await venue.filled("BUY", "0.5", order_type=OrderType.MARKET)
    assert (order.type, order.status) == ("MARKET", "FILLED")


async def test_a_partly_filled_ioc_order_is_cancelled_with_what_it_filled(venue: X10Venue) -> None:
    venue.fault("partial_fill", market="ETH", fraction="0.4")
    order = await venue.filled("BUY", "0.5")
    assert (order.status, order.filled_qty) == ("CANCELLED", Decimal("0.2"))
    assert (order.cancelled_qty, order.status_reason) == (Decimal("0.3"), "NO_LIQUIDITY")
    (position,) = (await venue.client.account.get_positions()).data
    assert position.size == Decimal("0.2")


async def test_an_ioc_order_that_finds_nothing_is_cancelled_empty(venue: X10Venue) -> None:
    order = await venue.filled("BUY", "0.5", price=venue.price("BUY", bps=-300))
    assert (order.status, order.filled_qty) == ("CANCELLED", 0)
    assert order.status_reason == "NO_LIQUIDITY"


async def test_an_accepted_order_may_be_rejected_by_matching(venue: X10Venue) -> None:
    venue.fault("reject", reason="margin")
    order = await venue.filled()
    assert (order.status, order.status_reason) == ("CANCELLED", "NOT_ENOUGH_FUNDS")


async def test_a_resting_order_is_listed_and_can_be_cancelled(venue: X10Venue) -> None:
    resting = {"price": venue.price("BUY", bps=-300), "time_in_force": TimeInForce.GTT}
    first = await venue.place(order_external_id="a", ttl_s=60, **resting)
    await venue.place(order_external_id="b", ttl_s=60, nonce=2, **resting)
    await venue.clock.sleep(1)
    listed = (await venue.client.account.get_open_orders()).data
    assert {order.external_id for order in listed} == {"a", "b"}
    await venue.client.orders.cancel_order(first)
    await venue.client.orders.cancel_order_by_external_id("b")
    assert (await venue.client.account.get_open_orders()).data == []
    history = (await venue.client.account.get_orders_history()).data
    assert [order.status for order in history] == ["CANCELLED", "CANCELLED"]


async def test_mass_cancel_takes_ids_markets_or_all_but_not_nothing(venue: X10Venue) -> None:
    resting = {"price": venue.price("BUY", bps=-300), "time_in_force": TimeInForce.GTT}
    await venue.place(order_external_id="a", ttl_s=60, **resting)
    with pytest.raises(ApiError, match="1133"):
        await venue.client.orders.mass_cancel()
    await venue.client.orders.mass_cancel(markets=["BTC-USD"])
    assert len((await venue.client.account.get_open_orders()).data) == 1
    await venue.client.orders.mass_cancel(cancel_all=True)
    assert (await venue.client.account.get_open_orders()).data == []


async def test_the_dead_mans_switch_cancels_unless_renewed(venue: X10Venue) -> None:
    resting = {"price": venue.price("BUY", bps=-300), "time_in_force": TimeInForce.GTT}
    await venue.place(ttl_s=600, **resting)
    url = f"{venue.url}/api/v1/user/deadmanswitch"
    for _ in range(2):
        async with venue.http.post(url, params={"countdownTime": 60}) as answer:
            assert (answer.status, await answer.text()) == (200, "")
        await venue.clock.sleep(59)
    assert len((await venue.client.account.get_open_orders()).data) == 1
    await venue.clock.sleep(2)
    assert (await venue.client.account.get_open_orders()).data == []


async def test_an_edit_replaces_the_old_order_and_needs_one(venue: X10Venue) -> None:
    resting = {"price": venue.price("BUY", bps=-300), "time_in_force": TimeInForce.GTT}
    await refused_with(venue, 1142, previous_order_external_id="none")
    await venue.place(order_external_id="old", ttl_s=60, **resting)
    await venue.place(
        order_external_id="new", ttl_s=60, previous_order_external_id="old", nonce=2, **resting
    )
    await venue.clock.sleep(1)
    (left,) = (await venue.client.account.get_open_orders()).data
    assert left.external_id == "new"


async def test_an_order_that_was_taken_and_not_answered_can_be_found(venue: X10Venue) -> None:
    venue.fault("drop_answer", when="after")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await venue.place(order_external_id="lost")
    await venue.clock.sleep(1)
    (order,) = (await venue.client.account.get_order_by_external_id("lost")).data
    assert order.status == "FILLED"


async def test_an_order_that_was_dropped_before_its_effect_is_nowhere(venue: X10Venue) -> None:
    venue.fault("drop_answer", when="before")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await venue.place(order_external_id="lost")
    assert (await venue.client.account.get_order_by_external_id("lost")).data == []


async def test_an_order_that_hangs_is_matched_meanwhile(venue: X10Venue) -> None:
    venue.fault("hang", seconds=30)
    with pytest.raises(asyncio.TimeoutError):
        await venue.place()
    (order,) = (await venue.client.account.get_order_by_external_id("test-1")).data
    assert order.status == "FILLED"


async def test_slow_matching_leaves_the_order_new_and_then_fills_it(venue: X10Venue) -> None:
    venue.fault("slow_match", seconds=4)
    order_id = await venue.place()
    await venue.clock.sleep(3)
    assert (await venue.client.account.get_order_by_id(order_id)).data.status == "NEW"
    await venue.clock.sleep(2)
    assert (await venue.client.account.get_order_by_id(order_id)).data.status == "FILLED"


async def test_a_refusal_by_fault_has_the_given_code_and_no_effect(venue: X10Venue) -> None:
    venue.fault("refuse", code=1011, market="ETH")
    await refused_with(venue, 1011)
    assert venue.exchange.orders(KEYS.vault) == []


async def test_malformed_bodies_get_1133(venue: X10Venue) -> None:
    good = body_of(await venue.signed())
    for change in ({"qty": "abc"}, {"side": "LONG"}, {"nonce": -1}, {"timeInForce": "FOK"}):
        assert (await venue.post("/user/order", good | change))[1]["error"]["code"] == 1133
    async with venue.http.post(f"{venue.url}/api/v1/user/order", data=b"no json") as answer:
        assert (await answer.json())["error"]["code"] == 1133
