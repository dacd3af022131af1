"""
Both legs were answered, and not as hoped: refused, filled in part, or impossible to take back.

Every hedge here is opened X10 first, then Lighter (the product's order), so where a public bot
sent both legs in parallel the same failure is caused one leg after the other.
"""

import itertools
from decimal import Decimal
from typing import Any

import pytest

from hedger.domain.hedge import State
from tests.desk import Desk
from tests.scenarios import facts
from tests.world import LIGHTER, X10

OPENING: dict[str, Any] = {"reduce_only": False}
CLOSING: dict[str, Any] = {"reduce_only": True}
FOR_EVER: dict[str, Any] = {"times": 0}

REFUSALS_OF_LEG_B: dict[str, dict[str, Any]] = {
    "refused with 21739": {"kind": "refuse", "code": 21739},
    "refused with 21740": {"kind": "refuse", "code": 21740},
    "accepted and then canceled-margin-not-allowed": {"kind": "reject", "reason": "margin"},
    "accepted and then cancelled for slippage": {"kind": "reject", "reason": "slippage"},
    "accepted and nothing filled": {"kind": "no_fill"},
    "too many requests, as JSON": {"kind": "rate_limit", "status": 429},
    "too many requests, as HTML": {"kind": "rate_limit", "status": 405, "html": True},
}

REFUSED_REDUCTIONS = [
    *((X10, code) for code in (1136, 1137, 1138)),
    *((LIGHTER, code) for code in (21739, 21740, 21614)),
]

REFUSALS_OF_LEG_A: dict[str, dict[str, Any]] = {
    "refused with 1140": {"kind": "refuse", "code": 1140},
    "accepted and then NOT_ENOUGH_FUNDS": {"kind": "reject", "reason": "margin"},
    "accepted and nothing filled": {"kind": "no_fill"},
    "too many requests, as HTML": {"kind": "rate_limit", "status": 429, "html": True},
}


async def test_s7_a_rollback_is_done_only_when_the_venue_of_the_orphan_leg_is_flat(
    desk: Desk,
) -> None:
    """A public bot rolled X10 back, looked at Lighter, and logged success over an open leg."""
    desk.world.fault(LIGHTER, "refuse", code=21739, **OPENING)
    desk.world.fault(X10, "no_fill", **CLOSING, **FOR_EVER)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.ESCALATED
    assert desk.position(LIGHTER) == 0
    held = desk.position(X10)
    assert held != 0
    assert Decimal(facts.looks(desk, X10)[-1]["size"]) == held
    assert [row["hedge_id"] for row in desk.events("alert")] == [hedge.id]
    assert "closed" not in facts.states(desk)

    desk.world.no_faults()
    await desk.restart()

    hedge = desk.store.hedge(hedge.id)
    assert hedge.state is State.CLOSED
    last_close = facts.sent(desk, X10, "rollback")[-1]
    proof = facts.looks(desk, X10)[-1]
    assert proof["size"] == "0"
    assert facts.instant(proof["read_started_at"]) >= facts.instant(last_close["done_at"])
    facts.assert_in_order(desk, hedge, naked_max_s=120)


