"""The Lighter adapter over the real SDK against the sandbox's Lighter, in virtual time."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from adapters.lighter.venue import LighterVenue
from adapters.registry import Access
from hedger.domain.ids import HedgeId, LaneId, OrderId, Symbol, VenueId
from hedger.domain.money import to_step
from hedger.domain.order import (
    Accepted,
    Answer,
    Declined,
    Found,
    NeverSent,
    NoProof,
    NotFound,
    Order,
    Prepared,
    Purpose,
    Reason,
    Side,
    Sighting,
)
from hedger.errors import ConfigError, DeniedError, DriftError, UnavailableError
from hedger.ports import Fence, Venue
from tests.world import World

LIGHTER = VenueId("lighter")
ETH = Symbol("ETH")
SETTLED_S = 2.0  # latency of a match and the lag of every read, with room


async def an_order(
    world: World,
    venue: Venue,
    name: str = "eth-1",
    *,
    size: str = "0.1",
    side: Side = Side.BUY,
    purpose: Purpose = Purpose.OPEN,
    off_bps: int = 100,
) -> Order:
    """An order that is willing to pay ``off_bps`` more than the mark."""
    instrument = await venue.instrument(ETH)
    mark = world.exchange("lighter").mark(ETH)
    limit = mark * (1 + side.sign * Decimal(off_bps) / 10_000)
    return Order(
        id=OrderId(name),
        hedge=HedgeId("eth"),
        venue=LIGHTER,
        symbol=ETH,
        purpose=purpose,
        attempt=1,
        side=side,
        size=Decimal(size),
        limit_price=to_step(limit, instrument.price_tick),
        expires_at=world.clock.now() + timedelta(seconds=10),
    )


async def prepared(venue: Venue, order: Order) -> Prepared:
    lane = venue.lane(order.purpose)
    assert lane is not None
    return await venue.prepare(order, await venue.next_nonce(lane))


async def sent(world: World, venue: Venue, order: Order) -> tuple[Prepared, Answer]:
    """Prepare, send, and wait until everything about it can be read."""
    ready = await prepared(venue, order)
    answer = await venue.submit(ready)
    await world.pass_time(SETTLED_S)
    return ready, answer


def found(sighting: Sighting) -> Found:
    assert isinstance(sighting, Found)
    return sighting


def truth(world: World, order: Prepared) -> dict[str, str]:
    """The venue's own record of it."""
    (row,) = [row for row in world.orders("lighter") if row["client_id"] == order.client_id]
    return row


async def test_an_order_fills_and_is_found_with_every_fill_and_fee(world: World) -> None:
    venue = await world.lighter()
    ready, answer = await sent(world, venue, await an_order(world, venue))
    assert isinstance(answer, Accepted)
    sighting = found(await venue.find(ready))
    assert sighting.complete
    assert sighting.status == "filled"
    assert sighting.filled == Decimal("0.1")
    row = truth(world, ready)
    assert sum(fill.size * fill.price for fill in sighting.fills) == Decimal(row["filled_value"])
    assert sum(fill.fee_usd for fill in sighting.fills) == Decimal(row["fee"])
    assert all(fill.side is Side.BUY for fill in sighting.fills)


async def test_the_same_holds_over_real_sockets(real_world: World) -> None:
    venue = await real_world.lighter()
    ready, answer = await sent(real_world, venue, await an_order(real_world, venue))
    assert isinstance(answer, Accepted)
    assert found(await venue.find(ready)).complete


async def test_the_position_and_the_balance_are_those_of_the_venue(world: World) -> None:
    venue = await world.lighter()
    assert await venue.positions() == {}
    assert (await venue.position(ETH)).size == 0
    before = await venue.balance()
    await sent(world, venue, await an_order(world, venue, side=Side.SELL))
    position = await venue.position(ETH)
    assert position.size == world.position("lighter", "ETH") == Decimal("-0.1")
    assert (await venue.balance()).available_usd < before.available_usd
    state = world.state()["lighter"]
    assert (await venue.balance()).equity_usd == Decimal(state["balance"]["equity"])


