"""One world from its beginning to its judgement: ``simulate``."""

import asyncio
import atexit
import gc
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from hedger.ledger import migrate
from tests.clocks import ManualClock
from tests.simulation import nemesis, payouts
from tests.simulation.faults import Ill
from tests.simulation.loop import SimLoop
from tests.simulation.process import now_s
from tests.simulation.setup import Result, Setup
from tests.simulation.store import Engines
from tests.simulation.world import EPOCH, EPOCH_MS, World

REST_LEAST_S = 75.0  # as long as a late message may still be on its way, and two looks
REST_STORY_S = 30.0
REST_UNTRUE_S = 330.0  # as long as an order that ended short may wait for its next look
REST_MOST_S = 1_200.0
REST_LOOK_S = 5.0
GC_THRESHOLD = (50_000, 20, 50)


async def _day(world: World) -> None:
    """A usual day: trade with everything on, then let it come to rest."""
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(world.live()), loop.create_task(nemesis.run(world))]
    world.seen.watch()
    await world.day()
    world.story_boundaries = world.passed
    await _rest(world)
    world.over = True
    for process in world.processes:
        process.kill()
    await asyncio.sleep(1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _rest(world: World) -> None:
    """No more faults; everything that is owed must come about now."""
    world.chance.quiet = True
    world.closing = True
    world.kill_in = None
    world.end_trouble()
    world.end_all()
    world.clock.off_s = 0.0
    world.clock_moved()
    began = now_s()
    late = world.setup.story is None or Ill.REQUEST_LATE in world.plan.orders.values()
    least_s = REST_LEAST_S if late else REST_STORY_S
    if world.plan.beyond:
        least_s = REST_UNTRUE_S
    while now_s() - began < REST_MOST_S:
        await asyncio.sleep(REST_LOOK_S)
        if now_s() - began >= least_s and world.oracle.at_rest():
            return


def simulate(setup: Setup, make: Callable[[Setup, Engines], World] = World) -> Result:
    """Run one world to its end and judge it."""
    loop = SimLoop()
    asyncio.set_event_loop(loop)
    engines = _engines(os.getpid())
    engines.lay_out(empty_ledger())
    usual = gc.get_threshold()
    gc.set_threshold(*GC_THRESHOLD)  # a world is over soon: looking for garbage costs more
    try:
        return loop.run_until_complete(_run(setup, engines, make))
    finally:
        loop.set_exception_handler(lambda *_: None)  # judged: what killed processes left is no news
        gc.set_threshold(*usual)
        asyncio.set_event_loop(None)
        loop.close()


def _unhandled(world: World, context: dict[str, Any]) -> None:
    """A callback of the loop, or a task that nobody awaits, has raised: a judge hears of it."""
    error = context.get("exception")
    if not isinstance(error, BaseException):
        error = RuntimeError(context["message"])
    world.oracle.internal(f"the loop ({context['message']})", error)


async def _run(setup: Setup, engines: Engines, make: Callable[[Setup, Engines], World]) -> Result:
    world = make(setup, engines)
    asyncio.get_running_loop().set_exception_handler(lambda _, told: _unhandled(world, told))
    try:
        await _day(world)
        return _judged(setup, world)
    finally:
        world.oracle.close()


def _judged(setup: Setup, world: World) -> Result:
    world.truth.finish()
    world.oracle.finish()
    for text in payouts.broken(
        world.path, world.venues, world.payment_turns, EPOCH_MS, dedicated=world.dedicated,
        lost=world.oracle.lost(),
    ):  # fmt: skip
        world.oracle.money(text)
    hedges, orders, alerts = world.oracle.counts()
    return Result(
        seed=setup.seed,
        hours=setup.hours,
        violations=world.oracle.violations,
        spans=world.truth.spans,
        fired=world.chance.fired,
        told=world.chance.told,
        hedges=hedges,
        orders=orders,
        alerts=alerts,
        kills=world.kills,
        boundaries=world.boundaries,
        digest=world.digest,
        dedicated=world.dedicated,
        trace=world.trace_lines,
        plan=world.plan,
        crash_at=setup.crash_at,
        story_boundaries=world.story_boundaries,
        deaths=world.deaths,
        lanes=world.oracle.lanes.facts,
    )


@cache
def _base() -> Path:
    """Where ledgers lie, in memory if there is such a place; ask for it before forking."""
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(prefix="hedger-sim-", dir=memory if memory.is_dir() else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@cache
def _engines(pid: int) -> Engines:
    """The place of this process; a fork gets its own."""
    folder = _base() / str(pid)
    folder.mkdir()
    gc.freeze()  # what was imported stays
    engines = Engines(folder)
    atexit.register(engines.close)
    return engines


@cache
def empty_ledger() -> Path:
    """A ledger without rows, migrated once; ask for it before forking."""
    path = _base() / "empty.db"
    migrate.upgrade(path, ManualClock(EPOCH))
    return path
