"""
The answer to an order was lost, late, or says nothing: it is looked up before anything else.

The public bots of these stories send both legs at once; ours sends X10 and then Lighter, so
"one leg lands and the other one's call times out" is caused on either leg of the sequence.
"""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import VenueId
from hedger.domain.order import Answer, Declined, NoProof, Prepared, Purpose, Reason
from tests.desk import Desk
from tests.scenarios import facts
from tests.scenarios.facts import VENUES
from tests.world import LIGHTER, X10

OPENING: dict[str, Any] = {"reduce_only": False}
CLOSING: dict[str, Any] = {"reduce_only": True}
FOR_EVER: dict[str, Any] = {"times": 0}
FENCE_S = 11.0  # an X10 order: 5 s to live, 1 s between X10's own clocks, 5 s of read lag

LOST_ANSWERS: dict[str, dict[str, Any]] = {
    "connection closed": {"kind": "drop_answer"},
    "502 HTML": {"kind": "server_error", "status": 502, "html": True},
    "503 JSON": {"kind": "server_error", "status": 503},
}

either_venue = pytest.mark.parametrize("venue", VENUES)
however_lost = pytest.mark.parametrize("fault", list(LOST_ANSWERS.values()), ids=list(LOST_ANSWERS))


@pytest.mark.parametrize(
    ("venue", "fault"),
    [
        (X10, {"kind": "drop_answer", "when": "after"}),
        (LIGHTER, {"kind": "drop_answer", "when": "after"}),
        (LIGHTER, {"kind": "hang", "seconds": 30}),
    ],
    ids=["x10 drops it", "lighter drops it", "lighter hangs"],
)
async def test_s10_an_order_that_filled_before_its_answer_was_lost_is_never_sent_again(
    desk: Desk, venue: str, fault: dict[str, Any]
) -> None:
    """A public bot's hedge timed out after it had filled; it sent another one and was short 2x."""
    desk.world.fault(venue, **fault, **OPENING)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    for each in VENUES:
        (intent,) = facts.sent(desk, each, "open")
        (order,) = facts.taken(desk, each, reduce_only=False)
        assert Decimal(order["filled"]) == abs(desk.position(each)) == Decimal(intent["size"])
    facts.assert_in_order(desk, hedge)


