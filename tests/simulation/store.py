"""
The ledger's own code on a file in memory, with the troubles of a disk.

What was committed is durable, because the ledger asks for ``synchronous = FULL``; if it did
not, a power cut would take the last commits with it, and here it does.
"""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from hedger.clock import Clock
from hedger.ledger import sqlite
from hedger.ledger.connection import Connection
from hedger.ledger.records import REVISION
from hedger.ledger.session import Session
from hedger.ledger.store import Store
from tests.simulation.process import Killed, Process

FULL = 2
UNSYNCED_MAX = 20  # commits that a disk may still hold back (reliability.md §0.5)

Trouble = Callable[[], str | None]


class SimStore(Store):
    """A store that its process can lose, and whose disk can be full or busy."""

    def __init__(
        self, engines: "Engines", clock: Clock, process: Process, trouble: Trouble
    ) -> None:
        self._process = process
        self._trouble = trouble
        self._engines = engines
        super().__init__(engines.take(), engines.path, clock)
        self._disk = Disk(engines.path, self._conn)

    def close(self) -> None:
        """The process is gone; what it had not committed is lost."""
        self._engines.give_back(self._conn)

    @contextlib.contextmanager
    def _writing(self, *site: str) -> Iterator[Session]:
        self._process.effect("before commit")
        if (text := self._trouble()) is not None:
            with sqlite.explained(self._path):
                raise sqlite3.OperationalError(text)
        with super()._writing(*site) as session:
            yield session
        self._disk.committed()
        self._process.effect("after commit")

    def _reading(self) -> contextlib.AbstractContextManager[Connection]:
        if not self._process.alive:
            raise Killed
        return super()._reading()


class Disk:
    """What would be left after a power cut."""

    def __init__(self, path: Path, conn: sqlite3.Connection) -> None:
        self._path = path
        self._kept = path.with_name(path.name + ".synced")
        self._safe = safe(conn)
        self._since = 0

    def committed(self) -> None:
        """A commit was answered; without a full sync it is only promised."""
        if self._safe:
            return
        self._since += 1
        if self._since == 1 or self._since > UNSYNCED_MAX:
            self.sync()

    def sync(self) -> None:
        """Everything so far is on the disk."""
        self._since = 1
        with (
            contextlib.closing(sqlite3.connect(self._path)) as source,
            contextlib.closing(sqlite3.connect(self._kept)) as target,
        ):
            source.backup(target)


def safe(conn: sqlite3.Connection) -> bool:
    """Whether a power cut takes nothing that was committed."""
    return bool(conn.execute("PRAGMA synchronous").fetchone()[0] >= FULL)


def cut_power(path: Path) -> None:
    """Everything that was not synced is gone; the process must be dead and the file closed."""
    kept = path.with_name(path.name + ".synced")
    if kept.exists():
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        shutil.copyfile(kept, path)


class Engines:
    """
    Connections that are used again, life after life.

    To prepare its statements anew takes the driver longer than a short life takes otherwise. They
    hold nothing of a life: what it had not committed is rolled back. Every ledger of one OS
    process lies at one place, one world after another.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.db"
        self.checked = False
        self._free: list[Connection] = []

    def lay_out(self, empty: Path) -> None:
        """A new world: its ledger is a copy of ``empty``."""
        self.close()
        for end in ("", "-wal", "-shm", ".synced"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)
        shutil.copyfile(empty, self.path)
        self.checked = False

    def close(self) -> None:
        """Close what nobody uses at present."""
        while self._free:
            self._free.pop().close()

    def take(self) -> Connection:
        return self._free.pop() if self._free else sqlite.connect(self.path, readonly=False)

    def give_back(self, connection: Connection) -> None:
        """A transaction under way is lost; before a power cut the file has to be closed."""
        if connection.in_transaction:
            connection.rollback()
        if safe(connection):
            self._free.append(connection)
        else:
            connection.close()


def open_store(engines: Engines, clock: Clock, process: Process, trouble: Trouble) -> SimStore:
    """As ``hedger.ledger.store.open_store``: checked, private, and a new epoch."""
    if not engines.checked:  # nothing here changes a schema
        sqlite.make_private(engines.path)
        sqlite.check_revision(engines.path, REVISION)
        engines.checked = True
    store = SimStore(engines, clock, process, trouble)
    try:
        store.begin_epoch()
    except BaseException:  # killed on the way, too: nobody else could give the file back
        store.close()
        raise
    return store
