"""
The process ends in the middle of the work, and the next one takes up what it finds.

The public bots wrote a trade down when both legs had filled, so a process that was killed in
between left a leg that its successor knew nothing of. Here the work is stopped where it
stands; all that is in memory is gone; the next process has the ledger and the venues.
"""

import asyncio
import contextlib
from collections.abc import Awaitable
from decimal import Decimal
from typing import Any

import pytest

from hedger.domain.hedge import Hedge, State
from hedger.domain.money import ZERO
from hedger.domain.order import Purpose
from hedger.ledger.records import OrderState
from tests.desk import Desk
from tests.scenarios.test_reconciling import foreign_order
from tests.world import LIGHTER, X10

REQUESTS = ["order", "positions", "orders", "nonce", "balance", "public"]
LATENCY_S = 0.1  # then opening takes 3.7 s, closing 2.7 s, and a rollback begins after 2.3 s
EVERY_S = 0.2
LONG_AFTER_S = 30.0


def between(first_s: float, last_s: float) -> list[float]:
    """Instants at which nothing happens by itself: half way between two answers."""
    count = round((last_s - first_s) / EVERY_S)
    return [round(first_s + number * EVERY_S + LATENCY_S / 2, 2) for number in range(count)]


# -- at every point -----------------------------------------------------------------------------


@pytest.mark.parametrize("stop_s", between(0, 3.7))
async def test_a_hedge_whose_opening_stops_anywhere_never_keeps_one_leg(
    desk: Desk, stop_s: float
) -> None:
    """The bot was killed between two legs and its successor knew of none (S1, S2)."""
    make_every_request_slow(desk)

    await stopped_after(desk.open("ETH", 300), stop_s)
    await desk.restart()

    for hedge in desk.store.live():
        assert hedge.state is State.OPEN
        assert abs(desk.position(X10)) == hedge.planned_size
    assert desk.naked() == ZERO
    desk.assert_ledger_is_true()
    assert_every_order_was_an_intent(desk)


@pytest.mark.parametrize("stop_s", between(0, 2.7))
async def test_a_hedge_whose_closing_stops_anywhere_is_closed_by_the_next_process(
    desk: Desk, stop_s: float
) -> None:
    """The bot was killed while it closed: one leg was left, in state "open"."""
    hedge = await desk.open("ETH", 300)
    make_every_request_slow(desk)

    await stopped_after(desk.close(hedge), stop_s)
    began = desk.store.hedge(hedge.id).state is not State.OPEN
    await desk.restart()

    assert desk.store.hedge(hedge.id).state is (State.CLOSED if began else State.OPEN)
    assert (desk.position(X10) == ZERO) == began
    assert desk.naked() == ZERO
    desk.assert_ledger_is_true()
    assert_every_order_was_an_intent(desk)


@pytest.mark.parametrize("stop_s", between(2.2, 4.4))
async def test_a_rollback_that_stops_anywhere_is_finished_by_the_next_process(
    desk: Desk, stop_s: float
) -> None:
    """The bot was killed while it rolled back, and the orphan stayed."""
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False, times=0)
    make_every_request_slow(desk)

    await stopped_after(desk.open("ETH", 300), stop_s)
    await desk.restart()

    assert desk.store.live() == []
    desk.assert_flat()
    desk.assert_ledger_is_true()
    assert_every_order_was_an_intent(desk)


async def test_two_processes_that_stop_leave_no_more_than_one(desk: Desk) -> None:
    """The second process was killed while it took up what the first had left."""
    make_every_request_slow(desk)
    await stopped_after(desk.open("ETH", 300), 1.85)
    for _ in range(6):
        await stopped_after(desk.restart(), 0.25)

    await desk.restart()

    assert desk.naked() == ZERO
    desk.assert_ledger_is_true()
    assert_every_order_was_an_intent(desk)


# -- at chosen states of the ledger -------------------------------------------------------------


async def test_a_hedge_that_was_only_planned_is_dropped(desk: Desk) -> None:
    """Nothing had been committed, so nothing can have been sent."""
    desk.world.fault(LIGHTER, "hang", op="positions", seconds=3)

    await stopped_after(desk.open("ETH", 300), 1)
    assert only_hedge(desk).state is State.PLANNED
    await desk.restart()

    assert only_hedge(desk).state is State.CLOSED_FLAT
    assert desk.world.orders(X10) == []
    assert (await desk.open("ETH", 300)).state is State.OPEN


@pytest.mark.parametrize("fault", [{"kind": "hang", "seconds": 4}, {"kind": "slow_match"}])
async def test_a_first_leg_that_filled_unseen_is_found_and_hedged(
    desk: Desk, fault: dict[str, Any]
) -> None:
    """The kill between the order's acknowledgement and the write of it: nothing was known."""
    desk.world.fault(X10, **{"seconds": 2, **fault})

    await stopped_after(desk.open("ETH", 300), 1)
    assert only_hedge(desk).state is State.OPENING_A
    assert [r["state"] for r in desk.rows("orders")] == [OrderState.PREPARED]
    await desk.restart()

    assert only_hedge(desk).state is State.OPEN
    assert abs(desk.position(X10)) == only_hedge(desk).planned_size
    assert desk.naked() == ZERO
    desk.assert_ledger_is_true()


