"""The ledger's file is removed, replaced or written over while hedges are open."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from hedger.daemon import Daemon
from hedger.domain.hedge import State
from hedger.domain.order import Purpose
from hedger.errors import UsageError
from hedger.home import Home
from hedger.ledger import copies, sqlite
from hedger.ledger.copies import MIN_AGE
from hedger.ledger.damage import copies as kept
from hedger.ledger.damage import is_sound
from tests.desk import Desk
from tests.unit.ledger.build import StepClock
from tests.world import LIGHTER, X10


def removed(path: Path) -> None:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink()


def moved_away(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def log_removed(path: Path) -> None:
    path.with_name(f"{path.name}-wal").unlink()


def older_copy_moved_over(path: Path) -> None:
    path.with_name("older.db").replace(path)


def older_copy_written_over(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(path.with_name("older.db").read_bytes())


HAPPENED: dict[Callable[[Path], None], str] = {
    removed: "is gone while it is in use",
    moved_away: "is gone while it is in use",
    log_removed: "was removed or replaced while it is in use",
    older_copy_moved_over: "was replaced by another file while it is in use",
    older_copy_written_over: "was written over by somebody else while it is in use",
}


@pytest.mark.parametrize("happens", HAPPENED, ids=lambda happens: happens.__name__)
async def test_f5_a_ledger_taken_away_in_use_stops_openings_and_lets_exits_go_on(
    desk: Desk, happens: Callable[[Path], None], tmp_path: Path
) -> None:
    sqlite.copy(desk.path, desk.path.with_name("older.db"))
    hedge = await desk.open("ETH", 300)
    assert desk.store.trouble is None
    before = desk.world.state()

    happens(desk.path)
    await Daemon(desk.trader, Home(tmp_path)).watch()

    (alert,) = desk.store.unacknowledged()
    assert HAPPENED[happens] in alert.text
    with pytest.raises(UsageError, match=HAPPENED[happens]):
        await desk.open("SOL", 300)
    after = desk.world.state()
    assert [len(after[v]["orders"]) for v in (X10, LIGHTER)] == [
        len(before[v]["orders"]) for v in (X10, LIGHTER)
    ]
    assert (await desk.trader.ledger_in_use())["live"][0]["id"] == hedge.id

    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()
    assert len(desk.store.unacknowledged()) == 1  # told once


async def test_f5_a_ledger_taken_away_between_the_legs_lets_the_first_one_be_taken_back(
    desk: Desk,
) -> None:
    desk.world.fault(X10, "slow_match", seconds=1)
    opening = desk.open("ETH", 300)

    async def take_away() -> None:
        while not desk.world.orders(X10):
            await desk.world.pass_time(0.01)
        removed(desk.path)

    async with asyncio.TaskGroup() as group:
        opened = group.create_task(opening)
        group.create_task(take_away())

    assert opened.result().state is State.CLOSED
    assert desk.world.orders(LIGHTER) == []
    purposes = [r.prepared.order.purpose for r in desk.orders(opened.result())]
    assert purposes == [Purpose.OPEN, Purpose.ROLLBACK]
    desk.assert_flat()


async def test_f5_a_ledger_that_is_put_back_untouched_is_in_use_again(desk: Desk) -> None:
    desk.path.rename(desk.path.with_name("elsewhere.db"))
    assert desk.store.displaced is not None
    desk.path.with_name("elsewhere.db").rename(desk.path)

    assert (await desk.open("ETH", 300)).state is State.OPEN
    assert len(desk.events("ledger_in_use_again")) == 1


def hourly(desk: Desk, folder: Path) -> tuple[Daemon, StepClock]:
    """A daemon by whose clock hours pass without the world."""
    clock = StepClock()
    return Daemon(replace(desk.trader, clock=clock), Home(folder)), clock


async def test_a_wrong_file_in_the_place_of_the_ledger_pushes_out_no_good_copy(
    desk: Desk, tmp_path: Path
) -> None:
    daemon, clock = hourly(desk, tmp_path)
    await daemon.copies()
    (good,) = desk.path.parent.glob("*.bak")
    shutil.copy(good, desk.path.with_name("other.db"))
    desk.path.with_name("other.db").replace(desk.path)
    for _ in range(20):
        clock.at += MIN_AGE
        await daemon.copies()
    assert list(desk.path.parent.glob("*.bak")) == [good]


async def test_verified_copies_are_made_every_hour_in_use_and_can_be_put_back(
    desk: Desk, tmp_path: Path
) -> None:
    hedge = await desk.open("ETH", 300)
    daemon, clock = hourly(desk, tmp_path)
    for _ in range(24):  # every five minutes
        await daemon.copies()
        clock.at += MIN_AGE / 12
    found = kept(desk.path)
    assert len(found) == 2
    assert all(is_sound(copy) for copy in found)
    assert desk.store.trouble is None

    desk.store.close()
    for end in ("-wal", "-shm"):
        desk.path.with_name(desk.path.name + end).unlink(missing_ok=True)
    shutil.copy(found[-1], desk.path)
    await desk.restart()
    assert desk.store.hedge(hedge.id).state is State.OPEN
    desk.assert_ledger_is_true()


async def test_a_copy_for_which_there_is_no_room_is_not_made_and_told_once(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon, clock = hourly(desk, tmp_path)
    monkeypatch.setattr(
        copies, "back_up_in_use", partial(copies.back_up_in_use, free=lambda _: 10_000_000)
    )
    for _ in range(3):
        await daemon.copies()
        clock.at += MIN_AGE
    (alert,) = desk.store.unacknowledged()
    assert "is not copied: no copy of" in alert.text
    assert "make room on the disk" in alert.text
    assert kept(desk.path) == []


async def test_a_damaged_ledger_is_told_by_its_hourly_copy_and_keeps_the_good_ones(
    desk: Desk, tmp_path: Path
) -> None:
    daemon, clock = hourly(desk, tmp_path)
    await daemon.copies()
    good = kept(desk.path)
    desk.store._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    page = desk.store._conn.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'funding_payments'"
    ).fetchone()[0]
    with desk.path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\x07" * 200)
    assert desk.store._watch is not None
    desk.store._watch.opened()  # as a disk would do it, without anybody having written

    clock.at += MIN_AGE
    await daemon.copies()

    assert kept(desk.path) == good
    (alert,) = desk.store.unacknowledged()
    assert "is damaged or is not a ledger: move it, ledger.db-wal" in alert.text
    assert f"away, copy {good[0]} to {desk.path} and start again" in alert.text
