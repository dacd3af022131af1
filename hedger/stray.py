"""
Working orders that should not be: ours are immediate, so none may stay in a book (S12, S60).

One of ours that is over in the ledger, or older than it may live, is cancelled and then looked
up by whoever follows it (``hedger/latewatch.py``, ``Dispatcher.finish``). One that only takes
exposure off is left while it may still protect. An order that is not ours is never touched; on
a dedicated account a person is told.
"""

from collections.abc import Mapping
from datetime import timedelta

from loguru import logger

from hedger.cancelling import RESTING_CLOSE_S, cancel
from hedger.clock import Clock
from hedger.domain.ids import VenueId
from hedger.errors import VenueError
from hedger.ledger.records import OrderRecord
from hedger.ledger.store import Store
from hedger.ports import Venue
from hedger.sequence import Lanes

TOLD_MAX = 1_000
LATELY_S = 2.0
"""Where the account itself tells that it has no orders, the look just before this one will do."""


class StrayOrders:
    """Looks at the working orders of both accounts."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        lanes: Lanes,
        clock: Clock,
        dedicated: bool,
    ) -> None:
        self._venues = venues
        self._store = store
        self._lanes = lanes
        self._clock = clock
        self._dedicated = dedicated
        self._told: set[tuple[VenueId, str]] = set()

    async def run(self) -> dict[VenueId, str]:
        """Cancel what is ours and should not be; why each venue that failed could not be asked."""
        failed: dict[VenueId, str] = {}
        for id_, venue in self._venues.items():
            try:
                for client_id in await venue.open_orders(max_age_s=LATELY_S):
                    await self._judge(venue, client_id)
            except VenueError as error:
                failed[id_] = f"its working orders: {error.detail}"
                logger.warning("working orders of {}: {}", id_, error.detail)
        return failed

    async def _judge(self, venue: Venue, client_id: str) -> None:
        record = self._store.order_known_as(venue.id, client_id)
        if record is None:
            self._foreign(venue.id, client_id)
        elif self._overdue(record):
            order = record.prepared.order
            self._tell(
                (venue.id, client_id),
                f"{venue.id} still works on our order {order.id}, which is {record.state}:"
                " asked to cancel it",
                record,
            )
            await cancel(venue, record.prepared, self._lanes, self._store)

    def _overdue(self, record: OrderRecord) -> bool:
        order = record.prepared.order
        patience_s = RESTING_CLOSE_S if order.reduce_only else 0.0
        return self._clock.now() > order.expires_at + timedelta(seconds=patience_s)

    def _foreign(self, venue: VenueId, client_id: str) -> None:
        if self._dedicated:
            text = f"{venue} works on an order that is not ours ({client_id}); it is not touched"
            self._tell((venue, client_id), text, None)

    def _tell(self, key: tuple[VenueId, str], text: str, record: OrderRecord | None) -> None:
        if key in self._told:
            return
        logger.error("{}", text)
        self._store.alert(text, hedge=None if record is None else record.prepared.order.hedge)
        if len(self._told) >= TOLD_MAX:
            self._told.clear()
        self._told.add(key)
