"""
Sequence lanes in the whole program, against the sandbox (S33; seeds 000, 001, 003).

The venue refuses a nonce with 21104 whenever anybody else was faster, and says only with a lag
where it stands.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hedger.cancelling import cancel
from hedger.daemon import LANES_S, Daemon
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import LaneId, Symbol
from hedger.domain.order import Answer, Declined, Filler, NoProof, Prepared, Purpose, Reason
from hedger.errors import UnavailableError, UsageError
from hedger.execution.ends import ENDS_S
from hedger.home import Home
from hedger.ledger.records import OrderState
from hedger.proofs import dead
from tests.desk import Desk, at_desk
from tests.disk import without_room
from tests.world import LIGHTER, World

USABLE_WITHIN_S = 10.0
REFRESH_S = 30.0
FENCE_S = 5.0  # the declared read lag
PATIENT = {"consecutive_failures_threshold": 100}


def lane_of(desk: Desk, purpose: Purpose = Purpose.OPEN) -> LaneId:
    lane = desk.trader.venues[LIGHTER].lane(purpose)
    assert lane is not None
    return lane


async def somebody_else_uses(desk: Desk, *purposes: Purpose, times: int = 1) -> None:
    """A second program sends on our API key, and its transactions are executed."""
    venue = desk.trader.venues[LIGHTER]
    for purpose in purposes:
        first = await venue.next_nonce(lane_of(desk, purpose))
        for nonce in range(first, first + times):
            await venue.submit_filler(await venue.prepare_filler(lane_of(desk, purpose), nonce))
    await desk.world.pass_time(2)


def statistics(desk: Desk, purpose: Purpose = Purpose.OPEN) -> dict[str, Any]:
    (row,) = [row for row in desk.rows("lanes") if row["lane"] == lane_of(desk, purpose)]
    return row


def kinds(desk: Desk) -> list[str]:
    return [e["kind"] for e in desk.rows("events") if e["kind"].startswith(("lane_", "filler"))]


async def test_a_lane_in_step_says_nothing_and_counts(desk: Desk) -> None:
    for symbol in ("ETH", "BTC"):
        await desk.open(symbol, 300)

    row = statistics(desk)
    assert (row["state"], row["issued"], row["confirmed"], row["success_rate"]) == (
        "ready", 2, 2, "1.0000",
    )  # fmt: skip
    assert (row["mismatches"], row["drifts"], row["gaps"]) == (0, 0, 0)
    assert kinds(desk) == ["lane_resync", "lane_resync"]  # the first use: both keys are made ready


@pytest.mark.config(circuit_breaker={"consecutive_failures_threshold": 100})
async def test_s33_a_nonce_taken_by_somebody_else_pauses_and_heals_the_lane(desk: Desk) -> None:
    """
    Two tasks took one nonce; every later order was refused with 21104.

    Second legs that wait for the lane meanwhile go on behind the first.
    """
    await desk.open("SOL", 300)
    desk.world.fault(LIGHTER, "steal_nonce")

    hedges = await asyncio.gather(*(desk.open(symbol, 200) for symbol in ("ETH", "BTC", "LINK")))

    assert [hedge.state for hedge in hedges] == [State.OPEN] * 3
    assert all(desk.naked(symbol) == 0 for symbol in ("ETH", "BTC", "LINK"))
    dead = [row for row in desk.rows("orders", venue=LIGHTER) if row["state"] == OrderState.DEAD]
    assert len(dead) == 1
    assert kinds(desk)[2:] == ["lane_paused", "lane_drift", "lane_resync"]
    (resync,) = desk.events("lane_resync")[2:]
    assert resync["text"].startswith(f"sequence {dead[0]['nonce']} to {dead[0]['nonce'] + 1} of")
    assert resync["data"]["out_of_step_s"] <= USABLE_WITHIN_S
    assert (statistics(desk)["mismatches"], statistics(desk)["drifts"]) == (1, 1)
    assert [a.text for a in desk.store.unacknowledged() if "somebody else" in a.text]
    again = await desk.open("DOGE", 200)
    assert again.state is State.OPEN
    assert desk.orders(again)[1].prepared.nonce == dead[0]["nonce"] + 4
    desk.assert_ledger_is_true()


@pytest.mark.config(venues={"order": ["lighter", "x10"]})
async def test_s33_an_order_that_did_not_land_and_is_still_wanted_goes_on_as_a_fresh_intent(
    desk: Desk,
) -> None:
    """The first leg's order was lost with its nonce, and the opportunity with it."""
    desk.world.fault(LIGHTER, "steal_nonce")

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    dead, filled = [o for o in desk.orders(hedge) if o.prepared.order.venue == LIGHTER]
    assert (dead.state, filled.state) == (OrderState.DEAD, OrderState.FILLED)
    assert filled.prepared.client_id != dead.prepared.client_id
    assert filled.prepared.nonce == (dead.prepared.nonce or 0) + 1
    (event,) = desk.events("carried_on")
    assert event["data"]["before"] == dead.prepared.order.id
    desk.assert_ledger_is_true()


