"""
The one door for taking exposure off: used by the executor, by recovery and by the command.

Read the real positions of both venues, reduce the larger leg to the smaller or to nothing,
reduce-only, in coins from the exchange and never from the requested notional, side from the
live sign; again and again until both agree or the budget is spent and a person is alerted
(seed 004 bug 2; reliability.md §2.4). A read that fails is unknown, never flat.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from loguru import logger

from hedger.clock import Clock
from hedger.dispatcher import Dispatcher, NotPlaced, order_id_for
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import OrderId, VenueId
from hedger.domain.market import Instrument, Position
from hedger.domain.money import ZERO, floor_to_step, plain, tidy
from hedger.domain.order import Filled, Order, Outcome, Purpose, Refused, Side, Unresolved
from hedger.errors import UnavailableError, UnwritableError, VenueError
from hedger.ledger.store import Store
from hedger.owned import note_taken, ours, own_size, proven_empty, shrunk, tell_unaccounted
from hedger.ports import QuoteSource, Venue
from hedger.position_cache import PositionCache
from hedger.pricing import worst_price
from hedger.readlag import ReadLag, Watch
from hedger.secondsource import SinceOpened, traded_since_opened
from hedger.settings import Rollback as Rules
from hedger.together import together
from hedger.urgency import once, soon

SECOND_LOOK_S = 1.0
LOOK_S = 0.35
LOOKS_MAX = 60
CONTRADICTED = "a position and the trades of its account contradict each other"
LAGS_AGAINST_OUR_FILLS = 2  # a venue may for once be later than it declares (S17)


@dataclass(frozen=True, slots=True, kw_only=True)
class Legs:
    """
    Both signed sizes in coins, with the rules of their markets.

    Where they are not ``sure``, a venue contradicts itself: what they say may be taken off, and
    nothing may be concluded from them. The same goes for one that is ``unread``: its venue could
    not be asked, and our own record proves that nothing of this hedge is there. On the venues
    ``beside``, the position holds more than what is ours.
    """

    a: Decimal
    b: Decimal
    rules_a: Instrument
    rules_b: Instrument
    sure: bool = True
    unread: VenueError | None = None
    beside: frozenset[VenueId] = frozenset()

    @property
    def net(self) -> Decimal:
        """What is not hedged: zero when the legs are equal and opposite."""
        return self.a + self.b

    @property
    def flat(self) -> bool:
        """Nothing on either venue."""
        return self.a == ZERO and self.b == ZERO

    def leaves_other(self, step: "Reduction", filled: Decimal) -> bool:
        """Whether what was filled of a step is all that its leg was, and the other one is there."""
        first = step.venue == self.rules_a.venue
        size, other = (self.a, self.b) if first else (self.b, self.a)
        return filled == step.size == abs(size) and other != ZERO


@dataclass(frozen=True, slots=True)
class _Leg:
    """
    One leg: its size, its market's rules, if nothing speaks against it, if others are there.

    ``unread`` is why it could not be read.
    """

    size: Decimal
    rules: Instrument
    sure: bool = True
    beside: bool = False
    unread: VenueError | None = None


class _Same:
    """One size, read again and again: since when, and when to ask what speaks for it."""

    def __init__(self) -> None:
        self._size: Decimal | None = None
        self._since: datetime | None = None
        self._asked_at: datetime | None = None

    def since(self, size: Decimal, asked_at: datetime) -> datetime:
        """When this very size was read for the first time in a row."""
        if size != self._size or self._since is None:
            self._size, self._since, self._asked_at = size, asked_at, None
        return self._since

    def due(self, asked_at: datetime) -> bool:
        """Whether a second look says the same, and the trades were not asked just now."""
        before = self._asked_at or self._since
        if before is None or asked_at - before < timedelta(seconds=SECOND_LOOK_S):
            return False
        self._asked_at = asked_at
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """Take ``size`` coins off the position on ``venue`` by an order on ``side``."""

    venue: VenueId
    side: Side
    size: Decimal


@dataclass(frozen=True, slots=True)
class Reached:
    """
    Nothing more to do. ``dust`` is what no order can take off, in coins of net exposure; it is
    ``stuck`` where one could, if nobody else held something beside it.
    """

    flat: bool
    dust: Decimal = ZERO
    stuck: bool = False


def next_reduction(legs: Legs, target: Target) -> Reduction | Reached:
    """
    The next order towards ``target``, from real sizes alone.

    To MATCH, the larger leg comes down by the difference. Where that is less than an order may
    be, or what would be left could not be closed later, the whole hedge goes: a hedge that
    cannot be managed is not kept.
    """
    if legs.flat:
        return Reached(flat=True)
    if target is Target.FLAT:
        return _towards_flat(legs)
    if not _worth_keeping(legs):
        return _towards_flat(legs)
    if legs.net == ZERO:
        return Reached(flat=False)
    size, rules = _larger(legs)
    wanted = floor_to_step(min(abs(size), abs(legs.net)), rules.size_step)
    if wanted == ZERO:
        return Reached(flat=False, dust=legs.net)
    if wanted < rules.min_size and wanted != abs(size):
        return _towards_flat(legs)
    return Reduction(venue=rules.venue, side=Side.closing(size), size=wanted)


def _larger(legs: Legs) -> tuple[Decimal, Instrument]:
    """The larger leg; leg A when both are equal, so that closing goes in the opening's order."""
    if abs(legs.a) >= abs(legs.b):
        return legs.a, legs.rules_a
    return legs.b, legs.rules_b