@either_venue
@however_lost
async def test_s10_a_close_whose_answer_was_lost_is_never_sent_again(
    desk: Desk, venue: str, fault: dict[str, Any]
) -> None:
    """The same on the way out, where a second order would turn the position round."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(venue, **fault, when="after", **CLOSING)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    for each in VENUES:
        assert len(facts.sent(desk, each, "close", "rollback")) == 1
        assert len(facts.taken(desk, each, reduce_only=True)) == 1
    facts.assert_in_order(desk, hedge)


async def test_s13_a_leg_whose_answer_was_lost_is_looked_up_before_anything_is_rolled_back(
    desk: Desk,
) -> None:
    """A public bot "rolled back" after a timeout while the leg that timed out had landed."""
    desk.world.fault(LIGHTER, "partial_fill", fraction="0.4", **OPENING)
    desk.world.fault(LIGHTER, "drop_answer", when="after", **OPENING)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    (leg_a,) = facts.sent(desk, X10, "open")
    (leg_b,) = facts.sent(desk, LIGHTER, "open")
    (trim,) = facts.sent(desk, X10, "rollback")
    assert leg_b["state"] == "partial"
    assert facts.number_of(desk, "outcome", leg_b) < facts.number_of(desk, "intent", trim)
    unhedged = Decimal(leg_a["filled_size"]) - Decimal(leg_b["filled_size"])
    assert Decimal(trim["size"]) == unhedged > 0
    facts.assert_in_order(desk, hedge)


@either_venue
async def test_s13_a_leg_that_landed_and_timed_out_is_a_leg(desk: Desk, venue: str) -> None:
    """Both had landed, and a public bot said "aborted" and kept nothing of it."""
    desk.world.fault(venue, "drop_answer", when="after", **OPENING)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    assert facts.sent(desk, X10, "rollback") == facts.sent(desk, LIGHTER, "rollback") == []
    facts.assert_in_order(desk, hedge, naked_max_s=10)


async def test_s13_while_a_leg_cannot_be_looked_up_nothing_is_rolled_back(desk: Desk) -> None:
    """Unknown stays unknown: a person is told, the other leg is kept, and later it is proven."""
    desk.world.fault(LIGHTER, "drop_answer", when="after", **OPENING)
    desk.world.fault(LIGHTER, "bad_reads", what=["orders"], **FOR_EVER)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.ESCALATED
    assert [row["hedge_id"] for row in desk.events("alert")] == [hedge.id]
    (leg_b,) = facts.sent(desk, LIGHTER, "open")
    assert leg_b["state"] == "unresolved"
    assert facts.taken(desk, X10, reduce_only=True) == []
    assert desk.position(X10) == -desk.position(LIGHTER) != 0

    desk.world.no_faults()
    await desk.restart()

    hedge = desk.store.hedge(hedge.id)
    assert hedge.state is State.OPEN
    assert facts.sent(desk, X10, "rollback") == []
    facts.assert_in_order(desk, hedge)


@either_venue
@however_lost
async def test_s16_a_filled_order_behind_a_dead_connection_or_an_error_page_is_not_rejected(
    desk: Desk, venue: str, fault: dict[str, Any]
) -> None:
    """A public bot read a dead socket and a 502 page as REJECTED, "nothing live"."""
    desk.world.fault(venue, **fault, when="after", **OPENING)

    hedge = await desk.open("ETH", 300)

    (order,) = facts.sent(desk, venue, "open")
    assert order["state"] == "filled"
    assert order["filled_size"] == order["size"]
    assert hedge.state is State.OPEN
    facts.assert_in_order(desk, hedge, naked_max_s=10)


@however_lost
async def test_s16_an_order_that_never_reached_x10_is_dead_only_behind_its_expiry(
    desk: Desk, fault: dict[str, Any]
) -> None:
    """The same answers before the effect: "not found" is no proof until it cannot execute."""
    desk.world.fault(X10, **fault, when="before", **OPENING)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED_FLAT
    (order,) = facts.sent(desk, X10, "open")
    assert order["state"] == "dead"
    took = facts.instant(order["done_at"]) - facts.instant(order["prepared_at"])
    assert FENCE_S < took.total_seconds() < FENCE_S + 1  # looked at just when it stands
    await send_the_same_bytes_again(desk, hedge, X10)
    assert desk.world.orders(X10) == desk.world.orders(LIGHTER) == []
    facts.assert_in_order(desk, hedge, naked_max_s=0)


@however_lost
async def test_s16_an_order_that_never_reached_lighter_is_completed_by_its_own_bytes(
    desk: Desk, fault: dict[str, Any]
) -> None:
    """The same nonce and signature a second time can execute once at the most."""
    desk.world.fault(LIGHTER, **fault, when="before", **OPENING)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    (resent,) = desk.events("resent")
    (intent,) = facts.sent(desk, LIGHTER, "open")
    (order,) = facts.taken(desk, LIGHTER, reduce_only=False)
    assert resent["data"]["order"] == intent["id"]
    assert order["tx_hash"] == intent["tx_hash"]
    facts.assert_in_order(desk, hedge, naked_max_s=10)


async def test_s16_the_same_bytes_do_not_leave_again_where_the_process_stood_still_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The order was lost, and the process stood still for 8 s while it waited for the answer.

    Its age was counted from the beginning of the search, which had only just begun: so an old
    order, at a price of then, was sent after all.
    """
    lighter = desk.trader.venues[LIGHTER]
    arrives, sent = lighter.submit, []

    async def lost(prepared: Prepared) -> Answer:
        sent.append(prepared)
        if len(sent) > 1:
            return await arrives(prepared)
        await desk.world.clock.sleep(30)
        return NoProof("no answer")

    monkeypatch.setattr(lighter, "submit", lost)
    monkeypatch.setattr("hedger.dispatcher.ANSWER_S", 8.0)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    assert desk.events("resent") == []
    assert [prepared.payload for prepared in sent].count(sent[0].payload) == 1
    assert desk.world.orders(LIGHTER) == []
    facts.assert_in_order(desk, hedge, naked_max_s=30)


@however_lost
async def test_s16_an_order_that_never_reaches_lighter_has_its_nonce_burnt(
    desk: Desk, fault: dict[str, Any]
) -> None:
    """Nothing gets through twice: each order is made impossible before leg 1 is taken back."""
    desk.world.fault(LIGHTER, **fault, when="before", **OPENING, times=0)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    (back,) = facts.sent(desk, X10, "rollback")
    for leg_b in facts.sent(desk, LIGHTER, "open"):
        assert leg_b["state"] == "dead"
        assert facts.number_of(desk, "outcome", leg_b) < facts.number_of(desk, "intent", back)
    desk.world.no_faults()
    await send_the_same_bytes_again(desk, hedge, LIGHTER)
    assert desk.world.orders(LIGHTER) == []
    facts.assert_in_order(desk, hedge)