async def test_a_key_that_somebody_else_uses_is_found_between_cycles(desk: Desk) -> None:
    """Seed 000, proactive monitoring: found before an order is refused, and a person is told."""
    await desk.open("ETH", 300)
    await somebody_else_uses(desk, Purpose.OPEN, times=2)
    await desk.world.pass_time(REFRESH_S)

    await desk.trader.lanes.check()
    hedge = await desk.open("BTC", 300)

    assert hedge.state is State.OPEN
    assert statistics(desk)["mismatches"] == 0
    (drift,) = desk.events("lane_drift")
    assert "2 nonces" in drift["text"]
    assert [a.text for a in desk.store.unacknowledged()] == [drift["text"]]


@pytest.mark.config(sequence={"drift_tolerance": 2})
async def test_drift_within_the_tolerance_is_corrected_without_an_alert(desk: Desk) -> None:
    await desk.open("ETH", 300)
    await somebody_else_uses(desk, Purpose.OPEN, times=2)

    await desk.trader.lanes.check(now=True)

    assert statistics(desk)["drifts"] == 1
    assert desk.store.unacknowledged() == []
    assert (await desk.open("BTC", 300)).state is State.OPEN


async def test_a_lane_is_asked_once_in_a_refresh_interval(desk: Desk) -> None:
    await desk.open("ETH", 300)
    await somebody_else_uses(desk, Purpose.OPEN)

    await desk.trader.lanes.check()  # asked a moment ago, after the order

    assert desk.events("lane_drift") == []


@pytest.mark.config(trading={"manage_leverage": True})
async def test_a_venue_that_lags_behind_our_own_change_of_leverage_is_normal(desk: Desk) -> None:
    """Its reading was taken for a lane out of step, which was paused until the next one."""
    await desk.trader.lanes.check(now=True)
    await desk.world.pass_time(FENCE_S + 1)
    desk.world.fault(LIGHTER, "lag", what=["nonce"], seconds=2, times=0)

    await desk.trader.riskdesk.leverage.doubts(Symbol("ETH"), desk.config.venues.order)
    await desk.trader.lanes.check(now=True)

    row = statistics(desk)
    assert (row["state"], row["gaps"]) == ("ready", 0)
    await desk.world.pass_time(2)
    await desk.trader.lanes.check(now=True)
    assert "lane_gap" not in kinds(desk)


async def test_a_venue_that_lags_behind_our_own_order_is_normal(desk: Desk) -> None:
    await desk.open("ETH", 300)
    await desk.trader.lanes.check(now=True)
    desk.world.fault(LIGHTER, "lag", what=["nonce"], seconds=4, times=0)
    await desk.open("BTC", 300)
    seen = kinds(desk)

    await desk.trader.lanes.check(now=True)

    assert kinds(desk) == seen
    assert statistics(desk)["state"] == "ready"


async def test_a_gap_is_filled_from_the_venues_nonce_upward(desk: Desk) -> None:
    """Committed, and the process died before it was sent: the venue waits for ever."""
    await desk.open("ETH", 300)
    venue, lane = desk.trader.venues[LIGHTER], lane_of(desk)
    missing = await venue.next_nonce(lane)
    for nonce in (missing, missing + 1):
        desk.store.intend_filler(await venue.prepare_filler(lane, nonce))
    await desk.restart()

    hedge = await desk.open("BTC", 300)

    assert hedge.state is State.OPEN
    (gap,) = desk.events("lane_gap")
    assert f"waits for nonce {missing} of lane {lane}, our next is {missing + 2}" in gap["text"]
    assert desk.orders(hedge)[1].prepared.nonce == missing + 2
    assert statistics(desk)["gaps"] == 1
    desk.assert_ledger_is_true()


async def test_several_lanes_out_of_step_are_all_read_again(desk: Desk) -> None:
    """Seed 001, "global re-sync"."""
    hedge = await desk.open("ETH", 300)
    await desk.trader.lanes.check(now=True)
    await somebody_else_uses(desk, Purpose.OPEN, Purpose.CLOSE)

    await desk.trader.lanes.check(now=True)

    (event,) = desk.events("lane_global_resync")
    assert lane_of(desk, Purpose.OPEN) in event["text"]
    assert lane_of(desk, Purpose.CLOSE) in event["text"]
    assert [row["state"] for row in desk.rows("lanes")] == ["ready", "ready"]
    assert (await desk.close(hedge)).state is State.CLOSED
    assert statistics(desk, Purpose.CLOSE)["mismatches"] == 0


async def test_a_rollback_does_not_wait_for_an_unknown_opening_order(desk: Desk) -> None:
    """Two keys: the lane for closing is free whatever happens to the other one."""
    hedge = await desk.open("ETH", 300)

    async with desk.trader.lanes.hold(lane_of(desk)):
        assert (await desk.close(hedge)).state is State.CLOSED

    assert desk.events("one_key") == []


