"""
What went wrong is followed to its end: by the running program, by the next one, by a person.

Issue B, sections 1, 3 and 6. Each test names the story it replays (scenarios.md).
"""

import asyncio
import contextlib
from datetime import timedelta
from decimal import Decimal

import pytest

from hedger.domain.hedge import State
from hedger.domain.money import ZERO
from hedger.domain.order import Purpose
from hedger.errors import UsageError
from hedger.ledger.records import OrderState
from tests.desk import Desk
from tests.scenarios import facts
from tests.scenarios.scenes import (
    FOR_EVER,
    a_pair_at_rest,
    a_working_order_believed_dead,
    either_venue,
    reconcile,
)
from tests.world import LIGHTER, X10

# -- reads that are not the truth (S3, S4, S5, S34) ----------------------------------------------


async def test_s3_both_venues_unreadable_at_boot_change_nothing(desk: Desk) -> None:
    """Two 503s were "flat", and every trade was closed with a profit of zero."""
    hedge = await desk.open("ETH", 300)
    for venue in (X10, LIGHTER):
        desk.world.fault(venue, "bad_reads", what=["positions", "orders", "balance"], **FOR_EVER)

    await desk.restart()
    row = await reconcile(desk)

    assert sorted(row["in_doubt"]) == [LIGHTER, X10]
    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert len(desk.orders(hedge)) == 2
    with pytest.raises(UsageError, match="in doubt"):
        await desk.open("BTC", 300)


@either_venue
async def test_s4_one_unreadable_venue_does_not_make_the_other_leg_a_stray(
    desk: Desk, venue: str
) -> None:
    """One venue's 503 turned the other venue's healthy leg into a "zombie" that was closed."""
    hedge = await a_pair_at_rest(desk)
    desk.world.fault(venue, "bad_reads", what=["positions"], **FOR_EVER)

    row = await reconcile(desk)

    assert (list(row["in_doubt"]), row["differences"]) == ([venue], [])
    assert "503" in row["in_doubt"][venue]  # not read, and not taken for an empty answer
    assert len(desk.orders(hedge)) == 2
    assert desk.naked() == ZERO


@either_venue
async def test_s5_empty_answers_that_the_trades_contradict_close_nothing(
    desk: Desk, venue: str
) -> None:
    """Two bad reads closed a healthy hedge; here no number of them does against the trades."""
    hedge = await a_pair_at_rest(desk)
    desk.world.fault(venue, "empty_reads", what=["positions"], **FOR_EVER)

    row = await reconcile(desk)

    assert row["differences"] == []
    assert "its own trades make" in row["in_doubt"][venue]
    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert len(desk.orders(hedge)) == 2
    desk.world.no_faults()
    assert (await reconcile(desk))["in_doubt"] == {}


@either_venue
async def test_s5_a_close_does_not_take_empty_answers_for_its_end(desk: Desk, venue: str) -> None:
    """The same in a close: both legs stand for as long as the answers are empty, and alerted."""
    hedge = await a_pair_at_rest(desk)
    desk.world.fault(venue, "empty_reads", what=["positions"], **FOR_EVER)

    hedge = await desk.close(hedge)

    assert hedge.state is State.OPEN
    assert desk.position(X10) == -desk.position(LIGHTER) != ZERO
    assert any(venue in row["text"] for row in desk.events("exit_stands"))
    desk.world.no_faults()
    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()


@either_venue
async def test_s48_a_vanished_leg_is_believed_in_the_end_when_its_trades_cannot_be_read(
    desk: Desk, venue: str
) -> None:
    """The second source must not become the reason why a leg stays alone."""
    hedge = await a_pair_at_rest(desk)
    desk.world.fault(venue, "liquidate", market="ETH")
    desk.world.fault(venue, "bad_reads", what=["orders"], **FOR_EVER)
    await desk.world.pass_time(1)

    await desk.trader.hold_against_accounts()
    assert desk.store.hedge(hedge.id).state is State.OPEN
    await desk.world.pass_time(6)
    await desk.trader.hold_against_accounts()

    assert desk.naked() == ZERO
    assert desk.store.hedge(hedge.id).state is State.CLOSED


