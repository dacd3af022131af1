"""
What stands before an order that opens a leg: a free market, the margin, and a price.

Everything is read afresh and fails closed. Nothing here stands before a reduce-only order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from loguru import logger

from hedger.clock import Clock
from hedger.domain.hedge import Hedge
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Fees, Instrument, MarketStatus, OrderBook
from hedger.domain.money import ONE, ZERO, is_on_step, plain, tidy
from hedger.domain.order import Order, Purpose
from hedger.ledger.store import Store
from hedger.monitoring.market_facts import MarketFacts
from hedger.ports import Margin, Venue
from hedger.pricing import worst_price

WITH_BALANCE_S = 1.0
FEES_FOR_S = 600.0
MARGIN_RESERVE = Decimal("1.02")  # price may move by so much before the order is counted


@dataclass(frozen=True, slots=True)
class NoOrder:
    """Why the next order of a leg was not even built."""

    detail: str


class Preconditions:
    """Reads what the opening order of a leg needs, and makes the order. Sends nothing."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        facts: MarketFacts,
        clock: Clock,
        leverage: Decimal,
        slippage_bps: Decimal,
    ) -> None:
        self._venues = venues
        self._store = store
        self._facts = facts
        self._clock = clock
        self._leverage = leverage
        self._slippage_bps = slippage_bps

    async def unfit(self, hedge: Hedge) -> str | None:
        """
        Why the markets, read just now, do not take what was planned by older facts.

        Raises:
            VenueError: one of them cannot be read.
        """
        for rules in await self._facts.before(hedge):
            if rules.status is not MarketStatus.ACTIVE:
                return f"{hedge.symbol} is {rules.status} on {rules.venue}"
            if not is_on_step(hedge.planned_size, rules.size_step):
                step = f"{plain(rules.size_step)} on {rules.venue}"
                return f"{plain(hedge.planned_size)} is not a whole number of steps of {step}"
            if hedge.planned_size < rules.min_size:
                least = f"{plain(rules.min_size)} of {rules.venue}"
                return f"{plain(hedge.planned_size)} is below the minimum of {least}"
        return None

    async def rules(self, hedge: Hedge) -> list[Instrument]:
        """
        Of both markets, for leg B: what was read before leg A, unless that is a minute ago.

        Raises:
            VenueError: they are older, and cannot be read.
        """
        return [await self._facts.opening(venue, hedge.symbol) for venue in hedge.venues]

    async def held(self, hedge: Hedge, venue: VenueId) -> str | None:
        """
        Why the market is not free: a position that was there before is never touched.

        It may be in the very answer that has just told the balance.

        Raises:
            VenueError: the position cannot be read.
        """
        position = await self._venues[venue].position(hedge.symbol, max_age_s=WITH_BALANCE_S)
        self._store.observe([position], hedge=hedge.id)
        if position.size == ZERO:
            return None
        return (
            f"{venue} already holds {plain(position.size)} {hedge.symbol}"
            " that no hedge explains; close it or block the symbol"
        )

    async def margin(self, book: OrderBook, size: Decimal) -> Margin:
        """
        A fresh balance against what ``size`` coins need at the configured leverage.

        Raises:
            VenueError: the balance or the fees cannot be read.
        """
        venue = self._venues[book.venue]
        fees = await self._fees(venue, book.symbol)
        balance = await venue.balance()
        value = size * (book.mid or ZERO)
        needed = value * (ONE / self._leverage + fees.taker) * MARGIN_RESERVE
        return Margin(
            venue=book.venue,
            available_usd=balance.available_usd,
            needed_usd=needed,
            equity_usd=balance.equity_usd,
            value_usd=value,
            held_usd=balance.held_usd,
        )

    async def _fees(self, venue: Venue, symbol: Symbol) -> Fees:
        """The account's fee rates; new ones are kept, and later our fills are held to them."""
        asked_at = self._clock.now()
        fees = await venue.fees(symbol, max_age_s=FEES_FOR_S)
        market = (venue.id, venue.account, symbol)
        if self._store.fee_rates(market) != fees:
            self._facts.note_fees(venue.id, symbol, fees)
            self._store.note_fees(market, fees, asked_at)
        return fees

    def keep(self, held: Symbol) -> None:
        """
        Write down what the answers so far have told of markets and accounts: the next process
        has to know it of whatever is sent from now on.

        Raises:
            StateError: the ledger cannot be written.
        """
        self._facts.keep(held)

    def shortfall(self, hedge: Hedge, needs: list[Margin]) -> str | None:
        """Log every figure; the sentence of the first shortfall, or None."""
        figures = ", ".join(
            f"{m.venue}={m.available_usd:.2f} USD free (needs {m.needed_usd:.2f})" for m in needs
        )
        logger.bind(hedge=hedge.id).info("fresh balances for {}: {}", hedge.id, figures)
        self._store.event(
            "balances",
            f"fresh balances: {figures}",
            hedge=hedge.id,
            data={m.venue: m.available_usd for m in needs},
        )
        for need in needs:
            reserved = self._store.reserved(need.venue, hedge.id)
            if need.available_usd - reserved < need.needed_usd:
                return (
                    f"{need.venue} has {need.available_usd:.2f} USD free, {reserved:.2f} of it"
                    f" reserved by unfinished hedges, and {need.needed_usd:.2f} are needed"
                )
        return None

    async def order(self, hedge: Hedge, book: OrderBook, size: Decimal) -> Order | NoOrder:
        """
        The order that opens ``size`` coins of a leg at the worst price that this book allows.

        Raises:
            VenueError: the rules of the market cannot be read.
        """
        venue = book.venue
        rules = await self._facts.opening(venue, hedge.symbol)
        side = hedge.side_on(venue)
        price = worst_price(side, book, rules, self._slippage_bps)
        if price is None or book.mid is None:
            return NoOrder(f"a side of the {hedge.symbol} book of {venue} is empty")
        ttl = timedelta(seconds=self._venues[venue].capabilities.order_ttl_s)
        return Order(
            id=self._store.next_order_id(hedge.id),
            hedge=hedge.id,
            venue=venue,
            symbol=hedge.symbol,
            purpose=Purpose.OPEN,
            attempt=1,
            side=side,
            size=tidy(size),
            limit_price=price,
            expires_at=self._clock.now() + ttl,
        )
