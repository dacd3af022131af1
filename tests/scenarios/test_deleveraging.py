"""
Legs that come near their liquidation, and legs that a venue has taken a part of.

Prices follow a path that eats the distance of one leg (``World.change_market``); the daemon's
glance runs every ten seconds, as by default.
"""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from hedger.daemon import NEAR_S, Daemon
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.money import ZERO, floor_to_step
from hedger.reduction import Reduction
from hedger.rollback import RollbackEngine
from tests.desk import Desk
from tests.scenarios import facts
from tests.scenarios.scenes import other
from tests.soak import naked_spans
from tests.world import LIGHTER, X10

D = Decimal
ETH = Symbol("ETH")
GLANCE_S = 10
LOOKS_S = 5.0  # three readings, the trades, and the order itself
X10_STEP = D("0.001")
UNHEDGED_S = 2.0  # between both orders of one reduction
AT_BPS = 1_100
AWAY_BPS = 1_300
either_venue = pytest.mark.parametrize("venue", [X10, LIGHTER])
small = pytest.mark.sandbox(balance_usd=Decimal(150))
thin = pytest.mark.config(risk={"min_free_margin_share": 0})


def move_price(desk: Desk, factor: str, *, over_s: float = 0) -> None:
    """Let the price of both venues move by a factor, in a straight line."""
    for venue in (X10, LIGHTER):
        now = desk.world.exchange(venue).mark("ETH")
        then = {"after_s": over_s, "price": str(now * D(factor))}
        path = [{"after_s": 0, "price": str(now)}, then] if over_s else then["price"]
        desk.world.change_market(venue, "ETH", price=path)


def against(desk: Desk, venue: str, share: str) -> str:
    """The factor by which a price moves against the leg on a venue."""
    sign = 1 if desk.position(venue) > ZERO else -1
    return str(1 - sign * D(share))


async def glances(desk: Desk, count: int) -> None:
    daemon = Daemon(desk.trader, None)  # type: ignore[arg-type]  # no job of it is served here
    for _ in range(count):
        await desk.world.pass_time(GLANCE_S)
        await asyncio.gather(daemon.glance(), daemon.near())


def reductions(desk: Desk) -> list[Mapping[str, Any]]:
    """The reduce-only orders as the venues took them, in the order of their arrival."""
    found = [
        {"venue": venue, **order}
        for venue in (X10, LIGHTER)
        for order in desk.world.orders(venue)
        if order["reduce_only"]
    ]
    return sorted(found, key=lambda order: order["arrived_ms"])


def alerts(desk: Desk, words: str) -> list[str]:
    return [alert.text for alert in desk.store.unacknowledged(100) if words in alert.text]


def liquidated(desk: Desk) -> list[str]:
    return [
        trade["kind"]
        for venue in (X10, LIGHTER)
        for trade in desk.world.state()[venue]["trades"]
        if trade["kind"] != "trade"
    ]


def near(desk: Desk, venue: str) -> str:
    """The factor that leaves 500 USD on 150 USD under 1,100 bps and above 700."""
    return against(desk, venue, "0.21" if venue == X10 else "0.17")


@small
@thin
@either_venue
async def test_both_legs_are_reduced_together_before_one_is_liquidated(
    desk: Desk, venue: str
) -> None:
    hedge = await desk.open("ETH", 500)
    before = abs(desk.position(venue))
    move_price(desk, near(desk, venue), over_s=60)

    await glances(desk, 9)

    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert desk.naked() == ZERO
    assert ZERO < abs(desk.position(venue)) < before
    orders = reductions(desk)
    assert [order["venue"] for order in orders[:2]] == [venue, other(venue)]
    assert all(order["filled"] == order["size"] for order in orders)
    assert desk.trader.guard.distances_bps[VenueId(venue), ETH] >= AT_BPS
    *_, longest = naked_spans(desk.world.state())
    assert longest < UNHEDGED_S
    assert liquidated(desk) == []
    assert "from liquidation" in desk.events("relief")[0]["text"]
    assert alerts(desk, "both legs were reduced")
    desk.assert_ledger_is_true()
    facts.assert_orders_are_ours(desk)


@small
@thin
@either_venue
async def test_without_the_reduction_that_path_comes_to_the_liquidation_distance(
    desk: Desk, venue: str
) -> None:
    """The same price, a little farther: as long as nobody looks, the venue takes a part alone."""
    await desk.open("ETH", 500)
    move_price(desk, against(desk, venue, "0.3"), over_s=60)
    await desk.world.pass_time(61)
    assert liquidated(desk)


