"""
The daemon of one life: the product's own parts over simulated ports, on the product's own jobs.

Only APScheduler is left out, whose clock is the machine's: the jobs' methods are the daemon's.
A person beside it opens and closes hedges through the same doors as the commands.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hedger import settings, switches
from hedger.compose import compose
from hedger.daemon import COPIES_S, EXITS_S, LANES_S, NO_NEW_BUSINESS, Daemon
from hedger.domain.hedge import State
from hedger.domain.ids import Symbol, VenueId
from hedger.errors import ConfigError, DamagedError, StateError, UsageError, VenueError
from hedger.execution.ends import ENDS_S
from hedger.execution.returns import POLL_S
from hedger.home import Home
from hedger.monitoring.market_facts import LOOK_S
from hedger.ports import QuoteSource, Venue
from hedger.trader import Trader
from tests.desk import configured
from tests.simulation import exchange, nemesis
from tests.simulation.clients import LIGHTER, X10, SimLighterVenue, SimXVenue
from tests.simulation.effects import REPLACED
from tests.simulation.faults import Ill
from tests.simulation.kinds import ledger
from tests.simulation.network import Link
from tests.simulation.payouts import UNLISTED
from tests.simulation.process import Killed, Process, SimClock, now_s
from tests.simulation.quotes import SimLighterQuotes, SimXQuotes
from tests.simulation.scenarios import Story
from tests.simulation.store import SimStore, open_store

if TYPE_CHECKING:
    from tests.simulation.world import World

HEDGED = tuple(Symbol(name) for name in exchange.HEDGED)
PEOPLE = 2  # who open and close hedges, each on markets of their own
OPENED_S = 1.0  # how often it is seen, while a process recovers, which hedges are open
PAUSE_S = (38.0, 97.0)
TOGETHER = 0.3  # of their trades begin at the same moment
HOLD_S = (5.0, 50.0)
HOLD_LONG_S = (5.0, 400.0)  # where clocks run apart: until they have
SHUT = frozenset({Ill.HALTED, Ill.DELISTED, Ill.DRY_LONG, Ill.KEY_REVOKED})
HOLD_SHUT_S = (75.0, 300.0)  # a wish to close finds a venue that has been shut for long
HOLD_SHUT_SHARE = 0.4  # of the hedges in worlds where that happens
START_AGAIN_S = 2.0
JOBS = (
    "watch", "monitor", "rates", "glance", "near", "reconcile", "funding", "lanes", "guard",
    "units", "facts", "exits", "returns", "ends",
)  # fmt: skip
COPIED = "copies"  # where the ledger is a file

OWN_PACE_S = {
    "lanes": LANES_S, "facts": LOOK_S, "exits": EXITS_S, "returns": POLL_S,
    "ends": ENDS_S, COPIED: COPIES_S,
}  # fmt: skip


@cache
def configuration(*, dedicated: bool, poor: bool = False) -> settings.Settings:
    """
    The shipped sandbox configuration with the daemon's own usual paces.

    Where there is little money the margin is to be what ends first, not the distance.
    """
    return configured(
        risk={"min_liquidation_distance_bps": 800} if poor else {},
        account={"dedicated": dedicated},
        trading={"max_open_hedges": 10, "manage_leverage": True},
        circuit_breaker={"consecutive_failures_threshold": 5, "open_timeout_seconds": 30},
        funding={"payment_lag_s": 90},
    )


@cache
def pause_s(name: str) -> float:
    """How often the daemon does a job unless it is told otherwise."""
    if name in OWN_PACE_S:
        return OWN_PACE_S[name]
    job = getattr(settings.Jobs(), "glance" if name == "near" else name)
    assert job.interval_s is not None
    return float(job.interval_s)


async def life(world: "World", process: Process) -> None:
    """From the start of a process to its death."""
    store: SimStore | None = None
    process.owns_this()
    try:
        clock = SimClock(world.epoch, process)
        store = open_store(world.engines, clock, process, world.written)
        if world.oracle.follow():
            world.payment_turns.clear()  # what they had booked may be forgotten
        world.oracle.lanes.listen(store)
        await _serve(world, process, await _composed(world, process, store, clock))
    except Killed:
        pass
    except BaseExceptionGroup as group:
        for error in _leaves(group):
            _judge(world, process, "a task", error)
    except asyncio.CancelledError:
        raise
    except DamagedError as error:
        ledger.repair(world, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, a judge has to hear of it
        _judge(world, process, "the daemon", error)
    finally:
        if store is not None:
            store.close()


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


async def _composed(world: "World", process: Process, store: SimStore, clock: SimClock) -> Trader:
    wire = Link(world, process)
    venues: dict[VenueId, Venue] = {
        X10: SimXVenue(wire, clock),
        LIGHTER: SimLighterVenue(wire, clock, keys=world.keys),
    }
    quotes: dict[VenueId, QuoteSource] = {
        X10: SimXQuotes(wire, clock),
        LIGHTER: SimLighterQuotes(wire, clock),
    }
    for venue in venues.values():
        await _started(world, venue.start, clock)
    return compose(
        world.setup.settings or configuration(dedicated=world.dedicated, poor=world.poor),
        venues=venues,
        quotes=quotes,
        store=store,
        clock=clock,
        chance=random.Random(f"{world.setup.seed}|{process.number}"),
    )


async def _started(world: "World", start: Callable[[], Awaitable[None]], clock: SimClock) -> None:
    """
    A venue that does not answer ends the daemon's start, and so does one that answers for another
    account than the one that is configured; its supervisor starts it again.
    """
    while True:
        asked_s = now_s()
        try:
            return await start()
        except VenueError:
            await clock.sleep(START_AGAIN_S)
        except ConfigError:
            if not world.truth.untrue_since(asked_s):
                raise
            await clock.sleep(START_AGAIN_S)


async def _serve(world: "World", process: Process, trader: Trader) -> None:
    daemon = Daemon(trader, Home(Path("/nonexistent")))
    async with asyncio.TaskGroup() as group:
        names = JOBS if world.engines.file is None else (*JOBS, COPIED)
        jobs = [(name, getattr(daemon, name)) for name in names]
        group.create_task(_job(world, process, daemon, *jobs[0]))
        process.serves = True
        world.recovering = process
        await trader.catch_up(_unheard)
        for name, job in jobs[1:]:
            if name in NO_NEW_BUSINESS:
                group.create_task(_job(world, process, daemon, name, job))
        await _recovered(world, process, daemon, trader)
        world.trader = trader  # from now on commands are heard
        for name, job in jobs[1:]:
            if name not in NO_NEW_BUSINESS:
                group.create_task(_job(world, process, daemon, name, job))
        if world.setup.story is not None:
            group.create_task(_tell(world, process, trader, world.setup.story))
            return
        for number in range(PEOPLE):
            group.create_task(_person(world, process, trader, HEDGED[number::PEOPLE]))


async def _recovered(world: "World", process: Process, daemon: Daemon, trader: Trader) -> None:
    """Take up what an earlier life left, and hold it against the accounts."""
    opened: set[str] = set()

    def note() -> None:
        opened.update(world.oracle.opened())
        if process.alive and world.recovering is not None:
            world.loop.after(OPENED_S, note)

    note()
    await daemon.recover()
    if world.processes[-1] is process and world.trouble() is None:
        world.oracle.recovered(sorted(opened))
    await trader.hold_against_accounts()
    world.recovering = None


async def _job(
    world: "World", process: Process, daemon: Daemon, name: str, job: Callable[[], Awaitable[None]]
) -> None:
    """Again and again, beside itself where the daemon's may be."""
    clock, most = trader_clock(world, process), daemon.side_by_side().get(name, 1)
    runs: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as group:
        while True:
            await clock.sleep(pause_s(name))
            if most == 1:
                await _turn(world, process, daemon, name, job)
            elif len(runs) < most:
                run = group.create_task(_turn(world, process, daemon, name, job))
                runs.add(run)
                run.add_done_callback(runs.discard)