@pytest.fixture
async def one_key(world: World, tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk whose Lighter account has a single API key."""
    keys = world.line["lighter"]["api_keys"]
    for index in sorted(keys, key=int)[1:]:
        del keys[index]
    patient = {"consecutive_failures_threshold": 100}
    async with at_desk(world, tmp_path, circuit_breaker=patient) as desk:
        await desk.restart()
        yield desk


async def test_one_key_for_everything_works_and_says_what_it_costs(one_key: Desk) -> None:
    (event,) = one_key.events("one_key")
    assert "a rollback waits while an opening order is unknown" in event["text"]
    (row,) = one_key.rows("lanes")
    assert row["carries"] == "opening and closing orders"

    hedge = await one_key.open("ETH", 300)
    holding = one_key.trader.lanes.hold(lane_of(one_key))
    off = one_key.trader.executor.converge
    async with asyncio.TaskGroup() as group, holding:
        # a close would leave a leg alone for so long: both stand
        assert (await one_key.close(hedge)).state is State.OPEN
        assert one_key.naked() == 0
        rollback = group.create_task(off(hedge, Target.FLAT, "asked for by hand"))
        await one_key.world.pass_time(20)
        assert not rollback.done()
    assert rollback.result().state is State.CLOSED
    one_key.assert_flat()


async def test_errors_in_a_row_hold_back_openings_and_never_an_exit(one_key: Desk) -> None:
    """Seed 000, error cascade prevention; with one key, both are on the same lane."""
    desk = one_key
    held = await desk.open("SOL", 300)
    desk.world.fault(LIGHTER, "steal_nonce", times=3, reduce_only=False)
    assert (await desk.open("ETH", 200)).state is State.CLOSED  # carried on twice, in vain

    (event,) = desk.events("lane_cool_down")
    assert "opens nothing for 10 s after 3 errors in a row" in event["text"]
    assert (await desk.close(held)).state is State.CLOSED
    with pytest.raises(UsageError, match="opens nothing for another"):  # still: it did not wait
        await desk.open("DOGE", 200)
    await desk.world.pass_time(10)
    assert (await desk.open("DOGE", 200)).state is State.OPEN
    desk.assert_ledger_is_true()


@pytest.fixture
def no_second_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost order is not sent again: its nonce is burnt, and then it is dead."""
    monkeypatch.setattr("hedger.noncefence.RESEND_YOUNGER_THAN_S", 0.0)


@pytest.mark.usefixtures("no_second_sending")
@pytest.mark.config(circuit_breaker=PATIENT)
async def test_orders_that_are_lost_and_then_dead_are_errors_in_a_row(desk: Desk) -> None:
    """Seed 000: "expired" is a class of errors like "mismatch", and three stop the cascade."""
    held = await desk.open("SOL", 300)
    desk.world.fault(LIGHTER, "drop_answer", op="order", when="before", reduce_only=False, times=3)

    assert (await desk.open("ETH", 200)).state is State.CLOSED  # carried on twice, in vain

    (event,) = desk.events("lane_cool_down")
    assert event["text"].endswith("is dead")
    assert (statistics(desk)["dead"], statistics(desk)["mismatches"]) == (3, 0)
    with pytest.raises(UsageError, match="opens nothing for another"):
        await desk.open("DOGE", 200)
    assert (await desk.close(held)).state is State.CLOSED
    desk.assert_ledger_is_true()


@pytest.mark.usefixtures("no_second_sending")
async def test_a_nonce_is_burnt_on_another_market_where_the_order_s_own_has_gone(
    desk: Desk,
) -> None:
    """Burns were refused for as long as the market was away, and leg A stood alone meanwhile."""
    lighter: Any = desk.trader.venues[LIGHTER]
    submit = lighter.submit

    async def lost(_: Prepared) -> Answer:
        lighter.submit = submit
        desk.world.change_market(LIGHTER, "ETH", listed=False)
        return NoProof("cut off")

    lighter.submit = lost
    began = desk.world.clock.now()

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    assert (desk.world.clock.now() - began).total_seconds() < 20
    desk.assert_flat()
    dead, refused = [o for o in desk.orders(hedge) if o.prepared.order.venue == LIGHTER]
    assert refused.state is OrderState.REFUSED
    assert len(desk.store.burns_of(dead.prepared)) == 2
    desk.assert_ledger_is_true()


@pytest.mark.config(circuit_breaker=PATIENT)
async def test_an_order_refused_for_its_nonce_and_then_dead_is_one_error(desk: Desk) -> None:
    await desk.open("SOL", 300)
    desk.world.fault(LIGHTER, "steal_nonce", times=2, reduce_only=False)

    assert (await desk.open("ETH", 200)).state is State.OPEN  # carried on twice

    assert (statistics(desk)["mismatches"], statistics(desk)["dead"]) == (2, 2)
    assert desk.events("lane_cool_down") == []
    assert (await desk.open("DOGE", 200)).state is State.OPEN


async def an_order_without_proof(desk: Desk) -> Hedge:
    await desk.open("SOL", 300)
    desk.world.fault(LIGHTER, "drop_answer", when="before", reduce_only=False)
    desk.world.fault(LIGHTER, "bad_reads", what=["orders"], times=0)
    hedge = await desk.open("ETH", 300)
    assert hedge.state is State.ESCALATED
    assert statistics(desk)["unknown"] == 1
    return hedge


@pytest.mark.config(sequence={"max_consecutive_errors": 1, "cool_down_s": 300})
async def test_an_order_without_proof_is_an_error_of_its_lane(desk: Desk) -> None:
    await an_order_without_proof(desk)

    (event,) = desk.events("lane_cool_down")
    assert event["text"].endswith("is unknown")
    assert statistics(desk)["reason"].endswith("is unknown")
    assert statistics(desk)["cool_down_until"]


@pytest.mark.config(
    sequence={"max_consecutive_errors": 2, "cool_down_s": 60}, execution={"resolve_budget_s": 6}
)
async def test_an_order_whose_end_is_sought_again_and_again_is_one_error(desk: Desk) -> None:
    hedge = await an_order_without_proof(desk)
    for _ in range(2):
        hedge = await desk.trader.executor.resume(hedge)
        assert statistics(desk)["unknown"] == 1
    desk.world.no_faults()

    assert (await desk.trader.executor.resume(hedge)).state is State.CLOSED

    assert statistics(desk)["dead"] == 1
    assert desk.events("lane_cool_down") == []


async def errors_and_refusals(desk: Desk, *faults: str) -> None:
    """Openings one after another; each meets a refusal, or a theft and then a refusal."""
    for symbol, fault in zip(("ETH", "BTC", "LINK", "XRP"), faults, strict=False):
        if fault == "steal_nonce":
            desk.world.fault(LIGHTER, fault, reduce_only=False)
        desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)
        assert (await desk.open(symbol, 200)).state is State.CLOSED


