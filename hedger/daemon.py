"""The daemon: recover, reconcile, then trade; and the four jobs that go on until it stops."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from loguru import logger

from hedger import control, monitor, scheduler
from hedger.domain.hedge import Hedge, State
from hedger.domain.market import FundingQuote
from hedger.errors import VenueError
from hedger.handlers import handlers
from hedger.home import Home
from hedger.settings import Job
from hedger.trader import Trader

GRACE_S = 25.0


class Daemon:
    """One trader on its schedule."""

    def __init__(self, trader: Trader, home: Home) -> None:
        self._trader = trader
        self._home = home
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """
        Serve until ``stop`` is set; what has begun is finished first, for at most 25 s.

        Raises:
            ConfigError: a job's schedule is wrong.
        """
        jobs = self._jobs()
        scheduler.check({name: job for name, (job, _) in jobs.items()})
        trader = self._trader
        trader.store.event("daemon_started", "the daemon started")
        await trader.recover(logger.info)
        trader.situation.note(await trader.reconciler.run())
        server = control.ControlServer(
            self._home.control_socket,
            handlers(trader),
            environment=trader.settings.environment,
        )
        async with server:
            try:
                async with asyncio.timeout(None) as deadline:
                    async with scheduler.running(jobs, self._died):
                        logger.info(
                            "ready: trading on {}", " and ".join(trader.settings.venues.order)
                        )
                        await stop.wait()
                        self._stopping = True
                        trader.situation.stopped["daemon"] = "the daemon is stopping"
                        end_by_s = asyncio.get_running_loop().time() + GRACE_S
                        deadline.reschedule(end_by_s)
                        server.end_by(end_by_s)  # one grace for jobs and commands together
            except TimeoutError:
                logger.warning(
                    "stopped after {:g} s; the next start takes up what is left", GRACE_S
                )
        trader.store.event("daemon_stopped", "the daemon stopped")

    def _jobs(self) -> Mapping[str, tuple[Job, scheduler.Work]]:
        jobs = self._trader.settings.jobs
        return {
            "scan": (jobs.scan, self.scan),
            "monitor": (jobs.monitor, self.monitor),
            "reconcile": (jobs.reconcile, self.reconcile),
            "funding": (jobs.funding, self.funding),
        }

    def _died(self, name: str, error: BaseException) -> None:
        """A job that raised is told, persisted, and stops new hedges until a restart."""
        logger.opt(exception=error).error("job {} died", name)
        self._trader.store.alert(f"job {name} died: {type(error).__name__}: {error}")
        self._trader.situation.stopped[name] = f"job {name} died"

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
        """Try again where a person was alerted, and leave hedges that are not worth holding."""
        trader = self._trader
        for hedge in trader.store.unfinished():
            if hedge.state is State.ESCALATED:
                await trader.executor.resume(hedge)
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
            if a is not None and b is not None:
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
        trader = self._trader
        trader.situation.note(await trader.reconciler.run())

    async def funding(self) -> None:
        """Book what was received and paid."""
        await self._trader.accruals.run()
