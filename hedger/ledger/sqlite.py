"""
Everything that only SQLite needs: files, pragmas, locks, copies.

SQLAlchemy is imported where it is used, so that the audit can read the file without it.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hedger.errors import StateError, UnwritableError
from hedger.ledger.connection import Connection
from hedger.ledger.damage import damaged
from hedger.ledger.starts import StartFile, lost

if TYPE_CHECKING:
    import sqlalchemy as sa

Cursor = sqlite3.Cursor
IntegrityError = sqlite3.IntegrityError

BUSY_TIMEOUT_MS = 5_000
OWNER_ONLY = 0o600
MIN_VERSION = (3, 35, 0)
STATEMENTS_KEPT = 256  # prepared by the driver; the ledger has fewer


def engine(path: Path, *, readonly: bool = False, foreign_keys: bool = True) -> "sa.Engine":
    """
    SQLAlchemy on one connection to the file, for migrations and what looks at schemas.

    Its transactions begin with the write lock in hand. ``foreign_keys=False`` is for migrations,
    which rebuild tables.
    """
    import sqlalchemy as sa

    if not readonly:
        make_private(path)
    made = sa.create_engine(
        "sqlite://",
        creator=lambda: connect(path, readonly=readonly, foreign_keys=foreign_keys),
        poolclass=sa.pool.StaticPool,
    )
    begin = "BEGIN" if readonly else "BEGIN IMMEDIATE"

    @sa.event.listens_for(made, "begin")
    def _begin(conn: sa.Connection) -> None:
        conn.exec_driver_sql(begin)

    return made


@cache
def dialect() -> "sa.Dialect":
    """How SQLAlchemy writes a statement for this database: with values told by their places."""
    from sqlalchemy.dialects import sqlite

    return sqlite.dialect(paramstyle="qmark")


class Transaction:
    """
    All of it on the disk, or nothing.

    It begins with the write lock in hand, so that it does not fail half way because another one
    came first.
    """

    __slots__ = ("_connection",)

    begin = "BEGIN IMMEDIATE"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute(self.begin)
        self._connection.look()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self._connection.execute("COMMIT")
        finally:
            # not committed; some errors have ended it already
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
                self._connection.forget()


class Snapshot(Transaction):
    """One consistent view for several queries; a single one has it without."""

    __slots__ = ()

    begin = "BEGIN"


def connect(path: Path, *, readonly: bool, foreign_keys: bool = True) -> Connection:
    """
    A connection in WAL with a full sync at every commit, without implicit transactions.

    Raises:
        StateError: the file cannot be opened.
    """
    address = f"file:{quote(str(path.resolve()))}?mode={'ro' if readonly else 'rw'}"
    with explained(path):
        return opened(address, readonly=readonly, foreign_keys=foreign_keys)


def opened(address: str, *, readonly: bool, foreign_keys: bool = True) -> Connection:
    """
    The same of what an address of SQLite names, which need not be a file.

    Raises:
        StateError: this SQLite is too old.
    """
    if sqlite3.sqlite_version_info < MIN_VERSION:
        raise StateError(
            f"SQLite {sqlite3.sqlite_version} is too old; use a Python built with 3.35 or newer"
        )
    connection = sqlite3.connect(
        address,
        uri=True,
        isolation_level=None,
        timeout=BUSY_TIMEOUT_MS / 1000,
        check_same_thread=False,  # ``Store`` lets one thread in at a time
        cached_statements=STATEMENTS_KEPT,
        factory=Connection,
    )
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        if not readonly:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
    except BaseException:  # interrupted, too: nobody else has it yet, so nobody closes it
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the driver's troubles with the file into one sentence; programming errors pass."""
    try:
        yield
    except Exception as error:  # SQLAlchemy's are no sqlite3.Error, and it is not loaded for them
        told = explanation(path, error)
        if told is None:
            raise
        raise told from error


