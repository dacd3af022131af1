"""
Sending one order: sign, commit the intent, send once, follow it to its end, record the end.

Every order of the program goes through ``Dispatcher.place``, whatever it is for; after a crash
the same order is taken up by ``Dispatcher.finish`` (reliability.md §2.2).
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from loguru import logger

from hedger.clock import Clock
from hedger.domain.hedge import State
from hedger.domain.ids import HedgeId, LaneId, OrderId, VenueId
from hedger.domain.money import plain
from hedger.domain.order import Answer, Filled, Order, Outcome, Prepared, Refused, Unresolved
from hedger.errors import UnlistedError, VenueError
from hedger.execution import readback
from hedger.ledger.records import Shortfall
from hedger.ledger.store import Store
from hedger.monitoring.factrows import facts_of
from hedger.monitoring.market_facts import MarketFacts
from hedger.ports import Margin, Venue
from hedger.position_cache import PositionCache
from hedger.resolver import Resolver
from hedger.sequence import LaneBusyError, Lanes
from hedger.together import together

CARRY_ON_MAX = 2
UNSIGNED_MAX = 100
PASSED_OVER_MAX = 100
ANSWER_S = 1.5
"""How long an answer is waited for before the order is looked up as well."""


@dataclass(frozen=True, slots=True)
class NotPlaced:
    """Nothing was committed and nothing was sent; ``unlisted``: the venue has no such market."""

    detail: str
    unlisted: bool = False


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
        facts: MarketFacts,
        clock: Clock,
        send_window_s: float,
    ) -> None:
        self._facts = facts
        self._venues = venues
        self._store = store
        self._lanes = lanes
        self._resolver = resolver
        self._positions = positions
        self._clock = clock
        self._send_window_s = send_window_s
        self._sending: set[asyncio.Task[Answer]] = set()
        self._passed_over: deque[OrderId] = deque(maxlen=PASSED_OVER_MAX)
        self._unsigned: deque[tuple[HedgeId, VenueId]] = deque(maxlen=UNSIGNED_MAX)

    async def place(
        self,
        order: Order,
        *,
        margins: Sequence[Margin] = (),
        move_to: tuple[State, str] | None = None,
        wanted_until: datetime | None = None,
        carried_until: datetime | None = None,
    ) -> Outcome | NotPlaced:
        """
        Take one new order to its end; the hedge moves with the intent if ``move_to`` says so.

        ``margins`` are held against what other unfinished hedges reserved, in the transaction
        that records the intent; a shortfall sends nothing. An opening waits for its lane until
        ``wanted_until``. An order that provably did not land (another transaction has its nonce)
        is carried on until ``carried_until`` (None: like ``wanted_until``), as a fresh intent
        with an id and a nonce of its own. Leave both out where the caller reads again and
        decides anew, as a rollback does.
        """
        outcome = await self._once(order, margins, move_to, wanted_until)
        until = wanted_until if carried_until is None else carried_until
        for _ in range(CARRY_ON_MAX):
            dead = isinstance(outcome, Refused) and outcome.dead
            if not dead or until is None or self._clock.now() >= until:
                break
            fresh = replace(
                order,
                id=self._store.next_order_id(order.hedge),
                attempt=order.attempt + 1,
            )
            self._store.event(
                "carried_on",
                f"order {order.id} did not land and is still wanted: {fresh.id} takes its place",
                hedge=order.hedge,
                data={"order": fresh.id, "before": order.id},
            )
            order = fresh
            outcome = await self._once(order, margins, None, until)
        return outcome

    async def _once(
        self,
        order: Order,
        margins: Sequence[Margin],
        move_to: tuple[State, str] | None,
        wanted_until: datetime | None,
    ) -> Outcome | NotPlaced:
        """One order on its lane; what takes exposure off waits for its turn as long as it takes."""
        lane = self._venues[order.venue].lane(order.purpose)
        patience_s = self._patience_s(order, wanted_until)
        try:
            async with self._lanes.hold(lane, urgent=order.reduce_only, patience_s=patience_s):
                return await self._send(order, lane, margins, move_to, wanted_until)
        except LaneBusyError as error:
            return NotPlaced(str(error))

    def _patience_s(self, order: Order, wanted_until: datetime | None) -> float | None:
        """How long an order waits for its lane; None: as long as it takes."""
        if wanted_until is None or order.reduce_only:
            return None
        return max(0.0, (wanted_until - self._clock.now()).total_seconds())

    async def _send(
        self,
        order: Order,
        lane: LaneId | None,
        margins: Sequence[Margin],
        move_to: tuple[State, str] | None,
        wanted_until: datetime | None,
    ) -> Outcome | NotPlaced:
        venue = self._venues[order.venue]
        try:
            nonce = await self._lanes.next_value(
                lane,
                urgent=order.reduce_only,
                patience_s=self._patience_s(order, wanted_until),
            )
            prepared = await venue.prepare(order, nonce)
            rules = facts_of(await venue.instrument(order.symbol))  # as known, and not asked for
        except VenueError as error:
            unlisted = isinstance(error, UnlistedError)
            return NotPlaced(f"could not be prepared: {error}", unlisted)
        if why := readback.objection(prepared, nonce):
            self._tell(order, why)
            return NotPlaced(why)
        displaced = None if order.reduce_only else self._store.displaced
        if displaced is not None:
            return NotPlaced(displaced)
        committed_s = self._clock.monotonic_s()
        short = self._store.intend(prepared, margins=margins, move_to=move_to, rules=rules)
        if isinstance(short, Shortfall):
            return NotPlaced(shortfall_text(short))
        self._positions.forget(order.venue, order.symbol)
        frozen_s = self._clock.monotonic_s() - committed_s
        if frozen_s > self._send_window_s:
            self._store.abandon(prepared, f"not sent: {frozen_s:.1f} s after its intent")
            return NotPlaced(f"the process stood still for {frozen_s:.1f} s")
        sent_s = self._clock.monotonic_s()
        sending = self._sent(venue, prepared)
        await asyncio.wait({sending}, timeout=ANSWER_S)
        if not sending.done():
            return self._record(
                await self._resolver.resolve(
                    prepared, None, wanted=True, coming=sending, sent_s=sent_s
                )
            )
        answer = sending.result()
        self._lanes.answered(lane, nonce, answer)
        return self._record(
            await self._resolver.resolve(prepared, answer, wanted=True, sent_s=sent_s)
        )

    def _tell(self, order: Order, why: str) -> None:
        """A signer that does not sign the order is told once for each leg, not at every try."""
        logger.error("{}: {}", order.venue, why)
        leg = (order.hedge, order.venue)
        if leg not in self._unsigned:
            self._store.alert(f"{order.venue}: {why}; it was not sent", hedge=order.hedge)
            self._unsigned.append(leg)

    def _sent(self, venue: Venue, prepared: Prepared) -> asyncio.Task[Answer]:
        """
        Send once, in a task of its own: whoever waits may look the order up meanwhile.

        Nobody cancels it: bytes that have left cannot be called back.
        """
        sending = asyncio.get_running_loop().create_task(_submitted(venue, prepared))
        self._sending.add(sending)
        sending.add_done_callback(self._ended)
        return sending

    def _ended(self, sending: asyncio.Task[Answer]) -> None:
        self._sending.discard(sending)
        if not sending.cancelled():
            sending.exception()  # whoever waits for it has it, too

    async def finish(self, hedge: HedgeId, limit_s: float | None = None) -> list[Unresolved]:
        """
        Follow every order of a hedge whose end is not proven; what stays unknown comes back.

        Each is followed for ``execution.resolve_budget_s``, or for ``limit_s`` where that is less.
        Its lane, on which the end of another order may be sought, is waited for no longer either;
        but every second time until it is free, so that no order is passed over for ever.
        """
        open_now = self._store.open_intents(hedge)
        outcomes = await together(self._finish(prepared, limit_s) for prepared in open_now)
        return [outcome for outcome in outcomes if isinstance(outcome, Unresolved)]

    async def _finish(self, prepared: Prepared, limit_s: float | None) -> Outcome:
        name = prepared.order.id
        patience_s = None if name in self._passed_over else limit_s
        try:
            async with self._lanes.hold(prepared.lane, urgent=True, patience_s=patience_s):
                if name in self._passed_over:
                    self._passed_over.remove(name)
                return self._record(await self._resolver.resolve(prepared, None, limit_s=limit_s))
        except LaneBusyError as error:
            self._passed_over.append(name)
            return Unresolved(prepared, f"not looked up: {error.detail}")

    def _record(self, outcome: Outcome) -> Outcome:
        prepared = outcome.prepared
        order = prepared.order
        self._positions.forget(order.venue, order.symbol)
        self._store.settle(outcome)
        self._lanes.ended(outcome)
        self.note(outcome)
        logger.info("order {}: {}", order.id, outcome_text(outcome))
        return outcome

    def note(self, outcome: Outcome) -> None:
        """Hold what became of an order against what was ordered; also of one that filled late."""
        self._facts.note(outcome)


async def _submitted(venue: Venue, prepared: Prepared) -> Answer:
    return await venue.submit(prepared)


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
    asked = f"{order.side} {plain(order.size)} {order.symbol} on {order.venue}"
    match outcome:
        case Filled(_, size):
            return f"{asked}: filled {plain(size)}"
        case Refused(_, _, code, detail):
            return f"{asked}: refused ({code}: {detail})"
        case Unresolved(_, detail):
            return f"{asked}: unresolved, {detail}"
