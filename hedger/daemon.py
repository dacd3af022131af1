"""The daemon: recover, reconcile, then trade; and the jobs that go on until it stops."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from loguru import logger

from hedger import control, monitor, recovery, scheduler
from hedger.domain.hedge import Hedge, State
from hedger.domain.market import FundingQuote
from hedger.errors import UnwritableError, VenueError
from hedger.handlers import handlers
from hedger.home import Home
from hedger.pace import Pace
from hedger.settings import Job
from hedger.trader import Trader
from hedger.units import beyond_cap

GRACE_S = 22.0  # of the 25 s that a stop may take; the rest is for closing down
RETRY_FIRST_S = 10.0
LANES_S = 5.0  # asks nothing unless a lane is out of step or its refresh_interval_s is over


class Daemon:
    """One trader on its schedule."""

    def __init__(self, trader: Trader, home: Home) -> None:
        self._trader = trader
        self._home = home
        self._stopping = False
        self._told = ""  # of a ledger that cannot be written
        self._pace = Pace(
            trader.clock, first_s=RETRY_FIRST_S, max_s=trader.settings.recovery.retry_max_s
        )

    async def run(self, stop: asyncio.Event) -> None:
        """
        Serve until ``stop`` is set; what has begun is finished first, for at most 22 s.

        Raises:
            ConfigError: a job's schedule is wrong.
        """
        jobs = self._jobs()
        scheduler.check({name: job for name, (job, _) in jobs.items()})
        trader = self._trader
        recovery.started(trader.store, trader.clock.now())
        try:
            async with (
                asyncio.timeout(None) as deadline,
                self._ending(stop, deadline),
                scheduler.running({"watch": jobs.pop("watch")}, self._died),
            ):
                await self._serve(jobs, stop)
        except TimeoutError:
            logger.warning("stopped after {:g} s; the next start takes up what is left", GRACE_S)
        with contextlib.suppress(UnwritableError):  # a full disk is no reason to end badly
            recovery.stopped(trader.store)

    @contextlib.asynccontextmanager
    async def _ending(self, stop: asyncio.Event, deadline: asyncio.Timeout) -> AsyncIterator[None]:
        """Once ``stop`` is set, nothing new begins, and everything ends by the deadline."""
        loop = asyncio.get_running_loop()

        async def wait() -> None:
            await stop.wait()
            self._stopping = True
            self._trader.situation.stopped["daemon"] = "the daemon is stopping"
            deadline.reschedule(loop.time() + GRACE_S)

        waiting = loop.create_task(wait())
        try:
            yield
        finally:
            waiting.cancel()

    async def _serve(
        self, jobs: Mapping[str, tuple[Job, scheduler.Work]], stop: asyncio.Event
    ) -> None:
        """Recover and reconcile; only then new business. Watched from the first moment on."""
        trader = self._trader
        await trader.recover(logger.info)
        await trader.hold_against_accounts()
        await self._patient(self._first_check)()
        server = control.ControlServer(
            self._home.control_socket,
            handlers(trader),
            environment=trader.settings.environment,
        )
        async with server, scheduler.running(jobs, self._died):
            logger.info("ready: trading on {}", " and ".join(trader.settings.venues.order))
            await stop.wait()

    def _jobs(self) -> dict[str, tuple[Job, scheduler.Work]]:
        jobs = self._trader.settings.jobs
        found = {
            "scan": (jobs.scan, self.scan),
            "monitor": (jobs.monitor, self.monitor),
            "reconcile": (jobs.reconcile, self.reconcile),
            "funding": (jobs.funding, self.funding),
            "watch": (jobs.watch, self.watch),
            "guard": (jobs.guard, self.guard),
            "units": (jobs.units, self.units),
            "lanes": (Job(interval_s=LANES_S), self.lanes),
        }
        return {name: (job, self._patient(work)) for name, (job, work) in found.items()}

    def _patient(self, work: scheduler.Work) -> scheduler.Work:
        """
        While the ledger cannot be written, a job ends and tries again at its next turn (S56).

        ``Store.trouble`` stops new hedges meanwhile; the log tells it once.
        """

        async def run() -> None:
            try:
                await work()
            except* UnwritableError as errors:
                text = str(errors.exceptions[0])
                if text != self._told:
                    logger.error("{}; no new hedge is opened, exits are tried again", text)
                self._told = text
            else:
                if self._trader.store.trouble is None:
                    self._told = ""

        return run

    def _died(self, name: str, error: BaseException) -> None:
        """A job that raised is told, persisted, and stops new hedges until a restart."""
        logger.opt(exception=error).error("job {} died", name)
        self._trader.situation.stopped[name] = f"job {name} died"
        with contextlib.suppress(UnwritableError):  # it is in the log already
            self._trader.store.alert(f"job {name} died: {type(error).__name__}: {error}")

    async def _first_check(self) -> None:
        await self._trader.riskdesk.units.run(first=True)

    # -- jobs -------------------------------------------------------------------------------

    async def scan(self) -> None:
        """Look around, and open at most one hedge per look."""
        trader = self._trader
        result = await trader.look_around()
        if not trader.settings.entry.enabled or self._stopping:
            return
        for opportunity in result.opportunities:
            try:
                if await trader.enter(opportunity) is not None:
                    return
            except VenueError as error:
                logger.warning("{} is not opened: {}", opportunity.pair.symbol, error)

    async def monitor(self) -> None:
        """
        Leave what is not worth holding; then try again, ever less often, what went wrong.

        Never given up: hedges of which a person was alerted or that nobody drives any more
        because the ledger could not be written, orders whose end is unknown, and orders that
        should be dead.
        """
        await self._judge_all()
        trader = self._trader
        async with asyncio.TaskGroup() as group:
            group.create_task(trader.late.run())
            for hedge in trader.store.unfinished():
                waits = hedge.state is State.ESCALATED and not self._pace.due(hedge.id)
                if not waits and not trader.executor.is_at(hedge.id):
                    group.create_task(self._retry(hedge))

    async def _retry(self, hedge: Hedge) -> None:
        ended = await self._trader.executor.resume(hedge)
        if ended.state is not State.ESCALATED:
            self._pace.done(hedge.id)

    async def _judge_all(self) -> None:
        trader = self._trader
        held = [hedge for hedge in trader.store.live() if hedge.state is State.OPEN]
        if not held:
            return
        try:
            quotes = [await trader.quotes[v].funding() for v in trader.settings.venues.order]
        except VenueError as error:
            logger.warning("open hedges are not judged now: {}", error)
            return
        for hedge in held:
            a, b = (found.get(hedge.symbol) for found in quotes)
            if a is not None and b is not None and not (beyond_cap(a) or beyond_cap(b)):
                await self._judge(hedge, a, b)

    async def _judge(self, hedge: Hedge, a: FundingQuote, b: FundingQuote) -> None:
        trader, key = self._trader, f"flipped_since:{hedge.id}"
        stored = trader.store.meta(key)
        seen = monitor.view(
            hedge,
            a,
            b,
            flipped_since=datetime.fromisoformat(stored) if stored else None,
            flip_settlements=trader.settings.exit.flip_settlements,
            max_hold_h=trader.settings.exit.max_hold_h,
        )
        now = seen.flipped_since.isoformat() if seen.flipped_since else ""
        if now != (stored or ""):
            trader.store.set_meta(key, now)
        if seen.exit_reason is not None:
            logger.info("hedge {} is left: {}", hedge.id, seen.exit_reason)
            await trader.executor.close(hedge, seen.exit_reason)

    async def reconcile(self) -> None:
        """Hold the ledger against both accounts and repair."""
        await self._trader.hold_against_accounts()

    async def watch(self) -> None:
        """Measure legs that stand alone, and tell a person; needs no venue."""
        self._trader.naked.look()
        if not self._stopping:  # what waits is sent after the next start
            await self._trader.alerter.run()

    async def lanes(self) -> None:
        """Hold the nonce lanes that were not in use against the venues."""
        await self._trader.lanes.check()

    async def guard(self) -> None:
        """Look after equity and the distance of what is held from liquidation."""
        await self._trader.guard.run()

    async def units(self) -> None:
        """Hold the venues' rates against their own settled ones."""
        await self._trader.riskdesk.units.run()

    async def funding(self) -> None:
        """Book what was received and paid."""
        await self._trader.accruals.run()