async def test_a_first_leg_is_not_hedged_long_after(desk: Desk) -> None:
    """The process comes back half a minute later: prices have moved on, so the leg goes."""
    desk.world.fault(X10, "hang", seconds=4)

    await stopped_after(desk.open("ETH", 300), 1)
    await desk.world.pass_time(LONG_AFTER_S)
    await desk.restart()

    hedge = only_hedge(desk)
    assert hedge.state is State.CLOSED
    assert desk.world.orders(LIGHTER) == []
    assert desk.orders(hedge, Purpose.ROLLBACK)[0].filled_size == hedge.planned_size
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_a_first_order_that_never_arrived_is_waited_out_and_not_sent_again(
    desk: Desk,
) -> None:
    """The bot sent the order again after its restart; had it arrived, that was twice."""
    desk.world.fault(X10, "drop_answer", when="before")

    await stopped_after(desk.open("ETH", 300), 1)
    await desk.restart()

    assert only_hedge(desk).state is State.CLOSED_FLAT
    assert [r["state"] for r in desk.rows("orders")] == [OrderState.DEAD]
    assert desk.world.orders(X10) == []
    desk.assert_flat()


async def test_a_second_leg_that_filled_unseen_is_found(desk: Desk) -> None:
    """The kill between the second fill and the write of it: "opening" for ever, or twice."""
    desk.world.fault(LIGHTER, "hang", op="order", seconds=4)

    await stopped_after(desk.open("ETH", 300), 2.5)
    assert only_hedge(desk).state is State.OPENING_B
    await desk.restart()

    assert only_hedge(desk).state is State.OPEN
    assert len(desk.world.orders(LIGHTER)) == 1
    assert desk.naked() == ZERO
    desk.assert_ledger_is_true()


async def test_a_second_leg_that_never_arrived_is_fenced_off_and_the_first_taken_back(
    desk: Desk,
) -> None:
    """Its bytes stay valid for ten minutes, so their nonce is used up before anything else."""
    desk.world.fault(LIGHTER, "drop_answer", when="before", op="order", times=0)

    await stopped_after(desk.open("ETH", 300), 1.5)
    assert only_hedge(desk).state is State.OPENING_B
    desk.world.no_faults()
    await desk.restart()

    hedge = only_hedge(desk)
    assert hedge.state is State.CLOSED
    assert [r["state"] for r in desk.rows("orders", venue=LIGHTER)] == [OrderState.DEAD]
    assert len(desk.events("burn")) == 1
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_an_open_hedge_is_left_as_it_is(desk: Desk) -> None:
    """The bot opened a second pair beside the first after its restart (S30)."""
    hedge = await desk.open("ETH", 300)

    await desk.restart()

    assert desk.store.hedge(hedge.id) == hedge
    assert len(desk.world.orders(X10)) == len(desk.world.orders(LIGHTER)) == 1
    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_recovery_with_an_unreadable_venue_changes_nothing_it_cannot_prove(
    desk: Desk,
) -> None:
    """Both venues answered 503 at the bot's boot, and it closed every trade with nothing (S3)."""
    desk.world.fault(LIGHTER, "hang", op="order", seconds=4)
    await stopped_after(desk.open("ETH", 300), 2.5)
    reads = ["positions", "orders", "balance", "nonce"]
    for venue in (X10, LIGHTER):
        desk.world.fault(venue, "bad_reads", what=reads, times=0)

    await desk.restart()

    assert only_hedge(desk).state is State.ESCALATED
    assert abs(desk.position(X10)) == abs(desk.position(LIGHTER)) > ZERO
    desk.world.no_faults()
    await desk.restart()
    assert only_hedge(desk).state in (State.OPEN, State.CLOSED)
    assert desk.naked() == ZERO
    desk.assert_ledger_is_true()


async def stopped_after(work: Awaitable[Any], seconds: float) -> None:
    """Run something for so long and stop it where it stands."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(work, seconds)


def make_every_request_slow(desk: Desk) -> None:
    """Each request is answered a while after its effect, so that there are points between."""
    for venue in (X10, LIGHTER):
        desk.world.fault(venue, "hang", op=REQUESTS, seconds=LATENCY_S, times=0)


def only_hedge(desk: Desk) -> Hedge:
    """The newest state of the one hedge."""
    (row,) = desk.rows("hedges")
    return desk.store.find(row["id"])


def assert_every_order_was_an_intent(desk: Desk) -> None:
    """No order reached a venue that the ledger had not committed first, and none twice."""
    known = {(row["venue"], row["client_id"]): row for row in desk.rows("orders")}
    for venue in (X10, LIGHTER):
        taken = [order["client_id"] for order in desk.world.orders(venue)]
        assert len(taken) == len(set(taken))
        assert {(venue, client_id) for client_id in taken} <= known.keys()
        opened = [order for order in desk.world.orders(venue) if not order["reduce_only"]]
        assert sum(Decimal(order["filled"]) > ZERO for order in opened) <= 1


async def test_a_leg_that_was_lost_is_measured_while_another_hedge_is_taken_up(desk: Desk) -> None:
    """The end of an order of that one is sought, and nothing else is done before."""
    lost = await desk.open("SOL", 300)
    desk.world.fault(LIGHTER, "drop_answer", when="after", reduce_only=False)
    desk.world.fault(LIGHTER, "bad_reads", what=["orders"], times=0)
    await stopped_after(desk.open("ETH", 300), LONG_AFTER_S)
    foreign_order(desk, X10, -desk.position(X10, "SOL"), symbol="SOL")
    await desk.world.pass_time(1)
    began_s = desk.world.clock.monotonic_s()

    await desk.restart()

    took_s = desk.world.clock.monotonic_s() - began_s
    assert desk.trader.naked.look()[lost.id] > took_s - 1 > 10