async def test_a_closed_market_is_flat_and_not_missing(world: World) -> None:
    venue = await world.lighter()
    await sent(world, venue, await an_order(world, venue))
    close = await an_order(world, venue, "eth-2", side=Side.SELL, purpose=Purpose.CLOSE)
    ready, answer = await sent(world, venue, close)
    assert isinstance(answer, Accepted)
    assert found(await venue.find(ready)).filled == Decimal("0.1")
    assert await venue.positions() == {}
    assert (await venue.position(ETH)).size == 0


async def test_opens_and_closes_have_lanes_of_their_own(world: World) -> None:
    venue = await world.lighter()
    opening, closing = venue.lane(Purpose.OPEN), venue.lane(Purpose.CLOSE)
    assert opening is not None
    assert closing == venue.lane(Purpose.ROLLBACK)
    assert opening != closing
    assert opening == f"lighter:{venue.account}:{world.line['lighter']['api_key_index']}"
    before = await venue.next_nonce(opening), await venue.next_nonce(LaneId(str(closing)))
    await sent(world, venue, await an_order(world, venue))
    after = await venue.next_nonce(opening), await venue.next_nonce(LaneId(str(closing)))
    assert after == (before[0] + 1, before[1])


async def test_a_lane_of_another_account_is_refused(world: World) -> None:
    venue = await world.lighter()
    with pytest.raises(DeniedError):
        await venue.next_nonce(LaneId("lighter:1:5"))


async def test_what_was_prepared_is_known_before_it_is_sent(world: World) -> None:
    venue = await world.lighter()
    ready = await prepared(venue, await an_order(world, venue))
    signed = json.loads(json.loads(ready.payload)["tx_info"])
    assert (signed["Nonce"], signed["OrderExpiry"], signed["TimeInForce"]) == (ready.nonce, 0, 0)
    assert str(signed["ClientOrderIndex"]) == ready.client_id
    assert ready.expires_at - world.clock.now() > timedelta(seconds=590)  # not ours to choose
    assert isinstance(await venue.find(ready), NotFound)
    await venue.submit(ready)
    await world.pass_time(SETTLED_S)
    assert found(await venue.find(ready)).final


async def test_the_same_bytes_sent_again_prove_nothing_and_do_nothing(world: World) -> None:
    venue = await world.lighter()
    ready, _ = await sent(world, venue, await an_order(world, venue))
    loaded = replace(ready, payload=str(json.loads(json.dumps(ready.payload))))
    again = await venue.submit(loaded)
    assert isinstance(again, NoProof)
    assert "21104" in again.detail
    await world.pass_time(SETTLED_S)
    assert world.position("lighter", "ETH") == Decimal("0.1")


async def test_bytes_that_never_arrived_can_be_sent_from_the_ledger(world: World) -> None:
    venue = await world.lighter()
    ready = await prepared(venue, await an_order(world, venue))
    world.fault("lighter", "drop_answer", when="before")
    assert isinstance(await venue.submit(ready), NoProof)
    assert isinstance(await venue.find(ready), NotFound)
    second = await world.lighter()
    assert isinstance(await second.submit(ready), Accepted)
    await world.pass_time(SETTLED_S)
    assert found(await second.find(ready)).filled == Decimal("0.1")


async def test_a_lost_answer_is_no_proof_and_the_order_is_found(world: World) -> None:
    venue = await world.lighter()
    world.fault("lighter", "drop_answer", when="after")
    ready, answer = await sent(world, venue, await an_order(world, venue))
    assert isinstance(answer, NoProof)
    assert found(await venue.find(ready)).filled == Decimal("0.1")


async def test_an_answer_after_the_deadline_is_no_proof(world: World) -> None:
    venue = await world.lighter()
    world.fault("lighter", "hang", seconds=30)
    ready = await prepared(venue, await an_order(world, venue))
    began_s = world.clock.monotonic_s()
    answer = await venue.submit(ready)
    assert isinstance(answer, NoProof)
    assert 4.5 <= world.clock.monotonic_s() - began_s <= 6.5
    await world.pass_time(SETTLED_S)
    assert found(await venue.find(ready)).filled == Decimal("0.1")


