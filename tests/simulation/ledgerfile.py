"""
A ledger that is a file: in worlds in which something happens to it.

Here everything is the product's own: the migration's check, the copies, the watch, the file of
starts, SQLite with its write-ahead log. What stands at the path are links to a *disc*, a directory
in which the file and its log really lie. So a file can be taken away or another one put in its
place while somebody has it open, and what is open goes on, as an inode does that has lost its
name.
"""

import os
import random
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from hedger.clock import Clock
from hedger.errors import StateError
from hedger.ledger import migrate, sqlite
from hedger.ledger.connection import Connection

NAME = "ledger.db"
ENDS = ("", "-wal", "-shm")
CHECKPOINT_PAGES = 16
"""
The log is taken into the file so often, and not only after 1,000 pages: the file holds nearly
everything, like one that has been in use for weeks.
"""
OWNER_ONLY = 0o600
GARBAGE_BYTES = 200
UNJUDGED = ("funding_observations", "decisions", "balance_readings", "fee_rates")
"""Tables that no judge reads: of a ledger in use, a page of these is written over."""
SAID = re.compile(r"copy (\S+\.bak) to (\S+) and start again")
EMPTY = "start again with an empty one"


class LedgerFile:
    """What stands at the path of the ledger, and what stood there before."""

    def __init__(self, path: Path, empty: Path) -> None:
        self.path = path
        self.empty = empty
        self._damage: list[tuple[int, bytes]] = []  # where what was written over the file stands
        self.opened_damaged = False  # a start has taken it all the same
        self.discs = 0
        self.disc: Path | None = None  # None: nothing stands at the path
        self._free: list[tuple[Path, Connection]] = []
        self._out: list[tuple[Path, Connection]] = []

    # -- what a person or a disk does to it --------------------------------------------------

    def lay(self, source: Path) -> None:
        """Another file stands at the path from now on, with the contents of ``source``."""
        self.discs += 1
        disc = self.path.parent / f"disc{self.discs}"
        disc.mkdir()
        shutil.copyfile(source, disc / NAME)
        (disc / NAME).chmod(OWNER_ONLY)
        self._stand(disc)

    def lay_empty(self) -> None:
        """Nothing is there, and a start makes a new one: as every new one is."""
        self.lay(self.empty)

    def remove(self) -> None:
        """The file and its log are deleted; they go on for whoever has them open."""
        self.disc = None
        for end in ENDS:
            self._link(end).unlink(missing_ok=True)

    def put_back(self, disc: Path | None) -> None:
        """They were only moved away, and nothing was done to them."""
        assert disc is not None
        self._stand(disc)

    def backup(self, to: Path) -> None:
        """
        A sound copy of the ledger as it is now, made by hand.

        Raises:
            DamagedError: it is damaged.
        """
        assert self.disc is not None
        sqlite.copy(self.disc / NAME, to)

    def damage(self, chance: random.Random, *, in_use: bool) -> None:
        """Bytes of one page are written over, as a disk does it: nobody has written the file."""
        assert self.disc is not None
        file = self.disc / NAME
        with closing(sqlite3.connect(file, isolation_level=None)) as bare:
            pages, bytes_ = (
                bare.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "page_size")
            )
            marks = ",".join("?" * len(UNJUDGED))
            roots = bare.execute(
                f"SELECT rootpage FROM sqlite_master WHERE tbl_name IN ({marks}) ORDER BY 1",
                UNJUDGED,
            ).fetchall()
        on_disk = file.stat().st_size // bytes_
        found = [page for (page,) in roots if page <= on_disk] if in_use else range(1, pages + 1)
        page = chance.choice([p for p in found if p <= on_disk])
        before = file.stat()
        at, garbage = (page - 1) * bytes_, chance.randbytes(GARBAGE_BYTES)
        with file.open("r+b") as open_file:
            open_file.seek(at)
            open_file.write(garbage)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        self._damage.append((at, garbage))

    def follow(self, sentence: str) -> str:
        """
        What a person does whom a command has told that the ledger is damaged; in one word.

        Raises:
            AssertionError: the sentence does not say what to do.
        """
        said = SAID.search(sentence)
        if said is not None:
            assert Path(said[2]) == self.path, sentence
            self.lay(Path(said[1]))
            return "copy"
        assert EMPTY in sentence, sentence
        self.lay_empty()
        return "empty"

    @property
    def kept(self) -> list[Path]:
        """The copies that hedger has made, oldest first."""
        return sorted(self.path.parent.glob(f"{NAME}.*.bak"))

    # -- what a process does with it ---------------------------------------------------------

    def check(self, clock: Clock) -> None:
        """
        As a daemon does before it opens its ledger.

        Raises:
            StateError: it cannot be used.
        """
        if self.disc is None:
            self.lay_empty()
        migrate.upgrade(self.path, clock)

    def take(self) -> Connection:
        """The file at the path, opened."""
        disc = self.disc
        assert disc is not None
        self._damage = self._left()
        self.opened_damaged = bool(self._damage)
        while self._free:
            kept, connection = self._free.pop()
            if kept == disc:
                self._out.append((disc, connection))
                return connection
            connection.close()
        connection = sqlite.connect(self.path, readonly=False)
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}").fetchone()
        self._out.append((disc, connection))
        return connection

    def give_back(self, connection: Connection) -> None:
        """Nobody has it open any more; the same file may be opened with it again."""
        (mine,) = [each for each in self._out if each[1] is connection]
        self._out.remove(mine)
        if mine[0] == self.disc and not self._damage:
            self._free.append(mine)
        else:
            connection.close()

    def close(self) -> None:
        """The world is over: nothing of it stays."""
        while self._free:
            self._free.pop()[1].close()
        self.remove()
        for disc in sorted(self.path.parent.glob("disc*")):
            shutil.rmtree(disc, ignore_errors=True)
        for left in (*self.kept, *sorted(self.path.parent.glob("*.older")), _start(self.path)):
            left.unlink(missing_ok=True)

    # -- inside ------------------------------------------------------------------------------

    def _stand(self, disc: Path) -> None:
        self.remove()
        self.disc = disc
        self._damage = []
        self.opened_damaged = False
        for end in ENDS:
            self._link(end).symlink_to(disc / (NAME + end))

    def _left(self) -> list[tuple[int, bytes]]:
        """
        The damage that a reader meets. A page that the log holds is read from there, and the next
        checkpoint writes it over what was damaged: no start could find that, and none has to.
        """
        if not self._damage:
            return []
        assert self.disc is not None
        try:
            with closing(sqlite.connect(self.disc / NAME, readonly=True)) as reader:
                read = reader.serialize()
        except (sqlite3.DatabaseError, StateError):
            return self._damage
        return [(at, garbage) for at, garbage in self._damage if read[at:].startswith(garbage)]

    def _link(self, end: str) -> Path:
        return self.path.with_name(NAME + end)


def _start(path: Path) -> Path:
    return path.with_name(path.name + ".start")
