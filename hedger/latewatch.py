"""
Orders that are over for us and may not be over for the venue.

An order that is dead behind its fence, or that a venue refused, stays watched for
``recovery.watch_dead_s``, and one whose end is unknown while its hedge is over is looked up for
ever, both less and less often. What a venue executed late after all is booked, alerted, and taken
off or matched like any other exposure (reliability.md §1.1, hummingbot's lost orders). The ledger
takes the hedge up in the transaction that books the fill (``hedger/ledger/late.py``), so that it is
driven to its end whoever booked it, and after a crash too.
"""

from collections.abc import Mapping
from datetime import timedelta

from loguru import logger

from hedger import crashpoints
from hedger.cancelling import cancel
from hedger.clock import Clock
from hedger.dispatcher import Dispatcher
from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.money import ZERO, plain
from hedger.domain.order import Filled, Found, Prepared
from hedger.errors import VenueError
from hedger.executor import Executor
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
        """Look once at everything that is due."""
        now = self._clock.now()
        for record in self._store.dead_since(now - timedelta(seconds=self._rules.watch_dead_s)):
            prepared = record.prepared
            age_s = (now - (record.done_at or record.prepared_at)).total_seconds()
            if self._pace.due(prepared.order.id, age_s):
                try:
                    await self._look(prepared)
                except VenueError as error:
                    logger.warning("dead order {} is looked up later: {}", prepared.order.id, error)
        for hedge in {prepared.order.hedge: None for prepared in self._store.open_intents()}:
            if self._store.hedge(hedge).state.terminal and self._pace.due(hedge):
                await self._follow(hedge)

    async def _look(self, prepared: Prepared) -> None:
        """Whether a dead order is dead; one that the venue still works on is cancelled."""
        venue = self._venues[prepared.order.venue]
        found = await venue.find(prepared)
        if not isinstance(found, Found):
            return
        if not found.final:
            self._store.alert(
                f"order {prepared.order.id} was believed dead, but {prepared.order.venue} works"
                " on it: asked to cancel it",
                hedge=prepared.order.hedge,
            )
            await cancel(venue, prepared, self._lanes, self._store)
            self._pace.done(prepared.order.id)
        elif found.complete and found.filled > ZERO:
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