async def test_a_refusal_for_margin_is_proof_and_leaves_the_nonce(world: World) -> None:
    venue = await world.lighter()
    world.fault("lighter", "refuse", code=21739)
    ready = await prepared(venue, await an_order(world, venue))
    answer = await venue.submit(ready)
    assert isinstance(answer, Declined)
    assert (answer.reason, answer.code) == (Reason.MARGIN, "21739")
    assert isinstance(await venue.find(ready), NotFound)
    lane = venue.lane(Purpose.OPEN)
    assert lane is not None
    assert await venue.next_nonce(lane) == ready.nonce


async def test_accepted_and_then_cancelled_for_margin_is_a_proven_zero(world: World) -> None:
    venue = await world.lighter()
    world.fault("lighter", "reject", reason="margin")
    ready, answer = await sent(world, venue, await an_order(world, venue))
    assert isinstance(answer, Accepted)
    sighting = found(await venue.find(ready))
    assert sighting.complete
    assert (sighting.filled, sighting.status) == (Decimal(0), "canceled-margin-not-allowed")


async def test_an_order_that_filled_nothing_is_believed_without_its_trades_if_they_are_not_told(
    world: World,
) -> None:
    """The other leg may wait for this answer, and the order stays watched."""
    venue = await world.lighter()
    world.fault("lighter", "no_fill")
    ready, _ = await sent(world, venue, await an_order(world, venue))
    world.fault("lighter", "bad_reads", what=["orders"], status=503, skip=1)
    sighting = found(await venue.find(ready))  # the second question about orders is the trades
    assert (sighting.complete, sighting.filled) == (True, Decimal(0))


async def test_a_partial_fill_is_final_with_its_real_size(world: World) -> None:
    venue = await world.lighter()
    world.fault("lighter", "partial_fill", fraction="0.4")
    ready, _ = await sent(world, venue, await an_order(world, venue))
    sighting = found(await venue.find(ready))
    assert sighting.complete
    assert sighting.filled == world.position("lighter", "ETH") == Decimal("0.04")


async def test_an_order_that_waits_for_its_match_is_not_final(world: World) -> None:
    venue = await world.lighter()
    world.fault("lighter", "slow_match", seconds=20)
    ready, answer = await sent(world, venue, await an_order(world, venue))
    assert isinstance(answer, Accepted)
    sighting = await venue.find(ready)
    assert not isinstance(sighting, Found) or not sighting.final
    await world.pass_time(30)
    assert found(await venue.find(ready)).complete


@pytest.mark.parametrize(("status", "html"), [(429, False), (429, True), (405, True)])
async def test_throttling_is_declined_before_any_effect(
    world: World, status: int, html: bool
) -> None:
    venue = await world.lighter()
    ready = await prepared(venue, await an_order(world, venue))
    world.fault("lighter", "rate_limit", status=status, html=html, op="order")
    answer = await venue.submit(ready)
    assert isinstance(answer, Declined)
    assert answer.reason is Reason.RATE
    assert isinstance(await venue.submit(ready), Accepted)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_server_error_is_no_proof_either_way(world: World, when: str) -> None:
    venue = await world.lighter()
    ready = await prepared(venue, await an_order(world, venue))
    world.fault("lighter", "server_error", status=503, when=when, html=True, op="order")
    assert isinstance(await venue.submit(ready), NoProof)


async def test_a_stolen_nonce_is_no_proof_and_the_order_is_not_there(world: World) -> None:
    venue = await world.lighter()
    world.fault("lighter", "steal_nonce")
    ready, answer = await sent(world, venue, await an_order(world, venue))
    assert isinstance(answer, NoProof)
    assert isinstance(await venue.find(ready), NotFound)
    assert ready.lane is not None
    assert ready.nonce is not None
    assert await venue.next_nonce(ready.lane) > ready.nonce


async def test_a_reduction_with_nothing_to_reduce_fills_nothing_with_proof(world: World) -> None:
    venue = await world.lighter()
    order = await an_order(world, venue, side=Side.SELL, purpose=Purpose.ROLLBACK)
    ready, answer = await sent(world, venue, order)
    if isinstance(answer, Declined):
        assert answer.reason is Reason.REDUCE_ONLY
        return
    sighting = found(await venue.find(ready))
    assert sighting.complete
    assert sighting.filled == 0


