"""How the ledger is written: one transaction at a time, fenced by epoch, with room kept back."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from hedger import crashpoints
from hedger.clock import Clock
from hedger.errors import StateError, UnwritableError
from hedger.ledger import events, sqlite
from hedger.ledger.connection import Connection
from hedger.ledger.reader import EPOCH, Reader
from hedger.ledger.room import Room
from hedger.ledger.session import Session


class Writer(Reader):
    """The transactions in which ``Store`` writes its sentences."""

    def __init__(
        self, conn: Connection, path: Path, clock: Clock, room: Room | None = None
    ) -> None:
        super().__init__(conn, path, clock)
        self._room = room
        self._transaction = sqlite.Transaction(conn)
        self._untold: str | None = None
        self._refused: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why nothing new may be begun: the disk is full, or the ledger cannot be used."""
        self._look()
        return (self._room.trouble if self._room is not None else None) or self._refused

    def _look(self) -> None:
        if self._room is not None:
            self._untold = self._room.look() or self._untold

    def begin_epoch(self) -> None:
        """
        Claim the ledger for writing; a process that had it before can write no longer.

        Raises:
            UnwritableError: the disk is full or somebody else holds the file.
        """
        self._look()
        with self._turn, self._transaction:
            number = int(events.meta(self._conn, EPOCH) or 0) + 1
            session = Session(self._conn, self._clock.now(), number)
            events.set_meta(session, EPOCH, str(number))
            events.prune(session)
            crashpoints.reach("begin_epoch", "before")
        crashpoints.reach("begin_epoch", "after")
        self._epoch = number
        self._turn.alone = True

    @contextlib.contextmanager
    def _writing(self, site: str) -> Iterator[Session]:
        """
        All of it or nothing, on the disk when it ends; ``site``: see ``crashpoints``.

        Raises:
            UnwritableError: not now; nothing was recorded.
            StateError: never: the file is another process's.
        """
        if self._epoch is None:
            raise StateError(f"{self._path} was opened to read only")
        self._begin()
        with self._turn, self._transaction:
            if self.epoch_in(self._conn) != self._epoch:
                raise StateError(
                    f"{self._path} was opened for writing by another process; stop one of them"
                )
            session = Session(self._conn, self._clock.now(), self._epoch)
            yield session
            if self._untold is not None:
                self._tell(session)
            crashpoints.reach(site, "before")
        self._refused = None
        self._committed()
        crashpoints.reach(site, "after")

    def _begin(self) -> None:
        """What comes before a transaction."""
        if self._room is not None:
            self._look()

    def _committed(self) -> None:
        """What comes after one: it is on the disk."""

    def _explained(self, error: BaseException) -> Exception | None:
        """Remember that the file cannot be used, until something is written again."""
        told = super()._explained(error)
        if isinstance(told, UnwritableError):
            self._refused = str(told)
        return told

    def _tell(self, session: Session) -> None:
        """A disk that has just become full, or has room again, is told with the next write."""
        if self._untold is None or self._room is None:
            return
        if self._room.trouble is None:
            events.append(session, "disk_has_room", self._untold)
        else:
            events.alert(session, self._untold, None, None)
        self._untold = None
