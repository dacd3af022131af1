"""
Open both legs in sequence, X10 then Lighter, or leave nothing behind.

One coroutine over the states of ``hedger.domain.hedge``. Each step decides from the ledger
alone, so taking up a hedge after a crash is the same code as a first run. Leg A first; its
fill proven by our id and its position seen; then leg B, sized to what A really filled; anything
else goes to the rollback engine (seed 004 bugs 1 and 3).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from loguru import logger

from hedger.clock import Clock
from hedger.dispatcher import Dispatcher, NotPlaced
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.money import ZERO, common_step, floor_to_step, plain
from hedger.domain.order import Outcome, Unresolved
from hedger.errors import VenueError
from hedger.execution import stands
from hedger.execution.exitdoor import ExitDoor
from hedger.ledger.store import Store
from hedger.legproof import LegProof
from hedger.patience import Patience
from hedger.ports import Margin, QuoteSource, Venue
from hedger.preconditions import NoOrder, Preconditions
from hedger.risk import Approved
from hedger.rollback import RollbackEngine
from hedger.search import SEARCH_S
from hedger.sequence import Lanes
from hedger.settings import Execution as Rules
from hedger.urgency import pressed

Against = Callable[[Hedge, Sequence[Margin]], Awaitable[str]]
"""Risk's word on the freshly read accounts: every objection, or nothing (``hedger/funds.py``)."""


