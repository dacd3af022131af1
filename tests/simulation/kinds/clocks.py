"""The venues' clock: off, running apart, or set wrong; and what comes late while it is."""

import asyncio
from itertools import cycle
from typing import TYPE_CHECKING

from tests.simulation.effects import SIGNED
from tests.simulation.faults import AIMED, Ill

if TYPE_CHECKING:
    from tests.simulation.world import World

SHORT_S = (2.0, 12.0)
WANDER_S = 0.5
DRIFT_AFTER_S = (30.0, 150.0)
DRIFT_SHORT_S = 3.0  # soon enough back that new hedges are opened
SHORT_FIRST = 0.6
DRIFT_STEP_S = 0.05
DRIFT_ONE_IN = 20.0  # seconds in which it goes wrong by one
NEARLY_RIGHT_S = 1.0
DRIFT_END_ONE_IN = 240.0  # the last second takes so long: hedges are opened meanwhile
FAR_OFF_S = 2.0
LATE_WHEN_OFF = 0.5
LATE_WHEN_OFF_S = (1.0, 4.5)  # within what an order is signed for


async def drift(world: "World") -> None:
    """
    The venues' clock, which was right, goes wrong slowly, and comes back more slowly still, again
    and again, now ahead and now behind.
    """
    far_s = world.plan.venue_off_s
    near_s = max(-DRIFT_SHORT_S, min(DRIFT_SHORT_S, far_s))
    ways_s = [far_s, -near_s, -far_s, near_s]
    if world.chance.source.random() < SHORT_FIRST:
        ways_s = ways_s[1:] + ways_s[:1]
    for way_s in cycle(ways_s):
        await asyncio.sleep(world.chance.between(*DRIFT_AFTER_S))
        await _drift_to(world, way_s, DRIFT_ONE_IN)
        await asyncio.sleep(world.chance.between(*DRIFT_AFTER_S))
        nearly_s = max(-NEARLY_RIGHT_S, min(NEARLY_RIGHT_S, way_s))
        await _drift_to(world, nearly_s, DRIFT_ONE_IN)
        await _drift_to(world, 0.0, DRIFT_END_ONE_IN)
        if world.chance.quiet:
            return


async def _drift_to(world: "World", wanted_s: float, one_in_s: float) -> None:
    world.effects.wait(Ill.VENUE_OFF, SIGNED)
    while world.clock.steady_s != wanted_s and not world.chance.quiet:
        step_s = max(-DRIFT_STEP_S, min(DRIFT_STEP_S, wanted_s - world.clock.steady_s))
        world.clock.steady_s += step_s
        world.clock_moved()
        await asyncio.sleep(DRIFT_STEP_S * one_in_s)


def wander(world: "World") -> bool:
    """The venues' clock, which is off all the time, goes a little too fast or too slow."""
    world.clock.steady_s += world.chance.between(-WANDER_S, WANDER_S)
    world.clock_moved()
    world.effects.wait(Ill.VENUE_OFF, SIGNED)
    return True


def on_way(world: "World", venue: str) -> float | None:
    """
    An order is on its way; by how many seconds it is late, and its answer is lost.

    A short outage takes it away before it comes: whoever looks for it is answered only when it
    has grown old. Where the venue's clock is far off, some come just before they expire: what is
    concluded from an expiry is wrong by as much as the clock is.
    """
    chance = world.chance
    if venue == "lighter" and chance.strikes(Ill.OUTAGE_AIMED, AIMED[Ill.OUTAGE_AIMED] / 2):
        world.begin_outage(venue, "silent", chance.between(*SHORT_S), Ill.OUTAGE_AIMED)
    far = abs(world.clock.steady_s) > FAR_OFF_S
    if far and venue == "x10" and chance.strikes(Ill.REQUEST_LATE, LATE_WHEN_OFF):
        return chance.between(*LATE_WHEN_OFF_S)
    return None
