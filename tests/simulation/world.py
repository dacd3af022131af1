"""
A simulated world: two venues, a network, a disk, and the daemon, life after life.

Everything in it follows from its seed; ``run.simulate`` lets one go by.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from math import floor

from adapters.sandbox.clock import http_date
from hedger.trader import Trader
from tests.simulation import ability, daemon, nemesis
from tests.simulation.aiming import Aims
from tests.simulation.answers import Answers
from tests.simulation.doors import Doors
from tests.simulation.effects import DISK, REPLACED, SIGNED, Effects
from tests.simulation.exchange import BALANCE_USD, POOR_USD, Venues
from tests.simulation.faults import AIMED, BEYOND, Chance, Ill, drawn
from tests.simulation.kinds import clocks, ledger, machine, payments
from tests.simulation.kinds.marketaims import MarketAims
from tests.simulation.kinds.venue import answers_us
from tests.simulation.network import Trace
from tests.simulation.oracle import Oracle
from tests.simulation.oracles.bench import Seen
from tests.simulation.parked import Parked
from tests.simulation.past import Clocks, Money, Positions
from tests.simulation.process import Process, now_s, running
from tests.simulation.readings import Readings
from tests.simulation.sends import Sends
from tests.simulation.setup import Setup
from tests.simulation.store import Engines, cut_power
from tests.simulation.truth import Availability, Truth
from tests.simulation.venuefaults import SimFaults

EPOCH = datetime(2026, 1, 2, 21, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
EPOCH_MS = (EPOCH - datetime(1970, 1, 1, tzinfo=UTC)) // MILLISECOND
SHARED_EVERY = 3  # every third seed runs on shared sub-accounts
POOR_EVERY, POOR_AT = 8, 5  # in one world of eight there is money for one hedge, hardly for two
RESTART_S = (0.5, 20.0)
STALLS = AIMED[Ill.STALL_AT_COMMIT]
OUTAGES = (Ill.OUTAGE, Ill.OUTAGE_AIMED)


class VenueClock:
    """The venues' clock: how far it was set wrong in a moment, and how far it is off besides."""

    def __init__(self, steady_s: float = 0.0) -> None:
        self.off_s = 0.0
        self.steady_s = steady_s
        self._loop = running()
        self._read_s = -1.0
        self._ms = 0
        self._second = -1
        self._date = ""

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=now_s() + self.off_s + self.steady_s)

    def now_ms(self) -> int:
        """The same in milliseconds since 1970, rounded down: the engines' wire clock."""
        seconds = self._loop.now_s + self.off_s + self.steady_s
        if seconds != self._read_s:  # it is read many times at one instant
            self._read_s = seconds
            self._ms = EPOCH_MS + timedelta(seconds=seconds) // MILLISECOND
        return self._ms

    def date(self) -> str:
        """The same as the date of an HTTP answer."""
        second = floor(self._loop.now_s + self.off_s + self.steady_s)
        if second != self._second:
            self._second = second
            self._date = http_date(EPOCH + timedelta(seconds=second))
        return self._date

    def monotonic_s(self) -> float:
        return now_s()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class World:
    """Everything but the program."""

    def __init__(self, setup: Setup, engines: Engines) -> None:
        source = random.Random(setup.seed)
        self.setup = setup
        self.engines = engines
        self.path = path = engines.path
        self.loop = running()
        self.plan = drawn(source, setup.without) if setup.plan is None else setup.plan
        if ledger.needs_a_file(self.plan, setup.story):
            engines.use_a_file()
        self.dedicated = (
            setup.seed % SHARED_EVERY != 0 if setup.dedicated is None else setup.dedicated
        )
        self.keys = setup.seed % 2 + 1 if setup.keys is None else setup.keys
        self.chance = Chance(self.plan, source)
        self.effects = Effects(self.chance)
        if self.plan.venue_off_s and not self.plan.venue_drifts:
            self.effects.wait(Ill.VENUE_OFF, SIGNED)
        self.clock = VenueClock(0.0 if self.plan.venue_drifts else self.plan.venue_off_s)
        self.faults = SimFaults(self.clock, self.chance)
        self.poor = setup.seed % POOR_EVERY == POOR_AT if setup.poor is None else setup.poor
        money_usd = POOR_USD if self.poor else BALANCE_USD
        self.venues = Venues(
            self.clock, self.faults, setup.seed,
            ahead_ms=payments.ahead_ms(self.plan), money_usd=money_usd,
        )  # fmt: skip
        self.rush = asyncio.Event()  # of the people: they begin together
        self.answers = Answers(self.venues, self.chance)
        self.processes: list[Process] = []
        self.kills = 0
        self.boundaries: Counter[str] = Counter()
        self.deaths: Counter[str] = Counter()
        self.passed = 0  # boundaries so far
        self.story_boundaries = 0
        self.kill_in: int | None = None  # boundaries until the next death
        self.closing = False  # no new hedges, the open ones are closed
        self.over = False
        self.epoch = EPOCH
        self.recovering: Process | None = None
        self.strangers = 0  # orders of others so far
        self.power_lost = False
        self.struck = False  # a story has had its blow
        self.trader: Trader | None = None  # of the last process, once it is put together
        self.hands: list[asyncio.Task[None]] = []  # what persons do beside it
        self.machine_off_s = 0.0  # our machine's wall clock
        self.clock_untold = False  # it was set, and nothing was signed since
        self.unusable = ""  # why the process that runs cannot use its ledger
        self.copies = 0  # of the ledger, made by hand
        self.intents = 0
        self.at_intent: Callable[[], None] | None = None  # what is done soon after the next one
        self.pausing = False
        self._disk_trouble: str | None = None
        self._lives: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._trace = Trace(self.loop)
        if setup.keep_trace:
            self._trace.lines = []
        self.trace = self._trace.add
        self.outages: dict[str, str] = {}  # how a venue does not answer: refused, or silent
        self.doors = Doors(self)
        self.born_s = 0.0  # of the process that runs
        self.failed = 0  # messages without a usable answer so far
        self.payment_turns: list[float] = []  # when the job for funding began, undisturbed
        self._crash_at = setup.crash_at
        self._stalls = Ill.STALL_AT_COMMIT in self.plan.ills
        self.oracle = Oracle(path, self.venues, dedicated=self.dedicated, beyond=self.plan.beyond)
        self.lasting: dict[tuple[Ill, str], Callable[[], None]] = {}
        self.truth = Truth(
            self.venues, Availability(self.is_up), partial(ability.able, self), self._is_true,
            self.oracle.ended, self.oracle.began,
        )  # fmt: skip
        self.oracle.truth = self.truth
        self.seen = self.oracle.seen = Seen(self)
        self.market_aims = MarketAims(self)
        self.faults.disturbed = self._is_shared_lately
        self.truth.watch()
        self.aims = Aims(self)
        self.parked = Parked(self)
        self.oracle.lane_time = Availability(self._lanes_can)
        self.truth.besides.append(self.oracle.lane_time.look)
        self.chance.busy = self.oracle.busy
        self.clocks = Clocks()
        self.clocks.note(self.clock.off_s + self.clock.steady_s)
        money = Money(self.venues)
        self.positions = positions = Positions(self.venues, money.look if self.poor else bool)
        self.oracle.sends = Sends(self, positions, money, self.clocks)
        Readings(self, positions, money).watch()
        self.faults.has_to_reduce = self.truth.holds
        self.faults.met = self.effects.met

    # -- what happens in it -----------------------------------------------------------------

    @property
    def digest(self) -> str:
        return self._trace.digest

    @property
    def trace_lines(self) -> list[str]:
        return self._trace.lines or []

    def is_up(self) -> bool:
        """
        Whether a process runs and can write, and both venues answer. One that knows none of our
        keys does not: it refuses every question about the account, and nobody can say what became
        of an order.
        """
        answer = not self.outages and all(map(self.doors.answers, nemesis.VENUES))
        works = answer and self.runs() and self._disk_trouble is None
        return works and all(answers_us(self, v) for v in nemesis.VENUES)

    def runs(self) -> bool:
        """Whether a process runs, and does not stand still."""
        now = now_s()
        running = any(p.alive and p.stalled_until_s <= now for p in self.processes[-1:])
        return running and not self.unusable

    def _lanes_can(self) -> bool:
        """Whether a lane that is out of step could come into step again."""
        return self.is_up() and self.doors.lanes_open()

    def _is_shared_lately(self, symbol: str | None) -> bool:
        """Whether somebody else has just traded on a market of a shared account."""
        at_s = self.oracle.disturbed_s.get(symbol or "", -nemesis.CALM_S)
        return not self.dedicated and now_s() - at_s < nemesis.CALM_S

    def _is_true(self) -> bool:
        """Whether every venue keeps what it declares."""
        return not any(ill in BEYOND for ill, _ in self.lasting)

    def last(
        self, ill: Ill, where: str, seconds: float, begin: Callable[[], None],
        end: Callable[[], None],
    ) -> bool:  # fmt: skip
        """
        Something is otherwise for so long at a place (a market, a venue, a file); False where it
        is so already. What is under way when the world comes to rest ends then.
        """
        if (ill, where) in self.lasting:
            return False
        self.trace(f"{ill} {where}")
        self.truth.changed()
        self.lasting[ill, where] = end
        begin()
        self.truth.changed()
        self.loop.call_later(seconds, self._lasted, ill, where, end)
        return True

    def _lasted(self, ill: Ill, where: str, end: Callable[[], None]) -> None:
        if self.lasting.get((ill, where)) is end:
            self.trace(f"end of {ill} {where}")
            self.truth.changed()
            del self.lasting[ill, where]
            end()
            self.truth.changed()

    def end_all(self) -> None:
        """Whatever lasts is over."""
        for (ill, where), end in tuple(self.lasting.items()):
            self._lasted(ill, where, end)
        self.end_outages()

    def begin_outage(self, venue: str, mode: str, seconds: float, ill: Ill = Ill.OUTAGE) -> None:
        """Nobody reaches a venue for that long."""
        if venue in self.outages:
            return
        if venue not in self.doors.outage:  # one of minutes is counted there
            self.effects.wait(ill, venue)
        self.trace(f"outage {venue}")
        self.truth.changed()
        self.outages[venue] = mode
        self.parked.watch()
        self.truth.changed()
        self.loop.call_later(seconds, self._end_outage, venue)

    def _end_outage(self, venue: str) -> None:
        self.outages.pop(venue, None)
        self.doors.outage.pop(venue, None)
        for ill in OUTAGES:
            self.effects.over(ill, venue)
        self.truth.changed()

    def end_outages(self) -> None:
        for venue in tuple(self.outages):
            self._end_outage(venue)

    def trouble(self) -> str | None:
        """What the disk says to a writer; None when it works."""
        return self._disk_trouble

    def written(self) -> str | None:
        """The same, to somebody who writes."""
        self.effects.met(DISK)
        return self._disk_trouble

    def begin_trouble(self, ill: Ill, text: str, seconds: float) -> bool:
        """Writing fails for that long."""
        if self._disk_trouble is not None:
            return False
        self._disk_trouble = text
        self.effects.wait(ill, DISK)
        self.truth.changed()
        self.loop.call_later(seconds, self.end_trouble)
        return True

    def end_trouble(self) -> None:
        """The disk works again."""
        self._disk_trouble = None
        self.truth.changed()
        for ill in (Ill.DB_BUSY, Ill.DISK_FULL):
            self.effects.over(ill, DISK)

    def clock_moved(self) -> None:
        """The venues' clock was set, or runs apart."""
        self.clocks.note(self.clock.off_s + self.clock.steady_s)

    def sets_out(self, venue: str) -> float | None:
        """An order is on its way to a venue; by how many seconds it is late."""
        return clocks.on_way(self, venue)

    def arrived(self, venue: str, *, counted: bool) -> None:
        """An order has just been taken by a venue: the moment for what aims at it."""
        story = self.setup.story
        if story is not None and story.shut is not None and counted:
            self.doors.close_after(story.shut, self.chance.sent)
        nemesis.on_order(self, venue)

    # -- the process ------------------------------------------------------------------------

    def boundary(self, process: Process, label: str) -> None:
        """The process passes a boundary; it may be its last."""
        self.passed += 1
        self.boundaries[label] += 1
        if self._crash_at and self.passed in self._crash_at:
            self.kill(process, label)
        elif self.kill_in == 1 and not self.chance.quiet:
            self.kill_in = nemesis.next_kill(self)
            self.chance.fired[Ill.KILL] += 1
            self.chance.tell(Ill.KILL)
            self.kill(process, label)
        else:
            if self.kill_in is not None and not self.chance.quiet:
                self.kill_in -= 1
            if process is self.recovering and self.chance.strikes(
                Ill.KILL_IN_RECOVERY, AIMED[Ill.KILL_IN_RECOVERY]
            ):
                self.chance.tell(Ill.KILL_IN_RECOVERY)
                self.kill(process, label)
        if process.intends is not None and label == "after commit" and process.alive:
            machine.at_intent(self, process)
        if (
            self._stalls
            and label == "after commit"
            and self.chance.strikes(Ill.STALL_AT_COMMIT, STALLS)
        ):
            self.chance.tell(Ill.STALL_AT_COMMIT)
            self.loop.stall(self.chance.between(1.0, 8.0))

    def kill(self, process: Process, label: str) -> None:
        """``kill -9``."""
        if not process.alive:
            return
        self.kills += 1
        self.deaths[label] += 1
        self.trace(f"kill {process.number} {label}")
        process.kill()
        self.truth.changed()

    def born(self) -> Process:
        """A new life."""
        skew_s, self.unusable, self.trader = self.machine_off_s, "", None
        if Ill.SKEW in self.plan.ills and not self.chance.quiet:
            skew_s += self.chance.between(-1.5, 1.5)
            self.chance.fired[Ill.SKEW] += 1
        process = Process(len(self.processes) + 1, self.boundary, skew_s)
        self.processes.append(process)
        self.born_s = now_s()
        self.truth.changed()
        return process

    def start_second(self) -> bool:
        """A second daemon on the same ledger; the first is killed some time later."""
        first = self.processes[-1]
        displaced = any((ill, ledger.PLACE) in self.lasting for ill in ledger.LEDGER)
        if not first.alive or displaced:
            return False
        self.loop.call_later(self.chance.between(5.0, 40.0), self.kill, first, "replaced")
        self.effects.wait(Ill.TWO_DAEMONS, REPLACED)
        self._wake.set()
        return True

    async def live(self) -> None:
        """Start the daemon, and again whenever it has died, until the world is over."""
        loop = self.loop
        while True:
            process = self.born()
            task = loop.create_task(daemon.life(self, process))
            self._lives.append(loop.create_task(self._bury(process, task)))
            self._wake.clear()
            process.on_death = self._died
            await self._wake.wait()
            if process.alive:
                continue  # a second one starts beside it
            await asyncio.gather(*self._lives)
            self._lives.clear()
            if self.is_over():
                return
            if self.power_lost:
                self.power_lost = False
                cut_power(self.path)
                self.oracle.reopen()
            await asyncio.sleep(self.down_s())

    def down_s(self) -> float:
        """How long no process runs after a death."""
        soon = self.chance.quiet or self.setup.story is not None
        return 0.5 if soon else self.chance.between(*RESTART_S)

    async def day(self) -> None:
        """The time in which it is traded and struck; afterwards the world comes to rest."""
        await asyncio.sleep(self.setup.hours * 3600)

    def is_over(self) -> bool:
        """Whether nothing is started any more."""
        return self.over

    def _died(self, process: Process) -> None:
        if process is self.processes[-1]:
            self._wake.set()

    async def _bury(self, process: Process, task: "asyncio.Task[None]") -> None:
        """Wait for the end of a life and clear away what is left of it."""
        waiting = self.loop.create_task(process.dead.wait())
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if process.alive:  # it ended by itself
            self.trace(f"end {process.number}")
            process.kill()
            self.truth.changed()
        task.cancel()
        waiting.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)
