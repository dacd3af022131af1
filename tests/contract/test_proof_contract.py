"""
What an answer to an order proves at every venue: refused, not sent, or nothing at all.

One suite over the real adapters, SDKs and sockets of both venues.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from hedger.domain.order import Accepted, Declined, NeverSent, NoProof, NotFound, Prepared, Reason
from hedger.errors import UnavailableError
from hedger.ports import Fence
from tests.contract.account import SETTLED_S, SIZE, Account

REFUSALS: Mapping[str, list[tuple[int, Reason]]] = {
    "x10": [
        (1140, Reason.MARGIN),
        (1136, Reason.REDUCE_ONLY),
        (1137, Reason.REDUCE_ONLY),
        (1138, Reason.REDUCE_ONLY),
        (1121, Reason.RULES),
        (1141, Reason.RULES),
        (1010, Reason.MARKET_STATE),
        (1101, Reason.AUTH),
    ],
    "lighter": [
        (21739, Reason.MARGIN),
        (21740, Reason.REDUCE_ONLY),
        (21614, Reason.REDUCE_ONLY),
        (21738, Reason.REDUCE_ONLY),
        (21701, Reason.RULES),
        (21734, Reason.RULES),
        (21605, Reason.MARKET_STATE),
        (21120, Reason.AUTH),
    ],
}
"""Each venue's codes that prove that the order was not taken."""

LOST: Mapping[str, Mapping[str, Any]] = {
    "dropped": {"kind": "drop_answer"},
    "503": {"kind": "server_error", "status": 503},
    "502 page": {"kind": "server_error", "status": 502, "html": True},
}
"""Ways in which the answer to an order says nothing; each before and after the effect."""


# -- refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(8))
async def test_a_refusal_is_proof_with_its_reason_and_the_order_is_not_there(
    account: Account, number: int
) -> None:
    code, reason = REFUSALS[account.name][number]
    ready = await account.prepared()
    account.fault("refuse", code=code)

    answer = await account.venue.submit(ready)

    assert isinstance(answer, Declined)
    assert (answer.reason, answer.code) == (reason, str(code))
    await assert_untaken(account, ready)


@pytest.mark.parametrize("html", [False, True])
async def test_throttling_is_proof_that_the_order_was_not_taken(
    account: Account, html: bool
) -> None:
    ready = await account.prepared()
    account.fault("rate_limit", html=html)

    answer = await account.venue.submit(ready)

    assert isinstance(answer, Declined)
    assert answer.reason is Reason.RATE
    await assert_untaken(account, ready)
    assert isinstance(await account.venue.submit(ready), Accepted)


async def test_tampered_bytes_are_refused_for_their_signature(account: Account) -> None:
    ready = await account.prepared()

    answer = await account.venue.submit(replace(ready, payload=tampered(ready)))

    assert isinstance(answer, Declined)
    assert answer.reason is Reason.AUTH
    await assert_untaken(account, ready)


async def test_an_order_beyond_the_free_margin_fills_nothing_with_proof(account: Account) -> None:
    ready, answer = await account.sent(size="60")

    if isinstance(answer, Declined):
        assert answer.reason in {Reason.MARGIN, Reason.RULES}
    else:
        assert (await account.found(ready)).filled < 60
    assert abs(account.size) < 60


# -- no proof -----------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("way", LOST)
async def test_an_answer_that_was_lost_proves_nothing_and_the_truth_is_looked_up(
    account: Account, way: str, when: str
) -> None:
    """The public bot took a broken connection for a refusal and left the leg naked (S13, S16)."""
    account.fault(**LOST[way], when=when)

    ready, answer = await account.sent()

    assert isinstance(answer, NoProof)
    sighting = await account.venue.find(ready)
    if when == "before":  # sent once: a second try inside the adapter would have filled
        assert isinstance(sighting, NotFound)
        assert account.orders == []
    else:
        assert (await account.found(ready)).filled == account.size == SIZE
        assert len(account.orders) == 1