@small
@thin
@either_venue
async def test_reductions_go_on_until_the_leg_is_well_away_and_then_stop(
    desk: Desk, venue: str
) -> None:
    await desk.open("ETH", 500)
    share = "0.225" if venue == X10 else "0.185"
    move_price(desk, against(desk, venue, share), over_s=90)
    await glances(desk, 18)
    count = len(reductions(desk))
    assert count >= 4
    assert desk.trader.guard.distances_bps[VenueId(venue), ETH] >= AWAY_BPS
    assert liquidated(desk) == []
    await glances(desk, 6)
    assert len(reductions(desk)) == count
    assert desk.store.metas("relief:") == {}
    assert desk.naked() == ZERO


@small
@thin
@either_venue
async def test_where_the_stressed_leg_cannot_be_reduced_the_other_is_left_alone(
    desk: Desk, venue: str
) -> None:
    hedge = await desk.open("ETH", 500)
    before = {v: desk.position(v) for v in (X10, LIGHTER)}
    code = 1010 if venue == X10 else 21605
    refusal = desk.world.fault(venue, "refuse", code=code, times=0)
    move_price(desk, near(desk, venue))

    await glances(desk, 2)

    assert {v: desk.position(v) for v in (X10, LIGHTER)} == before
    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert reductions(desk) == []
    assert len(alerts(desk, "could not be reduced together")) == 1

    desk.world.sandbox.faults.clear(refusal)
    await glances(desk, 4)

    assert [order["venue"] for order in reductions(desk)[:2]] == [venue, other(venue)]
    assert desk.naked() == ZERO


@small
@thin
@either_venue
async def test_the_second_leg_comes_down_by_what_the_first_one_filled(
    desk: Desk, venue: str
) -> None:
    await desk.open("ETH", 500)
    desk.world.fault(venue, "partial_fill", fraction="0.5")
    move_price(desk, near(desk, venue))
    await glances(desk, 1)
    first, second, *rest = reductions(desk)
    assert D(first["filled"]) < D(first["size"])
    assert second["venue"] == other(venue)
    assert D(second["size"]) == floor_to_step(D(first["filled"]), X10_STEP)
    assert rest == []
    assert abs(desk.naked()) < X10_STEP


@small
@pytest.mark.config(
    risk={"min_free_margin_share": 0, "reduce_max_steps": 1, "reduce_share": "0.05"}
)
@either_venue
async def test_near_its_liquidation_a_leg_that_was_taken_is_seen_twice_as_soon(
    desk: Desk, venue: str
) -> None:
    await desk.open("ETH", 500)
    move_price(desk, near(desk, venue))
    await glances(desk, 2)
    taken = asyncio.create_task(desk.world.pass_time(GLANCE_S + 1))
    part = str(floor_to_step(D("0.06") / abs(desk.position(venue)), D("0.0001")))  # on both steps
    taken.add_done_callback(lambda _: desk.world.fault(venue, "adl", market="ETH", fraction=part))
    await glances(desk, 1)
    await taken
    assert liquidated(desk) == ["deleverage"]
    assert desk.naked() == ZERO
    *_, longest = naked_spans(desk.world.state())
    assert longest < NEAR_S + LOOKS_S


@small
@thin
@either_venue
async def test_where_the_second_leg_is_refused_at_first_both_match_soon(
    desk: Desk, venue: str
) -> None:
    hedge = await desk.open("ETH", 500)
    code = 1010 if other(venue) == X10 else 21605
    desk.world.fault(other(venue), "refuse", code=code, times=2)
    move_price(desk, near(desk, venue))

    await glances(desk, 1)

    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert desk.naked() == ZERO
    assert abs(desk.position(venue)) < D("0.159")
    *_, longest = naked_spans(desk.world.state())
    assert longest < 10


