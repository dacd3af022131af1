"""
The one door for taking exposure off: used by the executor, by recovery and by the command.

Read the real positions of both venues, reduce the larger leg to the smaller or to nothing,
reduce-only, in coins from the exchange and never from the requested notional, side from the
live sign; again and again until both agree or the budget is spent and a person is alerted
(seed 004 bug 2; reliability.md §2.4). A read that fails is unknown, never flat.

A venue that refuses an order for its key or its market is not asked twelve times: while it says
itself that it cannot trade, nothing is sent there until it can (``hedger/execution/returns.py``).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from loguru import logger

from hedger.clock import Clock
from hedger.dispatcher import Dispatcher, NotPlaced
from hedger.domain.ability import Can
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import VenueId
from hedger.domain.market import Instrument
from hedger.domain.money import ZERO, plain, tidy
from hedger.domain.order import Filled, Order, Outcome, Purpose, Reason, Refused, Unresolved
from hedger.errors import UnavailableError, UnwritableError, VenueError
from hedger.execution import stands
from hedger.execution.abilities import Abilities
from hedger.execution.exitdoor import ExitDoor
from hedger.execution.unproven import Unproven
from hedger.ledger.store import Store
from hedger.legs import LegReader
from hedger.monitoring.market_facts import MarketFacts
from hedger.owned import seen_sizes, tell_unaccounted, untouched
from hedger.ports import QuoteSource, Venue
from hedger.position_cache import PositionCache
from hedger.pricing import worst_price, worst_price_from
from hedger.reduction import Legs, Reached, Reduction, next_reduction, within_cap
from hedger.search import SEARCH_S
from hedger.settings import Rollback as Rules
from hedger.urgency import pressed

SINCE = "; since then "
FILLED_LATE = "an order filled late while both legs were read"
BARRING: Final = frozenset({Reason.AUTH, Reason.MARKET_STATE})
"""Refusals that say nothing about the order: another one would be refused as well."""
BARRED_MAX: Final = 4  # of them in a row from a venue that says it can trade
BARRED_PAUSE_S: Final = 3.0


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
        legs: LegReader,
        facts: MarketFacts,
        clock: Clock,
        rules: Rules,
        dedicated: bool,
        abilities: Abilities,
        door: ExitDoor,
        unproven: Unproven,
    ) -> None:
        self._unproven = unproven
        self._abilities = abilities
        self._door = door
        self._legs = legs
        self._facts = facts
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
        barred: Counter[VenueId] = Counter()
        trouble = "nothing was tried"
        gone: VenueId | None = None
        unknown: Sequence[Unresolved] = ()  # orders beside which the legs are brought down
        while self._clock.monotonic_s() - began_s < self._rules.budget_s:
            try:
                unknown, why = await self._searched(hedge, unknown)
                if why:
                    return self._escalate(hedge, why)
                legs, wanted = await self._next(hedge, gone)
                if isinstance(wanted, Reached):
                    return self._reached(hedge, wanted, legs, unknown)
                if attempts.total() >= self._rules.max_attempts:
                    break  # looked at once more: the last attempt may have been enough
                step, why = await self._way(hedge, legs, wanted, barred, unknown)
                if step is None:
                    trouble = f"{trouble}; {why}"
                    break
                attempts[step.venue] += 1
                outcome, gone = await self._reduce(hedge, step, attempts[step.venue]), None
                if self._bars(hedge, step, outcome):
                    trouble = _why(outcome)
                    barred[step.venue] += 1
                    continue
            except (VenueError, UnwritableError) as error:
                trouble = _and_then(trouble, error)
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

    async def _searched(
        self, hedge: Hedge, before: Sequence[Unresolved]
    ) -> tuple[Sequence[Unresolved], str]:
        """
        The orders of which no end is known, and why nothing is done beside them.

        The first search is long, and a person hears of it first; later ones are short.
        """
        if before:
            return before, ""
        later = hedge.state is State.ESCALATED
        unknown = await self._dispatcher.finish(hedge.id, SEARCH_S if later else None)
        if not unknown:
            return (), ""
        if not later:
            return unknown, unknown[0].detail
        against = await self._unproven.against(hedge, unknown)
        return unknown, f"{unknown[0].detail}; {against}" if against else ""

    async def _way(
        self,
        hedge: Hedge,
        legs: Legs,
        step: Reduction,
        barred: Mapping[VenueId, int],
        unknown: Sequence[Unresolved],
    ) -> tuple[Reduction | None, str]:
        """
        The step itself, or what may be done instead where its venue has refused one; or why not.

        Legs that match are not broken by going round a venue, unless a person decided so, nor
        while one of them is in doubt: what a venue does not show it would not take off either.
        """
        if any(one.prepared.order.venue == step.venue for one in unknown):
            return None, unknown[0].detail  # it may be this very leg
        exemption = stands.exemption(self._store, hedge.id)
        whole = hedge.state is State.CLOSING and untouched(self._store, hedge)
        if whole and legs.doubts and not exemption:
            told = "; ".join(f"{venue}: {why}" for venue, why in legs.doubts.items())
            return None, f"{told}; both legs stand"
        times = barred.get(step.venue, 0)
        if not times:
            return step, ""
        if exemption == stands.ANYWAY:
            first = step.venue == legs.rules_a.venue
            rest = replace(legs, a=ZERO) if first else replace(legs, b=ZERO)
            other = next_reduction(rest, Target.FLAT)
            if isinstance(other, Reduction) and other.venue not in barred:
                return other, ""
        elif whole:
            return None, "both legs stand"
        size = legs.a if step.venue == legs.rules_a.venue else legs.b
        slippage_bps = self._rules.slippage_bps[-1]
        found = await self._abilities.returned(step.venue, hedge.symbol, size, slippage_bps)
        if found is not None and found.can is Can.NO:
            remedy = f"{found.remedy}; hedger goes on as soon as {step.venue} can trade"
            return None, f"{found.why}; {remedy}"
        if times >= BARRED_MAX:
            return None, f"{step.venue} refuses, and does not say that it cannot trade"
        await self._clock.sleep(BARRED_PAUSE_S)
        return step, ""

    def _bars(self, hedge: Hedge, step: Reduction, outcome: Outcome | NotPlaced | None) -> bool:
        """Whether the venue refused for its key or market; kept until it has taken an order."""
        match outcome:
            case None | NotPlaced(unlisted=False):
                return False
            case Refused():
                barring = outcome.reason in BARRING and not outcome.dead
            case _:
                barring = isinstance(outcome, NotPlaced)
        stands.bar(self._store, hedge.id, step.venue, _why(outcome) if barring else "")
        return barring

    async def _next(self, hedge: Hedge, gone: VenueId | None) -> tuple[Legs, Reduction | Reached]:
        """
        What to do next; nothing is concluded before both legs were read.

        Nor from readings during which a late fill was booked (``hedger/latewatch.py``): the leg
        may have been read before it, and once the hedge is over nobody reads it again.
        """
        booked = self._store.leg_sizes(hedge)
        legs = await self._legs.read(hedge, gone)
        legs = replace(legs, first=stands.first(self._store, hedge.id))
        step = next_reduction(legs, hedge.target)
        if isinstance(step, Reached) and gone is not None:
            legs = await self._legs.read(hedge)
            step = next_reduction(legs, hedge.target)
        if isinstance(step, Reached):
            _assure(legs)
            for venue, before, now in zip(
                hedge.venues, booked, self._store.leg_sizes(hedge), strict=True
            ):
                if now != before:
                    raise UnavailableError(venue, FILLED_LATE)
        return legs, step

    async def take(self, hedge: Hedge, step: Reduction) -> Outcome | NotPlaced | None:
        """
        One order of a step that somebody else decided on; None: the book is empty.

        Raises:
            VenueError: the market's rules or its book could not be read; nothing was sent.
        """
        return await self._reduce(hedge, step, 1)

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
        rules = await self._facts.reducing(step.venue, hedge.symbol)
        ladder = self._rules.slippage_bps
        slippage = ladder[min(attempt, len(ladder)) - 1]
        price = await self._price(hedge, step, rules, slippage)
        if price is None:
            return None
        return Order(
            id=self._store.next_order_id(hedge.id),
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

    async def _price(
        self, hedge: Hedge, step: Reduction, rules: Instrument, slippage_bps: Decimal
    ) -> Decimal | None:
        """
        The worst price of one step; None when there is nobody to trade with.

        By the book. Where that does not come within a second or cannot be read, by the mark price
        that came with the position, or else by the book of the other venue: an immediate order
        that trades or not tells as much as the next try would.

        Raises:
            VenueError: neither is known.
        """
        quotes = self._quotes[step.venue]
        try:
            book = await pressed(
                lambda: quotes.book(hedge.symbol, urgent=True), step.venue, self._clock
            )
        except VenueError as error:
            mark = self._positions.mark_price(step.venue, hedge.symbol)
            if mark is None and (mark := await self._elsewhere(hedge, step.venue)) is None:
                raise
            logger.warning("{}; the order is priced by the mark, {}", error, mark)
            return worst_price_from(step.side, mark, mark, rules, slippage_bps)
        return worst_price(step.side, book, rules, slippage_bps)

    async def _elsewhere(self, hedge: Hedge, venue: VenueId) -> Decimal | None:
        """The middle of the other venue's book; None where it is not told soon."""
        other = hedge.venue_b if venue == hedge.venue_a else hedge.venue_a
        quotes = self._quotes[other]
        try:
            book = await pressed(lambda: quotes.book(hedge.symbol, urgent=True), other, self._clock)
        except VenueError:
            return None
        return book.mid

    def _reached(
        self, hedge: Hedge, reached: Reached, legs: Legs, unknown: Sequence[Unresolved]
    ) -> Hedge:
        if unknown:  # nothing is over while an order is not
            return self._escalate(hedge, unknown[0].detail)
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
        if hedge.target is Target.FLAT or ZERO in (legs.a, legs.b):
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
        """
        Persisted and alerted; the monitor goes on trying at its own pace.

        A closing that has taken nothing off is no such case: both legs stand, as before.
        """
        closing = hedge.state is State.CLOSING and not stands.exemption(self._store, hedge.id)
        if closing and untouched(self._store, hedge):
            self._door.failed(hedge, why)
            return self._store.move(hedge, State.OPEN, f"not closed, both legs stand: {why}")
        logger.error("hedge {} escalated: {}", hedge.id, why)
        if hedge.state is State.ESCALATED:
            return hedge  # a person was alerted when it came to this
        self._store.alert(
            f"hedge {hedge.id} on {hedge.symbol} could not be brought to {hedge.target}: {why}"
            f"{self._alone(hedge)}",
            hedge=hedge.id,
        )
        return self._store.move(hedge, State.ESCALATED, why)

    def _alone(self, hedge: Hedge) -> str:
        """Which leg stands where without its counterpart, in coins; nothing where they match."""
        sizes = seen_sizes(self._store, hedge, dedicated=self._dedicated)
        net = sum(sizes.values(), ZERO)
        if net == ZERO:
            return ""
        legs = ", ".join(f"{venue} {plain(size)}" for venue, size in sizes.items())
        return f"; unhedged: {plain(net)} {hedge.symbol} ({legs})"


def _assure(legs: Legs) -> None:
    """
    Nothing is over before both venues say so.

    Raises:
        VenueError: one of them was not asked, or contradicts itself or our record.
    """
    if legs.unread is not None:
        raise legs.unread
    for venue, why in legs.doubts.items():
        raise UnavailableError(venue, why)


def _and_then(before: str, error: Exception) -> str:
    """What became of the last order stays in the sentence; of readings only the last one does."""
    said = before.partition(SINCE)[0]
    return f"{said}{SINCE}{error}" if said else str(error)


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