async def test_s34_maintenance_while_the_nonce_is_asked_opens_nothing_and_exits_go_on(
    desk: Desk,
) -> None:
    """A 503 for the nonce ended the process of the bot, with its positions."""
    desk.world.fault(LIGHTER, "bad_reads", what=["nonce"], **FOR_EVER)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.REFUSED
    assert desk.world.orders(LIGHTER) == desk.world.orders(X10) == []
    desk.world.no_faults()
    hedge = await desk.open("ETH", 300)
    desk.world.fault(X10, "bad_reads", what=["nonce", "balance"], **FOR_EVER)
    assert (await desk.close(hedge)).state is State.CLOSED  # an exit asks for neither
    desk.assert_flat()
    desk.assert_ledger_is_true()


# -- after a crash (S1, S2, S30, S32) ------------------------------------------------------------


@pytest.mark.parametrize("stop_s", [0.35, 1.2, 2.4])
async def test_s1_s2_a_kill_after_leg_1_is_made_whole_by_the_next_process_in_time(
    desk: Desk, stop_s: float
) -> None:
    """The killed bot left its first leg alone for hours, and the slot taken for ever."""
    desk.world.fault(X10, "hang", seconds=3, reduce_only=False)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(desk.open("ETH", 300), stop_s)

    await desk.restart()

    (row,) = desk.rows("hedges")
    facts.assert_in_order(desk, desk.store.find(row["id"]))
    assert desk.events("recovered")


async def test_s30_a_restart_beside_an_open_pair_opens_no_second_one(desk: Desk) -> None:
    """The bot opened a second pair on the same market after its restart."""
    await desk.open("ETH", 300)
    await desk.restart()

    with pytest.raises(UsageError, match="ETH"):
        await desk.open("ETH", 300)

    assert len(desk.world.orders(X10)) == len(desk.world.orders(LIGHTER)) == 1


@either_venue
async def test_s32_a_close_whose_status_cannot_be_fetched_is_never_sent_as_an_opening(
    desk: Desk, venue: str
) -> None:
    """The close's status failed, it was sent again as an opening order, and 5 became 30."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(venue, "bad_reads", what=["orders"], times=9)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    facts.assert_in_order(desk, hedge)  # reduce-only, and never turned round
    assert len(facts.taken(desk, venue, reduce_only=False)) == 1


# -- orders that a venue keeps working (S12, S60) ------------------------------------------------


@either_venue
@pytest.mark.parametrize("completes_s", [0, 10.3, 14])
async def test_s12_an_order_that_rests_is_followed_until_it_has_ended(
    desk: Desk, venue: str, completes_s: float
) -> None:
    """
    40 % fill, a cancel loses the race, the rest fills: the tracker had forgotten the order.

    10.3 s is while the cancel is on its way. Every coin that filled is hedged or taken back.
    """
    fault = {"fraction": "0.4", "seconds": completes_s}
    desk.world.fault(venue, "keep_working", reduce_only=False, **fault)

    hedge = await desk.open("ETH", 300)

    assert hedge.state.at_rest
    assert desk.naked() == ZERO
    assert not [order for order in desk.world.orders(venue) if order["status"] == "new"]
    (row,) = facts.sent(desk, venue, "open")
    (truth,) = facts.taken(desk, venue, reduce_only=False)
    assert Decimal(row["filled_size"]) == Decimal(truth["filled"]) > ZERO
    assert desk.events("cancel_asked")
    desk.assert_ledger_is_true()


async def test_s12_a_working_order_of_ours_that_the_ledger_has_ended_is_cancelled(
    desk: Desk,
) -> None:
    """The account is watched, not only the hedges: what still works there is found."""
    await a_working_order_believed_dead(desk)
    assert [r["state"] for r in desk.rows("orders")] == [OrderState.DEAD]
    desk.world.no_faults()

    await reconcile(desk)
    await desk.world.pass_time(1)

    assert [order["status"] for order in desk.world.orders(X10)] == ["cancelled"]
    assert "still works on our order" in desk.store.unacknowledged()[-1].text


async def test_s60_a_stop_leaves_no_opening_order_and_keeps_a_protective_close(desk: Desk) -> None:
    """Docker's SIGTERM left a maker leg resting, which filled when nobody looked."""
    desk.world.fault(X10, "keep_working", reduce_only=False)
    began = desk.world.clock.now()

    hedge = await desk.open("ETH", 300)  # what a stop waits for, at most 25 s

    assert hedge.state is State.CLOSED_FLAT
    assert desk.world.clock.now() - began < timedelta(seconds=25)
    assert [order["status"] for order in desk.world.orders(X10)] == ["cancelled"]

    hedge = await desk.open("ETH", 300)
    desk.world.fault(X10, "keep_working", reduce_only=True)
    closing = asyncio.ensure_future(desk.close(hedge))
    await desk.world.pass_time(25)
    assert [order["status"] for order in facts.taken(desk, X10, reduce_only=True)] == ["new"]
    assert (await closing).state is State.CLOSED  # later it is replaced, never dropped
    desk.assert_flat()
    desk.assert_ledger_is_true()