async def test_an_answer_that_comes_too_late_is_given_up_after_the_time_limit(
    account: Account,
) -> None:
    account.fault("hang", seconds=30)
    ready = await account.prepared()
    began_s = account.world.clock.monotonic_s()

    answer = await account.venue.submit(ready)

    assert isinstance(answer, NoProof)
    assert 4.5 <= account.world.clock.monotonic_s() - began_s <= 6
    await account.world.pass_time(SETTLED_S)
    assert (await account.found(ready)).filled == SIZE


async def test_the_same_bytes_sent_twice_are_one_order(account: Account) -> None:
    """The public bot repeated a hedge that had timed out after its fill: short twice (S10)."""
    ready = await account.filled()

    again = await account.venue.submit(ready)

    assert isinstance(again, NoProof)
    await account.world.pass_time(SETTLED_S)
    assert account.size == SIZE
    assert len(account.orders) == 1


async def test_a_refused_connection_proves_that_nothing_was_sent(account: Account) -> None:
    async with account.over_a_cable() as (venue, wire):
        ready = await account.prepare(await account.order(), venue)
        await wire.cut()
        with pytest.raises(UnavailableError):
            await venue.positions()

        answer = await venue.submit(ready)

    assert isinstance(answer, NeverSent)
    await assert_untaken(account, ready)


async def test_a_connection_that_breaks_after_the_order_left_proves_nothing(
    account: Account,
) -> None:
    async with account.over_a_cable() as (venue, _):
        ready = await account.prepare(await account.order(), venue)
        account.fault("drop_answer", when="after")

        answer = await venue.submit(ready)

    assert isinstance(answer, NoProof)
    await account.world.pass_time(SETTLED_S)
    assert (await account.found(ready)).filled == SIZE


# -- the fence ----------------------------------------------------------------------------------


async def test_the_fence_that_the_venue_claims_makes_a_late_order_impossible(
    account: Account,
) -> None:
    """An order nobody can find is dead only when the venue can no longer execute it."""
    ready = await account.prepared()
    match account.venue.capabilities.fence:
        case Fence.EXPIRY:
            margin_s = account.venue.capabilities.clock_skew_s
            lives_s = (ready.expires_at - account.world.clock.now()).total_seconds()
            await account.world.pass_time(lives_s + margin_s)
        case Fence.NONCE:
            burn = await account.venue.prepare_burn(ready)
            assert (burn.lane, burn.nonce) == (ready.lane, ready.nonce)
            assert burn.client_id != ready.client_id
            assert isinstance(await account.venue.find(burn), NotFound)
            assert isinstance(await account.venue.submit(burn), Accepted)
            await account.world.pass_time(SETTLED_S)
            assert (await account.found(burn)).final

    answer = await account.venue.submit(ready)

    assert isinstance(answer, Declined | NoProof)
    await account.world.pass_time(SETTLED_S)
    assert isinstance(await account.venue.find(ready), NotFound)
    assert account.size == 0


async def test_an_order_that_is_dead_by_its_fence_leaves_the_next_one_free(
    account: Account,
) -> None:
    await test_the_fence_that_the_venue_claims_makes_a_late_order_impossible(account)

    await account.filled(2)


async def assert_untaken(account: Account, ready: Prepared) -> None:
    """The venue has never heard of it, and its nonce, if any, is still free."""
    await account.world.pass_time(SETTLED_S)
    assert account.orders == []
    assert isinstance(await account.venue.find(ready), NotFound)
    if account.venue.lane(ready.order.purpose) is not None:
        assert await account.nonce(ready.order.purpose) == ready.nonce


def tampered(ready: Prepared) -> str:
    """The payload with twice the size, under the signature of the real one."""
    body: dict[str, Any] = json.loads(ready.payload)
    if "tx_info" in body:
        info = json.loads(body["tx_info"])
        info["BaseAmount"] *= 2
        body["tx_info"] = json.dumps(info)
    else:
        body["qty"] = "0.2"
    return json.dumps(body)