def _worth_keeping(legs: Legs) -> bool:
    """Opposite legs of which the smaller could still be closed by an ordinary order."""
    least = max(legs.rules_a.min_size, legs.rules_b.min_size)
    return legs.a * legs.b < ZERO and min(abs(legs.a), abs(legs.b)) >= least


def _towards_flat(legs: Legs) -> Reduction | Reached:
    """
    The larger leg first; the other one where no order may take the larger off.

    A venue whose minima bind takers, too, takes a smaller order only where it closes a whole
    position. What is ours and less, beside what somebody else holds, waits until they have gone.
    """
    both = [(legs.a, legs.rules_a), (legs.b, legs.rules_b)]
    stuck = False
    for size, rules in sorted(both, key=lambda leg: -abs(leg[0])):
        wanted = floor_to_step(abs(size), rules.size_step)
        if wanted == ZERO:
            continue
        too_small = rules.minima_bind_takers and wanted < rules.min_size
        if too_small and rules.venue in legs.beside:
            stuck = True
            continue
        return Reduction(venue=rules.venue, side=Side.closing(size), size=wanted)
    return Reached(flat=False, dust=legs.net, stuck=stuck)


def within_cap(reduction: Reduction, price: Decimal, rules: Instrument) -> Decimal:
    """The size an order may have at this price; the rest is for the next one."""
    cap = rules.max_order_value_usd
    if cap is None or reduction.size * price <= cap:
        return reduction.size
    return max(floor_to_step(cap / price, rules.size_step), rules.min_size)