@however_lost
async def test_s16_an_order_that_provably_died_and_is_still_wanted_goes_on_as_a_new_one(
    desk: Desk, fault: dict[str, Any]
) -> None:
    """Only behind its fence, and while leg 1 is young: one of the two executes, never both."""
    desk.world.fault(LIGHTER, **fault, when="before", **OPENING, times=2)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    first, second = facts.sent(desk, LIGHTER, "open")
    assert (first["state"], second["state"]) == ("dead", "filled")
    assert facts.number_of(desk, "outcome", first) < facts.number_of(desk, "intent", second)
    assert len(desk.world.orders(LIGHTER)) == 1
    facts.assert_in_order(desk, hedge)


async def send_the_same_bytes_again(desk: Desk, hedge: Hedge, venue: VenueId) -> None:
    """What a delayed packet would do: the signed order arrives after it was declared dead."""
    for record in desk.orders(hedge, Purpose.OPEN):
        if record.prepared.order.venue == venue:
            await desk.trader.venues[venue].submit(record.prepared)
    await desk.world.pass_time(2)


@either_venue
@pytest.mark.parametrize("what", ["orders", "positions"])
async def test_s17_a_fill_that_shows_four_seconds_late_is_waited_for(
    desk: Desk, venue: str, what: str
) -> None:
    """Two reads of zero were "rejected" to a public bot while the position was on its way."""
    desk.world.fault(venue, "lag", what=[what], seconds=4, **FOR_EVER)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    assert desk.events("position_differs") == []
    facts.assert_in_order(desk, hedge, naked_max_s=10)


@pytest.mark.parametrize("seconds", [6, 8, 9.5])
@either_venue
async def test_s17_absence_on_a_slow_position_read_is_not_believed_against_our_own_fill(
    desk: Desk, venue: str, seconds: float
) -> None:
    """Beyond the declared read lag: the proven fill says what is there, and it is taken back."""
    desk.world.fault(LIGHTER, "partial_fill", fraction="0.4", **OPENING)
    desk.world.fault(venue, "lag", what=["positions"], seconds=seconds, **FOR_EVER)

    hedge = await desk.open("ETH", 300)

    facts.assert_in_order(desk, hedge)


async def test_s17_a_leg_hidden_for_longer_than_anyone_waits_is_believed_from_its_trades(
    desk: Desk,
) -> None:
    """Reads that are 20 s late deceive nobody: the account's own trades are asked, too."""
    desk.world.fault(LIGHTER, "refuse", code=21739, **OPENING)
    desk.world.fault(X10, "lag", what=["positions"], seconds=20, **FOR_EVER)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
    facts.assert_never_turned_round(desk)


@pytest.mark.parametrize("fraction", ["0", "0.4", "1"])
async def test_s20_a_second_leg_that_times_out_counts_for_what_it_filled(
    desk: Desk, fraction: str
) -> None:
    """A public bot's leg 2 timed out after 30 s: "marking order as filled to continue"."""
    desk.world.fault(LIGHTER, "partial_fill", fraction=fraction, **OPENING)
    desk.world.fault(LIGHTER, "hang", seconds=30, **OPENING)

    hedge = await desk.open("ETH", 300)

    (leg_b,) = facts.sent(desk, LIGHTER, "open")
    (truth,) = facts.taken(desk, LIGHTER, reduce_only=False)
    assert Decimal(leg_b["filled_size"]) == Decimal(truth["filled"])
    assert hedge.state is (State.CLOSED if fraction == "0" else State.OPEN)
    assert abs(desk.position(X10)) == abs(desk.position(LIGHTER)) == Decimal(truth["filled"])
    facts.assert_in_order(desk, hedge, naked_max_s=12)


@either_venue
async def test_s20_an_answer_that_hangs_is_not_waited_for_before_the_order_is_looked_up(
    desk: Desk, venue: str
) -> None:
    """Five seconds of waiting for it were five seconds of a leg that stood alone."""
    desk.world.fault(venue, "hang", seconds=30, **OPENING)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    facts.assert_in_order(desk, hedge, naked_max_s=4)