# -- late fills of dead orders -------------------------------------------------------------------


async def test_a_late_fill_of_a_dead_order_is_booked_alerted_and_taken_off(desk: Desk) -> None:
    """A venue that breaks its own bound: dead behind its fence, and filled all the same."""
    hedge = await a_working_order_believed_dead(desk, seconds=40)
    await desk.world.pass_time(30)
    assert desk.naked() != ZERO
    desk.world.no_faults()

    await desk.trader.late.run()

    hedge = desk.store.hedge(hedge.id)
    assert (hedge.state, desk.orders(hedge)[0].state) == (State.CLOSED, OrderState.FILLED)
    told = desk.store.unacknowledged()[-1]
    assert "was believed dead and filled" in told.text
    desk.assert_flat()
    desk.assert_ledger_is_true()

    await desk.trader.acknowledge([told.number], who="ada", progress=desk.said.append)

    assert told not in desk.store.unacknowledged()
    assert desk.said[-1] == f"alert {told.number} is acknowledged: {told.text}"
    (row,) = desk.events("acknowledged")
    assert (row["hedge_id"], row["text"]) == (hedge.id, f"alert {told.number} was seen, says ada")


# -- liquidation (S48) -----------------------------------------------------------


@either_venue
@pytest.mark.parametrize("fraction", ["0.4", "1"])
async def test_s48_a_liquidated_leg_is_trimmed_on_the_other_side_at_once(
    desk: Desk, venue: str, fraction: str
) -> None:
    """One leg was liquidated, the other rode naked; the trades say so, so no lag is waited out."""
    hedge = await a_pair_at_rest(desk)
    desk.world.fault(venue, "liquidate", market="ETH", fraction=fraction)
    await desk.world.pass_time(0.5)
    began = desk.world.clock.now()

    await reconcile(desk)

    assert desk.naked() == ZERO
    (trim,) = desk.orders(hedge, Purpose.ROLLBACK)
    assert trim.prepared_at - began < timedelta(seconds=4)
    assert "liquidated or deleveraged" in desk.events("forced")[0]["text"]
    with pytest.raises(UsageError, match=r"left alone for a while|already has"):
        await desk.open("ETH", 300)
    trades = len(desk.rows("orders"))
    await reconcile(desk)
    await reconcile(desk)
    assert len(desk.rows("orders")) == trades  # and it is at rest afterwards
    assert len(desk.events("forced")) == 1
    facts.assert_orders_are_ours(desk)