class RollbackEngine:
    """Brings the real positions of a hedge to a target, and says when it could not."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        quotes: Mapping[VenueId, QuoteSource],
        store: Store,
        dispatcher: Dispatcher,
        positions: PositionCache,
        lag: ReadLag,
        clock: Clock,
        rules: Rules,
        dedicated: bool,
    ) -> None:
        self._lag = lag
        self._venues = venues
        self._quotes = quotes
        self._store = store
        self._dispatcher = dispatcher
        self._positions = positions
        self._clock = clock
        self._rules = rules
        self._dedicated = dedicated

    async def converge(self, hedge: Hedge) -> Hedge:
        """
        Work towards ``hedge.target`` until it is reached or the budget is spent.

        Comes back OPEN, CLOSED or ESCALATED; the ledger holds every step and every reading.
        """
        began_s = self._clock.monotonic_s()
        attempts: Counter[VenueId] = Counter()
        trouble = "nothing was tried"
        gone: VenueId | None = None
        while self._clock.monotonic_s() - began_s < self._rules.budget_s:
            try:
                if unknown := await self._dispatcher.finish(hedge.id):
                    return self._escalate(hedge, unknown[0].detail)
                legs, step = await self._next(hedge, gone)
                if isinstance(step, Reached):
                    return self._reached(hedge, step, legs)
                if attempts.total() >= self._rules.max_attempts:
                    break  # looked at once more: the last attempt may have been enough
                attempts[step.venue] += 1
                outcome, gone = await self._reduce(hedge, step, attempts[step.venue]), None
            except (VenueError, UnwritableError) as error:
                trouble = str(error)
                logger.warning("hedge {}: rollback waits, {}", hedge.id, error)
                await self._clock.sleep(self._rules.pause_s)
                continue
            match outcome:
                case Filled(_, size) if size > ZERO:
                    trouble = ""
                    gone = step.venue if legs.leaves_other(step, size) else None
                case Unresolved(_, detail):
                    return self._escalate(hedge, detail)
                case Refused(dead=True):
                    trouble = _why(outcome)  # long enough was waited for its death
                case Filled() | NotPlaced() | Refused() | None:
                    trouble = _why(outcome)
                    await self._clock.sleep(self._rules.pause_s)
        spent_s = self._clock.monotonic_s() - began_s
        return self._escalate(hedge, f"{attempts.total()} attempts in {spent_s:.0f} s; {trouble}")

    async def _next(self, hedge: Hedge, gone: VenueId | None) -> tuple[Legs, Reduction | Reached]:
        """What to do next; nothing is concluded before both legs were read."""
        legs = await self.legs(hedge, gone)
        step = next_reduction(legs, hedge.target)
        if isinstance(step, Reached) and gone is not None:
            legs = await self.legs(hedge)
            step = next_reduction(legs, hedge.target)
        if isinstance(step, Reached):
            _assure(hedge, legs)
        return legs, step

    async def legs(self, hedge: Hedge, gone: VenueId | None = None) -> Legs:
        """
        Both real sizes, fresh, as far as they are this hedge's; read side by side.

        A venue that does not answer does not keep the other leg standing alone, where our own
        record proves that it holds nothing of this hedge (reliability.md §2.3, park policy).
        The leg that our last order provably took off as a whole is ``gone`` and not read: the
        other one is alone now and does not wait for a reading that is late.

        Raises:
            VenueError: a venue could not be read; its leg is unknown.
        """
        looks = await together(
            self._gone(hedge, venue) if venue == gone else self._leg(hedge, venue)
            for venue in hedge.venues
        )
        a, b = looks
        return Legs(
            a=a.size,
            b=b.size,
            rules_a=a.rules,
            rules_b=b.rules,
            sure=a.sure and b.sure,
            unread=a.unread or b.unread,
            beside=frozenset(leg.rules.venue for leg in looks if leg.beside),
        )

    async def _leg(self, hedge: Hedge, venue: VenueId) -> _Leg:
        rules = await self._venues[venue].instrument(hedge.symbol)
        try:
            position, sure = await self._settled(hedge, venue)
        except VenueError as error:
            if not proven_empty(self._store, hedge.id, venue):
                raise
            return _Leg(ZERO, rules, unread=error)
        size = ours(
            position.size, own_size(self._store, hedge.id, venue), dedicated=self._dedicated
        )
        return _Leg(size, rules, sure=sure, beside=position.size != size)

    async def _gone(self, hedge: Hedge, venue: VenueId) -> _Leg:
        rules = await self._venues[venue].instrument(hedge.symbol)
        return _Leg(ZERO, rules)

    async def _settled(self, hedge: Hedge, venue: VenueId) -> tuple[Position, bool]:
        """
        A position that our own fills confirm, or one that two looks agree on, and if it is sure.

        A reading may be older than our last fill. It is believed against our fills at once where
        the account's trades make just that and hold every fill of ours; otherwise only when it
        began twice the read lag later (S17, S18, S37). Trades that contradict it delay it by the
        read lag and leave it unsure, but never hold back what takes exposure off (S5).
        """
        booked = own_size(self._store, hedge.id, venue)
        lag = self._lag.bound(venue)
        last = self._last_change(hedge, venue)
        same = _Same()
        watch = Watch()
        # the other leg may stand alone meanwhile: what is proven empty is asked for only once
        in_passing = proven_empty(self._store, hedge.id, venue)

        async def look() -> Position:
            return await self._positions.get(venue, hedge.symbol, max_age_s=0, hedge=hedge.id)

        for _ in range(LOOKS_MAX):
            position = await (once(look, venue) if in_passing else soon(look, self._clock))
            asked_at = position.read_started_at
            if position.size == booked:
                if last is not None:
                    self._lag.shown(venue, "a position", watch, since=last, asked_at=asked_at)
                return position, True
            watch.missed(asked_at)
            since = same.since(position.size, asked_at)
            late = last is None or asked_at > last + LAGS_AGAINST_OUR_FILLS * lag
            if same.due(asked_at):
                traded = await self._traded(hedge, position)
                explained = traded is not None and traded.explains(position.size)
                against = traded is not None and not explained and shrunk(position.size, booked)
                if explained or (late and (not against or asked_at - since > lag)):
                    self._disagree(hedge, position, booked)
                    if explained and not self._dedicated:
                        note_taken(self._store, hedge, position)
                    return position, not against
            await self._clock.sleep(SECOND_LOOK_S if late else LOOK_S)
        raise UnavailableError(venue, f"the {hedge.symbol} position keeps changing")

    async def _traded(self, hedge: Hedge, position: Position) -> SinceOpened | None:
        venue = self._venues[position.venue]
        return await traded_since_opened(venue, self._store, hedge, position.size, self._clock)

    def _last_change(self, hedge: Hedge, venue: VenueId) -> datetime | None:
        """When an order of ours may last have changed a leg; None where none did."""
        return max(
            (
                record.done_at or record.prepared_at
                for record in self._store.orders_of(hedge.id)
                if record.prepared.order.venue == venue
                # one that provably executed nothing has changed no position
                and (record.filled_size > ZERO or not record.state.terminal)
            ),
            default=None,
        )

    def _disagree(self, hedge: Hedge, position: Position, booked: Decimal) -> None:
        if hedge.state is State.ORPHAN or not self._store.orders_of(hedge.id):
            return  # nothing of ours to compare with
        self._store.event(
            "position_differs",
            f"{position.venue} holds {position.size} {hedge.symbol}, our fills make {booked}",
            hedge=hedge.id,
            level="warning",
            data={"venue": position.venue, "read": position.size, "booked": booked},
        )

    async def _reduce(
        self, hedge: Hedge, step: Reduction, attempt: int
    ) -> Outcome | NotPlaced | None:
        order = await self._order(hedge, step, attempt)
        if order is None:
            return None
        logger.info(
            "rollback {} {}: actual_size={} coins, side={}, requested_notional={} USD,"
            " attempt={}, cache_age_s={:.3f}",
            step.venue,
            hedge.symbol,
            order.size,
            order.side,
            hedge.requested_usd,
            attempt,
            self._positions.age_s(step.venue, hedge.symbol),
        )
        return await self._dispatcher.place(order)

    async def _order(self, hedge: Hedge, step: Reduction, attempt: int) -> Order | None:
        """The reduce-only order of one step; None when there is nobody to trade with."""
        venue = self._venues[step.venue]
        rules = await venue.instrument(hedge.symbol)
        quotes = self._quotes[step.venue]
        book = await soon(lambda: quotes.book(hedge.symbol, urgent=True), self._clock)
        ladder = self._rules.slippage_bps
        slippage = ladder[min(attempt, len(ladder)) - 1]
        price = worst_price(step.side, book, rules, slippage)
        if price is None:
            return None
        return Order(
            id=OrderId(order_id_for(self._store, hedge)),
            hedge=hedge.id,
            venue=step.venue,
            symbol=hedge.symbol,
            purpose=Purpose.CLOSE if hedge.state is State.CLOSING else Purpose.ROLLBACK,
            attempt=attempt,
            side=step.side,
            size=tidy(within_cap(step, price, rules)),
            limit_price=price,
            expires_at=self._clock.now() + timedelta(seconds=venue.capabilities.order_ttl_s),
        )

    def _reached(self, hedge: Hedge, reached: Reached, legs: Legs) -> Hedge:
        now = self._clock.now()
        if reached.flat:
            if not self._dedicated:
                tell_unaccounted(self._store, hedge)
            return self._store.move(hedge, State.CLOSED, _ended(hedge), closed_at=now)
        if reached.stuck:
            names = " and ".join(sorted(legs.beside))
            return self._escalate(
                hedge,
                f"{plain(legs.a)} and {plain(legs.b)} {hedge.symbol} are ours and below what an"
                f" order may be, and what {names} holds beside it is not ours to touch",
            )
        if hedge.target is Target.FLAT:
            return self._escalate(
                hedge, f"{legs.a} and {legs.b} {hedge.symbol} are below what an order may be"
            )
        if reached.dust != ZERO:
            self._store.event(
                "dust",
                f"{reached.dust} {hedge.symbol} stay unhedged: less than one size step",
                hedge=hedge.id,
                data={"dust": reached.dust},
            )
        if hedge.opened_at is None:
            return self._store.move(hedge, State.OPEN, "both legs match", opened_at=now)
        return self._store.move(hedge, State.OPEN, "both legs match")

    def _escalate(self, hedge: Hedge, why: str) -> Hedge:
        """Persisted and alerted; the monitor goes on trying at its own pace."""
        logger.error("hedge {} escalated: {}", hedge.id, why)
        if hedge.state is State.ESCALATED:
            return hedge  # a person was alerted when it came to this
        self._store.alert(
            f"hedge {hedge.id} on {hedge.symbol} could not be brought to {hedge.target}: {why}",
            hedge=hedge.id,
        )
        return self._store.move(hedge, State.ESCALATED, why)


def _assure(hedge: Hedge, legs: Legs) -> None:
    """
    Nothing is over before both venues say so.

    Raises:
        VenueError: one of them was not asked, or contradicts itself.
    """
    if legs.unread is not None:
        raise legs.unread
    if not legs.sure:
        raise UnavailableError(hedge.venue_a, CONTRADICTED)


def _why(outcome: Outcome | NotPlaced | None) -> str:
    match outcome:
        case Refused(_, _, code, detail):
            return f"refused {code}: {detail}"
        case NotPlaced(detail):
            return detail
        case None:
            return "the book is empty"
        case Filled() | Unresolved():
            return "nothing was filled"


def _ended(hedge: Hedge) -> str:
    """Both venues are flat; what brought it about stays in the sentence."""
    how = "closed" if hedge.state is State.CLOSING else "rolled back"
    return f"{how}: {hedge.reason}"
