"""What the simulation does to our own machine does what it says."""

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Any

import pytest

from hedger.errors import DamagedError
from hedger.ledger import sqlite
from hedger.ledger.watch import Watch
from tests.clocks import ManualClock
from tests.simulation.faults import Ill, Plan
from tests.simulation.forgotten import Forgotten
from tests.simulation.ledgerfile import NAME, LedgerFile
from tests.simulation.loop import SimLoop
from tests.simulation.process import Process, SimClock
from tests.simulation.run import empty_ledger, simulate
from tests.simulation.setup import Setup
from tests.simulation.store import reading
from tests.simulation.world import EPOCH

MACHINE = (
    Ill.LEDGER_GONE, Ill.LEDGER_REPLACED, Ill.LEDGER_RESTORED, Ill.LEDGER_DAMAGED,
    Ill.CLOCK_BACK, Ill.PAUSED,
)  # fmt: skip


@pytest.fixture
def file(tmp_path: Path):
    made = LedgerFile(tmp_path / NAME, empty_ledger())
    made.lay_empty()
    yield made
    made.close()


def test_the_products_own_watch_sees_a_ledger_go_and_come_back(file: LedgerFile) -> None:
    connection = file.take()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")
    watch = Watch(file.path)
    watch.opened()
    disc = file.disc
    file.remove()
    assert "is gone" in str(watch.look())
    file.lay_empty()
    watch.look()
    assert watch.trouble is not None
    file.put_back(disc)
    assert "in use again" in str(watch.look())
    file.give_back(connection)


def test_what_is_open_goes_on_when_another_file_stands_in_its_place(file: LedgerFile) -> None:
    connection = file.take()
    file.lay_empty()
    connection.execute("INSERT INTO meta (key, value, at) VALUES ('a', 'b', 'c')")
    with contextlib.closing(reading(file.path)) as there:
        assert there.execute("SELECT count(*) FROM meta WHERE key = 'a'").fetchone() == (0,)
    assert connection.execute("SELECT value FROM meta WHERE key = 'a'").fetchone() == ("b",)
    file.give_back(connection)


def test_a_damaged_page_is_found_by_a_start_and_its_sentence_can_be_followed(
    file: LedgerFile,
) -> None:
    clock = ManualClock(EPOCH)
    file.check(clock)  # makes a copy
    file.damage(random.Random(1), in_use=False)
    with pytest.raises(DamagedError) as told:
        file.check(clock)
    assert file.follow(str(told.value)) == "copy"
    file.check(clock)
    sqlite.check_sound(file.path)


class _Aimed(random.Random):
    """Damages the page that it is told."""

    def __init__(self, page: int) -> None:
        super().__init__(1)
        self._page = page

    def choice(self, seq: Any) -> Any:
        assert self._page in seq
        return self._page


@pytest.mark.parametrize("logged", [True, False], ids=["in the log", "not in the log"])
def test_damage_under_a_newer_page_of_the_log_is_not_opened_damaged(
    file: LedgerFile, *, logged: bool
) -> None:
    connection = file.take()
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'meta'"
    ).fetchone()
    if logged:
        connection.execute("INSERT INTO meta (key, value, at) VALUES ('a', 'b', 'c')")
    file.damage(_Aimed(page), in_use=False)
    with contextlib.nullcontext() if logged else pytest.raises(DamagedError):
        sqlite.check_sound(file.path)
    again = file.take()
    assert file.opened_damaged is not logged
    for each in (again, connection):
        file.give_back(each)


def test_a_process_that_stands_still_lets_everybody_else_go_on() -> None:
    loop = SimLoop()
    heard: list[tuple[str, float]] = []

    async def ours(process: Process) -> None:
        process.owns_this()
        clock = SimClock(EPOCH, process)
        other = asyncio.create_task(hers(clock))
        await clock.sleep(1)
        process.stand_still(60, lambda: None)
        heard.append(("ours", loop.time()))
        await other

    async def hers(clock: SimClock) -> None:
        await clock.sleep(10)
        heard.append(("hers", loop.time()))

    async def both() -> None:
        process = Process(1, lambda *_: None)
        task = asyncio.create_task(ours(process))
        for _ in range(3):
            await asyncio.sleep(15)
            heard.append(("world", loop.time()))
        await task

    loop.run_until_complete(both())
    loop.close()
    assert heard == [
        ("world", 15.0), ("world", 30.0), ("world", 45.0), ("ours", 61.0), ("hers", 61.0),
    ]  # fmt: skip


def test_a_process_that_is_killed_stands_still_no_longer() -> None:
    loop = SimLoop()

    async def both() -> float:
        process = Process(1, lambda *_: None)
        loop.call_later(5, process.kill)
        process.stand_still(60, lambda: None)
        return loop.time()

    assert loop.run_until_complete(both()) == 5.0
    loop.close()


def test_the_clock_of_a_process_that_runs_can_be_set() -> None:
    loop = SimLoop()

    async def look() -> float:
        process = Process(1, lambda *_: None)
        clock = SimClock(EPOCH, process)
        before = clock.now()
        process.skew_s -= 300
        return (clock.now() - before).total_seconds()

    assert loop.run_until_complete(look()) == -300
    loop.close()


def test_an_order_that_was_forgotten_is_owed_unless_it_did_nothing(file: LedgerFile) -> None:
    known = Forgotten()
    known.orders = {("x10", "a"), ("x10", "b")}
    known.traded["x10", "a"] += 1
    with contextlib.closing(reading(file.path)) as ledger:
        assert known.nothing(ledger) == {("x10", "b")}
        known.displaced(ledger)
    assert known.may_forget("x10", "a")


def test_a_world_of_our_own_machine_is_the_same_twice_and_keeps_its_promises() -> None:
    setup = Setup(seed=5, hours=0.15, plan=Plan(frozenset(MACHINE), 4.0))
    first, second = simulate(setup), simulate(setup)
    assert first.digest == second.digest
    assert first.violations == []
    assert sum(first.told[ill] for ill in MACHINE) > 0
