"""The reading half of the ledger port: every method is one consistent view."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, TypeVarTuple

from hedger.clock import Clock
from hedger.domain.account import Entry
from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, LaneId, Symbol, VenueId
from hedger.domain.market import Fees, FundingPayment, Position, RateSeen
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
from hedger.ledger.records import Alert, CooledDown, LegCash, OrderRecord, Rollbacks, Stats

EPOCH = "epoch"

Answer = TypeVar("Answer")
_Args = TypeVarTuple("_Args")


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

    def now(self) -> datetime:
        """The present instant, by the clock that its rows are dated with."""
        return self._clock.now()

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
        return self._ask(hedges.get, hedge_id)

    def knows(self, hedge_id: HedgeId) -> bool:
        """Whether there is a hedge with this id."""
        return self._ask(hedges.is_known, hedge_id)

    def find(self, prefix: str) -> Hedge:
        """
        The one hedge whose id is ``prefix`` or begins with it; where several do, the live one.

        Raises:
            UsageError: none does, or several do.
        """
        return self._ask(hedges.find, prefix)

    def live(self) -> list[Hedge]:
        """Every hedge that is not terminal, oldest first."""
        return self._ask(hedges.live)

    def unfinished(self) -> list[Hedge]:
        """Every hedge that is not at rest, oldest first."""
        return [hedge for hedge in self.live() if not hedge.state.at_rest]

    def live_on(self, symbol: Symbol) -> Hedge | None:
        """The live hedge on ``symbol``; there is at most one."""
        return self._ask(hedges.live_on, symbol)

    def leg_size(self, hedge_id: HedgeId, venue: VenueId) -> Decimal:
        """The signed sum of our own fills of the hedge on ``venue``, in coins."""
        return self._ask(hedges.leg_size, hedge_id, venue)

    def leg_sizes(self, hedge: Hedge) -> tuple[Decimal, Decimal]:
        """The same of leg A and of leg B."""
        a, b = (self.leg_size(hedge.id, venue) for venue in hedge.venues)
        return a, b

    def trades_of(self, hedge_id: HedgeId, venue: VenueId) -> dict[str, datetime]:
        """The venue's names and stamps of our own fills of the hedge there, oldest first."""
        return self._ask(hedges.trades_of, hedge_id, venue)

    def fills_of(self, hedge_id: HedgeId, venue: VenueId) -> dict[str, Decimal]:
        """Trade ids of our fills on one leg and their sizes, in signed coins."""
        return self._ask(hedges.fills_of, hedge_id, venue)

    def leg_cash(self, hedge: HedgeId) -> dict[VenueId, LegCash]:
        """What the fills of a hedge came to on each venue, and its funding so far."""
        return self._ask(decisions.leg_cash, hedge)

    def rollbacks(self) -> Rollbacks:
        """How often the latest hedges were rolled back, and what that cost."""
        return self._ask(decisions.rollbacks)

    def rates_seen(self, symbol: Symbol, since: datetime) -> list[RateSeen]:
        """Funding estimates of one market since an instant of our clock, the newest first."""
        return self._ask(decisions.rates_seen, symbol, since)

    def reserved(self, venue: VenueId, excluding: HedgeId | None = None) -> Decimal:
        """Free margin promised to unfinished hedges on ``venue``, except to ``excluding``."""
        return self._ask(hedges.reserved, venue, excluding)

    def burns_of(self, original: Prepared) -> list[Prepared]:
        """Every burn committed for ``original``, oldest first."""
        return self._ask(intents.burns_of, original)

    def open_intents(self, hedge: HedgeId | None = None) -> list[Prepared]:
        """Orders whose end is not proven, oldest first, exactly as they were committed."""
        return self._ask(intents.open_intents, hedge)

    def last_account(self, venue: VenueId) -> str | None:
        """The account of the last order on a venue; None where there was none."""
        return self._ask(intents.last_account, venue)

    def orders_of(self, hedge: HedgeId) -> list[OrderRecord]:
        """Every order of a hedge, oldest first."""
        return self._ask(intents.orders_of, hedge)

    def order(self, prepared: Prepared) -> OrderRecord:
        """
        One order as the ledger has it now.

        Raises:
            StateError: it was never intended.
        """
        return self._ask(intents.get, prepared.order.id)

    def uneven_since(self, since: datetime, limit: int = 500) -> list[OrderRecord]:
        """Orders that ended since then with less or more than was asked for, the newest first."""
        return self._ask(intents.uneven_since, since, limit)

    def more_untold(self, since: datetime) -> list[OrderRecord]:
        """Orders that ended since then with more than was asked for, of which no alert tells."""
        return self._ask(intents.more_untold, since)

    def order_known_as(self, venue: VenueId, client_id: str) -> OrderRecord | None:
        """The order that ``venue`` knows by our id; None when it is none of ours."""
        return self._ask(intents.by_client_id, venue, client_id)

    def lane_high(self, lane: LaneId) -> int | None:
        """The highest nonce of a lane that was or may have been used; None when there is none."""
        return self._ask(intents.lane_high, lane)

    def lane_refused(self, lane: LaneId) -> int | None:
        """The highest nonce of an order that reached the venue and was refused there."""
        return self._ask(intents.lane_refused, lane)

    def lane_cooled(self, lane: LaneId, since: datetime) -> CooledDown | None:
        """The last cool-down of a lane that began after an instant; None when there was none."""
        return self._ask(lanes.cooled, lane, since)

    def reserved_values(self, lane: LaneId) -> int | None:
        """The highest value reserved on a lane where gaps are legal; None when there is none."""
        return self._ask(lanes.reserved, lane)

    def last_worked(self, until: int | None = None) -> datetime | None:
        """
        When an earlier opening of the ledger wrote its last event; None where there is none.

        Of openings after the epoch ``until`` no event counts.
        """
        before = self.epoch if until is None else min(self.epoch, until + 1)
        return self._ask(events.last_before, before)

    def last_observation(self, venue: VenueId, symbol: Symbol) -> Position | None:
        """
        The reading that was kept last; of those that went on at once, the one that started last.

        Not the one whose time is the latest: our clock may have been set back since.
        """
        return self._ask(events.last_observation, venue, symbol)

    def asked_since(self, since: datetime) -> list[limits.Asked]:
        """Hedges begun since an instant that were not refused."""
        return self._ask(limits.asked_since, since)

    def orders_since(self, since: datetime) -> Mapping[VenueId, int]:
        """Orders since an instant by venue, with those that live hedges still need to open."""
        return self._ask(limits.orders_since, since)

    def unwound_since(self, since: datetime) -> Sequence[limits.Unwound]:
        """Hedges taken back since an instant without ever having been open."""
        return self._ask(limits.unwound_since, since)

    def awaiting_funding(self) -> list[Hedge]:
        """Hedges whose funding is not yet known through their last settlement."""
        return self._ask(funding.awaiting)

    def recognizes(
        self, venue: VenueId, since: datetime, payments: Sequence[FundingPayment]
    ) -> bool:
        """Whether a list of payments is that of our account: no row of it may name one."""
        return self._ask(funding.is_of_ours, venue, since, tuple(payments))

    def recognizes_entries(self, account: str, payments: Sequence[Entry]) -> bool:
        """The same of a page of the venue's own books that has some."""
        return self._ask(accounts.is_of_ours, account, tuple(payments))

    def unchecked(self, now: datetime, after: int = 0) -> list[tuple[int, HedgeId]]:
        """Hedges of the last days, over and not compared yet, that come ``after`` a number."""
        since = now - timedelta(days=accounts.CHECK_DAYS)
        return self._ask(accounts.unchecked, since, after)

    def fee_rates(self, market: own_rates.Market) -> Fees | None:
        """The account's latest fee rates on one market that were kept; None: none were."""
        return self._ask(own_rates.fees, market)

    def beginnings(self, venue: VenueId) -> tuple[datetime | None, datetime | None]:
        """When our first hedge was made, and its first settlement on a venue (market clock)."""
        return self._ask(accounts.beginnings, venue)

    def unacknowledged(self, limit: int = 20) -> list[Alert]:
        """The newest alerts nobody has acknowledged, oldest first."""
        return self._ask(events.unacknowledged, limit)

    def alerts_after(self, number: int, limit: int = 200) -> list[Alert]:
        """The oldest alerts that came after one, in their order."""
        return self._ask(events.alerts_after, number, limit)

    def metas(self, prefix: str) -> dict[str, str]:
        """The small values whose keys begin with ``prefix``."""
        return self._ask(events.metas, prefix)

    def meta(self, key: str) -> str | None:
        """A small value kept across restarts."""
        return self._ask(events.meta, key)

    def stats(self) -> Stats:
        """Counts and the size of the database."""
        with self._reading() as conn, sqlite.Snapshot(conn):
            return events.stats(conn, sqlite.database_bytes(self._path), self.epoch_in(conn))

    def epoch_in(self, conn: Connection) -> int:
        """The epoch the file is in, also inside a transaction."""
        return int(conn.concluded(events.meta, (EPOCH,)) or 0)

    def _ask(self, read: Callable[[Connection, *_Args], Answer], *args: *_Args) -> Answer:
        """What a function reads, as ``_reading``; questions are so many that its way is felt."""
        with self._turn.lock:
            try:
                if not self._turn.alone:
                    self._conn.look()
                return self._conn.concluded(read, args)
            except Exception as error:
                if (told := self._explained(error)) is None:
                    raise
                raise told from error

    def _reading(self) -> AbstractContextManager[Connection]:
        """The turn of this thread. One query is one consistent view; several are a snapshot."""
        return self._turn

    def _explained(self, error: BaseException) -> Exception | None:
        """What a trouble with the file means, in one sentence; None when it is something else."""
        return sqlite.explanation(self._path, error)


class _Turn:
    """
    One thread after the other at the connection, and its troubles told in one sentence.

    Attributes:
        lock: who has it may use the connection.
        alone: nobody else writes, so that what is remembered holds. A transaction finds out
            should somebody do it all the same.
    """

    __slots__ = ("_conn", "_explain", "alone", "lock")

    def __init__(
        self, conn: Connection, explain: Callable[[BaseException], Exception | None]
    ) -> None:
        self._conn = conn
        self._explain = explain
        self.alone = False
        self.lock = threading.RLock()  # values are taken by threads too

    def __enter__(self) -> Connection:
        self.lock.acquire()
        if not self.alone:
            try:
                self._conn.look()
            except BaseException as error:  # no ``with`` has begun yet that would do this
                self.__exit__(None, error, None)
                raise
        return self._conn

    def __exit__(
        self, kind: object, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lock.release()
        if error is not None and (told := self._explain(error)) is not None:
            raise told from error
