"""The schedule and the daemon's jobs: what dies is told, what runs is waited for."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from hedger import control, scheduler
from hedger.clock import SystemClock
from hedger.daemon import Daemon
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import Symbol
from hedger.errors import ConfigError, UsageError
from hedger.home import Home
from hedger.settings import Job
from tests.desk import Desk, at_desk
from tests.world import LIGHTER, X10, World

OFTEN = Job(interval_s=0.01)
"""APScheduler has no clock to be passed, so these jobs are due at once in real time."""

Died = list[tuple[str, BaseException]]


async def once(event: asyncio.Event) -> None:
    """Wait for it, but not for ever."""
    async with asyncio.timeout(10):
        await event.wait()


async def test_a_job_runs_again_and_again() -> None:
    runs: list[int] = []
    thrice = asyncio.Event()

    async def work() -> None:
        runs.append(len(runs))
        if len(runs) == 3:
            thrice.set()

    async with scheduler.running({"scan": (OFTEN, work)}, lambda *_: None):
        await once(thrice)

    assert runs[:3] == [0, 1, 2]


async def test_a_job_that_dies_is_told_with_its_error_and_the_others_go_on() -> None:
    died: Died = []
    deaths, lives = asyncio.Event(), asyncio.Event()

    async def dies() -> None:
        raise KeyError("a bug")

    async def lives_on() -> None:
        if died:
            lives.set()

    def on_death(name: str, error: BaseException) -> None:
        died.append((name, error))
        deaths.set()

    jobs = {"monitor": (OFTEN, dies), "scan": (OFTEN, lives_on)}
    async with scheduler.running(jobs, on_death):
        await once(deaths)
        await once(lives)

    assert died[0][0] == "monitor"
    assert isinstance(died[0][1], KeyError)


async def test_a_job_that_is_still_running_is_not_started_a_second_time() -> None:
    begun, ends = asyncio.Event(), asyncio.Event()
    inside: list[int] = []
    most: list[int] = []

    async def slow() -> None:
        inside.append(1)
        most.append(len(inside))
        begun.set()
        await ends.wait()
        inside.pop()

    ticks = asyncio.Event()
    seen: list[int] = []

    async def tick() -> None:
        seen.append(1)
        if len(seen) == 5:
            ticks.set()

    async with scheduler.running({"slow": (OFTEN, slow), "tick": (OFTEN, tick)}, lambda *_: None):
        await once(begun)
        await once(ticks)
        ends.set()

    assert max(most) == 1


async def test_a_job_that_may_runs_beside_itself_and_every_run_is_waited_for() -> None:
    begun, ended, go_on = 0, 0, asyncio.Event()
    thrice = asyncio.Event()

    async def waits() -> None:
        nonlocal begun, ended
        begun += 1
        if begun == 3:
            thrice.set()
        await go_on.wait()
        ended += 1

    async with scheduler.running({"rates": (OFTEN, waits)}, lambda *_: None, {"rates": 3}):
        await once(thrice)
        asyncio.get_running_loop().call_later(0.05, go_on.set)

    assert (begun, ended) == (3, 3)


async def test_what_is_running_is_waited_for_and_nothing_new_begins() -> None:
    begun, ends = asyncio.Event(), asyncio.Event()
    finished: list[str] = []

    async def slow() -> None:
        begun.set()
        await ends.wait()
        finished.append("slow")

    async with asyncio.TaskGroup() as tasks:
        async with scheduler.running({"slow": (OFTEN, slow)}, lambda *_: None):
            await once(begun)
            tasks.create_task(later(ends))
        assert finished == ["slow"]


async def test_what_is_running_is_cancelled_where_time_is_up() -> None:
    """A second schedule around the first one waited for its jobs once more."""
    begun = asyncio.Event()
    cancelled: list[str] = []

    async def endless() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append("endless")
            raise

    async def serve() -> None:
        async with (
            asyncio.timeout(None) as deadline,
            scheduler.running({"outer": (OFTEN, endless)}, lambda *_: None),
            scheduler.running({"inner": (OFTEN, endless)}, lambda *_: None),
        ):
            await once(begun)
            deadline.reschedule(asyncio.get_running_loop().time() + 0.05)

    async with asyncio.timeout(10):
        with pytest.raises(TimeoutError):
            await serve()
        while cancelled != ["endless", "endless"]:
            await SystemClock().sleep(0.01)


async def later(event: asyncio.Event) -> None:
    await SystemClock().sleep(0.05)
    event.set()


@pytest.mark.parametrize("cron", ["every day", "61 * * * *", ""])
def test_a_wrong_cron_expression_is_refused_before_anything_runs(cron: str) -> None:
    with pytest.raises(ConfigError, match=r"jobs\.scan\.cron"):
        scheduler.check({"scan": Job(cron=cron)})


def test_intervals_and_cron_expressions_are_both_schedules() -> None:
    scheduler.check({"scan": Job(interval_s=10), "funding": Job(cron="*/5 * * * *")})


# -- the daemon's jobs, one by one, over both venues in virtual time -----------------------------


def daemon_of(desk: Desk, folder: Path) -> Daemon:
    return Daemon(desk.trader, Home(folder))


def jobs_of(daemon: Daemon) -> Mapping[str, scheduler.Work]:
    return {
        "scan": daemon.scan,
        "monitor": daemon.monitor,
        "reconcile": daemon.reconcile,
        "funding": daemon.funding,
    }


async def test_a_dead_job_is_an_alert_and_stops_new_hedges_but_not_exits(
    desk: Desk, tmp_path: Path
) -> None:
    hedge = await desk.open("ETH", 300)
    daemon = daemon_of(desk, tmp_path)

    daemon._died("monitor", KeyError("a bug"))

    with pytest.raises(UsageError, match="job monitor died"):
        await desk.open("SOL", 300)
    await daemon.scan()  # the daemon itself opens nothing either
    assert [row["id"] for row in desk.rows("hedges")] == [hedge.id]
    alerts = [row for row in desk.rows("events") if "job monitor died" in row["text"]]
    assert alerts
    assert "KeyError" in alerts[0]["text"]
    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()


class Broken:
    """Funding that has a bug."""

    async def run(self) -> int:
        raise KeyError("a bug")


async def test_a_running_daemon_whose_job_died_refuses_new_hedges_and_says_why(
    real_world: World, tmp_path: Path
) -> None:
    jobs = {"funding": {"interval_s": 0.05}, "scan": {"interval_s": 3600}}
    async with at_desk(real_world, tmp_path, jobs=jobs, entry={"enabled": False}) as desk:
        trader = replace(desk.trader, accruals=Broken())  # type: ignore[arg-type]  # on purpose
        home, stop = Home(tmp_path), asyncio.Event()
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            tasks.create_task(Daemon(trader, home).run(stop))
            while "funding" not in trader.situation.stopped:
                await real_world.clock.sleep(0.02)
            with pytest.raises(control.RemoteError, match="job funding died") as caught:
                await control.call(
                    home.control_socket,
                    "open",
                    {"symbol": "ETH", "usd": "100"},
                    lambda _: None,
                    environment="sandbox",
                )
            stop.set()

        assert caught.value.exit_code == UsageError.exit_code
        assert desk.rows("orders") == []
        kinds = [row["kind"] for row in desk.rows("events")]
        assert {"daemon_started", "alert", "daemon_stopped"} <= set(kinds)


class Busy:
    """Executor and reconciler that are busy with one hedge until somebody says ``over``."""

    age_s = float("inf")

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.looks = 0
        self.thrice = asyncio.Event()

    async def resume(self, hedge: Hedge) -> Hedge:
        await self.over.wait()
        return hedge

    async def glance(self) -> None:
        self.looks += 1
        if self.looks == 3:
            self.thrice.set()
        await self.over.wait()


async def test_open_hedges_are_looked_at_while_others_are_brought_to_rest(
    real_world: World, tmp_path: Path
) -> None:
    """Neither what a start takes up nor what a look repairs keeps the next look waiting."""
    async with at_desk(real_world, tmp_path, jobs={"glance": {"interval_s": 0.05}}) as desk:
        await desk.open("ETH", 300)
        sol = await desk.open("SOL", 300)
        desk.store.move(sol, State.CONVERGING, "a leg differs")
        busy = Busy()
        trader = replace(desk.trader, executor=busy, reconciler=busy)  # type: ignore[arg-type]
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(Daemon(trader, Home(tmp_path)).run(asyncio.Event()))
            try:
                await once(busy.thrice)
            finally:
                serving.cancel()
                busy.over.set()


class LooksAtLanes:
    """Lanes that are looked at: how often."""

    def __init__(self) -> None:
        self.looks = 0
        self.thrice = asyncio.Event()

    def announce(self) -> None:
        """Nothing hangs on it here."""

    async def check(self, *, now: bool = False) -> None:
        self.looks += 1
        if self.looks == 3:
            self.thrice.set()


async def test_lanes_are_looked_at_while_a_start_brings_hedges_to_rest(
    real_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a hedge is brought to rest with goes by them, and it may wait for a lane for minutes."""
    monkeypatch.setattr("hedger.daemon.LANES_S", 0.05)
    async with at_desk(real_world, tmp_path) as desk:
        sol = await desk.open("SOL", 300)
        desk.store.move(sol, State.CONVERGING, "a leg differs")
        busy, lanes = Busy(), LooksAtLanes()
        trader = replace(desk.trader, executor=busy, lanes=lanes)  # type: ignore[arg-type]
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(Daemon(trader, Home(tmp_path)).run(asyncio.Event()))
            try:
                await once(lanes.thrice)
            finally:
                serving.cancel()
                busy.over.set()


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_a_venue_that_is_down_kills_no_job(desk: Desk, tmp_path: Path, venue: str) -> None:
    """A failed read is the venue's trouble: a job that died of it would stop all trading."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(venue, "outage", seconds=60)
    daemon = daemon_of(desk, tmp_path)

    for work in jobs_of(daemon).values():
        await work()

    assert desk.store.find(hedge.id).state is State.OPEN
    assert desk.naked() == 0
    await desk.world.pass_time(60)
    for work in jobs_of(daemon).values():
        await work()
    desk.assert_ledger_is_true()


async def test_the_scan_job_opens_one_hedge_at_a_time_where_it_pays(
    desk: Desk, tmp_path: Path
) -> None:
    daemon = daemon_of(desk, tmp_path)

    await daemon.scan()

    (row,) = desk.rows("hedges")
    assert row["state"] == "open"
    assert Decimal(row["expected_net_bps"]) >= desk.config.entry.min_net_bps
    assert desk.naked(Symbol(row["symbol"])) == 0
    desk.assert_ledger_is_true()


@pytest.mark.config(entry={"enabled": False})
async def test_without_entries_the_scan_job_only_looks(desk: Desk, tmp_path: Path) -> None:
    await daemon_of(desk, tmp_path).scan()

    assert desk.rows("hedges") == []
    assert desk.rows("rates") != []
    assert desk.world.orders(X10) == []