def explanation(path: Path, error: BaseException) -> StateError | None:
    """What a trouble of the driver with the file means; None when it is our own error."""
    cause = getattr(error, "orig", None) or error  # SQLAlchemy wraps what it raises
    if isinstance(cause, sqlite3.OperationalError) and "decode" not in str(cause):
        return UnwritableError(f"{path} cannot be used: {cause}")
    if isinstance(cause, sqlite3.OperationalError) or type(cause) is sqlite3.DatabaseError:
        return damaged(path)
    if isinstance(cause, sqlite3.IntegrityError) and "FOREIGN KEY" in str(cause):
        return StateError("the row refers to something that is not in the ledger")
    return None


def make_private(path: Path) -> None:
    """
    Create the file owner-only, or make it so; SQLite gives its side files the same mode.

    Raises:
        StateError: it cannot be created, or is not ours.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, OWNER_ONLY))
        for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
            if file.exists():
                file.chmod(OWNER_ONLY)
    except OSError as error:
        raise StateError(
            f"{path} cannot be made for us alone ({error.strerror}); check the folder and its owner"
        ) from error


def revision(path: Path) -> str | None:
    """
    The migration the file is at; None when there is no schema in it.

    Raises:
        StateError: the file is not there or is not a database.
    """
    if not path.exists():
        raise absent(path)
    with contextlib.closing(connect(path, readonly=True)) as connection, explained(path):
        known = connection.execute(
            "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
        ).fetchone()
        if not known[0]:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])


def absent(path: Path) -> StateError:
    """There is no file: where one worked before, that is no beginning but a loss."""
    if StartFile(path).read() is None:
        return StateError(f"there is no ledger at {path}; run `hedger db upgrade`")
    return StateError(lost(path))


def check_revision(path: Path, expected: str) -> None:
    """
    Refuse a file whose schema is not ``expected``.

    Raises:
        StateError: with what to do about it.
    """
    found = revision(path)
    if found == expected:
        return
    if found is not None and found > expected:
        raise StateError(
            f"{path} was written by a newer version of hedger (schema {found}, this program "
            f"knows {expected}); install that version"
        )
    raise StateError(
        f"{path} has an older schema ({found or 'none'}, needed {expected}); "
        "run `hedger db upgrade`"
    )


def check_sound(path: Path) -> None:
    """
    Refuse a damaged file.

    Raises:
        DamagedError: with the way on.
    """
    with contextlib.closing(connect(path, readonly=True)) as connection, explained(path):
        first = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if first != "ok":
        raise damaged(path)


def check_references(connection: "sa.Connection") -> None:
    """
    Refuse rows whose foreign key points nowhere; inside the transaction that could make them.

    Raises:
        StateError: with the table of the first one.
    """
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise StateError(f"the migration would leave a broken reference in table {broken[0]}")


def copy(path: Path, to: Path) -> None:
    """
    Copy a live database, owner-only, complete and sound or not at all.

    Raises:
        StateError: it cannot be read or is damaged, or the copy cannot be written.
    """
    part = to.with_name(to.name + ".part")
    part.unlink(missing_ok=True)
    make_private(part)
    try:
        with (
            contextlib.closing(connect(path, readonly=True)) as source,
            contextlib.closing(sqlite3.connect(part)) as target,
            explained(path),
        ):
            source.backup(target)
            # a copy is one file: without side files it can be moved anywhere
            target.execute("PRAGMA journal_mode = DELETE").fetchone()
            if target.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise damaged(path)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


def database_bytes(path: Path) -> int:
    """The size of the database with its write-ahead log."""
    files = (path, path.with_name(path.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def rows(connection: sqlite3.Connection, sql: str, values: list[Any]) -> Iterator[tuple[Any, ...]]:
    """
    The answer of a query row by row, without holding it in memory.

    Raises:
        StateError: the file cannot be read, or is damaged.
    """
    (_, _, path), *_ = connection.execute("PRAGMA database_list").fetchall()
    with explained(Path(path)):
        cursor = connection.cursor()
        cursor.arraysize = 500
        cursor.execute(sql, values)
    while True:
        with explained(Path(path)):
            batch = cursor.fetchmany()
        if not batch:
            return
        yield from batch