@small
@thin
@either_venue
async def test_a_crash_between_both_reductions_is_taken_up(desk: Desk, venue: str) -> None:
    hedge = await desk.open("ETH", 500)
    desk.world.fault(other(venue), "hang", seconds=60, op=["public"], times=0)
    move_price(desk, near(desk, venue))
    running = asyncio.create_task(glances(desk, 1))
    while desk.naked() == ZERO:
        await desk.world.pass_time(0.5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert desk.store.hedge(hedge.id).state is State.CONVERGING
    desk.world.no_faults()

    await desk.restart()

    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert desk.naked() == ZERO
    desk.assert_ledger_is_true()


@small
@thin
@either_venue
async def test_a_price_that_goes_farther_ends_in_the_exit_of_both_legs(
    desk: Desk, venue: str
) -> None:
    """Closing the whole hedge stays the last step."""
    hedge = await desk.open("ETH", 500)
    move_price(desk, against(desk, venue, "0.245" if venue == X10 else "0.205"))
    await glances(desk, 1)
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert desk.events("relief") == []
    assert [order["venue"] for order in reductions(desk)] == [venue, other(venue)]
    desk.assert_flat()


@small
@thin
@either_venue
async def test_where_the_stressed_leg_cannot_come_off_the_other_one_stays(
    desk: Desk, venue: str
) -> None:
    """The exit began with leg A wherever the stress was, and a halt left the stressed leg alone."""
    hedge = await desk.open("ETH", 500)
    desk.world.change_market(venue, "ETH", status="inactive")
    move_price(desk, against(desk, venue, "0.245" if venue == X10 else "0.205"))

    await glances(desk, 1)

    assert desk.naked() == ZERO
    assert desk.position(venue) != ZERO
    assert alerts(desk, "could not be brought to flat")
    desk.world.change_market(venue, "ETH", status="active")
    await desk.trader.executor.resume(desk.store.hedge(hedge.id))
    desk.assert_flat()


@small
@pytest.mark.config(
    risk={"min_free_margin_share": 0, "reduce_max_steps": 1, "reduce_share": "0.05"}
)
async def test_reductions_have_a_limit_and_a_person_is_told_once(desk: Desk) -> None:
    hedge = await desk.open("ETH", 500)
    move_price(desk, near(desk, LIGHTER))
    await glances(desk, 6)
    assert len(reductions(desk)) == 2
    assert len(alerts(desk, "risk.reduce_max_steps")) == 1
    assert desk.store.hedge(hedge.id).state is State.OPEN


@small
@thin
async def test_a_venue_that_cannot_be_read_is_neither_near_nor_far(desk: Desk) -> None:
    await desk.open("ETH", 500)
    move_price(desk, near(desk, LIGHTER))
    desk.world.fault(LIGHTER, "bad_reads", what=["positions", "balance"], times=0)
    await glances(desk, 2)
    assert reductions(desk) == []
    desk.world.no_faults()
    await glances(desk, 2)
    assert len(reductions(desk)) >= 2


@either_venue
@pytest.mark.parametrize("kind", ["adl", "liquidate"])
@pytest.mark.parametrize("fraction", ["0.4", "0.02", "0.95", "1"])
async def test_what_a_venue_took_of_one_leg_comes_off_the_other_within_a_glance(
    desk: Desk, venue: str, kind: str, fraction: str
) -> None:
    hedge = await desk.open("ETH", 300)
    await desk.world.pass_time(20)
    desk.world.fault(venue, kind, market="ETH", fraction=fraction)

    await glances(desk, 2)

    assert desk.naked() == ZERO
    ended = desk.store.hedge(hedge.id)
    kept = fraction == "0.4"  # of the others, difference or remainder is below the least order
    assert ended.state is (State.OPEN if kept else State.CLOSED)
    assert abs(desk.position(venue)) == (D("0.057") if kept else ZERO)
    *_, longest = naked_spans(desk.world.state())
    assert longest < GLANCE_S + LOOKS_S
    assert "liquidated or deleveraged" in desk.events("forced")[0]["text"]
    assert reductions(desk)[0]["venue"] == other(venue)
    facts.assert_orders_are_ours(desk)


@small
@thin
@either_venue
async def test_a_price_that_jumps_over_every_distance_leaves_legs_that_match(
    desk: Desk, venue: str
) -> None:
    """The venue liquidates a part at once; what it left, and the other leg, come to agree."""
    await desk.open("ETH", 500)
    await desk.world.pass_time(20)
    move_price(desk, against(desk, venue, "0.3"))
    assert liquidated(desk)
    await glances(desk, 2)
    assert desk.naked() == ZERO
    *_, longest = naked_spans(desk.world.state())
    assert longest < GLANCE_S + LOOKS_S


@small
@thin
@either_venue
async def test_where_the_other_leg_is_taken_between_both_reductions_no_more_comes_off(
    desk: Desk, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the reading before the first order the other leg would have come down twice."""
    hedge = await desk.open("ETH", 500)
    before = abs(desk.position(venue))
    take = RollbackEngine.take

    async def taken(engine: RollbackEngine, of: Hedge, step: Reduction) -> Any:
        outcome = await take(engine, of, step)
        if len(reductions(desk)) == 1:
            part = floor_to_step((before - abs(desk.position(venue))) / before, D("0.0001"))
            desk.world.fault(other(venue), "liquidate", market="ETH", fraction=str(part))
            await desk.world.pass_time(1)  # readings lag
        return outcome

    monkeypatch.setattr(RollbackEngine, "take", taken)
    move_price(desk, near(desk, venue))

    await glances(desk, 1)

    assert len(liquidated(desk)) == 1
    assert [order["venue"] for order in reductions(desk)] == [venue]
    assert desk.naked() == ZERO
    assert desk.store.hedge(hedge.id).state is State.OPEN
    facts.assert_orders_are_ours(desk)
