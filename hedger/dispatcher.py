"""
Sending one order: sign, commit the intent, send once, follow it to its end, record the end.

Every order of the program goes through ``Dispatcher.place``, whatever it is for; after a crash
the same order is taken up by ``Dispatcher.finish`` (reliability.md §2.2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loguru import logger

from hedger.clock import Clock
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.money import plain
from hedger.domain.order import Filled, Order, Outcome, Refused, Unresolved
from hedger.errors import VenueError
from hedger.ledger.records import Shortfall
from hedger.ledger.store import Store
from hedger.ports import Margin, Venue
from hedger.position_cache import PositionCache
from hedger.resolver import Resolver
from hedger.sequence import Lanes


@dataclass(frozen=True, slots=True)
class NotPlaced:
    """Nothing was committed and nothing was sent."""

    detail: str


class Dispatcher:
    """The one door through which orders leave."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        lanes: Lanes,
        resolver: Resolver,
        positions: PositionCache,
        clock: Clock,
        send_window_s: float,
    ) -> None:
        self._venues = venues
        self._store = store
        self._lanes = lanes
        self._resolver = resolver
        self._positions = positions
        self._clock = clock
        self._send_window_s = send_window_s

    async def place(
        self,
        order: Order,
        *,
        margins: Sequence[Margin] = (),
        move_to: tuple[State, str] | None = None,
    ) -> Outcome | NotPlaced:
        """
        Take one new order to its end; the hedge moves with the intent if ``move_to`` says so.

        ``margins`` are held against what other unfinished hedges reserved, in the transaction
        that records the intent; a shortfall sends nothing.
        """
        venue = self._venues[order.venue]
        lane = venue.lane(order.purpose)
        async with self._lanes.hold(lane):
            try:
                nonce = await self._lanes.next_value(venue, lane)
                prepared = await venue.prepare(order, nonce)
            except VenueError as error:
                return NotPlaced(f"could not be prepared: {error}")
            committed_s = self._clock.monotonic_s()
            if isinstance(
                short := self._store.intend(prepared, margins=margins, move_to=move_to), Shortfall
            ):
                return NotPlaced(shortfall_text(short))
            self._positions.forget(order.venue, order.symbol)
            frozen_s = self._clock.monotonic_s() - committed_s
            if frozen_s > self._send_window_s:
                self._store.abandon(prepared, f"not sent: {frozen_s:.1f} s after its intent")
                return NotPlaced(f"the process stood still for {frozen_s:.1f} s")
            answer = await venue.submit(prepared)
            outcome = await self._resolver.resolve(prepared, answer, wanted=True)
            return self._record(outcome)

    async def finish(self, hedge: HedgeId) -> list[Unresolved]:
        """Follow every order of a hedge whose end is not proven; what stays unknown comes back."""
        unknown = []
        for prepared in self._store.open_intents(hedge):
            async with self._lanes.hold(prepared.lane):
                outcome = self._record(await self._resolver.resolve(prepared, None))
            if isinstance(outcome, Unresolved):
                unknown.append(outcome)
        return unknown

    def _record(self, outcome: Outcome) -> Outcome:
        prepared = outcome.prepared
        order = prepared.order
        self._positions.forget(order.venue, order.symbol)
        match outcome:
            case Refused() | Unresolved():
                self._lanes.doubt(prepared.lane)
            case Filled():
                pass
        self._store.settle(outcome)
        logger.info("order {}: {}", order.id, outcome_text(outcome))
        return outcome


def shortfall_text(short: Shortfall) -> str:
    """One sentence with every figure."""
    return (
        f"{short.venue} has {short.available_usd:.2f} USD free,"
        f" {short.reserved_usd:.2f} reserved by unfinished hedges,"
        f" and {short.needed_usd:.2f} are needed"
    )


def outcome_text(outcome: Outcome) -> str:
    """One clause for logs and events."""
    order = outcome.prepared.order
    asked = f"{order.side} {order.size} {order.symbol} on {order.venue}"
    match outcome:
        case Filled(_, size):
            return f"{asked}: filled {plain(size)}"
        case Refused(_, _, code, detail):
            return f"{asked}: refused ({code}: {detail})"
        case Unresolved(_, detail):
            return f"{asked}: unresolved, {detail}"


def order_id_for(store: Store, hedge: Hedge) -> str:
    """The id of the next order of a hedge: the same number is never given twice."""
    return f"{hedge.id}-{store.next_order_number(hedge.id)}"
