"""The daemon: recover, reconcile, then trade; and the jobs that go on until it stops."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from functools import partial

from loguru import logger

from hedger import control, recovery, scheduler
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import HedgeId
from hedger.errors import ConfigError, StateError, UnwritableError, VenueError
from hedger.execution.ends import ENDS_S
from hedger.execution.returns import POLL_S
from hedger.execution.stands import Stand
from hedger.handlers import handlers
from hedger.holding import URGENT, Action, Code, Judgement
from hedger.home import Home
from hedger.ledger import copies
from hedger.monitoring.market_facts import LOOK_S
from hedger.pace import Pace
from hedger.settings import Job
from hedger.together import together
from hedger.trader import Trader

GRACE_S = 22.0  # of the 25 s that a stop may take; the rest is for closing down
RETRY_FIRST_S = 10.0
FRESH_S = 4.0  # accounts read so lately are not read again
COPIES_S = 300.0  # how often it is seen whether an hourly copy of the ledger is due
ALONE_MAX_S = 30.0  # between attempts while a leg is alone, whatever recovery.retry_max_s is
EXITS_S = 10.0  # asks nothing unless an exit stands
NEAR_LOOKS = 2  # of one glance, while a leg is near its liquidation
NEAR_S = 5.0  # between them
NO_NEW_BUSINESS = (
    "glance", "near", "lanes", "guard", "monitor", "returns", "ends", "reconcile",
)  # fmt: skip
"""Jobs that begin beside recovery: they look at what is held, and take off what stands alone."""

ASK_AGAIN_S = 1.0  # asks nothing unless a venue has not told our past orders
LANES_S = 5.0  # asks nothing unless a lane is out of step or its refresh_interval_s is over


class Daemon:
    """One trader on its schedule."""

    def __init__(self, trader: Trader, home: Home) -> None:
        self._trader = trader
        self._home = home
        self._stopping = False
        self._told = ""  # of a ledger that cannot be written
        self._uncopied = ""  # and of one that cannot be copied
        self._judging = asyncio.Lock()
        self._leaving: set[HedgeId] = set()
        self._returning: set[HedgeId] = set()
        self._seeking: set[HedgeId] = set()
        most_s = trader.settings.recovery.retry_max_s
        self._pace = Pace(trader.clock, first_s=RETRY_FIRST_S, max_s=most_s)
        self._pace_alone = Pace(trader.clock, first_s=RETRY_FIRST_S, max_s=min(most_s, ALONE_MAX_S))

    async def run(self, stop: asyncio.Event) -> None:
        """
        Serve until ``stop`` is set; what has begun is finished first, for at most 22 s.

        Raises:
            ConfigError: a job's schedule is wrong, or a market that is named is none.
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
        except ConfigError:
            recovery.stopped(trader.store)
            raise
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
        """
        Recover and reconcile; only then new business. Watched from the first moment on.

        One hedge that is brought to rest may take minutes: what else is held is looked after
        meanwhile.
        """
        trader, runs = self._trader, self.side_by_side()
        looks = {name: job for name, job in jobs.items() if name in NO_NEW_BUSINESS}
        rest = {name: job for name, job in jobs.items() if name not in NO_NEW_BUSINESS}
        await trader.catch_up(logger.info)
        async with scheduler.running(looks, self._died, runs):
            await self.recover()
            await trader.hold_against_accounts()
            await trader.opening.names.at_start()
            await self._patient(self.accounts)()  # the balances before anything new is begun
            await self._patient(self._first_check)()
            await self._trade(rest, runs, stop)

    async def _trade(
        self,
        jobs: Mapping[str, tuple[Job, scheduler.Work]],
        runs: Mapping[str, int],
        stop: asyncio.Event,
    ) -> None:
        trader = self._trader
        server = control.ControlServer(
            self._home.control_socket,
            handlers(trader),
            environment=trader.settings.environment,
        )
        async with server, scheduler.running(jobs, self._died, runs):
            logger.info("ready: trading on {}", " and ".join(trader.settings.venues.order))
            await stop.wait()

    async def recover(self) -> None:
        """
        Take up what is unfinished, and see at once what both accounts hold.

        Where a hedge ends by that, another one whose late fill waited for its market goes on.
        Meanwhile a venue that has not told our past orders is asked again: one hedge may take
        minutes, and the other leg of what is taken off may stand alone on that venue.
        """
        over = asyncio.Event()

        async def take_up() -> None:
            try:
                await self._trader.take_up(logger.info)
            finally:
                over.set()

        looks = (self._patient(look)() for look in (self.glance, self.reconcile))
        await together((take_up(), *looks, self._catch_up_until(over)))
        await self._trader.go_on(logger.info)

    async def _catch_up_until(self, over: asyncio.Event) -> None:
        """Ask again, and bring to rest at once what that finds, until ``over``."""
        async with asyncio.TaskGroup() as group:
            while not await _comes(over, ASK_AGAIN_S):
                await self._patient(self._ask_again)()
                for hedge in recovery.undriven(self._trader.store, self._trader.executor):
                    group.create_task(self._take_up(hedge))

    async def _take_up(self, hedge: Hedge) -> None:
        await self._patient(partial(self._retry, hedge))()

    async def _ask_again(self) -> None:
        await self._trader.ask_again(logger.info)

    def side_by_side(self) -> Mapping[str, int]:
        """How often a job may run at a time: each run that waits has a hedge to bring to rest."""
        most = self._trader.settings.trading.max_open_hedges + 1
        return {
            "glance": most,
            "rates": most,
            "near": most,
            "exits": most,
            "returns": most + 1,
            "ends": most + 1,
        }

    def _jobs(self) -> dict[str, tuple[Job, scheduler.Work]]:
        jobs = self._trader.settings.jobs
        found = {
            "scan": (jobs.scan, self.scan),
            "monitor": (jobs.monitor, self.monitor),
            "rates": (jobs.rates, self.rates),
            "glance": (jobs.glance, self.glance),
            "near": (jobs.glance, self.near),
            "reconcile": (jobs.reconcile, self.reconcile),
            "funding": (jobs.funding, self.funding),
            "accounts": (jobs.accounts, self.accounts),
            "watch": (jobs.watch, self.watch),
            "guard": (jobs.guard, self.guard),
            "units": (jobs.units, self.units),
            "lanes": (Job(interval_s=LANES_S), self.lanes),
            "facts": (Job(interval_s=LOOK_S), self.facts),
            "copies": (Job(interval_s=COPIES_S), self.copies),
            "exits": (Job(interval_s=EXITS_S), self.exits),
            "returns": (Job(interval_s=POLL_S), self.returns),
            "ends": (Job(interval_s=ENDS_S), self.ends),
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
        with contextlib.suppress(StateError):  # it is in the log already
            self._trader.store.alert(f"job {name} died: {type(error).__name__}: {error}")

    async def _first_check(self) -> None:
        await self._trader.riskdesk.units.run(first=True)

    # -- jobs -------------------------------------------------------------------------------

    async def scan(self) -> None:
        """Look around, and open at most one hedge per look."""
        trader = self._trader
        await trader.opening.names.look()
        result = await trader.look_around()
        if not trader.settings.entry.enabled or self._stopping:
            return
        trader.pass_over(result.opportunities)
        for opportunity in result.opportunities:
            try:
                if await trader.enter(opportunity) is not None:
                    return
            except VenueError as error:
                logger.warning("{} is not opened: {}", opportunity.pair.symbol, error)

    async def monitor(self) -> None:
        """
        Try again, ever less often, what went wrong.

        Never given up: hedges of which a person was alerted or that nobody drives any more
        because the ledger could not be written, orders whose end is unknown, and orders that
        should be dead.
        """
        trader = self._trader
        async with asyncio.TaskGroup() as group:
            group.create_task(trader.late.run())
            for hedge in trader.store.unfinished():
                if not trader.executor.is_at(hedge.id) and self._due(hedge):
                    group.create_task(self._go_on(hedge))

    def _due(self, hedge: Hedge) -> bool:
        """
        Whether a hedge is due; while its venue is away, that is for ``returns`` to say, but for
        the search for its unknown orders.
        """
        if hedge.state is not State.ESCALATED:
            return True
        returns = self._trader.returns
        unknown = bool(self._trader.store.open_intents(hedge.id))
        if returns.waits(hedge) and not unknown:
            return False
        # an order whose end is unknown may be a leg that stands alone
        pace = self._pace_alone if unknown or returns.is_alone(hedge) else self._pace
        return pace.due(hedge.id)

    async def _go_on(self, hedge: Hedge) -> None:
        """Try again; while its venue is away, only the ends of its orders are sought."""
        trader = self._trader
        if trader.returns.waits(hedge):
            await trader.executor.seek(hedge)
            if trader.returns.waits(hedge):
                return
        await self._retry(hedge)

    async def _retry(self, hedge: Hedge) -> None:
        ended = await self._trader.executor.resume(hedge)
        if ended.state is not State.ESCALATED:
            self._pace.done(hedge.id)
            self._pace_alone.done(hedge.id)

    async def rates(self) -> None:
        """
        Leave open hedges that are not worth holding any more; both venues are asked once.

        A close may wait for a wide book; the other hedges are judged meanwhile all the same.
        """
        trader = self._trader
        async with self._judging:
            live = trader.store.live()
            held = [h for h in live if h.state is State.OPEN and h.id not in self._leaving]
            if not held:
                return
            try:
                judged = await trader.holdings.look(
                    held, trader.situation.found, trader.guard.distances_bps
                )
            except VenueError as error:
                logger.warning("open hedges are not judged now: {}", error)
                return
            left = [(h, j) for h, j in judged if j.action is Action.LEAVE and self._may_leave(h, j)]
            self._leaving.update(hedge.id for hedge, _ in left)
        for hedge, found in judged:
            stand = trader.door.wish(hedge.id)
            if stand is not None and not stand.by_hand and found.action is not Action.LEAVE:
                trader.door.drop(hedge.id)
        try:
            async with asyncio.TaskGroup() as group:  # what is urgent waits behind no wide book
                for hedge, found in left:
                    logger.info("hedge {} is left: {}: {}", hedge.id, found.code, found.text)
                    group.create_task(self._leave(hedge, found))
        finally:
            self._leaving.difference_update(hedge.id for hedge, _ in left)

    def _may_leave(self, hedge: Hedge, found: Judgement) -> bool:
        """An exit that stands is tried again at its own pace; a liquidation waits for nothing."""
        door = self._trader.door
        return found.code is Code.LIQUIDATION or door.wish(hedge.id) is None or door.due(hedge.id)

    async def _leave(self, hedge: Hedge, found: Judgement) -> None:
        near = found.code is Code.LIQUIDATION
        await self._trader.executor.close(
            hedge,
            found.text,
            hurry=found.code in URGENT,
            unproven=found.text if near else "",
            first=self._trader.guard.nearest(hedge) if near else None,
        )

    async def exits(self) -> None:
        """Try the exits again that could not begin, each at its own pace."""
        trader = self._trader
        trader.door.forget()
        again = [
            (hedge, stand)
            for hedge in trader.store.live()
            if hedge.state is State.OPEN and hedge.id not in self._leaving
            if (stand := trader.door.wish(hedge.id)) is not None and trader.door.due(hedge.id)
        ]
        self._leaving.update(hedge.id for hedge, _ in again)
        try:
            async with asyncio.TaskGroup() as group:
                for hedge, stand in again:
                    group.create_task(self._try_again(hedge, stand))
        finally:
            self._leaving.difference_update(hedge.id for hedge, _ in again)

    async def _try_again(self, hedge: Hedge, stand: Stand) -> None:
        await self._trader.executor.close(
            hedge, stand.wish, by_hand=stand.by_hand, hurry=stand.hurry
        )

    async def returns(self) -> None:
        """Use the return of a venue that keeps a leg standing alone, at once."""
        trader = self._trader
        async with asyncio.TaskGroup() as group:
            for hedge in trader.returns.watched():
                if hedge.id not in self._returning and not trader.executor.is_at(hedge.id):
                    group.create_task(self._return(hedge))

    async def _return(self, hedge: Hedge) -> None:
        returns = self._trader.returns
        self._returning.add(hedge.id)
        try:
            if await returns.back(hedge):
                await self._retry(hedge)
                returns.tried(hedge.id)
        finally:
            self._returning.discard(hedge.id)

    async def ends(self) -> None:
        """Search at once for the end of an order that its venue tells more of than before."""
        trader = self._trader
        async with asyncio.TaskGroup() as group:
            for id_ in {prepared.order.hedge: None for prepared in trader.store.open_intents()}:
                if id_ not in self._seeking and self._rests_escalated(id_):
                    group.create_task(self._seek(id_))

    async def _seek(self, id_: HedgeId) -> None:
        self._seeking.add(id_)
        try:
            found = await self._trader.ends.in_reach(id_)
            if found and self._rests_escalated(id_):
                await self._go_on(self._trader.store.hedge(id_))
                if self._trader.store.refused is None:  # else what it found is not recorded
                    self._trader.ends.sought(found)
        finally:
            self._seeking.discard(id_)

    def _rests_escalated(self, id_: HedgeId) -> bool:
        """Whether nobody drives a hedge of which a person was alerted, nor waits to."""
        trader = self._trader
        is_escalated = trader.store.hedge(id_).state is State.ESCALATED
        return is_escalated and not trader.executor.is_at(id_)

    async def glance(self) -> None:
        """While there are open hedges, see soon that a leg was taken from one."""
        async for _ in self._glances():
            if self._trader.reconciler.age_s >= FRESH_S:  # else by the regular run
                await self._trader.reconciler.glance()

    async def near(self) -> None:
        """While there are open hedges, see soon that a leg comes near its liquidation."""
        async for _ in self._glances():
            await self._trader.guard.glance()

    async def _glances(self) -> AsyncIterator[None]:
        """One look while something is open; two while a leg is near its liquidation."""
        trader = self._trader
        for look in range(NEAR_LOOKS):
            if look:
                if not trader.guard.near:
                    return
                await trader.clock.sleep(NEAR_S)
            if self._stopping or not any(h.state is State.OPEN for h in trader.store.live()):
                return
            yield

    async def reconcile(self) -> None:
        """Hold the ledger against both accounts and repair."""
        await self._trader.hold_against_accounts()

    async def watch(self) -> None:
        """Measure legs that stand alone, and tell a person; needs no venue."""
        self._trader.store.notice()
        self._trader.naked.look()
        if not self._stopping:  # what waits is sent after the next start
            await self._trader.alerter.run()

    async def lanes(self) -> None:
        """Hold the nonce lanes that were not in use against the venues."""
        await self._trader.lanes.check()

    async def facts(self) -> None:
        """Keep the rules of markets with a live hedge young."""
        await self._trader.facts.look()

    async def guard(self) -> None:
        """Look after equity and the distance of what is held from liquidation."""
        await self._trader.guard.run()

    async def units(self) -> None:
        """Hold the venues' rates against their own settled ones."""
        await self._trader.riskdesk.units.run()

    async def funding(self) -> None:
        """Book what was received and paid."""
        await self._trader.accruals.run()

    async def accounts(self) -> None:
        """Read the venues' own books and hold ours against them."""
        await self._trader.accounts.run()

    async def copies(self) -> None:
        """Copy the ledger when that is due; a wrong or damaged file pushes out no good copy."""
        store, now = self._trader.store, self._trader.clock.now()
        if store.trouble is not None or not copies.is_due(store.path, now):
            return
        try:
            made = await asyncio.to_thread(  # noqa: TID251 - a copy of the ledger takes seconds
                copies.back_up_in_use, store.path, now
            )
        except StateError as error:
            if str(error) != self._uncopied:
                store.alert(f"the ledger is not copied: {error}")
                logger.error("{}", error)
            self._uncopied = str(error)
        else:
            self._uncopied = ""
            logger.info("the ledger was copied to {}", made)


async def _comes(event: asyncio.Event, within_s: float) -> bool:
    """Whether it is set, or comes to be in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()
    return event.is_set()
