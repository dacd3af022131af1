"""What became of one order: asked by our id, then its trades by X10's id (x10.md §3.3)."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from loguru import logger

from adapters.x10 import sightings
from adapters.x10.fields import Row, rows_of
from adapters.x10.http import LIMIT, AccountHttp, Params
from adapters.x10.names import Names
from hedger.clock import Clock
from hedger.domain.ids import Sent, VenueId
from hedger.domain.money import ZERO
from hedger.domain.order import Fill, NotFound, Order, PastOrder, Prepared, Side, Sighting
from hedger.errors import DriftError, UnavailableError

TRADED_EARLY: Final = timedelta(seconds=2)
"""How much older than its order a trade's stamp may be: they come from different machines."""


NOTHING_S: Final = 1.0
"""How long to wait for the trades of an order that is said to have none."""

YOUNG: Final = timedelta(seconds=2)
"""How long before its expiry an order is taken for one that may have expired."""


class Called(NamedTuple):
    """Names of one market: the present one, by which rows are asked for, and every one."""

    now: str
    ever: frozenset[str]


class Lookup:
    """
    Reads only what the ``Prepared`` itself holds, so that it works after a restart as well.

    The single-order endpoint is asked first. Where it knows nothing of an order that may have
    expired, the lists of open and of past orders are asked as a second opinion: only then "not
    found" can become a proof, and before, the order is looked up again anyway.
    """

    def __init__(
        self, venue: VenueId, http: AccountHttp, names: Names, clock: Clock, read_lag_s: float
    ) -> None:
        self._venue = venue
        self._http = http
        self._names = names
        self._clock = clock
        self._read_lag_s = read_lag_s

    async def find(self, prepared: Prepared) -> Sighting:
        """
        The order with its fills; ``NotFound`` tells when the question began.

        Raises:
            VenueError: one of the questions was not answered usably.
        """
        asked_at = self._clock.now()
        called = self._called(prepared)
        rows = await self._rows(prepared, called.now)
        if not rows:
            return NotFound(asked_at=asked_at)
        called = self._called(prepared, rows)
        states = [sightings.order_state(row, prepared.order, called.ever) for row in rows]
        if sightings.traded(states) != ZERO:
            fills = await self._fills(prepared.order, called, states)
        elif all(state.final for state in states):
            fills = await self._fills_of_none(prepared.order, called, states)
        else:
            fills = []
        return sightings.found(states, fills, self._clock.now(), self._read_lag_s)

    async def past_orders(self, since: datetime) -> list[PastOrder]:
        """
        The list of past orders down to an instant.

        Rows whose id is none of ours are not read any further: they may be of any kind.

        Raises:
            VenueError: the list could not be had.
        """

        def past_it(rows: Sequence[Row]) -> bool:
            return rows[-1].instant("createdTime") < since

        rows = await self._http.rows("/user/orders/history", [LIMIT], past_it)
        found = []
        for row in rows:
            client_id = row.id("externalId") if row.has("externalId") else ""
            if (sent := Sent.of_order(client_id)) is not None:
                found.append(self._past(row, client_id, sent))
        return found

    def _past(self, row: Row, client_id: str, sent: Sent) -> PastOrder:
        market = row.word("market")
        side = row.word("side").lower()
        if side not in set(Side):
            raise row.drift(f"side {side!r} of an order")
        return PastOrder(
            venue=self._venue,
            client_id=client_id,
            sent=sent,
            symbol=self._names.past_symbol(market),
            side=Side(side),
            size=row.positive("qty"),
            limit_price=row.positive("price"),
            reduce_only=row.flag_or("reduceOnly", default=False),
            at=row.instant("createdTime"),
            payload=json.dumps({"market": market}),
        )

    async def _rows(self, prepared: Prepared, market: str) -> list[Row]:
        own = await self._own(prepared, f"/user/orders/external/{prepared.client_id}", ())
        if not own and self._clock.now() < prepared.expires_at - YOUNG:
            return own
        if not own:
            own = await self._own(prepared, "/user/orders", [("market", market)])
        if not own:
            one = [("market", market), ("externalId", prepared.client_id), LIMIT]
            own = await self._own(prepared, "/user/orders/history", one)
        return own

    async def _own(self, prepared: Prepared, path: str, params: Params) -> list[Row]:
        """Rows with our id on one page; 404 and null mean that there are none."""
        page = await self._http.page(path, params)
        if page is None or page.data is None:
            return []
        data = page.data if isinstance(page.data, list) else [page.data]
        rows = rows_of(self._venue, f"GET {path}", data)
        return [row for row in rows if sightings.same_id(row, prepared.client_id)]

    async def _fills(
        self, order: Order, called: Called, states: Sequence[sightings.OrderState]
    ) -> list[Fill]:
        """The trades of these orders; read newest first, no further back than the orders."""
        ids = {state.id for state in states}
        oldest = min(state.created_at for state in states) - TRADED_EARLY

        def past_it(rows: Sequence[Row]) -> bool:
            return rows[-1].instant("createdTime") < oldest

        rows = await self._http.rows("/user/trades", [("market", called.now), LIMIT], past_it)
        own = [row for row in rows if row.id("orderId") in ids]
        return [sightings.fill(self._venue, row, order, called.ever) for row in own]

    async def _fills_of_none(
        self, order: Order, called: Called, states: Sequence[sightings.OrderState]
    ) -> list[Fill]:
        """
        The trades of orders that are said to have none.

        What the orders say stands where the trades do not come soon: the other leg may wait.
        """
        try:
            async with asyncio.timeout(NOTHING_S):
                return await self._fills(order, called, states)
        except (TimeoutError, UnavailableError) as error:
            logger.debug("{}: whether {} has no trades: {}", self._venue, order.id, error)
            return []

    def _called(self, prepared: Prepared, rows: Sequence[Row] = ()) -> Called:
        """
        The market that was signed, by its names; another one's names are none of its.

        A name that nobody has heard since this process began may still be one that it had: so it
        was where a row of the order itself has a name that the market is known by.
        """
        signed = self._market_in(prepared)
        symbol = prepared.order.symbol
        ever = self._names.ever(symbol)
        if signed in ever or any(row.word("market") in ever for row in rows):
            return Called(self._names.market(symbol), ever | {signed})
        return Called(signed, frozenset({signed}))

    def _market_in(self, prepared: Prepared) -> str:
        try:
            body = json.loads(prepared.payload)
        except ValueError:
            raise DriftError(
                self._venue, f"the stored body of {prepared.client_id} is not JSON"
            ) from None
        return Row(self._venue, f"the stored body of {prepared.client_id}", body).word("market")
