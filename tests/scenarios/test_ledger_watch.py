"""The ledger's file is removed, replaced or written over while hedges are open."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hedger.daemon import Daemon
from hedger.domain.hedge import State
from hedger.domain.order import Purpose
from hedger.errors import UsageError
from hedger.home import Home
from hedger.ledger import sqlite
from hedger.ledger.copies import back_up
from tests.desk import Desk
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


async def test_a_wrong_file_in_the_place_of_the_ledger_pushes_out_no_good_copy(
    desk: Desk, tmp_path: Path
) -> None:
    daemon = Daemon(desk.trader, Home(tmp_path))
    await daemon.copies()
    (good,) = desk.path.parent.glob("*.bak")
    shutil.copy(good, desk.path.with_name("other.db"))
    desk.path.with_name("other.db").replace(desk.path)
    for _ in range(20):
        await desk.world.pass_time(20)
        await daemon.copies()
    assert list(desk.path.parent.glob("*.bak")) == [good]


async def test_copies_are_made_every_hour_in_use_and_can_be_opened(
    desk: Desk, tmp_path: Path
) -> None:
    hedge = await desk.open("ETH", 300)
    daemon = Daemon(desk.trader, Home(tmp_path))
    for _ in range(13):
        await daemon.copies()
        await desk.world.pass_time(300)
    found = sorted(desk.path.parent.glob("*.bak"))
    assert len(found) == 2  # at once, and after an hour
    copy = tmp_path / "put-back.db"
    shutil.copy(found[-1], copy)
    sqlite.check_sound(copy)
    assert back_up(copy, desk.world.clock.now()).exists()
    assert desk.store.hedge(hedge.id).state is State.OPEN
