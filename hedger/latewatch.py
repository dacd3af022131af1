"""
Orders that are over for us and may not be over for the venue.

An order that ended with less or more than was asked for stays watched for
``recovery.watch_dead_s``: one that is dead behind its fence, that a venue refused, or that it
called final with a part filled, nothing or too much. One whose end is unknown while its hedge is
over is looked up for ever. Both less and less often, and at once where a position appears that our
fills do not explain (``claim``). What a venue executed late after all is looked up until its
trades are listed, booked, alerted, and taken off or matched like any other exposure, on a shared
account too: what carries our id is ours (reliability.md §1.1, hummingbot's lost orders). The
ledger takes the hedge up in the transaction that books the fill (``hedger/ledger/late.py``), so
that it is driven to its end whoever booked it, and after a crash too.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from loguru import logger

from hedger import crashpoints
from hedger.cancelling import cancel
from hedger.clock import Clock
from hedger.dispatcher import Dispatcher
from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.money import ZERO, plain
from hedger.domain.order import Filled, Found, Side
from hedger.errors import UnavailableError, VenueError
from hedger.executor import Executor
from hedger.ledger.records import OrderRecord
from hedger.ledger.store import Store
from hedger.pace import Pace
from hedger.ports import Venue
from hedger.sequence import Lanes
from hedger.settings_recovery import Recovery as Rules

FIRST_S = 5.0


class LateWatch:
    """Looks at what should be over. Sends nothing but cancels, except through the executor."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        lanes: Lanes,
        dispatcher: Dispatcher,
        executor: Executor,
        clock: Clock,
        rules: Rules,
    ) -> None:
        self._venues = venues
        self._store = store
        self._lanes = lanes
        self._dispatcher = dispatcher
        self._executor = executor
        self._clock = clock
        self._rules = rules
        self._pace = Pace(clock, first_s=FIRST_S, max_s=rules.retry_max_s)

    async def run(self) -> None:
        """
        Look once at everything that is due.

        A venue that does not answer one look is asked no further in this run: what else goes on
        beside it, such as the next try to take a leg off, must not wait for one look after another.
        """
        now = self._clock.now()
        silent: set[VenueId] = set()
        for record in self._watched():
            order = record.prepared.order
            age_s = (now - (record.done_at or record.prepared_at)).total_seconds()
            if order.venue in silent or not self._pace.due(order.id, age_s):
                continue
            if not await self._try(record):
                silent.add(order.venue)
        for hedge in {prepared.order.hedge: None for prepared in self._store.open_intents()}:
            if self._store.hedge(hedge).state.terminal and self._pace.due(hedge):
                await self._follow(hedge)

    async def claim(self, venue: VenueId, symbol: Symbol, excess: Decimal) -> None:
        """
        Look at every watched order that may have made a position beyond what our fills make.

        Asked again and again for the same ``excess``, it looks less and less often.
        """
        side = Side.BUY if excess > ZERO else Side.SELL
        watched = [
            record
            for record in self._watched()
            if (order := record.prepared.order).venue == venue
            and order.symbol == symbol
            and order.side is side
        ]
        if watched and self._pace.due(f"{venue}:{symbol}:{plain(excess)}"):
            for record in watched:
                await self._try(record)

    def _watched(self) -> Sequence[OrderRecord]:
        since = self._clock.now() - timedelta(seconds=self._rules.watch_dead_s)
        return self._store.uneven_since(since)

    async def _try(self, record: OrderRecord) -> bool:
        """Whether the venue answered."""
        try:
            await self._look(record)
        except VenueError as error:
            name = record.prepared.order.id
            logger.warning("order {} is looked up later: {}", name, error)
            return not isinstance(error, UnavailableError)
        return True

    async def _look(self, record: OrderRecord) -> None:
        """Whether an order ended as we believe; one that is still worked on is cancelled."""
        prepared = record.prepared
        venue = self._venues[prepared.order.venue]
        found = await venue.find(prepared)
        if not isinstance(found, Found):
            return
        if not found.final:
            self._store.alert(
                f"order {prepared.order.id} was believed {record.state}, but"
                f" {prepared.order.venue} works"
                " on it: asked to cancel it",
                hedge=prepared.order.hedge,
            )
            await cancel(venue, prepared, self._lanes, self._store)
            self._pace.done(prepared.order.id)
        elif found.filled > record.filled_size and not found.complete:
            self._pace.done(prepared.order.id)  # it has filled late: soon its trades are listed
        elif found.filled > record.filled_size:
            outcome = Filled(
                prepared, found.filled, found.fills, found.venue_order_id, found.status
            )
            crashpoints.reach("late_fill", "before")
            hedge = self._store.settle(outcome)
            crashpoints.reach("late_fill", "after")
            self._dispatcher.note(outcome)
            logger.error("order {} filled {} late", prepared.order.id, plain(outcome.size))
            if hedge is not None:
                await self._resume(hedge)

    async def _follow(self, id_: HedgeId) -> None:
        """
        The unknown orders of a hedge that a person settled; fills of them are late ones.

        Nobody else drives the hedge before all of them were looked up, though the first fill
        takes it up again.
        """
        async with self._executor.alone(id_):
            await self._dispatcher.finish(id_)
        hedge = self._store.hedge(id_)
        if not hedge.state.terminal:
            await self._resume(hedge)

    async def _resume(self, hedge: Hedge) -> None:
        """Drive what the ledger has taken up again with a late fill."""
        logger.error("hedge {} is taken up again: {}", hedge.id, hedge.reason)
        ended = await self._executor.resume(hedge)
        logger.info("hedge {} is {} again", ended.id, ended.state)
