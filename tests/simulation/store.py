"""
The ledger's own code on a database in memory, with the troubles of a disk.

What was committed is durable, because the ledger asks for ``synchronous = FULL``; if it did
not, a power cut would take the last commits with it, and here it does.

The memory is one of SQLite's own (``vfs=memdb``): every connection of this OS process that names
it sees it, and while one has a transaction under way the others are refused. There is no
write-ahead log, and no wait for a disk. Where a world does something to the ledger's file, there
is one (``ledgerfile``).
"""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hedger.clock import Clock
from hedger.domain.hedge import Hedge
from hedger.domain.order import Prepared
from hedger.ledger import sqlite
from hedger.ledger.connection import Connection
from hedger.ledger.records import REVISION, Shortfall
from hedger.ledger.starts import StartFile
from hedger.ledger.store import Store
from hedger.ledger.watch import Watch
from tests.simulation.ledgerfile import LedgerFile
from tests.simulation.process import Killed, Process

FULL = 2
PAGE_BYTES = 1024  # the less is copied at each commit
UNSYNCED_MAX = 20  # commits that a disk may still hold back (reliability.md §0.5)

Trouble = Callable[[], str | None]


def memory(path: Path) -> str:
    """The address of the memory that stands for a file; it lasts while somebody has it open."""
    assert sqlite3.sqlite_version_info >= (3, 36), "the simulation needs SQLite 3.36 or newer"
    return f"file:{quote(str(path.resolve()))}?vfs=memdb"


def readable(path: Path) -> str:
    """The address of what lies there, a file or its memory, for whoever changes nothing."""
    where = memory(path) if not path.exists() else f"file:{quote(str(path.resolve()))}?"
    return f"{where}&mode=ro"


def reading(path: Path) -> sqlite3.Connection:
    """A connection that sees what was committed, and changes nothing."""
    return sqlite3.connect(readable(path), uri=True, isolation_level=None)


def writing(path: Path) -> sqlite3.Connection:
    """A bare connection, for what happens to a disk."""
    where = memory(path) if not path.exists() else f"file:{quote(str(path.resolve()))}"
    return sqlite3.connect(where, uri=True, isolation_level=None)


def laid_down(path: Path) -> Path:
    """
    What was committed, as a file at ``path``: for what reads files. Where there is one it is that
    already: the ledger itself, or what was laid down at the end of its world.
    """
    if path.exists():
        return path
    with (
        contextlib.closing(reading(path)) as source,
        contextlib.closing(sqlite3.connect(path)) as to,
    ):
        source.backup(to)
    return path


class SimStore(Store):
    """A store that its process can lose, and whose disk can be full or busy."""

    def __init__(
        self, engines: "Engines", clock: Clock, process: Process, trouble: Trouble
    ) -> None:
        self._process = process
        self._trouble = trouble
        self._engines = engines
        path = engines.path
        beside = () if engines.file is None else (None, Watch(path), StartFile(path))
        super().__init__(engines.take(), path, clock, *beside)
        self._disk = Disk(engines.path, self._conn)
        process.at_death.append(self._die)

    def close(self) -> None:
        """The process is gone; what it had not committed is lost."""
        self._engines.give_back(self._conn)

    def intend(self, prepared: Prepared, **how: Any) -> Shortfall | Hedge | None:
        """As ever; its commit is one that an order waits for."""
        self._process.intends = (prepared.order.venue, prepared.client_id)
        try:
            return super().intend(prepared, **how)
        finally:
            self._process.intends = None

    def _begin(self) -> None:
        self._process.effect("before commit")
        super()._begin()
        if (text := self._trouble()) is not None:
            with sqlite.explained(self._path):
                raise sqlite3.OperationalError(text)

    def _committed(self) -> None:
        self._disk.committed()
        self._process.effect("after commit")

    def _die(self) -> None:
        """From now on this process reads nothing either."""
        self._ask = self._reading = _killed  # type: ignore[method-assign,assignment]


def _killed(*_: object) -> Any:
    raise Killed


class Disk:
    """What would be left after a power cut."""

    def __init__(self, path: Path, conn: sqlite3.Connection) -> None:
        self._path = path
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
            contextlib.closing(reading(self._path)) as source,
            contextlib.closing(sqlite3.connect(_synced(self._path))) as target,
        ):
            source.backup(target)


def safe(conn: sqlite3.Connection) -> bool:
    """Whether a power cut takes nothing that was committed."""
    return bool(conn.execute("PRAGMA synchronous").fetchone()[0] >= FULL)


def _synced(path: Path) -> Path:
    """What a power cut leaves, where that is not everything."""
    return path.with_name(path.name + ".synced")


def cut_power(path: Path) -> None:
    """Everything that was not synced is gone; the process must be dead and its ledger closed."""
    kept = _synced(path)
    if kept.exists():
        with (
            contextlib.closing(sqlite3.connect(kept)) as source,
            contextlib.closing(writing(path)) as target,
        ):
            source.backup(target)


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
        self.file: LedgerFile | None = None  # where the ledger lies in no memory
        self._empty = folder / "empty.db"
        self._made = self._empty
        self._disk: sqlite3.Connection | None = None
        self._free: list[Connection] = []

    def lay_out(self, empty: Path) -> None:
        """A new world: its ledger is a copy of ``empty``."""
        self.close()
        for file in (self.path, _synced(self.path)):
            file.unlink(missing_ok=True)
        if not self._empty.exists():
            sqlite.copy(empty, self._empty)  # without a write-ahead log, which memory has not
            with contextlib.closing(sqlite3.connect(self._empty, isolation_level=None)) as made:
                made.execute(f"PRAGMA page_size = {PAGE_BYTES}")
                made.execute("VACUUM")
        self._disk = writing(self.path)  # while it is open the memory lasts
        with contextlib.closing(sqlite3.connect(self._empty)) as source:
            source.backup(self._disk)
        self._made = empty

    def use_a_file(self) -> LedgerFile:
        """Of this world the ledger is a file, to which something may happen."""
        self.file = LedgerFile(self.path, self._made)
        self.file.lay_empty()
        return self.file

    def close(self) -> None:
        """Close what nobody uses at present; the memory goes with the last that is open."""
        while self._free:
            self._free.pop().close()
        if self._disk is not None:
            self._disk.close()
            self._disk = None
        if self.file is not None:
            self.file.close()
            self.file = None

    def take(self) -> Connection:
        if self.file is not None:
            return self.file.take()
        if self._free:
            return self._free.pop()
        return sqlite.opened(memory(self.path), readonly=False)

    def give_back(self, connection: Connection) -> None:
        """A transaction under way is lost; before a power cut the ledger has to be closed."""
        if connection.in_transaction:
            connection.rollback()
        if self.file is not None:
            self.file.give_back(connection)
        elif safe(connection):
            self._free.append(connection)
        else:
            connection.close()

    def check(self, clock: Clock) -> None:
        """As a daemon checks its file before it opens it; nothing here changes a schema."""
        if self.file is not None:
            self.file.check(clock)
        elif not self.checked:
            sqlite.make_private(self._empty)
            sqlite.check_revision(self._empty, REVISION)
            self.checked = True


def open_store(engines: Engines, clock: Clock, process: Process, trouble: Trouble) -> SimStore:
    """As ``hedger.ledger.store.open_store``: checked, private, and a new epoch."""
    engines.check(clock)
    store = SimStore(engines, clock, process, trouble)
    try:
        store.begin_epoch()
    except BaseException:  # killed on the way, too: nobody else could give the file back
        store.close()
        raise
    return store
