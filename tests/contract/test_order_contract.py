"""
What the core relies on at every venue: one order, from signing to proof.

One suite over the real adapters, SDKs and sockets of both venues.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedger.domain.hedge import State
from hedger.domain.ids import OrderId
from hedger.domain.order import (
    Accepted,
    Declined,
    NeverSent,
    NoProof,
    NotFound,
    Prepared,
    Purpose,
    Reason,
    Side,
)
from hedger.errors import UnavailableError, VenueError
from hedger.ledger import migrate
from hedger.ledger.store import open_store
from hedger.ports import Fence
from tests.builders import a_hedge
from tests.contract.account import HEDGE, SETTLED_S, SIZE, Account

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


# -- signing ------------------------------------------------------------------------------------


async def test_preparing_gives_the_same_client_id_and_changes_nothing(account: Account) -> None:
    order = await account.order()

    first, second = await account.prepare(order), await account.prepare(order)
    other = await account.prepare(replace(order, id=OrderId(f"{HEDGE}-2"), attempt=2))

    assert first.client_id == second.client_id != other.client_id
    assert first.nonce == second.nonce
    await account.world.pass_time(SETTLED_S)
    assert account.orders == []
    assert await account.nonce(Purpose.OPEN) == (
        None if account.venue.lane(Purpose.OPEN) is None else first.nonce
    )


@pytest.mark.parametrize(
    "wrong", [{"size": Decimal("0.10005001")}, {"limit_price": Decimal("3000.00001")}]
)
async def test_what_is_off_its_step_is_not_signed(account: Account, wrong: dict[str, Any]) -> None:
    order = await account.order()

    with pytest.raises(VenueError):
        await account.prepare(replace(order, **wrong))


# -- an order that goes well --------------------------------------------------------------------


async def test_an_order_that_is_sent_once_fills_once(account: Account) -> None:
    ready, answer = await account.sent()

    assert isinstance(answer, Accepted)
    (row,) = account.orders
    assert (row["client_id"], Decimal(row["size"]), row["reduce_only"]) == (
        ready.client_id,
        SIZE,
        False,
    )
    assert account.size == SIZE


@pytest.mark.parametrize("side", Side)
async def test_an_order_is_found_by_our_id_with_every_fill_and_fee(
    account: Account, side: Side
) -> None:
    """The public bot took a confirmation without a quantity for a complete fill (S11)."""
    ready = await account.filled(side=side)

    found = await account.found(ready)

    (row,) = account.orders
    assert found.complete
    assert found.venue_order_id == row["id"]
    assert found.filled == Decimal(row["filled"])
    trades = {trade["id"]: trade for trade in account.truth("trades")}
    assert {fill.trade_id for fill in found.fills} == trades.keys()
    for fill in found.fills:
        trade = trades[fill.trade_id]
        assert (fill.size, fill.price, fill.fee_usd) == tuple(
            Decimal(trade[key]) for key in ("size", "price", "fee")
        )
        assert (fill.side, fill.order) == (side, ready.order.id)
    assert sum(fill.fee_usd for fill in found.fills) == Decimal(row["fee"]) > 0


@pytest.mark.parametrize(("fault", "filled"), [("partial_fill", "0.04"), ("no_fill", "0")])
async def test_what_filled_in_part_or_not_at_all_ends_with_its_real_size(
    account: Account, fault: str, filled: str
) -> None:
    account.fault(fault, **({"fraction": "0.4"} if fault == "partial_fill" else {}))

    ready, answer = await account.sent()

    assert isinstance(answer, Accepted)
    found = await account.found(ready)
    assert found.complete
    assert found.filled == account.size == Decimal(filled)


@pytest.mark.parametrize("reason", ["margin", "no_liquidity", "slippage"])
async def test_what_was_accepted_and_then_cancelled_is_a_proven_zero(
    account: Account, reason: str
) -> None:
    """Accepted says nothing of execution, on X10 no more than on Lighter (S22, S23)."""
    account.fault("reject", reason=reason)

    ready, answer = await account.sent()

    assert isinstance(answer, Accepted)
    found = await account.found(ready)
    assert found.complete
    assert found.filled == account.size == 0


async def test_an_order_that_waits_for_its_match_is_not_final(account: Account) -> None:
    account.fault("slow_match", seconds=8)

    ready, answer = await account.sent()

    assert isinstance(answer, Accepted)
    sighting = await account.venue.find(ready)
    assert isinstance(sighting, NotFound) or not sighting.final
    await account.world.pass_time(8)
    assert (await account.found(ready)).filled == SIZE


async def test_an_order_that_the_venue_does_not_know_is_not_found(account: Account) -> None:
    await account.filled()
    asked_after = account.world.clock.now()

    sighting = await account.venue.find(await account.prepared(2))

    assert isinstance(sighting, NotFound)
    assert asked_after <= sighting.asked_at <= account.world.clock.now()


async def test_an_order_from_the_ledger_is_found_by_a_new_process(
    account: Account, tmp_path: Path
) -> None:
    sent = await account.prepared()
    ledger, clock = tmp_path / "ledger.db", account.world.clock
    migrate.upgrade(ledger, clock)
    store = open_store(ledger, clock)
    store.plan(a_hedge(State.PLANNED, id=HEDGE))
    store.intend(sent, move_to=(State.OPENING_A, "sent"))
    store.close()
    assert isinstance(await account.venue.submit(sent), Accepted)
    await account.world.pass_time(SETTLED_S)

    store = open_store(ledger, clock)
    (loaded,) = store.open_intents(HEDGE)
    store.close()
    venue = account.another()
    await venue.start()
    sighting = await venue.find(loaded)
    again = await venue.submit(loaded)
    await venue.close()

    assert loaded == sent
    assert sighting == await account.found(sent)
    assert isinstance(again, NoProof)
    await account.world.pass_time(SETTLED_S)
    assert account.size == SIZE


# -- taking exposure off ------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("purpose", [Purpose.CLOSE, Purpose.ROLLBACK])
async def test_a_reduction_without_a_position_opens_nothing(
    account: Account, side: Side, purpose: Purpose
) -> None:
    """The public bot repeated a failed close without reduce-only and opened the other side (S24)"""
    ready, answer = await account.sent(side=side, purpose=purpose)

    await assert_nothing_came_of(account, ready, answer)
    assert account.size == 0


async def test_a_reduction_on_the_side_of_the_position_adds_nothing(account: Account) -> None:
    await account.filled()

    ready, answer = await account.sent(2, purpose=Purpose.ROLLBACK)

    await assert_nothing_came_of(account, ready, answer)
    assert account.size == SIZE


@pytest.mark.parametrize("side", Side)
async def test_a_reduction_larger_than_the_position_never_flips_it(
    account: Account, side: Side
) -> None:
    """The public bot rolled back the target size after a partial fill and flipped (S14)."""
    await account.filled(side=side)

    ready, answer = await account.sent(
        2, side=side.opposite, size=SIZE * 2, purpose=Purpose.ROLLBACK
    )

    if isinstance(answer, Declined):
        assert answer.reason is Reason.REDUCE_ONLY
        assert account.size == side.sign * SIZE
    else:
        assert (await account.found(ready)).filled == SIZE
        assert account.size == 0


async def test_a_reduction_by_a_part_leaves_the_rest(account: Account) -> None:
    await account.filled()

    await account.filled(2, side=Side.SELL, size="0.04", purpose=Purpose.ROLLBACK)

    assert account.orders[-1]["reduce_only"] is True
    assert account.size == Decimal("0.06")


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


# -- cancelling ---------------------------------------------------------------------------------


async def test_cancelling_what_has_ended_changes_nothing(account: Account) -> None:
    ready = await account.filled()

    await account.venue.cancel(ready)
    await account.world.pass_time(SETTLED_S)

    assert (await account.found(ready)).filled == account.size == SIZE
    assert list(await account.venue.open_orders()) == []


async def test_cancelling_what_works_ends_it_with_proof(account: Account) -> None:
    account.fault("slow_match", seconds=8)
    ready, _ = await account.sent()

    await account.venue.cancel(ready)
    await account.world.pass_time(20)

    found = await account.found(ready)
    assert found.complete
    assert found.filled == account.size
    assert list(await account.venue.open_orders()) == []


# -- helpers ------------------------------------------------------------------------------------


async def assert_untaken(account: Account, ready: Prepared) -> None:
    """The venue has never heard of it, and its nonce, if any, is still free."""
    await account.world.pass_time(SETTLED_S)
    assert account.orders == []
    assert isinstance(await account.venue.find(ready), NotFound)
    if account.venue.lane(ready.order.purpose) is not None:
        assert await account.nonce(ready.order.purpose) == ready.nonce


async def assert_nothing_came_of(account: Account, ready: Prepared, answer: object) -> None:
    """Refused at the door for its reduce-only, or taken in and ended with nothing."""
    if isinstance(answer, Declined):
        assert answer.reason is Reason.REDUCE_ONLY
    else:
        found = await account.found(ready)
        assert found.complete
        assert found.filled == 0


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