@pytest.mark.config(circuit_breaker=PATIENT, sequence={"max_consecutive_errors": 2})
async def test_an_order_refused_for_its_own_sake_is_no_error_of_its_lane(desk: Desk) -> None:
    """ "Everything else (not ours to repair)"."""
    await errors_and_refusals(desk, "refuse", "refuse", "steal_nonce")

    assert (statistics(desk)["refused"], statistics(desk)["mismatches"]) == (3, 1)
    assert desk.events("lane_cool_down") == []


@pytest.mark.config(circuit_breaker=PATIENT, sequence={"max_consecutive_errors": 2})
async def test_an_order_refused_for_its_own_sake_does_not_end_a_row_of_errors(desk: Desk) -> None:
    """It used no nonce, so it does not show that the lane is in step."""
    await errors_and_refusals(desk, "steal_nonce", "refuse", "steal_nonce")

    assert len(desk.events("lane_cool_down")) == 1


async def a_cool_down(desk: Desk) -> None:
    desk.world.fault(LIGHTER, "steal_nonce", times=3, reduce_only=False)
    assert (await desk.open("ETH", 200)).state is State.CLOSED


@pytest.mark.config(circuit_breaker=PATIENT, sequence={"cool_down_s": 60})
async def test_a_restart_does_not_end_a_cool_down(desk: Desk) -> None:
    held = await desk.open("SOL", 300)
    await a_cool_down(desk)
    until = statistics(desk)["cool_down_until"]
    await desk.world.pass_time(20)

    await desk.restart()

    assert statistics(desk)["cool_down_until"][:22] == until[:22]  # to a tenth of a second
    with pytest.raises(UsageError, match=r"opens nothing for another [1-4]\d s"):
        await desk.open("DOGE", 200)
    assert (await desk.close(held)).state is State.CLOSED
    await desk.world.pass_time(40)
    assert (await desk.open("DOGE", 200)).state is State.OPEN
    assert len(desk.events("lane_cool_down")) == 1
    desk.assert_ledger_is_true()


@pytest.mark.config(circuit_breaker=PATIENT)
async def test_the_first_cool_down_after_a_restart_is_the_second_one(desk: Desk) -> None:
    await a_cool_down(desk)
    await desk.restart()
    await desk.world.pass_time(20)
    await desk.restart()  # the cool-down is over, and still counts

    await a_cool_down(desk)

    first, second = desk.events("lane_cool_down")
    assert "opens nothing for 10 s" in first["text"]
    assert "opens nothing for 20 s" in second["text"]
    alerts = [alert.text for alert in desk.store.unacknowledged() if "nothing for" in alert.text]
    assert alerts == [second["text"]]

    await desk.restart()
    await desk.world.pass_time(30)
    await a_cool_down(desk)
    assert "opens nothing for 40 s" in desk.events("lane_cool_down")[-1]["text"]