async def test_s20_a_first_leg_that_times_out_is_taken_back_by_what_it_filled(desk: Desk) -> None:
    """After ``settle_timeout_s`` leg 2 is no longer sent, and nothing is assumed of leg 1."""
    desk.world.fault(X10, "partial_fill", fraction="0.5", **OPENING)
    desk.world.fault(X10, "hang", seconds=30, **OPENING)
    desk.world.fault(X10, "bad_reads", what=["orders"], times=12)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    (leg_a,) = facts.taken(desk, X10, reduce_only=False)
    (back,) = facts.taken(desk, X10, reduce_only=True)
    assert back["size"] == leg_a["filled"]
    assert desk.world.orders(LIGHTER) == []
    facts.assert_in_order(desk, hedge, naked_max_s=12)


@pytest.mark.parametrize("seconds", [3, 8])
@either_venue
async def test_s20_an_order_that_is_matched_late_is_followed_until_it_is(
    desk: Desk, venue: str, seconds: int
) -> None:
    """Accepted at once and matched seconds later: neither a fill nor a refusal until then."""
    desk.world.fault(venue, "slow_match", seconds=seconds, **OPENING)

    hedge = await desk.open("ETH", 300)

    too_late = venue == X10 and seconds > desk.config.execution.settle_timeout_s
    assert hedge.state is (State.CLOSED_FLAT if too_late else State.OPEN)
    assert (desk.world.orders(LIGHTER) == []) == too_late
    (order,) = facts.sent(desk, venue, "open")
    assert order["state"] == ("zero" if too_late else "filled")  # X10 matches nothing expired
    facts.assert_in_order(desk, hedge, naked_max_s=12)


async def test_s20_a_venue_that_goes_away_between_the_legs_leaves_nothing_behind(
    desk: Desk,
) -> None:
    """
    Lighter is gone for 20 s when leg 1 has filled: leg 2 is not "assumed", leg 1 goes back.

    It goes back at once, not when Lighter can be read again: no order of ours was ever there.
    """
    opening = asyncio.ensure_future(desk.open("ETH", 300))
    while not desk.world.orders(X10):
        await desk.world.pass_time(0.05)
    desk.world.fault(LIGHTER, "outage", seconds=20)

    hedge = await opening

    assert hedge.state is State.CLOSED
    assert desk.world.orders(LIGHTER) == []
    facts.assert_in_order(desk, hedge, naked_max_s=8)


any_fault = pytest.mark.parametrize("name", facts.ANY_FAULT)


def strike(desk: Desk, venue: str, name: str, side: dict[str, Any]) -> None:
    """Post one of ``facts.ANY_FAULT``; those about orders meet only the orders of one side."""
    fault = dict(facts.ANY_FAULT[name])
    if venue == LIGHTER and fault["kind"] == "refuse":
        fault["code"] = 21739
    if venue == X10 and fault["kind"] == "steal_nonce":
        fault["kind"] = "no_fill"
    desk.world.fault(venue, **fault, **({} if "what" in fault else side))


@any_fault
async def test_s13_s16_s17_whatever_happens_to_a_leg_the_opening_ends_hedged_or_flat(
    desk: Desk, name: str
) -> None:
    """Each kind of fault on either leg: no guess, nothing naked, and a ledger that is true."""
    for venue in VENUES:
        strike(desk, venue, name, OPENING)

        hedge = await desk.open("ETH", 300)

        facts.assert_in_order(desk, hedge)
        desk.world.no_faults()
        if hedge.state is State.OPEN:
            facts.assert_in_order(desk, await desk.close(hedge))
        desk.assert_flat()


@any_fault
async def test_s10_s18_whatever_happens_to_a_close_it_ends_flat(desk: Desk, name: str) -> None:
    """The same on the way out, where the only end is flat on both venues."""
    for venue in VENUES:
        hedge = await desk.open("ETH", 300)
        strike(desk, venue, name, CLOSING)

        hedge = await desk.close(hedge)

        assert hedge.state is State.CLOSED
        facts.assert_in_order(desk, hedge)
        desk.world.no_faults()


async def test_s16_a_refusal_of_the_first_copy_says_nothing_about_the_second(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The first copy is on its way for long and refused at the gateway; the second one is taken.

    Its fill was booked as a refusal, and the leg stood alone.
    """
    venue = desk.trader.venues[LIGHTER]
    submit, copies = venue.submit, 0

    async def slowly_refused(prepared: Prepared) -> Answer:
        nonlocal copies
        copies += 1
        if copies > 1:
            return await submit(prepared)
        await desk.world.pass_time(2.3)
        return Declined(Reason.RATE, "429", "too many requests")

    monkeypatch.setattr(venue, "submit", slowly_refused)
    hedge = await desk.open("ETH", 300)

    assert copies == 2
    assert hedge.state is State.OPEN
    facts.assert_in_order(desk, hedge)
