"""A ledger of every earlier schema, with work in it, is upgraded, recovered and closed."""

import asyncio
import contextlib
import sqlite3
from itertools import count
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from hedger import resources
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import OrderId, Sent
from hedger.ledger import migrate, sqlite
from hedger.ledger.records import REVISION
from hedger.ledger.starts import StartFile
from tests.desk import Desk
from tests.world import X10

REVISIONS = sorted(
    path.name.partition("_")[0] for path in resources.migrations().glob("versions/0*.py")
)
NEWER_META = ("start", "identity:environment", "identity:x10", "identity:lighter")


def at_revision(path: Path, revision: str) -> None:
    """An empty ledger as the program of that time made it."""
    sqlite.make_private(path)
    engine = sqlite.engine(path, foreign_keys=False)
    try:
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(resources.migrations()))
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        engine.dispose()


def columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def written_back(newest: Path, revision: str, to: Path) -> None:
    """The rows of a ledger, as far as an earlier schema has a place for them."""
    at_revision(to, revision)
    with (
        contextlib.closing(sqlite3.connect(newest)) as source,
        contextlib.closing(sqlite3.connect(to)) as target,
        target,
    ):
        tables = [
            name
            for (name,) in target.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if name != "alembic_version" and not name.startswith("sqlite_")
        ]
        for table in tables:
            known = [name for name in columns(target, table) if name in columns(source, table)]
            named, places = ", ".join(known), ", ".join("?" * len(known))
            rows = source.execute(f"SELECT {named} FROM {table}").fetchall()
            target.executemany(f"INSERT INTO {table} ({named}) VALUES ({places})", rows)
        target.executemany("DELETE FROM meta WHERE key = ?", [(key,) for key in NEWER_META])


async def cut_off_in_closing(desk: Desk, hedge: Hedge) -> None:
    """The closing order of leg A is at the venue; then the process is gone."""
    sent = len(desk.world.orders(X10))
    closing = asyncio.get_running_loop().create_task(desk.close(hedge))
    while len(desk.world.orders(X10)) == sent:
        await desk.world.pass_time(0.01)
    closing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await closing
    assert len(desk.store.open_intents()) == 1


@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_ledger_of_each_schema_with_an_open_hedge_and_an_unresolved_order_is_closed(
    desk: Desk, revision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = count(1)
    monkeypatch.setattr(  # as ids were before they carried a start
        desk.store, "next_order_id", lambda hedge: OrderId(f"{hedge}-{next(numbers)}")
    )
    held, cut_off = await desk.open("SOL", 300), await desk.open("ETH", 300)
    assert (held.state, cut_off.state) == (State.OPEN, State.OPEN)
    await cut_off_in_closing(desk, cut_off)
    (unknown,) = desk.store.open_intents()
    assert Sent.of_order(unknown.order.id) is None
    desk.store.close()
    earlier = desk.path.with_name("earlier.db")
    written_back(desk.path, revision, earlier)
    earlier.replace(desk.path)
    StartFile(desk.path).path.unlink()

    done = migrate.upgrade(desk.path, desk.world.clock)
    assert (done.before, done.after) == (revision, REVISION)
    assert done.backup is not None
    await desk.restart()

    assert desk.store.hedge(cut_off.id).state is State.CLOSED
    assert desk.store.open_intents() == []
    assert desk.store.hedge(held.id).state is State.OPEN
    assert desk.naked("SOL") == 0
    assert (await desk.close(held)).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
    desk.store.close()
    sqlite.check_sound(desk.path)


def test_every_schema_is_among_them() -> None:
    assert REVISIONS[-1] == REVISION
    assert [f"{number:04}" for number in range(1, len(REVISIONS) + 1)] == REVISIONS