async def _turn(
    world: "World", process: Process, daemon: Daemon, name: str, job: Callable[[], Awaitable[None]]
) -> None:
    """One that raises is told as the scheduler tells it, and the job goes on."""
    began_s, failed = world.loop.now_s, world.failed
    try:
        await daemon._patient(job)()
    except Exception as error:  # noqa: BLE001 - as APScheduler does
        _died(world, process, daemon, name, error)
    else:
        if name == "funding" and failed == world.failed and _is_calm(world):
            world.payment_turns.append(began_s)


def _is_calm(world: "World") -> bool:
    """Whether what is paid could be read, dated and written."""
    listed = not any(ill in UNLISTED for ill, _ in world.lasting)
    return listed and world.trouble() is None and not world.machine_off_s


def _died(world: "World", process: Process, daemon: Daemon, name: str, error: Exception) -> None:
    """What the scheduler does when a job has raised; and the judge hears of it."""
    group = error if isinstance(error, ExceptionGroup) else ExceptionGroup(name, [error])
    for inner in _leaves(group):
        _judge(world, process, f"job {name}", inner)
    try:
        daemon._died(name, error)
    except StateError as again:
        _judge(world, process, name, again)


def _judge(world: "World", process: Process, where: str, error: BaseException) -> None:
    if isinstance(error, DamagedError) and world.engines.file is not None:
        ledger.met(world, process, error)
    elif isinstance(error, StateError):
        _expected(world, process, error)
    elif not isinstance(error, Killed | asyncio.CancelledError):
        world.oracle.internal(where, error)


