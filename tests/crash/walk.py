"""One trial: the lives and deaths of a daemon, and what must be true after the last of them."""

import asyncio
import random
import signal
import time
from dataclasses import dataclass, field

from tests.crash import scenes, truth
from tests.crash.rig import POLL_S, REST_S, Rig, Wrong

SCENE_S = 90.0  # how long a scene is played again until the label is passed
FREEZE_S = 40.0


@dataclass(slots=True)
class Trial:
    """What is to be done, and what came of it. ``label`` is what is counted."""

    label: str
    kind: str
    deaths: list[str] = field(default_factory=list)  # "starting" or "working", one per kill
    seconds: float = 0.0
    wrong: str = ""


async def labelled(rig: Rig, label: str, times: int, chance: random.Random) -> Trial:
    """Kill at a label, once or twice; then one life without, which must put all in order."""
    trial = Trial(label, f"{label} x{times}")
    site = label.partition(".")[0]
    for name, armed in _lives(label, site, times):
        await _until_dead(rig, trial, armed, name, chance)
    await _last_life(rig, late=site in scenes.LATE)
    return trial


def _lives(label: str, site: str, times: int) -> list[tuple[str, str]]:
    """
    The lives of a trial, as the label whose scene is played and what the daemon is armed with.

    Killed twice, the first kill is at the second pass where there is one in a life, so that the
    other leg and the other venue get theirs; the second kill is at the first pass of the next
    life, which for most labels is in recovery.
    """
    prelude = [("intend.after", "intend.after:1")] if site in scenes.IN_RECOVERY else []
    freeze = "intend.after:1:stop," if site == "abandon" else ""
    first = f"{freeze}{label}:1"
    if times == 1:
        return [*prelude, (label, first)]
    if prelude:
        return [*prelude, (label, first), *prelude, (label, first)]
    once = scenes.ONCE_IN_A_LIFE | {"abandon", "adopt"}
    return [(label, first if site in once else f"{label}:2"), (label, first)]


async def _until_dead(
    rig: Rig, trial: Trial, armed: str, label: str, chance: random.Random
) -> None:
    rig.start(armed)
    where = "starting"
    if await rig.ready():
        where = "working"
        until = time.monotonic() + SCENE_S
        while rig.alive and time.monotonic() < until:
            await scenes.scene_for(label)(rig, chance)
            await asyncio.sleep(0.2)
    if rig.alive:
        raise Wrong(f"{armed} was not passed within {SCENE_S:g} s")
    await _died_as_meant(rig)
    trial.deaths.append(where)


async def _died_as_meant(rig: Rig) -> None:
    if rig.exit_code != -signal.SIGKILL:
        raise Wrong(f"it ended by itself with status {rig.exit_code}: {rig.tail()}")
    await rig.clear()
    await rig.intents_come_first()


async def _last_life(rig: Rig, *, late: bool = False) -> None:
    """
    Start once more, unarmed: all comes to rest, agrees, can be taken off, and stops.

    ``late``: orders may have filled that were proven dead, and are looked up again in time.
    """
    await rig.clear()
    rig.start()
    if not await rig.ready():
        raise Wrong(f"it does not start any more, status {rig.exit_code}: {rig.tail()}")
    if late:
        await _late_fills_are_booked(rig)
    await rig.at_rest()
    await rig.compare()
    await rig.ask("rollback", all=True)
    await rig.at_rest()
    await rig.compare(flat=True)
    await rig.stop()


async def _late_fills_are_booked(rig: Rig) -> None:
    until = time.monotonic() + REST_S
    while found := truth.filled_though_dead(await rig.state(), rig.rows("orders")):
        if time.monotonic() > until:
            raise Wrong(f"filled late and not booked: {', '.join(found)}; {rig.tail()}")
        await asyncio.sleep(POLL_S)


async def at_random(rig: Rig, chance: random.Random) -> Trial:
    """Two kills at random instants: one at work, one while it starts, recovers or works again."""
    trial = Trial("random", "random pair")
    for within_s in (6.0, 9.0):
        rig.start()
        async with asyncio.TaskGroup() as group:
            work = group.create_task(_keep_busy(rig, chance))
            if within_s < 9.0:
                await rig.ready()
            await asyncio.sleep(chance.uniform(0.0, within_s))
            trial.deaths.append("working" if work.done() or rig.home.holder() else "starting")
            rig.send(signal.SIGKILL)
            if not await rig.died(10):
                raise Wrong("SIGKILL did not end it")
        await _died_as_meant(rig)
    await _last_life(rig)
    return trial


async def _keep_busy(rig: Rig, chance: random.Random) -> None:
    """Two hedges at a time until the daemon is gone."""
    if not await rig.ready():
        return

    async def one() -> None:
        while rig.alive:
            await scenes.anything(rig, chance)
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        group.create_task(one())
        group.create_task(one())


async def stopped(rig: Rig, chance: random.Random) -> Trial:
    """SIGTERM at a random instant of work: at most 25 s, and nothing half known."""
    trial = Trial("SIGTERM", "SIGTERM at work")
    rig.start()
    await rig.ready()
    async with asyncio.TaskGroup() as group:
        group.create_task(_keep_busy(rig, chance))
        await asyncio.sleep(chance.uniform(0.0, 5.0))
        await rig.stop()
    await rig.clear()
    unknown = [row["id"] for row in rig.rows("orders") if row["state"] == "prepared"]
    trial.deaths.append(f"{rig.stop_seconds[-1]:.1f} s, {len(unknown)} unknown")
    await _last_life(rig)
    return trial


async def stopped_with_a_working_order(rig: Rig, chance: random.Random) -> Trial:
    """SIGTERM while a venue works on a leg: no opening order is left behind to fill later (S60)."""
    trial = Trial("SIGTERM", "SIGTERM with a working order")
    rig.start()
    await rig.ready()
    async with asyncio.TaskGroup() as group:
        group.create_task(scenes.kept_working(rig, chance))
        while not await rig.working():
            await asyncio.sleep(0.1)
        await rig.stop()
    if left := await rig.working():
        raise Wrong(f"left working at the venue: {', '.join(left)}")
    trial.deaths.append(f"{rig.stop_seconds[-1]:.1f} s, nothing left working")
    await _last_life(rig)
    return trial


async def frozen(rig: Rig, chance: random.Random) -> Trial:
    """SIGSTOP for 40 s with a hedge in flight, and on: the same daemon puts all in order."""
    trial = Trial("SIGSTOP", f"SIGSTOP for {FREEZE_S:g} s")
    rig.start()
    await rig.ready()
    async with asyncio.TaskGroup() as group:
        group.create_task(scenes.second_leg_refused(rig, chance))
        group.create_task(scenes.plain(rig, chance))
        await asyncio.sleep(chance.uniform(0.2, 2.0))
        rig.send(signal.SIGSTOP)
        await asyncio.sleep(FREEZE_S)
        rig.send(signal.SIGCONT)
    trial.deaths.append("continued")
    await rig.clear()
    await rig.at_rest()
    await rig.compare()
    if await rig.ask("open", symbol="ETH", usd=scenes.USD) is None:
        raise Wrong(f"after the freeze it opens nothing any more: {rig.tail()}")
    await rig.ask("rollback", all=True)
    await rig.at_rest()
    await rig.compare(flat=True)
    await rig.stop()
    return trial
