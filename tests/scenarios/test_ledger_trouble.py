"""S56: a full disk and a locked database: no new risk, exits go on, one clear sentence."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hedger.daemon import Daemon
from hedger.domain.hedge import State
from hedger.errors import UnwritableError, UsageError
from hedger.home import Home
from hedger.ledger import room
from tests.desk import Desk
from tests.world import LIGHTER


class Disk:
    """How much is free on the disk of a desk, as the ledger sees it."""

    def __init__(self, desk: Desk) -> None:
        self.free = 10 * room.RESERVE_BYTES
        self.reserve = desk.path.with_name("ledger.db.reserve")
        desk.store._room = room.Room(desk.path, lambda _: self.free)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else writes to the ledger and does not come to an end."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def pragma(desk: Desk, text: str) -> int:
    """Set or ask something of the ledger's own connection."""
    row = desk.store._conn.execute(f"PRAGMA {text}").fetchone()
    return int(row[0])


def impatient(desk: Desk) -> None:
    """The busy timeout passes in real time; a test has none to lose."""
    pragma(desk, "busy_timeout = 20")


def fill(desk: Desk) -> None:
    """Use up what little room is left in the pages that exist."""
    for size in (1000, 100, 1):
        with contextlib.suppress(UnwritableError):
            while True:
                desk.store.event("filler", "x" * size)


def sent(desk: Desk) -> int:
    state = desk.world.state()
    return len(state["x10"]["orders"]) + len(state["lighter"]["orders"])


async def test_s56_a_full_disk_stops_new_hedges_and_lets_exits_go_on(desk: Desk) -> None:
    """freqtrade met a full disk with a restart loop."""
    disk = Disk(desk)
    hedge = await desk.open("ETH", 300)
    assert hedge.state is State.OPEN
    assert disk.reserve.stat().st_size == room.RESERVE_BYTES

    disk.free = room.LOW_BYTES - 1
    await desk.trader.reconcile(desk.said.append)  # any write notices
    assert not disk.reserve.exists()
    with pytest.raises(UsageError, match=r"is full .* exits go on .* make room on it"):
        await desk.open("SOL", 300)
    assert (await desk.close(hedge)).state is State.CLOSED

    desk.assert_flat()
    desk.assert_ledger_is_true()
    (alert,) = desk.store.unacknowledged()
    assert "is full" in alert.text

    disk.free = 10 * room.RESERVE_BYTES
    await desk.trader.reconcile(desk.said.append)
    assert (await desk.open("SOL", 300)).state is State.OPEN
    assert disk.reserve.exists()
    assert len(desk.events("disk_has_room")) == 1


async def test_s56_a_disk_without_room_for_the_reserve_opens_nothing(desk: Desk) -> None:
    disk = Disk(desk)
    disk.free = room.LOW_BYTES + 1

    await desk.trader.reconcile(desk.said.append)

    with pytest.raises(UsageError, match="is nearly full"):
        await desk.open("ETH", 300)
    assert sent(desk) == 0


async def test_s56_an_exit_cut_off_by_a_database_that_is_full_is_taken_up_again(
    desk: Desk, tmp_path: Path
) -> None:
    hedge = await desk.open("ETH", 300)
    pragma(desk, f"max_page_count = {pragma(desk, 'page_count')}")
    fill(desk)
    before = sent(desk)

    with pytest.raises(UnwritableError, match="database or disk is full"):
        await desk.close(hedge)
    assert desk.store.trouble is not None
    with pytest.raises(UsageError, match="database or disk is full"):
        await desk.open("SOL", 300)
    assert sent(desk) == before

    pragma(desk, "max_page_count = 1000000")
    daemon = Daemon(desk.trader, Home(tmp_path))
    await daemon.monitor()
    if desk.store.hedge(hedge.id).state is State.OPEN:  # it had not even begun
        await desk.close(hedge)

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert str(desk.store.trouble or "") == ""
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_s56_a_locked_database_sends_nothing_and_is_one_sentence(desk: Desk) -> None:
    hedge = await desk.open("ETH", 300)
    impatient(desk)
    before = sent(desk)

    with locked(desk.path), pytest.raises(UnwritableError, match=r"database is locked"):
        await desk.close(hedge)
    assert sent(desk) == before
    assert "locked" in str(desk.store.trouble)

    assert (await desk.close(hedge)).state is State.CLOSED
    assert desk.store.trouble is None
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_s56_a_hedge_between_its_legs_is_taken_up_once_the_lock_is_gone(
    desk: Desk, tmp_path: Path
) -> None:
    """Nothing can be written, so leg 2 is not sent; leg 1 does not stay alone for that."""
    impatient(desk)
    desk.world.latency(LIGHTER, request_s=0.1)  # leg 2's book is still read when the lock comes
    opening = asyncio.ensure_future(desk.open("ETH", 300))
    while not desk.rows("fills"):
        await desk.world.pass_time(0.01)
    with locked(desk.path), pytest.raises(UnwritableError, match="locked"):
        await opening
    assert desk.naked() != 0

    await Daemon(desk.trader, Home(tmp_path)).monitor()

    (hedge,) = desk.rows("hedges")
    assert hedge["state"] == "open"  # leg 2 was still in time: nothing but the lock was wrong
    assert desk.naked() == 0
    desk.assert_ledger_is_true()
