"""The reading half of the ledger port: every method is one consistent view."""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from hedger.clock import Clock
from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, LaneId, Symbol, VenueId
from hedger.domain.market import Position
from hedger.domain.order import Prepared
from hedger.ledger import events, funding, hedges, intents, lanes, limits, sqlite
from hedger.ledger.records import Alert, OrderRecord, Stats

EPOCH = "epoch"


class Reader:
    """The ledger of one state directory, for looking at."""

    def __init__(self, engine: sa.Engine, path: Path, clock: Clock) -> None:
        self._engine = engine
        self._path = path
        self._clock = clock
        self._conn = engine.connect()
        self._lock = threading.RLock()  # one connection, and values are taken by threads too
        self._epoch: int | None = None  # None: not ours to write

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the file; may be called twice."""
        self._conn.close()
        self._engine.dispose()

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
            return [hedge for hedge in hedges.live(conn) if not hedge.state.terminal]

    def unfinished(self) -> list[Hedge]:
        """Every hedge that is not at rest, oldest first."""
        with self._reading() as conn:
            return [hedge for hedge in hedges.live(conn) if not hedge.state.at_rest]

    def live_on(self, symbol: Symbol) -> Hedge | None:
        """The live hedge on ``symbol``; there is at most one."""
        with self._reading() as conn:
            return next((hedge for hedge in hedges.live(conn) if hedge.symbol == symbol), None)

    def leg_size(self, hedge_id: HedgeId, venue: VenueId) -> Decimal:
        """The signed sum of our own fills of the hedge on ``venue``, in coins."""
        with self._reading() as conn:
            return hedges.leg_size(conn, hedge_id, venue)

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
        """Orders that died behind their fence since an instant, the newest first."""
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
            return [hedges.get(conn, name) for name in funding.awaiting(conn)]

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
        with self._reading() as conn:
            return events.stats(conn, sqlite.database_bytes(self._path), self.epoch_in(conn))

    def epoch_in(self, conn: sa.Connection) -> int:
        """The epoch the file is in, read inside a transaction."""
        return int(events.meta(conn, EPOCH) or 0)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """One consistent view."""
        with self._lock, sqlite.explained(self._path), self._conn.begin():
            yield self._conn