async def test_s7_a_close_is_done_only_when_the_second_venue_is_flat_as_well(desk: Desk) -> None:
    """The same on the other leg: X10 is closed, and Lighter takes the close but does nothing."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(LIGHTER, "no_fill", **CLOSING, **FOR_EVER)

    hedge = await desk.close(hedge)

    assert hedge.state is State.ESCALATED
    assert desk.position(X10) == 0
    assert desk.position(LIGHTER) != 0
    assert len(desk.events("alert")) == 1

    desk.world.no_faults()
    await desk.restart()

    facts.assert_in_order(desk, desk.store.hedge(hedge.id), naked_max_s=120)
    assert desk.store.hedge(hedge.id).state is State.CLOSED


@pytest.mark.parametrize("fault", list(REFUSALS_OF_LEG_B.values()), ids=list(REFUSALS_OF_LEG_B))
async def test_s9_a_second_leg_that_is_never_taken_unwinds_the_first(
    desk: Desk, fault: dict[str, Any]
) -> None:
    """A public bot tried its hedge order three times, raised, and left the maker leg naked."""
    desk.world.fault(LIGHTER, **fault, **OPENING, **FOR_EVER)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    (leg_b,) = facts.sent(desk, LIGHTER, "open")
    assert leg_b["state"] in {"refused", "zero"}
    (leg_a,) = facts.sent(desk, X10, "open")
    (back,) = facts.sent(desk, X10, "rollback")
    assert back["filled_size"] == leg_a["filled_size"] != "0"
    facts.assert_in_order(desk, hedge, naked_max_s=5)


@pytest.mark.parametrize("fault", list(REFUSALS_OF_LEG_A.values()), ids=list(REFUSALS_OF_LEG_A))
async def test_s9_a_first_leg_that_is_not_taken_is_the_end_of_it(
    desk: Desk, fault: dict[str, Any]
) -> None:
    """The other venue of the same story: without leg A no leg B is sent."""
    desk.world.fault(X10, **fault, **OPENING, **FOR_EVER)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED_FLAT
    assert len(facts.sent(desk, X10, "open")) == 1
    assert desk.world.orders(LIGHTER) == []
    assert facts.sent(desk, LIGHTER, "open", "close", "rollback") == []
    facts.assert_in_order(desk, hedge, naked_max_s=0)


async def test_s9_an_unwind_that_is_refused_three_times_goes_on(desk: Desk) -> None:
    """A public bot gave up after the third refusal of the order that was to make it flat."""
    desk.world.fault(LIGHTER, "refuse", code=21739, **OPENING)
    desk.world.fault(X10, "refuse", code=1010, **CLOSING, times=3)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    unwinds = facts.sent(desk, X10, "rollback")
    assert [row["state"] for row in unwinds] == ["refused"] * 3 + ["filled"]
    assert [row["attempt"] for row in unwinds] == [1, 2, 3, 4]
    facts.assert_in_order(desk, hedge)


async def test_s11_the_second_leg_has_the_quantity_that_was_proven_and_not_the_one_asked_for(
    desk: Desk,
) -> None:
    """A public bot took a confirmation without a quantity for a full fill: hedged 1.0, had 0.3."""
    desk.world.fault(X10, "partial_fill", fraction="0.3", **OPENING)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    (leg_a,) = facts.sent(desk, X10, "open")
    (leg_b,) = facts.sent(desk, LIGHTER, "open")
    assert 0 < Decimal(leg_a["filled_size"]) < Decimal(leg_a["size"])
    assert Decimal(leg_b["size"]) == Decimal(leg_a["filled_size"]) == abs(desk.position(X10))
    facts.assert_in_order(desk, hedge, naked_max_s=2)


async def test_s11_while_the_quantity_is_unknown_the_second_leg_waits(desk: Desk) -> None:
    """X10 confirms at once and without a quantity; the fill shows only four seconds later."""
    desk.world.fault(X10, "partial_fill", fraction="0.3", **OPENING)
    desk.world.fault(X10, "lag", what=["orders"], seconds=4, **FOR_EVER)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    (leg_a,) = facts.sent(desk, X10, "open")
    (leg_b,) = facts.taken(desk, LIGHTER, reduce_only=False)
    (trade,) = desk.world.state()[X10]["trades"]
    assert leg_b["arrived_ms"] >= facts.ms(leg_a["done_at"]) >= trade["at_ms"] + 4000
    assert leg_b["size"] == leg_a["filled_size"] == trade["size"]
    facts.assert_in_order(desk, hedge)


@pytest.mark.parametrize("fraction", ["0.4", "0.11", "0.9"])
async def test_s14_what_is_rolled_back_is_the_measured_fill(desk: Desk, fraction: str) -> None:
    """Leg 1 filled 40 %, leg 2 was refused, and a public bot sold the target: it was at -0.6."""
    desk.world.fault(X10, "partial_fill", fraction=fraction, **OPENING)
    desk.world.fault(LIGHTER, "reject", reason="margin", **OPENING)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    (leg_a,) = facts.taken(desk, X10, reduce_only=False)
    (back,) = facts.taken(desk, X10, reduce_only=True)
    assert 0 < Decimal(leg_a["filled"]) < Decimal(leg_a["size"])
    assert back["size"] == back["filled"] == leg_a["filled"]
    assert facts.positions_after_each_trade(desk, X10)[-1] == 0
    facts.assert_in_order(desk, hedge, naked_max_s=5)


async def test_s15_a_second_leg_filled_in_part_is_trimmed_to_before_the_hedge_is_open(
    desk: Desk,
) -> None:
    """Both orders "filled", one of them by 40 %, and a public bot booked a good hedge at -0.6."""
    desk.world.fault(LIGHTER, "partial_fill", fraction="0.4", **OPENING)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    (leg_a,) = facts.sent(desk, X10, "open")
    (leg_b,) = facts.sent(desk, LIGHTER, "open")
    (trim,) = facts.sent(desk, X10, "rollback")
    assert Decimal(leg_b["filled_size"]) < Decimal(leg_b["size"])
    assert facts.total([leg_b, trim], "filled_size") == Decimal(leg_a["filled_size"])
    assert abs(desk.position(LIGHTER)) == Decimal(leg_b["filled_size"])
    assert facts.states(desk)[-2:] == ["converging", "open"]
    facts.assert_in_order(desk, hedge, naked_max_s=5)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    facts.assert_in_order(desk, hedge, naked_max_s=5)


async def test_s15_a_first_leg_filled_in_part_is_matched(desk: Desk) -> None:
    """The other leg of the same story: what is compared are quantities, not answers."""
    desk.world.fault(X10, "partial_fill", fraction="0.4", **OPENING)
    desk.world.fault(LIGHTER, "partial_fill", fraction="0.5", **OPENING)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    asked = Decimal(facts.sent(desk, X10, "open")[0]["size"])
    assert 0 < abs(desk.position(LIGHTER)) == abs(desk.position(X10)) < asked * Decimal("0.25")
    facts.assert_in_order(desk, hedge, naked_max_s=5)


async def test_s15_a_difference_of_less_than_one_step_stays_and_is_told(desk: Desk) -> None:
    """Lighter counts finer than X10: half of the leg there is half a step of X10 too many."""
    desk.world.fault(LIGHTER, "partial_fill", fraction="0.5", **OPENING)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    assert 0 < abs(desk.naked()) < facts.coarser_step(desk, hedge)
    (dust,) = desk.events("dust")
    assert Decimal(dust["data"]["dust"]) == desk.naked()
    facts.assert_in_order(desk, hedge)

    facts.assert_in_order(desk, await desk.close(hedge))
    desk.assert_flat()


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_s15_a_remainder_that_no_order_could_close_later_is_not_kept(
    desk: Desk, venue: str
) -> None:
    """Legs of less than the least order cannot be managed; what is there goes, all of it."""
    desk.world.fault(venue, "partial_fill", fraction="0.05", **OPENING)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    assert facts.total(facts.taken(desk, venue, reduce_only=False), "filled") > 0
    facts.assert_in_order(desk, hedge, naked_max_s=10)


async def test_s18_an_unwind_waits_for_its_own_fill_to_show_before_the_next_close(
    desk: Desk,
) -> None:
    """A public bot read a stale position, closed again and again, and turned it round."""
    desk.world.fault(LIGHTER, "refuse", code=21739, **OPENING)
    desk.world.fault(X10, "lag", what=["positions"], seconds=4, **FOR_EVER)
    desk.world.fault(X10, "partial_fill", fraction="0.5", **CLOSING)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    (leg_a,) = facts.taken(desk, X10, reduce_only=False)
    first, second = facts.taken(desk, X10, reduce_only=True)
    assert first["size"] == leg_a["filled"]
    assert Decimal(second["size"]) == Decimal(leg_a["filled"]) - Decimal(first["filled"])
    assert [row["state"] for row in facts.sent(desk, X10, "rollback")] == ["partial", "filled"]
    facts.assert_in_order(desk, hedge)


@pytest.mark.parametrize(("venue", "code"), REFUSED_REDUCTIONS)
async def test_s18_a_refused_reduction_is_followed_by_a_fresh_look(
    desk: Desk, venue: str, code: int
) -> None:
    """1136 to 1138, 21739, 21740 and 21614 say that our picture is old: read, never repeat."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(venue, "refuse", code=code, **CLOSING, times=2)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    orders = facts.sent(desk, venue, "close")
    assert [row["state"] for row in orders] == ["refused", "refused", "filled"]
    for refused, following in itertools.pairwise(orders):
        between = [
            row
            for row in facts.looks(desk, venue)
            if refused["done_at"] <= row["read_started_at"]
            and row["as_of"] <= following["prepared_at"]
        ]
        assert abs(Decimal(between[-1]["size"])) == Decimal(following["size"])
    facts.assert_in_order(desk, hedge)


@pytest.mark.parametrize("code", [1136, 1137, 1138])
async def test_s18_a_rollback_that_is_refused_as_oversized_looks_again(
    desk: Desk, code: int
) -> None:
    """The same while an orphan leg is taken back, with a stale position beside it."""
    desk.world.fault(LIGHTER, "refuse", code=21739, **OPENING)
    desk.world.fault(X10, "lag", what=["positions"], seconds=4, **FOR_EVER)
    desk.world.fault(X10, "refuse", code=code, **CLOSING)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    refused, filled = facts.sent(desk, X10, "rollback")
    assert refused["state"] == "refused"
    assert filled["state"] == "filled"
    facts.assert_in_order(desk, hedge)
