"""
Closing a hedge on a wide book waits, up to a deadline (S53).

An open hedge stands on two legs: until the first of them is taken off, nothing is at risk that
was not before, and a book that is wide for a moment would cost more than many settlements bring.
So before the first order of a closing both books are read until each leg can go within
``close_slippage_bps`` of its mid, or ``close_patience_s`` have passed since the closing was
decided, which the ledger knows over a restart. From the first order on nothing waits any more:
a leg that stands alone, or is read to, is never left for a better price. A rollback never waits
at all.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from loguru import logger

from hedger import economics
from hedger.clock import Clock
from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.market import OrderBook
from hedger.domain.money import BPS, ZERO
from hedger.errors import VenueError
from hedger.ledger.store import Store
from hedger.owned import own_size, seen_sizes, untouched
from hedger.ports import QuoteSource
from hedger.settings import Execution as Rules

LOOK_S = 2.0


class Patience:
    """Waits for books on which a hedge can be closed at a fair price."""

    def __init__(
        self,
        *,
        quotes: Mapping[VenueId, QuoteSource],
        store: Store,
        clock: Clock,
        rules: Rules,
        dedicated: bool,
    ) -> None:
        self._quotes = quotes
        self._store = store
        self._clock = clock
        self._rules = rules
        self._dedicated = dedicated
        self._hurried: set[HedgeId] = set()

    def hurry(self, hedge: HedgeId) -> None:
        """Somebody wants this hedge off now: no waiting from here on."""
        self._hurried.add(hedge)

    async def wait(self, hedge: Hedge) -> None:
        """Come back when both legs can go at a fair price, or no longer may wait."""
        until = hedge.updated_at + timedelta(seconds=self._rules.close_patience_s)
        until_s = self._clock.monotonic_s() + self._rules.close_patience_s
        told = False
        # by both clocks: a wall clock that is set back would put the end off
        at_first = self._sizes(hedge)
        while (
            self._may_wait(hedge)
            and self._sizes(hedge) == at_first
            and self._clock.now() < until
            and self._clock.monotonic_s() < until_s
        ):
            wide = await self._wide(hedge)
            if wide is None:
                return
            if not told:
                self._store.event(
                    "closing_waits", f"{wide}; until {until:%H:%M:%S} at most", hedge=hedge.id
                )
                logger.info("hedge {} waits with closing: {}", hedge.id, wide)
                told = True
            await self._clock.sleep(LOOK_S)

    def done(self, hedge: HedgeId) -> None:
        """The hedge is at rest: whoever was in a hurry has what they wanted."""
        self._hurried.discard(hedge)

    def _may_wait(self, hedge: Hedge) -> bool:
        """Only while both legs stand as they were opened and nobody is in a hurry."""
        if hedge.id in self._hurried or not untouched(self._store, hedge):
            return False
        seen = self._sizes(hedge)
        own = [own_size(self._store, hedge.id, venue) for venue in hedge.venues]
        alone = abs(sum(seen.values(), ZERO)) > abs(sum(own, ZERO))
        return ZERO not in seen.values() and not alone

    async def _wide(self, hedge: Hedge) -> str | None:
        """Which book would cost too much; None when none does, or when that cannot be known."""
        for venue, size in self._sizes(hedge).items():
            try:
                book = await self._quotes[venue].book(hedge.symbol)
            except VenueError:
                return None  # the engine finds out, and has its own patience with a venue
            cost = closing_cost_bps(book, size)
            if cost is None:
                return f"the {hedge.symbol} book of {venue} is too thin to close on"
            if cost > self._rules.close_slippage_bps:
                return f"closing {hedge.symbol} on {venue} would cost {cost:.1f} bps of its mid"
        return None

    def _sizes(self, hedge: Hedge) -> Mapping[VenueId, Decimal]:
        return seen_sizes(self._store, hedge, dedicated=self._dedicated)


def closing_cost_bps(book: OrderBook, size: Decimal) -> Decimal | None:
    """How far from the mid a leg of ``size`` signed coins would go off; None if it cannot."""
    if book.mid is None or size == ZERO:
        return None
    price = economics.walk(book.bids if size > ZERO else book.asks, abs(size))
    return None if price is None else abs(price - book.mid) / book.mid * BPS
