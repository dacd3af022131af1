"""Our own machine: the clock, a process that stands still, and the ledger file (``ledger``)."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from tests.simulation.faults import Ill
from tests.simulation.kinds import ledger
from tests.simulation.kinds.stroke import Stroke
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

OFF_S = (60.0, 540.0)
"""
How wrong our clock is set. Lighter's signer dates a transaction by it, ten minutes ahead: where
it is further behind than that, nothing that is signed here is valid there.
"""
WRONG_S = (60.0, 600.0)  # for so long
ON_ITS_WAY_S = (0.01, 4.0)
PAUSE_S = (5.0, 90.0)
STORY_PAUSE_S = 60.0
PAUSED = 0.025  # how likely, at an intent


# -- the clock ----------------------------------------------------------------------------------


def _clock_back(world: "World") -> bool:
    """Set wrong by minutes, and right again some time later."""
    off_s = world.chance.source.choice((-1, 1)) * world.chance.between(*OFF_S)
    return set_clock(world, off_s, world.chance.between(*WRONG_S))


def set_clock(world: "World", off_s: float, seconds: float) -> bool:
    """Our machine's wall clock is off by so much for so long."""
    return world.last(
        Ill.CLOCK_BACK, "machine", seconds, partial(_set_wrong, world, off_s),
        partial(_step, world, -off_s),
    )  # fmt: skip


def _set_wrong(world: "World", seconds: float) -> None:
    world.clock_untold = True
    _step(world, seconds)


def _step(world: "World", seconds: float) -> None:
    world.machine_off_s += seconds
    world.payment_turns.clear()  # they began by another clock than the one that dates an end
    for process in world.processes:
        process.skew_s += seconds


# -- standing still -----------------------------------------------------------------------------


def at_intent(world: "World", process: Process) -> None:
    """
    An intent has just been committed, and its order is about to leave: the process may stand still
    here for longer than an order may wait.
    """
    assert process.intends is not None
    world.intents += 1
    if world.clock_untold:
        world.clock_untold = False
        world.chance.tell(Ill.CLOCK_BACK)  # what was signed had to be translated
    venue, client_id = process.intends
    told = world.plan.orders.get(world.intents) is Ill.PAUSED
    world.oracle.intended(venue, client_id)
    if (then := world.at_intent) is not None:
        world.at_intent = None
        world.loop.call_later(world.chance.between(*ON_ITS_WAY_S), then)
    if world.pausing or not (told or world.chance.strikes(Ill.PAUSED, PAUSED)):
        return
    seconds = STORY_PAUSE_S if told else world.chance.between(*PAUSE_S)
    world.trace(f"{Ill.PAUSED} {seconds:.1f}")
    world.chance.tell(Ill.PAUSED)
    world.pausing = True
    process.stand_still(seconds, world.truth.changed)
    world.pausing = False


STROKES: Mapping[Ill, Stroke] = {
    **ledger.STROKES,
    Ill.CLOCK_BACK: Stroke(3.0, ledger.when_busy(Ill.CLOCK_BACK, _clock_back)),
}
