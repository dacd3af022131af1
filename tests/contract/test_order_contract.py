"""
What the core relies on at every venue: one order, from signing to proof.

One suite over the real adapters, SDKs and sockets of both venues.
"""

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
    NoProof,
    NotFound,
    Prepared,
    Purpose,
    Reason,
    Side,
)
from hedger.errors import VenueError
from hedger.ledger import migrate
from hedger.ledger.store import open_store
from tests.builders import a_hedge
from tests.contract.account import HEDGE, SETTLED_S, SIZE, Account

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
    with open_store(ledger, clock) as store:
        store.plan(a_hedge(State.PLANNED, id=HEDGE))
        store.intend(sent, move_to=(State.OPENING_A, "sent"))
    assert isinstance(await account.venue.submit(sent), Accepted)
    await account.world.pass_time(SETTLED_S)

    with open_store(ledger, clock) as store:
        (loaded,) = store.open_intents(HEDGE)
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


# -- cancelling ---------------------------------------------------------------------------------


async def cancelled(account: Account, ready: Prepared) -> None:
    """A cancel is sent: with a nonce of the lane for reducing orders, where there are lanes."""
    lane = account.venue.lane(Purpose.ROLLBACK)
    if lane is None:
        await account.venue.cancel(ready)
        return
    nonce = await account.venue.next_nonce(lane)
    asked = await account.venue.prepare_cancel(ready, nonce)
    assert isinstance(await account.venue.submit_filler(asked), Accepted)


async def test_cancelling_what_has_ended_changes_nothing(account: Account) -> None:
    ready = await account.filled()

    await cancelled(account, ready)
    await account.world.pass_time(SETTLED_S)

    assert (await account.found(ready)).filled == account.size == SIZE
    assert list(await account.venue.open_orders()) == []


async def test_cancelling_what_works_ends_it_with_proof(account: Account) -> None:
    account.fault("slow_match", seconds=8)
    ready, _ = await account.sent()

    await cancelled(account, ready)
    await account.world.pass_time(20)

    found = await account.found(ready)
    assert found.complete
    assert found.filled == account.size
    assert list(await account.venue.open_orders()) == []


async def assert_nothing_came_of(account: Account, ready: Prepared, answer: object) -> None:
    """Refused at the door for its reduce-only, or taken in and ended with nothing."""
    if isinstance(answer, Declined):
        assert answer.reason is Reason.REDUCE_ONLY
    else:
        found = await account.found(ready)
        assert found.complete
        assert found.filled == 0