def trader_clock(world: "World", process: Process) -> SimClock:
    return SimClock(world.epoch, process)


def _expected(world: "World", process: Process, error: StateError) -> None:
    """A disk that was made to fail may fail; a daemon that was replaced may find that out."""
    text = str(error)
    if "opened for writing by another process" in text:
        if world.processes[-1] is process:
            world.oracle.internal("the ledger", error)
        world.effects.met(REPLACED)
    elif "full" not in text and "locked" not in text:
        world.oracle.internal("the ledger", error)


async def _person(
    world: "World", process: Process, trader: Trader, symbols: Sequence[Symbol]
) -> None:
    """Opens a hedge now and then, and closes it after a while; before that what is left open."""
    clock, chance = trader_clock(world, process), world.chance
    while True:
        await _look_after(trader)
        live = [symbol for symbol in symbols if trader.store.live_on(symbol) is not None]
        symbol = chance.source.choice(live or symbols)
        try:
            await _trade(world, trader, clock, symbol)
        except (UsageError, VenueError):
            pass
        except Exception as error:  # noqa: BLE001 - a judge has to hear of it
            _judge(world, process, f"a command on {symbol}", error)
        await _pause(world, process)


async def _pause(world: "World", process: Process) -> None:
    """Until it is time to trade, or somebody else begins and calls the others."""
    try:
        async with asyncio.timeout(world.chance.between(*PAUSE_S)):
            await world.rush.wait()
    except TimeoutError:
        if world.chance.source.random() < TOGETHER:
            world.rush.set()
            world.rush = asyncio.Event()
    await process.resumed("sleep")


async def _look_after(trader: Trader) -> None:
    """What was switched off because a venue did something else than ordered is switched on."""
    for off in switches.active(trader.store):
        with contextlib.suppress(UsageError, StateError):
            await trader.resume(off.scope, losses=False, who="a person", progress=_unheard)


async def _trade(world: "World", trader: Trader, clock: SimClock, symbol: Symbol) -> None:
    hedge = trader.store.live_on(symbol)
    if hedge is None and not world.closing:
        usd = Decimal(world.chance.source.randint(60, 600))
        await trader.open_hedge(symbol, usd, _unheard)
        hedge = trader.store.live_on(symbol)
    if hedge is None or hedge.state is not State.OPEN:
        return
    if not world.closing:
        await clock.sleep(world.chance.between(*_hold_s(world)))
    hedge = trader.store.live_on(symbol)
    if hedge is not None and hedge.state is State.OPEN:
        await trader.close_hedge(hedge.id, _unheard)


def _hold_s(world: "World") -> tuple[float, float]:
    """Between how many seconds and how many a hedge is held."""
    if Ill.VENUE_OFF in world.plan.ills:
        return HOLD_LONG_S
    if world.plan.ills & SHUT and world.chance.source.random() < HOLD_SHUT_SHARE:
        return HOLD_SHUT_S
    return HOLD_S


async def _tell(world: "World", process: Process, trader: Trader, story: Story) -> None:
    """One hedge, opened in the first life that can, and closed in whichever comes to it."""
    clock = trader_clock(world, process)
    while True:
        try:
            await (story.step or _next_step)(world, trader, clock, story)
        except (UsageError, VenueError):
            pass
        except Exception as error:  # noqa: BLE001 - a judge has to hear of it
            _judge(world, process, "a command", error)
        await clock.sleep(2.0)


async def _next_step(world: "World", trader: Trader, clock: SimClock, story: Story) -> None:
    hedge = trader.store.live_on(HEDGED[0])
    if hedge is None and not world.oracle.counts()[0]:
        await trader.open_hedge(HEDGED[0], Decimal(300), _unheard)
        return
    if hedge is None or hedge.state is not State.OPEN:
        return
    if story.strike is not None and not world.struck:
        world.struck = True
        nemesis.strike(world, story.strike, HEDGED[0])
        await clock.sleep(40.0)
    await clock.sleep(2.0)
    hedge = trader.store.live_on(HEDGED[0])
    if hedge is not None and hedge.state is State.OPEN:
        await trader.close_hedge(hedge.id, _unheard)


def _unheard(_text: str) -> None:
    """Progress that nobody reads."""