async def test_an_order_without_proof_blocks_openings_on_its_lane_until_it_has_one(
    desk: Desk,
) -> None:
    await desk.open("SOL", 300)
    desk.world.fault(LIGHTER, "drop_answer", when="before", reduce_only=False)
    desk.world.fault(LIGHTER, "bad_reads", what=["orders"], times=0)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.ESCALATED
    assert statistics(desk)["state"] == "paused"
    assert statistics(desk)["unknown"] == 1
    with pytest.raises(UsageError, match="waits for the end of order"):
        await desk.open("BTC", 200)
    desk.world.no_faults()
    assert (await desk.trader.executor.resume(hedge)).state is State.CLOSED
    assert statistics(desk)["state"] == "ready"
    assert (await desk.open("BTC", 200)).state is State.OPEN
    desk.assert_ledger_is_true()


async def test_the_nonce_of_a_refused_order_is_used_up_before_another_order_takes_it(
    desk: Desk,
) -> None:
    """A copy of the refused bytes, delivered late, would otherwise still be a valid order."""
    await desk.open("SOL", 300)
    desk.world.fault(LIGHTER, "rate_limit", status=429, reduce_only=False)
    refused = await desk.open("ETH", 300)
    assert refused.state is State.CLOSED
    (leg_b,) = [o for o in desk.orders(refused, Purpose.OPEN) if o.prepared.lane is not None]
    assert leg_b.state is OrderState.REFUSED

    opened = await desk.open("BTC", 300)
    late = await desk.trader.venues[LIGHTER].submit(leg_b.prepared)  # the copy arrives

    assert opened.state is State.OPEN
    assert desk.orders(opened)[1].prepared.nonce == (leg_b.prepared.nonce or 0) + 1
    assert isinstance(late, NoProof)
    await desk.world.pass_time(2)
    assert desk.naked("ETH") == 0
    assert desk.events("lane_drift") == []
    desk.assert_ledger_is_true()


