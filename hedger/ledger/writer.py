"""How the ledger is written: one transaction at a time, fenced by epoch, with room kept back."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from loguru import logger

from hedger import crashpoints
from hedger.clock import Clock
from hedger.domain.ids import NUMBER_MAX, HedgeId, OrderId, Sent, order_id
from hedger.errors import DamagedError, StateError, UnwritableError
from hedger.ledger import events, sqlite
from hedger.ledger.connection import Connection
from hedger.ledger.reader import EPOCH, Reader
from hedger.ledger.records import CAUGHT_UP
from hedger.ledger.room import Room
from hedger.ledger.session import Session
from hedger.ledger.starts import META as START
from hedger.ledger.starts import StartFile, age_of, following
from hedger.ledger.watch import Watch


class Writer(Reader):
    """The transactions in which ``Store`` writes its sentences."""

    def __init__(  # noqa: PLR0917 - what stands beside the ledger comes last, if at all
        self,
        conn: Connection,
        path: Path,
        clock: Clock,
        room: Room | None = None,
        watch: Watch | None = None,
        kept: StartFile | None = None,
    ) -> None:
        super().__init__(conn, path, clock)
        self._room = room
        self._watch = watch
        self._kept = kept
        self._transaction = sqlite.Transaction(conn)
        self._untold: dict[str, tuple[str, bool]] = {}  # by event: the sentence, and if it is bad
        self._refused: str | None = None
        self.lost = False  # whether it is new, though another one worked here before
        self.overtaken = False  # whether a venue knew orders of this ledger that it did not know
        self._start = 0
        self._number = 0

    @property
    def trouble(self) -> str | None:
        """Why nothing new may be begun: no room on the disk, or the ledger cannot be used."""
        self._look()
        room = self._room.trouble if self._room is not None else None
        return room or self._watched or self._refused

    @property
    def refused(self) -> str | None:
        """Why the latest write was refused; None where it was taken."""
        return self._refused

    @property
    def displaced(self) -> str | None:
        """Why what is written now may be lost: the open file is not the one at its path."""
        self._look()
        return self._watched

    @property
    def _watched(self) -> str | None:
        return self._watch.trouble if self._watch is not None else None

    def _look(self) -> None:
        if self._room is not None and (text := self._room.look()) is not None:
            self._untold["disk_has_room"] = (text, self._room.trouble is not None)
        if self._watch is not None and (text := self._watch.look()) is not None:
            self._untold["ledger_in_use_again"] = (text, self._watch.trouble is not None)
            logger.error("{}", text)

    def notice(self) -> None:
        """Look, and tell a person what has just begun or ended, though nothing else is written."""
        self._look()
        if self._untold:
            with self._writing("alert"):
                pass

    def begin_epoch(self) -> None:
        """
        Claim the ledger for writing; a process that had it before can write no longer.

        A person is told where the ledger is older than one that worked here before.

        Raises:
            UnwritableError: the disk is full or somebody else holds the file.
        """
        self._look_at_room()
        with self._turn, self._transaction:
            number = int(events.meta(self._conn, EPOCH) or 0) + 1
            session = Session(self._conn, self._clock.now(), number)
            events.set_meta(session, EPOCH, str(number))
            self._take_start(session)
            events.prune(session)
            crashpoints.reach("begin_epoch", "before")
        crashpoints.reach("begin_epoch", "after")
        self._epoch = number
        self._keep_start()
        if self._watch is not None:
            self._watch.opened()
        self._turn.alone = True

    def _look_at_room(self) -> None:
        if self._room is not None and (text := self._room.look()) is not None:
            self._untold["disk_has_room"] = (text, self._room.trouble is not None)

    # -- ids of orders ----------------------------------------------------------------------

    @property
    def start(self) -> int:
        """What the ids of our orders carry since this opening (``hedger/ledger/starts.py``)."""
        return self._start

    def next_order_id(self, hedge: HedgeId) -> OrderId:
        """An id for the next order of a hedge; no two calls ever give the same."""
        with self._turn.lock:
            if self._number == NUMBER_MAX:
                self._begin_start()
            self._number += 1
            return order_id(hedge, Sent(self._start, self._number))

    def overtake(self, start: int) -> None:
        """Let the next ids come after those of a start that a venue knows and we do not."""
        self.overtaken = True
        with self._turn.lock:
            if age_of(start) >= age_of(self._start):
                self._begin_start(age_of(start))

    def _begin_start(self, beyond: int = 0) -> None:
        with self._writing("set_meta") as session:
            tag = self._start - age_of(self._start)
            before = tag | max(beyond, age_of(self._start))
            start = following(session.now, before)
            events.set_meta(session, START, str(start))
        self._start, self._number = start, 0
        self._keep_start()

    def _take_start(self, session: Session) -> None:
        """The start of this opening; later than any that is known here."""
        told = events.meta(self._conn, START)
        ours = int(told) if told else None
        kept = self._kept.read() if self._kept is not None else None
        if kept is not None and (ours is None or age_of(kept) > age_of(ours)):
            events.alert(session, _older(self._path, ours), None, None)
        self.lost = kept is not None and ours is None
        if self.lost:
            events.set_meta(session, CAUGHT_UP, "0")
        before = ours if ours is not None else kept
        if ours is not None and kept is not None:
            before = ours - age_of(ours) | max(age_of(ours), age_of(kept))
        self._start, self._number = following(session.now, before), 0
        events.set_meta(session, START, str(self._start))

    def _keep_start(self) -> None:
        if self._kept is None:
            return
        try:
            self._kept.write(self._start)
        except StateError as error:  # a full disk keeps nobody from closing what is open
            logger.warning("{}", error)

    # -- transactions -----------------------------------------------------------------------

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
            told = dict(self._untold)
            for kind, (text, bad) in told.items():
                _tell(session, kind, text, bad=bad)
            crashpoints.reach(site, "before")
        self._refused = None
        for kind in told:
            self._untold.pop(kind, None)
        if self._watch is not None:
            self._watch.written()
        self._committed()
        crashpoints.reach(site, "after")

    def _begin(self) -> None:
        """What comes before a transaction."""
        self._look()

    def _committed(self) -> None:
        """What comes after one: it is on the disk."""

    def _explained(self, error: BaseException) -> Exception | None:
        """Remember that the file cannot be used, until something is written again."""
        told = super()._explained(error)
        if isinstance(told, UnwritableError | DamagedError):
            self._refused = str(told)
        return told


def _tell(session: Session, kind: str, text: str, *, bad: bool) -> None:
    """What has just begun is an alert, its end an event; both come with the next write."""
    if bad:
        events.alert(session, text, None, None)
    else:
        events.append(session, kind, text)


def _older(path: Path, ours: int | None) -> str:
    found = f"{path} is an older copy of the ledger that worked here before"
    if ours is None:
        found = f"{path} does not know the starts of the ledger that worked here before"
    return (
        f"{found}: orders that it does not know are looked for at the venues and booked before"
        " anything is opened"
    )
