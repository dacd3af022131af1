"""The nonce rules of Lighter (lighter.md §4.1), which everything about orders rests on."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal

import lighter
import pytest

from adapters.sandbox.lighter_face.errors import ApiError
from adapters.sandbox.lighter_face.nonces import Lane
from hedger.clock import Clock
from tests.unit.sandbox.lighter_face_venue import (
    ACCOUNT,
    ETH,
    KEY,
    LighterVenue,
    lighter_venue,
)


@pytest.fixture
async def venue(virtual_time: Clock) -> AsyncIterator[LighterVenue]:
    async with lighter_venue(virtual_time) as venue:
        yield venue


async def test_a_gap_and_a_reused_nonce_get_21104(venue: LighterVenue) -> None:
    assert await venue.refused(await venue.signed_market(nonce=1)) == 21104
    signed = await venue.signed_market(nonce=0)
    await venue.executed(signed)
    assert await venue.refused(signed) == 21104
    assert venue.size == Decimal("0.5")


async def test_resending_the_same_bytes_at_once_gets_21104_and_the_hash_tells_by_whom(
    venue: LighterVenue,
) -> None:
    signed = await venue.signed_market()
    await venue.send(signed)
    assert await venue.refused(signed) == 21104
    assert (await venue.tx(signed[2])).status == 1


async def test_the_next_nonce_lags_behind_execution(venue: LighterVenue) -> None:
    await venue.send(await venue.signed_market())
    assert await venue.next_nonce() == 0
    await venue.clock.sleep(0.25)
    assert venue.size == Decimal("0.5")
    assert await venue.next_nonce() == 0
    await venue.clock.sleep(0.3)
    assert await venue.next_nonce() == 1


async def test_nonces_can_be_sent_ahead_without_waiting(venue: LighterVenue) -> None:
    for _ in range(3):
        await venue.send(await venue.signed_market("0.1"))
    await venue.clock.sleep(1)
    assert venue.size == Decimal("0.3")
    assert await venue.next_nonce() == 3


async def test_each_key_has_its_own_sequence(venue: LighterVenue) -> None:
    await venue.executed(await venue.signed_market("0.1"))
    await venue.send(await venue.signed_market("0.1", nonce=0, key=KEY + 1))
    await venue.clock.sleep(1)
    assert [await venue.next_nonce(KEY), await venue.next_nonce(KEY + 1)] == [1, 1]


async def test_a_skipping_transaction_may_leave_a_gap(venue: LighterVenue) -> None:
    await venue.executed(await venue.signed_market("0.1", nonce=100, skip_nonce=1))
    assert await venue.next_nonce() == 101
    assert await venue.refused(await venue.signed_market(nonce=50, skip_nonce=1)) == 21104


async def test_a_cancel_that_finds_nothing_burns_its_nonce(venue: LighterVenue) -> None:
    """The fence of the resolver: after it, an order with the same nonce can never execute."""
    order = await venue.signed_market(nonce=0)
    burn = await venue.executed(await venue.sign("cancel_order", ETH, 123_456, nonce=0))

    assert (burn.status, json.loads(burn.event_info)["ae"]) == (0, "AppErrInvalidOrderIndex")
    assert await venue.next_nonce() == 1
    assert await venue.refused(order) == 21104
    with pytest.raises(lighter.exceptions.BadRequestException, match="21500"):
        await venue.tx(order[2])


async def test_a_cancel_whose_market_goes_before_its_turn_burns_its_nonce(
    venue: LighterVenue,
) -> None:
    cancel = await venue.sign("cancel_order", ETH, 123_456, nonce=0)
    await venue.send(cancel)
    venue.exchange.change_rules("ETH", listed=False)
    await venue.clock.sleep(1)

    assert await venue.next_nonce() == 1
    assert json.loads((await venue.tx(cancel[2])).event_info)["ae"] != ""
    assert await venue.refused(await venue.sign("cancel_order", ETH, 1)) == 21602


async def test_a_refusal_at_the_api_leaves_the_nonce_unused(venue: LighterVenue) -> None:
    venue.fault("refuse", code=21739)
    assert await venue.refused(await venue.signed_market()) == 21739
    assert (await venue.executed(await venue.signed_market())).nonce == 0


async def test_a_stolen_nonce_belongs_to_another_transaction(venue: LighterVenue) -> None:
    venue.fault("steal_nonce")
    signed = await venue.signed_market()
    assert await venue.refused(signed) == 21104
    await venue.clock.sleep(1)

    assert venue.size == 0
    assert await venue.next_nonce() == 1
    (thief,) = (await venue.read("accountTxs", by="account_index", value=ACCOUNT, limit=10))["txs"]
    assert (thief["type"], thief["nonce"]) == (15, 0)
    assert thief["hash"] != signed[2]


async def test_a_transaction_that_expires_before_its_turn_leaves_the_nonce_unused(
    venue: LighterVenue,
) -> None:
    venue.fault("slow_match", seconds=700)
    slow = await venue.signed_market(client_index=1)
    await venue.send(slow)
    later = await venue.signed_market(client_index=2, nonce=1)
    await venue.send(later)
    await venue.clock.sleep(705)

    assert [(await venue.tx(signed[2])).status for signed in (slow, later)] == [0, 0]
    assert venue.size == 0
    assert await venue.next_nonce() == 0
    assert await venue.orders(1, 2) == []


async def test_a_batch_needs_consecutive_nonces_of_one_key(venue: LighterVenue) -> None:
    async def send(*signed: tuple[int, str, str]) -> object:
        return await venue.client.tx_api.send_tx_batch(
            tx_types=json.dumps([tx[0] for tx in signed]),
            tx_infos=json.dumps([tx[1] for tx in signed]),
        )

    first, second = [await venue.signed_market("0.1", nonce=nonce) for nonce in (0, 1)]
    third = await venue.signed_market("0.1", nonce=1, key=KEY + 1)
    gap = await venue.signed_market("0.1", nonce=2)
    with pytest.raises(lighter.exceptions.BadRequestException, match="21105"):
        await send(first, gap)
    with pytest.raises(lighter.exceptions.BadRequestException, match="21121"):
        await send(first, third)
    answer = await send(first, second)
    await venue.clock.sleep(1)
    assert answer.tx_hash == [first[2], second[2]]  # type: ignore[attr-defined]  # SDK untyped
    assert venue.size == Decimal("0.2")


async def test_the_sdk_with_its_own_nonce_manager_works_too(virtual_time: Clock) -> None:
    from lighter.nonce_manager import NonceManagerType

    from tests.unit.sandbox.lighter_face_venue import KEYS

    async with lighter_venue(virtual_time) as venue:
        managed = lighter.SignerClient(
            url=venue.url,
            account_index=ACCOUNT,
            api_private_keys={KEY: KEYS.api_keys[KEY]},
            nonce_management_type=NonceManagerType.OPTIMISTIC,
            chain_id=KEYS.chain_id,
        )
        try:
            for _ in range(2):
                _, answer, error = await managed.create_market_order(
                    ETH, 0, 1000, venue.price(False), False
                )
                assert (error, answer.code) == (None, 200)
        finally:
            await managed.close()
        await asyncio.sleep(1)
        assert venue.size == Decimal("0.2")


def test_a_lane_shows_what_was_executed_up_to_an_instant() -> None:
    lane = Lane(first=7)
    lane.check(7, may_skip=False)
    lane.take(7)
    lane.executed(7, at_ms=1000)
    assert [lane.shown(999), lane.shown(1000)] == [7, 8]
    with pytest.raises(ApiError, match="21104"):
        lane.check(7, may_skip=False)
    lane.take(8)
    lane.give_back(8)
    assert lane.expected == 8
