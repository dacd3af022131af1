"""
A venue's clock that is not ours (S36, S5): orders and proofs are said in the venue's own time.

The venues keep real time here, and this machine's clock is wrong: nobody can tell which it is.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedger.clock import Clock
from hedger.domain.hedge import State, Target
from hedger.errors import UsageError
from hedger.standing import sentences, standing
from tests.desk import Desk, at_desk
from tests.scenarios import facts
from tests.world import LIGHTER, X10, World

ZERO = Decimal(0)
FENCE_S = 11.0  # an X10 order: 5 s to live, 1 s between X10's own clocks, 5 s of read lag


class WrongClock:
    """A wall clock that is off; what it measures of spans is right."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.off_s = 0.0

    def now(self) -> datetime:
        return self._clock.now() + timedelta(seconds=self.off_s)

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


@pytest.fixture
def clock(world: World) -> WrongClock:
    """This machine's clock; right until it is set."""
    world.clock = WrongClock(world.clock)
    return world.clock


@pytest.fixture
async def desk(world: World, clock: WrongClock, tmp_path: Path) -> AsyncIterator[Desk]:
    """The whole program on that machine."""
    del clock  # the world has it
    async with at_desk(world, tmp_path) as found:
        yield found


off = pytest.mark.parametrize("off_s", [-25.0, -3.0, 3.0, 25.0])


async def seen_by_all(desk: Desk) -> None:
    """One look at both accounts, which is what the daemon does every 15 s."""
    await desk.trader.hold_against_accounts()


@off
async def test_s36_a_hedge_is_closed_whatever_the_clocks_say(
    desk: Desk, clock: WrongClock, off_s: float
) -> None:
    """X10 refused every exit (1135, expired) of a machine whose clock was 10 s slow."""
    hedge = await desk.open("ETH", 300)
    clock.off_s = off_s

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
    assert all(order["state"] == "filled" for order in facts.sent(desk, X10, "close")[1:])


@off
async def test_s36_nothing_is_opened_while_the_clocks_differ_and_a_person_is_told_once(
    desk: Desk, clock: WrongClock, off_s: float
) -> None:
    clock.off_s = off_s
    await seen_by_all(desk)
    await seen_by_all(desk)

    with pytest.raises(UsageError, match=r"the clock of (x10|lighter) is .* s (ahead of|behind)"):
        await desk.open("ETH", 300)
    told = [a.text for a in desk.store.unacknowledged() if a.text.startswith("the clock of")]
    assert len(told) == len((X10, LIGHTER))
    assert sum("of ours as of" in s for s in sentences(standing(desk.store))) == len(told)
    assert desk.world.orders(X10) == []

    clock.off_s = 0.0
    await desk.world.pass_time(20)
    await seen_by_all(desk)
    assert (await desk.open("ETH", 300)).state is State.OPEN
    assert [s for s in sentences(standing(desk.store)) if "of ours as of" in s] == []


@off
async def test_s36_an_order_that_never_reached_x10_is_dead_when_x10s_own_clock_is_past_it(
    desk: Desk, clock: WrongClock, off_s: float
) -> None:
    """By our clock the fence would stand 25 s too early, or 25 s too late with a leg alone."""
    hedge = await desk.open("ETH", 300)
    clock.off_s = off_s
    await seen_by_all(desk)
    desk.world.fault(X10, "drop_answer", when="before", reduce_only=True)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    dead = facts.sent(desk, X10, "close")[0]
    assert dead["state"] == "dead"
    took = facts.instant(dead["done_at"]) - facts.instant(dead["prepared_at"])
    assert FENCE_S - 1 < took.total_seconds() < FENCE_S + 2  # a date tells full seconds
    desk.assert_ledger_is_true()


@off
async def test_s5_our_own_fills_are_found_among_the_trades_whatever_the_clocks_say(
    desk: Desk, clock: WrongClock, off_s: float
) -> None:
    """
    Trades were looked for from two seconds before the hedge, by our clock.

    With the clocks further apart than that our own fills were not among them, every reading of
    the position was contradicted, and a leg that somebody had cut down stayed alone for 24 min.
    """
    hedge = await desk.open("ETH", 300)
    clock.off_s = off_s
    await seen_by_all(desk)
    half = desk.position(X10) / 2
    desk.world.fault(X10, "liquidate", market="ETH", fraction="0.5")
    await desk.world.pass_time(1)
    began_s = clock.monotonic_s()

    await desk.trader.reconciler.glance()

    assert clock.monotonic_s() - began_s < 6
    assert desk.naked() == ZERO
    assert abs(desk.position(LIGHTER)) <= abs(half)
    assert desk.store.hedge(hedge.id).state is State.OPEN


async def test_s5_trades_that_contradict_a_leg_delay_its_reduction_but_do_not_stop_it(
    desk: Desk,
) -> None:
    """
    A leg is half gone, and the list of trades never shows what took it.

    The other leg is brought down after the read lag; nothing is concluded, so a person is told.
    """
    hedge = await desk.open("ETH", 300)
    desk.world.fault(X10, "liquidate", market="ETH", fraction="0.5")
    await desk.world.pass_time(1)
    desk.world.fault(X10, "lag", what=["orders"], seconds=3_600, times=0)
    began_s = desk.world.clock.monotonic_s()

    hedge = await desk.trader.executor.converge(hedge, Target.MATCH, "a leg differs")

    sent_at = facts.instant(facts.sent(desk, LIGHTER, "rollback")[0]["prepared_at"])
    waited_s = (sent_at - desk.world.clock.now()).total_seconds()
    waited_s += desk.world.clock.monotonic_s() - began_s
    assert 5 < waited_s < 20
    assert desk.naked() == ZERO
    assert hedge.state is State.ESCALATED
    desk.world.no_faults()
    assert (await desk.trader.executor.resume(hedge)).state is State.OPEN


async def test_a_clock_that_is_set_back_between_the_legs_keeps_no_leg_alone(
    desk: Desk, clock: WrongClock
) -> None:
    """Leg A's proof was waited for until a time that had moved minutes away."""
    desk.world.fault(X10, "bad_reads", what=["positions"], skip=1, times=0)
    opening = asyncio.ensure_future(desk.open("ETH", 300))
    while desk.position(X10) == 0:
        await desk.world.pass_time(0.01)
    clock.off_s = -300.0
    await desk.world.pass_time(20)
    desk.world.no_faults()

    hedge = await opening

    assert hedge.state is State.CLOSED
    assert hedge.reason == "rolled back: leg A was not proven within 5 s"
    desk.assert_flat()
