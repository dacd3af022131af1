"""Orders of the X10 adapter over the real SDK against the sandbox's X10 face, in virtual time."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from adapters.x10.venue import XVenue
from hedger.domain.ids import Symbol
from hedger.domain.order import (
    Accepted,
    Declined,
    Found,
    NeverSent,
    NoProof,
    NotFound,
    Purpose,
    Reason,
    Side,
)
from hedger.errors import DeniedError, VenueError
from tests.unit.x10.desk import ETH, LATER_S, SIZE, filled, found, order, prepared, with_access
from tests.world import World


async def test_an_order_is_taken_and_found_by_our_id_with_its_fills(world: World) -> None:
    venue = await world.x10()
    sent = await prepared(world, venue)
    assert isinstance(await venue.submit(sent), Accepted)
    sighting = await found(world, venue, sent)
    assert sighting.complete
    assert sighting.filled == SIZE
    assert sighting.status == "FILLED"
    (row,) = world.orders("x10")
    assert (row["client_id"], row["id"]) == (sent.client_id, sighting.venue_order_id)
    assert sum((one.fee_usd for one in sighting.fills), Decimal(0)) > 0
    assert world.position("x10", "ETH") == SIZE


async def test_the_same_order_gives_the_same_body(world: World) -> None:
    venue = await world.x10()
    one = await order(world)
    first, second = await venue.prepare(one, None), await venue.prepare(one, None)
    assert first == second
    assert first.client_id == one.id
    assert timedelta(0) <= first.expires_at - one.expires_at <= timedelta(milliseconds=1)


async def test_a_stored_order_is_sent_and_found_by_another_process(world: World) -> None:
    sent = await prepared(world, await world.x10())
    after_restart = with_access(world)
    assert isinstance(await after_restart.submit(sent), Accepted)
    assert (await found(world, after_restart, sent)).complete
    await after_restart.close()


async def test_the_same_body_sent_twice_is_one_order(world: World) -> None:
    venue = await world.x10()
    sent = await prepared(world, venue)
    await venue.submit(sent)
    again = await venue.submit(sent)
    assert isinstance(again, NoProof)
    assert "1134" in again.detail
    assert (await found(world, venue, sent)).filled == SIZE
    assert len(world.orders("x10")) == 1


async def test_a_tampered_order_is_declined_with_1101(world: World) -> None:
    venue = await world.x10()
    sent = await prepared(world, venue)
    body = json.loads(sent.payload) | {"qty": "0.2"}
    answer = await venue.submit(replace(sent, payload=json.dumps(body)))
    assert isinstance(answer, Declined)
    assert (answer.reason, answer.code) == (Reason.AUTH, "1101")
    assert world.orders("x10") == []


async def test_a_reduce_only_order_larger_than_the_position_is_declined_with_1136(
    world: World,
) -> None:
    venue = await world.x10()
    await filled(world, venue)
    too_large = await prepared(
        world, venue, 2, side=Side.SELL, size=SIZE * 2, purpose=Purpose.ROLLBACK
    )
    answer = await venue.submit(too_large)
    assert isinstance(answer, Declined)
    assert (answer.reason, answer.code) == (Reason.REDUCE_ONLY, "1136")


async def test_a_partial_fill_ends_cancelled_with_what_was_filled(world: World) -> None:
    venue = await world.x10()
    world.fault("x10", "partial_fill", fraction="0.4")
    sighting = await filled(world, venue)
    assert sighting.complete
    assert sighting.filled == Decimal("0.04")
    assert sighting.status.startswith("CANCELLED")
    assert (await venue.position(ETH)).size == Decimal("0.04")


async def test_no_fill_is_a_proven_zero(world: World) -> None:
    venue = await world.x10()
    world.fault("x10", "no_fill")
    sighting = await filled(world, venue)
    assert sighting.complete
    assert (sighting.filled, sighting.fills) == (Decimal(0), ())


@pytest.mark.parametrize(
    ("fault", "declined"),
    [
        ({"kind": "refuse", "code": 1140}, Reason.MARGIN),
        ({"kind": "refuse", "code": 1010}, Reason.MARKET_STATE),
        ({"kind": "rate_limit"}, Reason.RATE),
        ({"kind": "rate_limit", "html": True}, Reason.RATE),
    ],
)
async def test_a_refusal_is_proof(world: World, fault: dict[str, Any], declined: Reason) -> None:
    venue = await world.x10()
    sent = await prepared(world, venue)
    world.fault("x10", op="order", **fault)
    answer = await venue.submit(sent)
    assert isinstance(answer, Declined)
    assert answer.reason is declined
    assert isinstance(await venue.find(sent), NotFound)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "fault", [{"kind": "drop_answer"}, {"kind": "server_error", "status": 503, "html": True}]
)
async def test_a_lost_answer_proves_nothing_and_the_truth_is_found_by_our_id(
    world: World, fault: dict[str, Any], when: str
) -> None:
    venue = await world.x10()
    sent = await prepared(world, venue)
    world.fault("x10", op="order", when=when, **fault)
    assert isinstance(await venue.submit(sent), NoProof)
    await world.pass_time(LATER_S)
    sighting = await venue.find(sent)
    if when == "before":
        assert isinstance(sighting, NotFound)
    else:
        assert isinstance(sighting, Found)
        assert sighting.filled == SIZE


async def test_an_answer_that_hangs_is_given_up_after_the_time_limit(world: World) -> None:
    venue = await world.x10()
    sent = await prepared(world, venue)
    world.fault("x10", "hang", op="order", seconds=30)
    before = world.clock.monotonic_s()
    answer = await venue.submit(sent)
    assert isinstance(answer, NoProof)
    assert world.clock.monotonic_s() - before == pytest.approx(5, abs=0.1)
    assert (await found(world, venue, sent)).filled == SIZE


async def test_a_refused_connection_proves_that_nothing_was_sent(world: World) -> None:
    sent = await prepared(world, await world.x10())
    nobody = with_access(world, api_base_url="http://127.0.0.1:9/api/v1")
    answer = await nobody.submit(sent)
    assert isinstance(answer, NeverSent)
    await nobody.close()


async def test_an_order_may_not_live_longer_than_twelve_seconds(world: World) -> None:
    venue = await world.x10()
    one = await order(world)
    with pytest.raises(DeniedError, match="may not live longer than 12 s"):
        await venue.prepare(replace(one, expires_at=one.expires_at + timedelta(minutes=1)), None)


async def test_an_order_that_arrives_after_its_expiry_is_declined(world: World) -> None:
    venue = await world.x10()
    sent = await prepared(world, venue)
    await world.pass_time(11)
    answer = await venue.submit(sent)
    assert isinstance(answer, Declined)
    assert answer.code == "1135"


async def test_an_order_on_a_market_that_is_not_listed_cannot_be_prepared(world: World) -> None:
    venue = await world.x10()
    one = await order(world)
    with pytest.raises(DeniedError, match="market NOPE is not listed"):
        await venue.prepare(replace(one, symbol=Symbol("NOPE")), None)


async def test_a_failed_read_of_the_fees_does_not_stop_a_closing_order(world: World) -> None:
    venue = await world.x10()
    one = await order(world, side=Side.SELL, purpose=Purpose.ROLLBACK)
    opening = await order(world, 2)
    await venue.close()
    nobody = with_access(world, api_key="wrong")
    with pytest.raises(VenueError):
        await nobody.prepare(opening, None)
    body = json.loads((await nobody.prepare(one, None)).payload)
    assert (body["reduceOnly"], body["fee"]) == (True, "0.0005")
    await nobody.close()


async def test_a_working_order_is_listed_and_can_be_cancelled(world: World) -> None:
    venue = await world.x10()
    sent = await prepared(world, venue)
    world.fault("x10", "slow_match", seconds=8)
    assert isinstance(await venue.submit(sent), Accepted)
    assert not (await found(world, venue, sent)).final
    assert list(await venue.open_orders()) == [sent.client_id]
    await venue.cancel(sent)
    sighting = await found(world, venue, sent)
    assert sighting.complete
    assert sighting.filled == 0
    assert list(await venue.open_orders()) == []


async def test_a_young_order_is_looked_for_at_one_place_and_an_old_one_at_three(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it may have expired, "not found" proves nothing wherever it comes from."""
    venue = cast("XVenue", await world.x10())
    never_sent = await prepared(world, venue)
    page, asked = venue._http.page, []

    async def noted(path: str, *args: Any) -> Any:
        asked.append(path)
        return await page(path, *args)

    monkeypatch.setattr(venue._http, "page", noted)
    external = f"/user/orders/external/{never_sent.client_id}"

    assert isinstance(await venue.find(never_sent), NotFound)
    assert asked == [external]
    await world.pass_time(10)
    assert isinstance(await venue.find(never_sent), NotFound)
    assert asked[1:] == [external, "/user/orders", "/user/orders/history"]


async def test_positions_and_balance_of_just_now_count_until_an_order_is_sent(
    world: World,
) -> None:
    venue = await world.x10()
    sent = await prepared(world, venue)
    before = await venue.balance()
    assert await venue.positions() == {}
    await world.pass_time(1)
    assert await venue.balance(max_age_s=1.5) is before
    assert await venue.balance(max_age_s=1) is not before
    await venue.submit(sent)
    await world.pass_time(LATER_S)
    assert (await venue.positions(max_age_s=60))[ETH].size == SIZE
    assert (await venue.balance(max_age_s=60)).available_usd < before.available_usd