async def test_a_burn_takes_the_nonce_from_an_order_that_never_arrived(world: World) -> None:
    venue = await world.lighter()
    ready = await prepared(venue, await an_order(world, venue))
    burn = await venue.prepare_burn(ready)
    assert (burn.lane, burn.nonce) == (ready.lane, ready.nonce)
    assert burn.client_id != ready.client_id
    assert burn.tx_hash != ready.tx_hash
    assert isinstance(await venue.find(burn), NotFound)
    assert isinstance(await venue.submit(burn), Accepted)
    await world.pass_time(SETTLED_S)
    assert found(await venue.find(burn)).final
    assert isinstance(await venue.submit(ready), NoProof)  # too late for it now
    await world.pass_time(SETTLED_S)
    assert isinstance(await venue.find(ready), NotFound)
    assert world.position("lighter", "ETH") == 0


async def test_a_burn_is_not_found_before_the_sequencer_has_decided(world: World) -> None:
    venue = await world.lighter()
    world.fault("lighter", "slow_match", seconds=20)
    slow, _ = await sent(world, venue, await an_order(world, venue))
    assert slow.nonce is not None  # a key's transactions are executed in turn
    behind = await venue.prepare(await an_order(world, venue, "eth-2"), slow.nonce + 1)
    burn = await venue.prepare_burn(behind)
    assert isinstance(await venue.submit(burn), Accepted)
    await world.pass_time(SETTLED_S)
    assert isinstance(await venue.find(burn), NotFound)
    await world.pass_time(30)
    assert found(await venue.find(burn)).final


async def test_a_burn_that_came_too_late_is_never_found(world: World) -> None:
    venue = await world.lighter()
    ready, _ = await sent(world, venue, await an_order(world, venue))
    burn = await venue.prepare_burn(ready)
    assert isinstance(await venue.submit(burn), NoProof)
    await world.pass_time(SETTLED_S)
    assert isinstance(await venue.find(burn), NotFound)
    assert found(await venue.find(ready)).filled == Decimal("0.1")


async def test_a_venue_that_is_not_there_never_got_the_order(world: World) -> None:
    venue = await world.lighter()
    ready = await prepared(venue, await an_order(world, venue))
    access = world.access("lighter")
    elsewhere = not_started(
        world,
        Access(options={**access.options, "url": "http://127.0.0.1:1"}, secrets=access.secrets),
    )
    await elsewhere.start()
    with pytest.raises(UnavailableError):
        await elsewhere.balance()
    assert isinstance(await elsewhere.submit(ready), NeverSent)
    await elsewhere.close()


async def test_reads_that_fail_raise_and_are_never_empty(world: World) -> None:
    venue = await world.lighter()
    world.fault(
        "lighter",
        "bad_reads",
        what=["positions", "orders", "nonce", "balance"],
        status=503,
        times=0,
    )
    lane = venue.lane(Purpose.OPEN)
    assert lane is not None
    for read in (venue.positions, venue.balance, venue.open_orders):
        with pytest.raises(UnavailableError):
            await read()
    with pytest.raises(UnavailableError):
        await venue.next_nonce(lane)


async def test_no_working_orders_remain_of_immediate_ones(world: World) -> None:
    venue = await world.lighter()
    await sent(world, venue, await an_order(world, venue))
    assert await venue.open_orders() == []


async def test_a_market_that_is_not_listed_is_denied(world: World) -> None:
    venue = await world.lighter()
    with pytest.raises(DeniedError):
        await venue.instrument(Symbol("NOSUCH"))


async def test_fees_are_those_that_were_charged(world: World) -> None:
    venue = await world.lighter()
    fees = await venue.fees(ETH)
    ready, _ = await sent(world, venue, await an_order(world, venue))
    for fill in found(await venue.find(ready)).fills:
        assert fill.fee_usd == (fill.size * fill.price * fees.taker).quantize(Decimal("0.000001"))


