"""The reading half of the ledger port: every method is one consistent view."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self

from hedger.clock import Clock
from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, LaneId, Symbol, VenueId
from hedger.domain.market import Fees, Position, RateSeen
from hedger.domain.order import Prepared
from hedger.ledger import (
    accounts,
    decisions,
    events,
    funding,
    hedges,
    intents,
    lanes,
    limits,
    own_rates,
    sqlite,
)
from hedger.ledger.connection import Connection
from hedger.ledger.records import Alert, LegCash, OrderRecord, Rollbacks, Stats

EPOCH = "epoch"


class Reader:
    """The ledger of one state directory, for looking at."""

    def __init__(self, conn: Connection, path: Path, clock: Clock) -> None:
        self._conn = conn
        self._path = path
        self._clock = clock
        self._turn = _Turn(conn, self._explained)
        self._epoch: int | None = None  # None: not ours to write

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the file; may be called twice."""
        self._conn.close()

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def epoch(self) -> int:
        """The number of the present writing opening; of the last one when opened to read."""
        if self._epoch is not None:
            return self._epoch
        return int(self.meta(EPOCH) or 0)

    def hedge(self, hedge_id: HedgeId) -> Hedge:
        """
        One hedge as the ledger has it now.

        Raises:
            StateError: there is none with this id.
        """
        with self._reading() as conn:
            return hedges.get(conn, hedge_id)

    def find(self, prefix: str) -> Hedge:
        """
        The one hedge whose id is ``prefix`` or begins with it.

        Raises:
            UsageError: none does, or several do.
        """
        with self._reading() as conn:
            return hedges.find(conn, prefix)

    def live(self) -> list[Hedge]:
        """Every hedge that is not terminal, oldest first."""
        with self._reading() as conn:
            return hedges.live(conn)

    def unfinished(self) -> list[Hedge]:
        """Every hedge that is not at rest, oldest first."""
        with self._reading() as conn:
            return [hedge for hedge in hedges.live(conn) if not hedge.state.at_rest]

    def live_on(self, symbol: Symbol) -> Hedge | None:
        """The live hedge on ``symbol``; there is at most one."""
        with self._reading() as conn:
            return hedges.live_on(conn, symbol)

    def leg_size(self, hedge_id: HedgeId, venue: VenueId) -> Decimal:
        """The signed sum of our own fills of the hedge on ``venue``, in coins."""
        with self._reading() as conn:
            return hedges.leg_size(conn, hedge_id, venue)

    def trades_of(self, hedge_id: HedgeId, venue: VenueId) -> dict[str, datetime]:
        """The venue's names and stamps of our own fills of the hedge there, oldest first."""
        with self._reading() as conn:
            return hedges.trades_of(conn, hedge_id, venue)

    def leg_cash(self, hedge: HedgeId) -> dict[VenueId, LegCash]:
        """What the fills of a hedge came to on each venue, and its funding so far."""
        with self._reading() as conn:
            return decisions.leg_cash(conn, hedge)

    def rollbacks(self) -> Rollbacks:
        """How often the latest hedges were rolled back, and what that cost."""
        with self._reading() as conn:
            return decisions.rollbacks(conn)

    def rates_seen(self, symbol: Symbol, since: datetime) -> list[RateSeen]:
        """Funding estimates of one market since an instant of our clock, the newest first."""
        with self._reading() as conn:
            return decisions.rates_seen(conn, symbol, since)

    def reserved(self, venue: VenueId, excluding: HedgeId | None = None) -> Decimal:
        """Free margin promised to unfinished hedges on ``venue``, except to ``excluding``."""
        with self._reading() as conn:
            return hedges.reserved(conn, venue, excluding)

    def burns_of(self, original: Prepared) -> list[Prepared]:
        """Every burn committed for ``original``, oldest first."""
        with self._reading() as conn:
            return intents.burns_of(conn, original)

    def open_intents(self, hedge: HedgeId | None = None) -> list[Prepared]:
        """Orders whose end is not proven, oldest first, exactly as they were committed."""
        with self._reading() as conn:
            return intents.open_intents(conn, hedge)

    def orders_of(self, hedge: HedgeId) -> list[OrderRecord]:
        """Every order of a hedge, oldest first."""
        with self._reading() as conn:
            return intents.orders_of(conn, hedge)

    def order(self, prepared: Prepared) -> OrderRecord:
        """
        One order as the ledger has it now.

        Raises:
            StateError: it was never intended.
        """
        with self._reading() as conn:
            return intents.get(conn, prepared.order.id)

    def dead_since(self, since: datetime, limit: int = 200) -> list[OrderRecord]:
        """Orders that were sent and should have no effect, since an instant, the newest first."""
        with self._reading() as conn:
            return intents.dead_since(conn, since, limit)

    def order_known_as(self, venue: VenueId, client_id: str) -> OrderRecord | None:
        """The order that ``venue`` knows by our id; None when it is none of ours."""
        with self._reading() as conn:
            return intents.by_client_id(conn, venue, client_id)

    def next_order_number(self, hedge: HedgeId) -> int:
        """The number for the next order of a hedge: 1, 2, 3."""
        with self._reading() as conn:
            return intents.next_number(conn, hedge)

    def lane_high(self, lane: LaneId) -> int | None:
        """The highest nonce of a lane that was or may have been used; None when there is none."""
        with self._reading() as conn:
            return intents.lane_high(conn, lane)

    def lane_refused(self, lane: LaneId) -> int | None:
        """The highest nonce of an order that reached the venue and was refused there."""
        with self._reading() as conn:
            return intents.lane_refused(conn, lane)

    def reserved_values(self, lane: LaneId) -> int | None:
        """The highest value reserved on a lane where gaps are legal; None when there is none."""
        with self._reading() as conn:
            return lanes.reserved(conn, lane)

    def last_observation(self, venue: VenueId, symbol: Symbol) -> Position | None:
        """The reading that started last."""
        with self._reading() as conn:
            return events.last_observation(conn, venue, symbol)

    def asked_since(self, since: datetime) -> list[limits.Asked]:
        """Hedges begun since an instant that were not refused."""
        with self._reading() as conn:
            return limits.asked_since(conn, since)

    def orders_since(self, since: datetime) -> Mapping[VenueId, int]:
        """Orders since an instant by venue, with those that live hedges still need to open."""
        with self._reading() as conn:
            return limits.orders_since(conn, since)

    def unwound_since(self, since: datetime) -> Sequence[limits.Unwound]:
        """Hedges taken back since an instant without ever having been open."""
        with self._reading() as conn:
            return limits.unwound_since(conn, since)

    def awaiting_funding(self) -> list[Hedge]:
        """Hedges whose funding is not yet known through their last settlement."""
        with self._reading() as conn:
            return funding.awaiting(conn)

    def unchecked(self, now: datetime, after: int = 0) -> list[tuple[int, HedgeId]]:
        """Hedges of the last days, over and not compared yet, that come ``after`` a number."""
        with self._reading() as conn:
            return accounts.unchecked(conn, now - timedelta(days=accounts.CHECK_DAYS), after)

    def fee_rates(self, market: own_rates.Market) -> Fees | None:
        """The account's latest fee rates on one market that were kept; None: none were."""
        with self._reading() as conn:
            return own_rates.fees(conn, market)

    def beginnings(self, venue: VenueId) -> tuple[datetime | None, datetime | None]:
        """When our first hedge was made, and its first settlement on a venue (market clock)."""
        with self._reading() as conn:
            return accounts.beginnings(conn, venue)

    def unacknowledged(self, limit: int = 20) -> list[Alert]:
        """The newest alerts nobody has acknowledged, oldest first."""
        with self._reading() as conn:
            return events.unacknowledged(conn, limit)

    def alerts_after(self, number: int, limit: int = 200) -> list[Alert]:
        """The oldest alerts that came after one, in their order."""
        with self._reading() as conn:
            return events.alerts_after(conn, number, limit)

    def metas(self, prefix: str) -> dict[str, str]:
        """The small values whose keys begin with ``prefix``."""
        with self._reading() as conn:
            return events.metas(conn, prefix)

    def meta(self, key: str) -> str | None:
        """A small value kept across restarts."""
        with self._reading() as conn:
            return events.meta(conn, key)

    def stats(self) -> Stats:
        """Counts and the size of the database."""
        with self._reading() as conn, sqlite.Snapshot(conn):
            return events.stats(conn, sqlite.database_bytes(self._path), self.epoch_in(conn))

    def epoch_in(self, conn: Connection) -> int:
        """The epoch the file is in, also inside a transaction."""
        return int(events.meta(conn, EPOCH) or 0)

    def _reading(self) -> AbstractContextManager[Connection]:
        """The turn of this thread. One query is one consistent view; several are a snapshot."""
        return self._turn

    def _explained(self, error: BaseException) -> Exception | None:
        """What a trouble with the file means, in one sentence; None when it is something else."""
        return sqlite.explanation(self._path, error)


class _Turn:
    """
    One thread after the other at the connection, and its troubles told in one sentence.

    A class, and one for all: queries are so many that a generator for each would be felt.

    Attributes:
        alone: nobody else writes, so that what is remembered holds. A transaction finds out
            should somebody do it all the same.
    """

    __slots__ = ("_conn", "_explain", "_lock", "alone")

    def __init__(
        self, conn: Connection, explain: Callable[[BaseException], Exception | None]
    ) -> None:
        self._conn = conn
        self._explain = explain
        self.alone = False
        self._lock = threading.RLock()  # values are taken by threads too

    def __enter__(self) -> Connection:
        self._lock.acquire()
        if not self.alone:
            try:
                self._conn.look()
            except BaseException as error:
                self.__exit__(None, error, None)
                raise
        return self._conn

    def __exit__(
        self, kind: object, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()
        if error is not None and (told := self._explain(error)) is not None:
            raise told from error