class Executor:
    """Takes hedges from state to state until they are at rest."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        quotes: Mapping[VenueId, QuoteSource],
        store: Store,
        dispatcher: Dispatcher,
        rollback: RollbackEngine,
        before: Preconditions,
        proof: LegProof,
        clock: Clock,
        rules: Rules,
        patience: Patience,
        against: Against,
        lanes: Lanes,
        door: ExitDoor,
    ) -> None:
        self._lanes = lanes
        self._patience = patience
        self._door = door
        self._against = against
        self._venues = venues
        self._quotes = quotes
        self._store = store
        self._dispatcher = dispatcher
        self._rollback = rollback
        self._before = before
        self._proof = proof
        self._clock = clock
        self._rules = rules
        self._carry_on = timedelta(seconds=rules.carry_on_s + rules.min_leg_delay_s)
        self._locks: dict[HedgeId, asyncio.Lock] = {}

    # -- doors ------------------------------------------------------------------------------

    async def open(self, approved: Approved, hedge_id: HedgeId) -> Hedge:
        """
        Open an approved plan; comes back OPEN, or at another rest with the reason.

        Raises:
            MarketBusyError: another hedge took the market in between.
        """
        plan, now = approved.plan, self._clock.now()
        hedge = Hedge(
            id=hedge_id,
            symbol=plan.symbol,
            venue_a=plan.a.venue,
            venue_b=plan.b.venue,
            side_a=plan.side_a,
            requested_usd=plan.usd,
            planned_size=plan.size,
            state=State.PLANNED,
            target=Target.MATCH,
            reason="approved",
            created_at=now,
            updated_at=now,
            expected_net_bps=plan.expected_net_bps,
            first_settlement_a=plan.next_settlement_a,
            first_settlement_b=plan.next_settlement_b,
        )
        self._store.plan(hedge)
        return await self._drive(hedge)

    async def close(
        self,
        hedge: Hedge,
        reason: str,
        *,
        hurry: bool = False,
        by_hand: bool = False,
        unproven: str = "",
        first: VenueId | None = None,
    ) -> Hedge:
        """
        Take both legs of an open hedge off, in sequence, by their real sizes.

        Equal legs come off in the order of their opening, or on ``first`` first.

        Comes back OPEN where it is not proven that both can come off now (``exitdoor``), unless
        ``unproven`` says why nobody asks. A wide book is waited for up to a deadline
        (``hedger.patience``), unless in a ``hurry``.
        """
        asks = hedge.state is State.OPEN and not unproven
        # before the lock: an exit that asks for nothing does not wait for these answers
        if asks and not await self._door.opens(hedge, reason, by_hand=by_hand, hurry=hurry):
            return self._store.hedge(hedge.id)
        if hurry:
            self._patience.hurry(hedge.id)
        if unproven:  # a closing that waits for its books asks no more either
            stands.exempt(self._store, hedge.id, unproven)
        async with self._lock(hedge.id):
            hedge = self._store.hedge(hedge.id)
            if hedge.state is State.OPEN:
                stands.exempt(self._store, hedge.id, unproven)
                stands.begin_with(self._store, hedge.id, first)
                hedge = self._store.move(hedge, State.CLOSING, reason, target=Target.FLAT)
        return await self._drive(hedge)

    async def converge(self, hedge: Hedge, target: Target, reason: str) -> Hedge:
        """Send a hedge of any live state through the rollback engine, at once."""
        self._patience.hurry(hedge.id)
        async with self._lock(hedge.id):
            hedge = self._store.hedge(hedge.id)
            if State.CONVERGING is not hedge.state and not hedge.state.terminal:
                hedge = self._store.move(hedge, State.CONVERGING, reason, target=target)
        return await self._drive(hedge)

    async def resume(self, hedge: Hedge) -> Hedge:
        """
        Take up what an earlier process or cycle left unfinished.

        A hedge that was only planned is dropped: nothing was committed for it.
        """
        if hedge.state is State.PLANNED:
            async with self._lock(hedge.id):  # whoever opens it just now comes first
                hedge = self._store.hedge(hedge.id)
                if hedge.state is State.PLANNED:
                    why = "dropped: nothing had been sent"
                    hedge = self._store.move(hedge, State.CLOSED_FLAT, why)
            return hedge
        if hedge.state is State.ESCALATED:
            async with self._lock(hedge.id):
                hedge = self._store.hedge(hedge.id)
                if hedge.state is State.ESCALATED:  # not settled by hand while we waited
                    hedge = await self._rollback.converge(hedge)
                return await self._at_rest(hedge)
        return await self._drive(hedge)

    async def seek(self, hedge: Hedge) -> None:
        """Search once more for the ends of its unknown orders, and send nothing."""
        async with self._lock(hedge.id):
            await self._dispatcher.finish(hedge.id, SEARCH_S)

    # -- the saga ---------------------------------------------------------------------------

    async def _drive(self, hedge: Hedge) -> Hedge:
        async with self._lock(hedge.id):
            hedge = self._store.hedge(hedge.id)
            while not hedge.state.at_rest and hedge.state is not State.ESCALATED:
                match hedge.state:
                    case State.PLANNED:
                        hedge = await self._open_a(hedge)
                    case State.OPENING_A:
                        hedge = await self._open_b(hedge)
                    case State.OPENING_B:
                        hedge = await self._compare(hedge)
                    case State.ORPHAN:
                        hedge = self._to_rollback(hedge, Target.FLAT, "nothing explains it")
                    case State.CLOSING:
                        await self._patience.wait(hedge)
                        hedge = await self._take_off(hedge)
                    case State.CONVERGING:
                        hedge = await self._rollback.converge(hedge)
                    case _:
                        raise AssertionError(hedge.state)
                logger.bind(hedge=hedge.id).info(
                    "hedge {} is {}: {}", hedge.id, hedge.state, hedge.reason
                )
            self._patience.done(hedge.id)
            return await self._at_rest(hedge)

    async def _take_off(self, hedge: Hedge) -> Hedge:
        """The first order of a closing goes only while both legs can; also after a restart."""
        if await self._door.still_opens(hedge):
            return await self._rollback.converge(hedge)
        return self._store.move(hedge, State.OPEN, f"not closed, both legs stand: {hedge.reason}")

    async def _open_a(self, hedge: Hedge) -> Hedge:
        """Leg A, after every precondition; nothing was sent before. Accounts are read last."""
        if why := await self._lanes.ready(hedge.venues):
            return self._store.move(hedge, State.REFUSED, f"not opened: {why}")
        needs = []
        try:
            if (unfit := await self._before.unfit(hedge)) is not None:
                return self._store.move(hedge, State.REFUSED, unfit)
            books = {v: await self._quotes[v].book(hedge.symbol) for v in hedge.venues}
            order = await self._before.order(hedge, books[hedge.venue_a], hedge.planned_size)
            if isinstance(order, NoOrder):
                return self._store.move(hedge, State.REFUSED, order.detail)
            for venue in hedge.venues:
                needs.append(await self._before.margin(books[venue], hedge.planned_size))
                if (held := await self._before.held(hedge, venue)) is not None:
                    return self._store.move(hedge, State.REFUSED, held)
        except VenueError as error:
            return self._store.move(hedge, State.REFUSED, f"not opened: {error}")
        self._before.keep(hedge.symbol)
        if (short := self._before.shortfall(hedge, needs)) is not None:
            return self._store.move(hedge, State.REFUSED, short)
        try:
            if why := await self._against(hedge, needs):
                return self._store.move(hedge, State.REFUSED, why)
        except VenueError as error:
            return self._store.move(hedge, State.REFUSED, f"not opened: {error}")
        outcome = await self._dispatcher.place(
            order,
            margins=needs,
            move_to=(State.OPENING_A, "leg A is being sent"),
            wanted_until=order.expires_at,
        )
        if isinstance(outcome, NotPlaced):
            current = self._store.hedge(hedge.id)
            ended = State.REFUSED if current.state is State.PLANNED else State.CLOSED_FLAT
            return self._store.move(current, ended, outcome.detail)
        return self._after(hedge, outcome)

    async def _open_b(self, hedge: Hedge) -> Hedge:
        """What leg A really filled, and then leg B for just that."""
        if unknown := await self._dispatcher.finish(hedge.id):
            return self._escalate(hedge, unknown[0].detail)
        filled = abs(self._store.leg_size(hedge.id, hedge.venue_a))
        if filled == ZERO:
            return self._store.move(hedge, State.CLOSED_FLAT, self._why_nothing(hedge))
        wait_s = self._rules.settle_timeout_s + self._rules.min_leg_delay_s
        deadline = self._proof.sent_at(hedge) + timedelta(seconds=wait_s)
        if not await self._proof.seen(hedge, deadline, wait_s):
            why = f"leg A was not proven within {wait_s:g} s"
            return self._to_rollback(hedge, Target.FLAT, why)
        if self._rules.min_leg_delay_s > 0:
            await self._clock.sleep(self._rules.min_leg_delay_s)
        try:
            return await self._send_b(hedge, filled, deadline)
        except VenueError as error:
            return self._to_rollback(hedge, Target.FLAT, f"leg B was not sent: {error}")

    async def _send_b(self, hedge: Hedge, filled: Decimal, deadline: datetime) -> Hedge:
        rules_a, rules_b = await self._before.rules(hedge)
        size = floor_to_step(filled, common_step(rules_a.size_step, rules_b.size_step))
        if size < max(rules_b.min_size, rules_a.min_size):
            return self._to_rollback(
                hedge, Target.FLAT, f"leg A filled {plain(filled)}, too little for leg B"
            )
        quotes_b = self._quotes[hedge.venue_b]
        book = await pressed(lambda: quotes_b.book(hedge.symbol), hedge.venue_b, self._clock)
        order = await self._before.order(hedge, book, size)
        if isinstance(order, NoOrder):
            return self._to_rollback(hedge, Target.FLAT, order.detail)
        need = await pressed(lambda: self._before.margin(book, size), hedge.venue_b, self._clock)
        if (short := self._before.shortfall(hedge, [need])) is not None:
            return self._to_rollback(hedge, Target.FLAT, f"leg B was not sent: {short}")
        if self._clock.now() > deadline:
            return self._to_rollback(hedge, Target.FLAT, "leg B was not sent: it took too long")
        outcome = await self._dispatcher.place(
            order,
            margins=[need],
            move_to=(State.OPENING_B, "leg A is proven, leg B is being sent"),
            wanted_until=deadline,
            carried_until=self._proof.sent_at(hedge) + self._carry_on,
        )
        current = self._store.hedge(hedge.id)
        if isinstance(outcome, NotPlaced):
            return self._to_rollback(current, Target.FLAT, f"leg B was not sent: {outcome.detail}")
        return self._after(current, outcome)

    def _after(self, hedge: Hedge, outcome: Outcome) -> Hedge:
        """The hedge as it is now; an order whose end was searched for is not searched twice."""
        current = self._store.hedge(hedge.id)
        if isinstance(outcome, Unresolved):
            return self._escalate(current, outcome.detail)
        return current

    async def _compare(self, hedge: Hedge) -> Hedge:
        """Both orders are proven: open if the legs are equal, else reduce the larger."""
        if unknown := await self._dispatcher.finish(hedge.id):
            return self._escalate(hedge, unknown[0].detail)
        a, b = self._store.leg_sizes(hedge)
        if a + b == ZERO and a != ZERO:
            return self._store.move(
                hedge, State.OPEN, f"both legs hold {plain(abs(a))}", opened_at=self._clock.now()
            )
        return self._to_rollback(
            hedge,
            Target.MATCH,
            f"leg A holds {plain(a)}, leg B {plain(b)}: {self._why_nothing(hedge)}",
        )

    # -- steps ------------------------------------------------------------------------------

    def _why_nothing(self, hedge: Hedge) -> str:
        """What the last order of the hedge came to, for the reason of the next state."""
        record = self._store.orders_of(hedge.id)[-1]
        what = record.detail or record.status or record.state
        return f"{record.prepared.order.venue} order {record.state} ({what})"

    def _to_rollback(self, hedge: Hedge, target: Target, reason: str) -> Hedge:
        logger.bind(hedge=hedge.id).warning("hedge {} is rolled back: {}", hedge.id, reason)
        return self._store.move(hedge, State.CONVERGING, reason, target=target)

    def _escalate(self, hedge: Hedge, why: str) -> Hedge:
        self._store.alert(
            f"hedge {hedge.id} on {hedge.symbol}: an order is unresolved, {why}", hedge=hedge.id
        )
        return self._store.move(hedge, State.ESCALATED, why)

    async def _at_rest(self, hedge: Hedge) -> Hedge:
        """What had to wait while a leg may have stood alone."""
        if hedge.state.at_rest:
            await self._lanes.settle(hedge.venues)
        return await self._mark_end(hedge)

    async def _mark_end(self, hedge: Hedge) -> Hedge:
        """Note both venues' next settlements once a hedge has ended; later if not now."""
        if hedge.state.at_rest:
            self._door.done(hedge)
        if hedge.state is not State.CLOSED or hedge.first_settlement_a is None:
            return hedge
        if hedge.last_settlement_a is not None:
            return hedge
        try:
            ends = [await self._quotes[v].next_settlement() for v in hedge.venues]
        except VenueError as error:
            logger.warning("hedge {}: its last settlement is noted later, {}", hedge.id, error)
            return hedge
        return self._store.note(hedge, last_settlement_a=ends[0], last_settlement_b=ends[1])

    def is_at(self, hedge: HedgeId) -> bool:
        """Whether somebody drives this hedge now."""
        return self._lock(hedge).locked()

    def alone(self, hedge: HedgeId) -> asyncio.Lock:
        """What to hold while a hedge is changed from outside: no step of it is under way then."""
        return self._lock(hedge)

    def _lock(self, hedge: HedgeId) -> asyncio.Lock:
        return self._locks.setdefault(hedge, asyncio.Lock())