async def test_every_funding_payment_is_read_once(world: World) -> None:
    venue = await world.lighter()
    since = await world.quotes("lighter").next_settlement()
    await sent(world, venue, await an_order(world, venue, side=Side.SELL))
    world.advance_market(hours=3)
    await world.pass_time(SETTLED_S)
    payments = await venue.funding_payments(since)
    booked = world.state()["lighter"]["payments"]
    assert [payment.amount_usd for payment in payments] == [
        Decimal(row["amount"]) for row in booked
    ]
    assert [payment.settlement_at for payment in payments] == [
        since + timedelta(hours=hour) for hour in range(3)
    ]
    assert all(payment.size == Decimal("-0.1") for payment in payments)
    assert await venue.funding_payments(since + timedelta(hours=3)) == []
    assert await venue.funding_payments(since, ETH) == payments
    for payment in payments:
        assert (payment.amount_usd > 0) == (payment.rate_1h > 0)  # a short receives


async def test_keys_of_another_account_are_refused_at_the_start(world: World) -> None:
    access = world.access("lighter")
    keys = dict(access.secrets)
    first, second = f"private_key_{access.options['api_key_index']}", "private_key_6"
    keys[first], keys[second] = keys[second], keys[first]
    venue = not_started(world, Access(options=access.options, secrets=keys))
    with pytest.raises(ConfigError) as caught:
        await venue.start()
    for key in keys.values():
        assert key.removeprefix("0x")[:16] not in str(caught.value)


async def test_the_auth_token_is_renewed_before_it_ends(world: World) -> None:
    venue = await world.lighter()
    assert await venue.open_orders() == []
    await world.pass_time(1200)
    assert await venue.open_orders() == []


async def test_a_payload_from_elsewhere_is_not_sent(world: World) -> None:
    venue = await world.lighter()
    ready = await prepared(venue, await an_order(world, venue))
    assert isinstance(await venue.submit(replace(ready, payload="{}")), NeverSent)
    with pytest.raises(DriftError):
        await venue.find(replace(ready, payload="{}"))


async def test_values_that_would_wrap_in_the_signer_are_denied(world: World) -> None:
    venue = await world.lighter()
    order = await an_order(world, venue)
    with pytest.raises(DeniedError, match="outside 1 to"):
        await venue.prepare(replace(order, limit_price=Decimal("42949673.01")), 0)


async def test_the_fence_is_the_nonce(world: World) -> None:
    venue = await world.lighter()
    assert venue.capabilities.fence is Fence.NONCE


def not_started(world: World, access: Access) -> LighterVenue:
    """An adapter of the same world with other options."""
    return LighterVenue(
        id=LIGHTER, options=access.options, secrets=access.secrets, names={}, clock=world.clock
    )


def asked_of(venue: LighterVenue, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read from now on."""
    asked: list[str] = []
    read = venue._gateway.read

    async def noted(what: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(what)
        return await read(what, *args, **kwargs)

    monkeypatch.setattr(venue._gateway, "read", noted)
    return asked


async def test_one_answer_tells_positions_balance_leverage_and_that_there_are_no_orders(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = cast("LighterVenue", await world.lighter())
    await venue.instrument(ETH)
    asked = asked_of(venue, monkeypatch)

    balance = await venue.balance()
    position = await venue.position(ETH, max_age_s=1)
    assert await venue.leverage(ETH, max_age_s=1) is not None
    assert await venue.open_orders(max_age_s=1) == []

    assert asked == ["GET /account"]
    assert position.read_started_at <= balance.as_of == position.as_of
    await venue.balance()
    await world.pass_time(1)
    await venue.positions(max_age_s=1)
    assert await venue.open_orders() == []  # whoever allows no age always asks
    assert asked[1:] == ["GET /account", "GET /account", "GET /accountActiveOrders"]


async def test_a_working_order_is_listed_though_the_account_was_read_just_now(
    world: World,
) -> None:
    venue = await world.lighter()
    world.fault("lighter", "keep_working", fraction=0, seconds=20)
    ready, _ = await sent(world, venue, await an_order(world, venue))
    await venue.positions()
    assert await venue.open_orders(max_age_s=2) == [ready.client_id]


async def test_what_was_read_before_an_order_was_sent_does_not_count_after_it(
    world: World,
) -> None:
    venue = cast("LighterVenue", await world.lighter())
    ready = await prepared(venue, await an_order(world, venue))
    assert await venue.positions() == {}
    await venue.submit(ready)
    await world.pass_time(SETTLED_S)
    assert (await venue.position(ETH, max_age_s=60)).size == Decimal("0.1")