async def test_a_copy_of_a_refused_order_that_executes_all_the_same_is_booked_and_taken_off(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came before its nonce was used up: what a venue executed is true whatever we thought."""
    venue = desk.trader.venues[LIGHTER]
    desk.world.fault(LIGHTER, "rate_limit", status=429, reduce_only=False)
    send, use_up, sent = venue.submit, venue.submit_filler, list[Prepared]()

    async def submit(prepared: Prepared) -> Answer:
        sent.append(prepared)
        return await send(prepared)

    async def overtaken(filler: Filler) -> Answer:
        await send(sent[0])  # the copy arrives
        return await use_up(filler)

    monkeypatch.setattr(venue, "submit", submit)
    monkeypatch.setattr(venue, "submit_filler", overtaken)
    refused = await desk.open("ETH", 300)
    monkeypatch.undo()
    (leg_b,) = [o for o in desk.orders(refused, Purpose.OPEN) if o.prepared.lane is not None]
    await desk.world.pass_time(2)
    assert desk.naked("ETH") != 0

    await desk.trader.late.run()

    assert desk.naked("ETH") == 0
    assert desk.store.order(leg_b.prepared).state is OrderState.FILLED
    assert (await desk.open("BTC", 300)).state is State.OPEN
    desk.assert_ledger_is_true()


async def test_the_nonce_of_a_cancel_is_ours_after_a_crash_as_well(desk: Desk) -> None:
    """It stood nowhere, so the next start took it for somebody else's."""
    hedge = await desk.open("ETH", 300)
    await desk.close(hedge)
    record = desk.orders(hedge, Purpose.CLOSE)[-1]
    await cancel(desk.trader.venues[LIGHTER], record.prepared, desk.trader.lanes, desk.store)

    await desk.restart()
    await desk.world.pass_time(2)
    hedge = await desk.open("ETH", 300)

    assert (await desk.close(hedge)).state is State.CLOSED
    assert desk.events("lane_drift") == []
    desk.assert_ledger_is_true()


def out_of_step_s(desk: Desk) -> float:
    """How long the opening lane was out of step the last time, by its own event."""
    own = [event for event in desk.events("lane_resync") if f" {lane_of(desk)}:" in event["text"]]
    return float(own[-1]["data"]["out_of_step_s"])


@pytest.mark.parametrize("lost", ["drop_answer", "hang"])
async def test_a_filler_that_is_lost_is_sent_again_at_once_and_not_after_the_next_check(
    desk: Desk, lost: str
) -> None:
    """One lost message kept a lane out of step for the read lag, the next check, and once more."""
    await desk.open("ETH", 300)
    venue, lane = desk.trader.venues[LIGHTER], lane_of(desk)
    missing = await venue.next_nonce(lane)
    desk.store.intend_filler(await venue.prepare_filler(lane, missing))
    rest = {"seconds": 30} if lost == "hang" else {"when": "before"}
    desk.world.fault(LIGHTER, lost, op="cancel", **rest)

    await desk.restart()

    assert statistics(desk)["state"] == "ready"
    assert out_of_step_s(desk) <= 4
    assert statistics(desk)["filled_gaps"] == 2  # the one that was never sent, and one more
    assert (await desk.open("BTC", 300)).state is State.OPEN
    desk.assert_ledger_is_true()


async def test_a_refused_nonce_that_the_venue_shows_late_is_waited_for_and_not_burnt(
    desk: Desk,
) -> None:
    """Somebody has it: a burn would be refused as well, and hold up the fence meanwhile."""
    await desk.open("SOL", 300)
    desk.world.fault(LIGHTER, "steal_nonce")
    desk.world.fault(LIGHTER, "lag", what=["nonce"], seconds=2, times=3)

    hedge = await desk.open("ETH", 300)

    assert out_of_step_s(desk) <= 8
    (dead,) = [order for order in desk.orders(hedge) if order.state is OrderState.DEAD]
    assert desk.store.burns_of(dead.prepared) == []
    assert desk.naked("ETH") == 0
    desk.assert_ledger_is_true()


async def test_the_proof_of_an_unknown_order_makes_its_lane_ready_without_another_check(
    desk: Desk,
) -> None:
    await desk.open("SOL", 300)
    desk.world.fault(LIGHTER, "drop_answer", when="after", reduce_only=False)
    desk.world.fault(LIGHTER, "bad_reads", what=["orders"], times=0)
    hedge = await desk.open("ETH", 300)
    assert statistics(desk)["state"] == "paused"
    desk.world.no_faults()

    assert (await desk.trader.executor.resume(hedge)).state is State.OPEN

    assert statistics(desk)["state"] == "ready"
    desk.assert_ledger_is_true()


async def test_a_lane_that_cannot_be_read_does_not_hold_up_another_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.open("SOL", 300)
    await desk.trader.lanes.check(now=True)
    venue, closes = desk.trader.venues[LIGHTER], lane_of(desk, Purpose.CLOSE)
    read = venue.next_nonce

    async def next_nonce(lane: LaneId) -> int:
        if lane == closes:
            raise UnavailableError(LIGHTER, "GET /nextNonce: HTTP 503")
        return await read(lane)

    monkeypatch.setattr(venue, "next_nonce", next_nonce)
    desk.world.fault(LIGHTER, "steal_nonce")

    await desk.open("ETH", 300)

    assert statistics(desk)["state"] == "ready"
    assert out_of_step_s(desk) <= USABLE_WITHIN_S
    assert desk.naked("ETH") == 0
    desk.assert_ledger_is_true()


async def test_a_lane_is_out_of_step_from_the_first_sign_of_it(desk: Desk) -> None:
    """Not from when two readings agree: what it cost until then belongs to it."""
    await desk.open("ETH", 300)
    await somebody_else_uses(desk, Purpose.OPEN)

    await desk.trader.lanes.check(now=True)

    assert 0.5 <= out_of_step_s(desk) <= 2


async def test_the_fence_of_a_refused_nonce_goes_on_over_a_death(desk: Desk) -> None:
    """It began anew in every life, so that two deaths made it three times as long."""
    await desk.open("SOL", 300)
    desk.world.fault(LIGHTER, "steal_nonce")
    desk.world.fault(LIGHTER, "bad_reads", what=["orders"], times=0)
    hedge = await desk.open("ETH", 300)
    assert statistics(desk)["unknown"] == 1
    desk.world.no_faults()
    began_s = desk.world.clock.monotonic_s()

    await desk.restart()

    assert desk.store.find(hedge.id).state is State.CLOSED
    assert desk.world.clock.monotonic_s() - began_s <= FENCE_S
    assert statistics(desk)["state"] == "ready"
    desk.assert_ledger_is_true()


async def test_a_refusal_that_comes_after_a_lost_burn_leaves_no_gap(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The burn was lost and the order's own refusal came after it: nobody had the nonce.

    The lane went on behind a gap that nothing filled (seed 101609).
    """
    venue = desk.trader.venues[LIGHTER]
    monkeypatch.setattr("hedger.noncefence.RESEND_YOUNGER_THAN_S", 0.0)

    async def refused_late(prepared: Prepared) -> Answer:
        while not desk.store.burns_of(prepared):
            await desk.world.pass_time(0.2)
        await desk.world.pass_time(0.5)
        return Declined(Reason.RATE, "429", "too many requests")

    async def submit(prepared: Prepared) -> Answer:
        if prepared.client_id in {row["client_id"] for row in desk.rows("orders")}:
            return await refused_late(prepared)
        return NoProof("lost on the way")

    with monkeypatch.context() as patch:
        patch.setattr(venue, "submit", submit)
        refused = await desk.open("ETH", 300)
    assert refused.state is State.CLOSED

    hedge = await desk.open("BTC", 300)

    assert hedge.state is State.OPEN
    assert [kind for kind in kinds(desk) if kind == "lane_gap"] == ["lane_gap"]
    assert statistics(desk)["mismatches"] == 0  # no order was sent behind the gap
    desk.assert_ledger_is_true()


async def test_an_order_behind_a_gap_is_proven_dead_once_the_gap_is_filled(desk: Desk) -> None:
    """Its burn is refused for as long as the venue waits for an earlier nonce."""
    await desk.open("SOL", 300)
    venue, lane = desk.trader.venues[LIGHTER], lane_of(desk)
    lost = await venue.prepare_filler(lane, await venue.next_nonce(lane))
    desk.store.intend_filler(lost)  # on disk, and never sent

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    (dead,) = [o for o in desk.orders(hedge) if o.prepared.order.venue == LIGHTER]
    assert (dead.state, dead.prepared.nonce) == (OrderState.DEAD, lost.nonce + 1)
    assert statistics(desk)["gaps"] == 1
    assert (await desk.open("BTC", 300)).state is State.OPEN
    desk.assert_ledger_is_true()


async def test_a_gap_below_a_refused_order_is_filled_before_its_burn_is_sent(desk: Desk) -> None:
    """The burn was refused for the gap as well, and another five seconds went by."""
    await desk.open("SOL", 300)
    venue, lane = desk.trader.venues[LIGHTER], lane_of(desk)
    lost = await venue.prepare_filler(lane, await venue.next_nonce(lane))
    desk.store.intend_filler(lost)  # on disk, and never sent

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    assert statistics(desk)["gaps"] == 1
    assert out_of_step_s(desk) < FENCE_S + 4
    assert desk.events("lane_drift") == []  # the burn that has the nonce is ours
    desk.assert_ledger_is_true()


async def test_a_dozen_missing_nonces_are_used_up_within_ten_seconds(desk: Desk) -> None:
    """One by one they took 15 s where answers are slow."""
    await desk.open("ETH", 300)
    key = int(lane_of(desk).rpartition(":")[2])
    for nonce in (13, 0):
        desk.world.set_next_nonce(LIGHTER, key, nonce)
        desk.world.latency(LIGHTER, request_s=1.0 if nonce == 0 else 0.0)
        await desk.world.pass_time(60)
        await desk.trader.lanes.check(now=True)

    assert statistics(desk)["state"] == "ready"
    assert out_of_step_s(desk) <= USABLE_WITHIN_S
    desk.world.latency(LIGHTER, request_s=0.0)
    assert (await desk.open("BTC", 300)).state is State.OPEN
    desk.assert_ledger_is_true()


async def checked_for(desk: Desk, seconds: float) -> None:
    """The regular check, at the daemon's own pace."""
    for _ in range(round(seconds / LANES_S)):
        await desk.world.pass_time(LANES_S)
        await desk.trader.lanes.check()


def states(desk: Desk) -> set[str]:
    return {row["state"] for row in desk.rows("lanes")}


async def test_a_key_that_is_there_again_is_used_soon_however_long_it_was_gone(
    desk: Desk,
) -> None:
    """It was tried ever less often: the key was back for 40 s and its lane still paused."""
    await desk.open("ETH", 300)
    desk.world.revoke_key(LIGHTER)
    for purpose in (Purpose.OPEN, Purpose.CLOSE):
        desk.trader.lanes.missed(lane_of(desk, purpose), "its key is refused")
    await checked_for(desk, 80)
    assert states(desk) == {"paused"}
    desk.world.requests(LIGHTER, reset=True)

    await checked_for(desk, 60)
    assert desk.world.requests(LIGHTER)["count"] <= 2 * 12  # one for each lane and check
    desk.world.register_key(LIGHTER)
    for purpose in (Purpose.OPEN, Purpose.CLOSE):
        key = int(lane_of(desk, purpose).rpartition(":")[2])
        desk.world.set_next_nonce(LIGHTER, key, 0)
    await checked_for(desk, LANES_S)

    assert states(desk) == {"ready"}


@pytest.mark.parametrize("missing", [1, 6])
async def test_a_gap_is_filled_as_soon_as_the_venue_takes_transactions_again(
    desk: Desk, missing: int
) -> None:
    """Its nonces could be read all the time: the next try came up to 60 s later."""
    await desk.open("ETH", 300)
    key = int(lane_of(desk).rpartition(":")[2])
    desk.world.set_next_nonce(LIGHTER, key, 10)
    await desk.trader.lanes.check(now=True)
    desk.world.set_next_nonce(LIGHTER, key, 10 - missing)
    desk.world.rewrite(LIGHTER, "sendTx", status=503, body="<html>unavailable</html>", times=0)
    await checked_for(desk, 80)
    assert statistics(desk)["state"] == "paused"
    desk.world.requests(LIGHTER, reset=True)
    await checked_for(desk, 25)
    assert desk.world.requests(LIGHTER)["count"] <= 5 + 40  # one for each check, and one try
    desk.world.no_rewrites()

    await checked_for(desk, 2 * LANES_S)
    assert statistics(desk)["state"] == "ready"
    desk.assert_ledger_is_true()


async def test_a_lane_whose_order_has_no_end_yet_is_tried_as_soon_as_it_has_one(
    desk: Desk,
) -> None:
    """Each check counted as a try, though none could begin before."""
    await desk.open("SOL", 300)
    desk.world.fault(LIGHTER, "drop_answer", when="before", reduce_only=False)
    desk.world.fault(LIGHTER, "bad_reads", what=["orders"], times=0)
    hedge = await desk.open("ETH", 300)
    assert statistics(desk)["state"] == "paused"
    await checked_for(desk, 80)
    desk.world.no_faults()
    (unknown,) = desk.store.open_intents()
    desk.store.settle(dead(unknown, "its nonce was burnt"))

    await checked_for(desk, LANES_S)

    assert desk.store.hedge(hedge.id).state is State.ESCALATED
    assert statistics(desk)["state"] == "ready"


async def served_for(desk: Desk, home: Home, seconds: float) -> None:
    """What the daemon does for orders without proof and their lanes, at its own paces."""
    daemon = Daemon(desk.trader, home)
    for turn in range(round(seconds / ENDS_S)):
        await desk.world.pass_time(ENDS_S)
        await asyncio.gather(daemon.ends(), daemon.lanes())
        if turn % 2:
            await daemon.monitor()


@pytest.mark.config(execution={"resolve_budget_s": 20})
@pytest.mark.parametrize("silent", ["orders", "trades"])
async def test_the_end_of_an_order_is_sought_as_soon_as_its_venue_tells_of_it_again(
    desk: Desk, tmp_path: Path, silent: str
) -> None:
    """A search began every 30 s at most: the lane stayed paused for as long."""
    await desk.open("SOL", 300)
    desk.world.fault(LIGHTER, "drop_answer", when="after", reduce_only=False)
    if silent == "orders":
        desk.world.fault(LIGHTER, "bad_reads", what=[silent], times=0)
    else:
        desk.world.rewrite(LIGHTER, silent, status=503, body="<html>unavailable</html>", times=0)
    await desk.open("ETH", 300)
    await served_for(desk, Home(tmp_path), 120)
    assert statistics(desk)["state"] == "paused"
    desk.world.no_faults()
    desk.world.no_rewrites()
    began_s = desk.world.clock.monotonic_s()

    daemon = Daemon(desk.trader, Home(tmp_path))
    for _ in range(2):
        await desk.world.pass_time(ENDS_S)
        await daemon.ends()
        await daemon.lanes()

    assert statistics(desk)["state"] == "ready"
    assert desk.world.clock.monotonic_s() - began_s < 2 * ENDS_S + 5
    assert desk.store.open_intents() == []
    desk.assert_ledger_is_true()


@pytest.mark.config(execution={"resolve_budget_s": 20})
async def test_the_end_of_an_order_is_news_until_the_disk_could_take_it(
    desk: Desk, tmp_path: Path
) -> None:
    """The search met a full disk, and the next one began up to 30 s after there was room."""
    await desk.open("SOL", 300)
    desk.world.fault(LIGHTER, "drop_answer", when="after", reduce_only=False)
    desk.world.fault(LIGHTER, "bad_reads", what=["orders"], times=0)
    await desk.open("ETH", 300)
    await served_for(desk, Home(tmp_path), 120)
    desk.world.no_faults()
    daemon = Daemon(desk.trader, Home(tmp_path))
    with without_room(desk.store):
        await desk.world.pass_time(ENDS_S)
        with contextlib.suppress(ExceptionGroup):
            await daemon.ends()
    assert len(desk.store.open_intents()) == 1

    await desk.world.pass_time(ENDS_S)
    await daemon.ends()

    assert desk.store.open_intents() == []
    desk.assert_ledger_is_true()


@pytest.mark.usefixtures("no_second_sending")
@pytest.mark.config(execution={"resolve_budget_s": 20})
async def test_the_burn_of_an_order_is_sent_again_between_two_searches(
    desk: Desk, tmp_path: Path
) -> None:
    """The venue took transactions again, and the next search began up to 30 s later."""
    await desk.open("SOL", 300)
    desk.world.rewrite(LIGHTER, "sendTx", status=503, body="<html>unavailable</html>", times=0)
    await desk.open("ETH", 300)
    (unknown,) = desk.store.open_intents()
    await served_for(desk, Home(tmp_path), 120)
    assert statistics(desk)["state"] == "paused"
    desk.world.no_rewrites()

    daemon = Daemon(desk.trader, Home(tmp_path))
    for _ in range(2):
        await desk.world.pass_time(ENDS_S)
        await daemon.ends()
        await daemon.lanes()

    assert desk.store.order(unknown).state is OrderState.DEAD
    assert statistics(desk)["state"] == "ready"
    assert len(desk.store.burns_of(unknown)) == 1
    desk.assert_ledger_is_true()
