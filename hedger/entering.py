"""
What a found opportunity comes to at the account's real fees, margins and books, at its best size.

Everything is asked freshly and nothing is sent; ``hedger.economics`` and ``hedger.entry`` decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from hedger import decayfile, economics, entry, opportunity
from hedger.clock import Clock, day_began
from hedger.decay import DecayModel
from hedger.domain.ids import VenueId, as_configured
from hedger.domain.market import Fees, Instrument, OrderBook
from hedger.domain.money import BPS, ONE, ZERO, common_step
from hedger.domain.order import Side
from hedger.economics import Costs, SizeLimits, Sizing, Valuation
from hedger.entry import HOUR_S, Code, EntryRules, MarketFacts, Objection
from hedger.ledger.store import Store
from hedger.monitoring.market_facts import OPENING_S
from hedger.opportunity import Pair, Terms
from hedger.ports import QuoteSource, Venue
from hedger.settings import Settings
from hedger.settlements import SettlementClock

MARGIN_KEPT = Decimal("1.05")  # the executor counts the order itself, and prices move


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """
    The best size of one opportunity and its worth, with every objection to opening it.

    ``size`` is zero, and the instruments are None, where it was not worth asking further.
    """

    pair: Pair
    worth: Valuation
    costs: Costs
    objections: tuple[Objection, ...]
    size: Decimal = ZERO
    bound_by: str = ""


@dataclass(frozen=True, slots=True)
class _Side:
    """What one venue says about one market."""

    venue: VenueId
    book: OrderBook
    fees: Fees
    rules: Instrument
    free_usd: Decimal


class Entering:
    """Values opportunities for one account."""

    def __init__(
        self,
        *,
        settings: Settings,
        venues: Mapping[VenueId, Venue],
        quotes: Mapping[VenueId, QuoteSource],
        store: Store,
        clock: Clock,
        model: DecayModel,
        settlements: SettlementClock,
    ) -> None:
        self._settings = settings
        self._venues = venues
        self._quotes = quotes
        self._store = store
        self._clock = clock
        self._model = model
        self._settlements = settlements

    async def terms(self, pair: Pair) -> Terms:
        """
        What hedges on this market are valued with: the account's own fees.

        Raises:
            VenueError: a venue could not be asked.
        """
        first, second = self._settings.venues.order
        a = await self._venues[first].fees(pair.symbol)
        b = await self._venues[second].fees(pair.symbol)
        return replace(
            terms_of(self._settings, self._model, self._store), taker_fees=(a.taker, b.taker)
        )

    async def propose(self, pair: Pair) -> Proposal:
        """
        The best that can be made of a pair now.

        Raises:
            VenueError: a venue could not be asked.
        """
        terms = await self.terms(pair)
        found = opportunity.estimate(pair, terms)
        if found.worth.value_usd <= ZERO:  # not even before slippage: nothing more is asked
            return self._judged(found.pair, found.worth, found.costs, None)
        first, second = self._settings.venues.order
        a, b = await self._side(first, pair), await self._side(second, pair)
        if a.book.mid is None or b.book.mid is None:
            why = Objection(Code.DEPTH, "a side of a book is empty")
            return Proposal(pair=pair, worth=found.worth, costs=found.costs, objections=(why,))
        basis = opportunity.basis_bps(pair.side_a, a.book.mid, b.book.mid, terms.basis_gain_share)
        costs = replace(found.costs, basis_bps=basis)
        sizing = self._sized(pair, a, b, costs)
        size = sizing.size or _coins(terms.size_usd, a, b)
        slips = [economics.slippage_bps(side.book, size) for side in (a, b)]
        if slips[0] is None or slips[1] is None:
            why = Objection(Code.SIZE, f"the best size is nothing: {sizing.bound_by}")
            return Proposal(pair=pair, worth=found.worth, costs=costs, objections=(why,))
        costs = replace(costs, slippage_bps=slips[0] + slips[1])
        worth = economics.value(
            self._model,
            pair.symbol,
            pair.spread_1h,
            size_usd=size * (a.book.mid + b.book.mid) / 2,
            costs=costs,
            settlements=terms.settlements,
        )
        judged = self._judged(pair, worth, costs, min(_depth(s, self._settings) for s in (a, b)))
        if sizing.size > ZERO:
            return replace(judged, size=size, bound_by=sizing.bound_by)
        why = Objection(Code.SIZE, f"the best size is nothing: {sizing.bound_by}")
        return replace(judged, objections=(*judged.objections, why))

    async def _side(self, venue: VenueId, pair: Pair) -> _Side:
        balance = await self._venues[venue].balance()
        kept_usd = self._settings.risk.min_free_margin_share * balance.equity_usd
        return _Side(
            venue=venue,
            book=await self._quotes[venue].book(pair.symbol),
            fees=await self._venues[venue].fees(pair.symbol),
            rules=await self._venues[venue].instrument(pair.symbol, max_age_s=OPENING_S),
            free_usd=balance.available_usd - self._store.reserved(venue) - kept_usd,
        )

    def _sized(self, pair: Pair, a: _Side, b: _Side, costs: Costs) -> Sizing:
        """The size with the highest value of which every coin is worth opening."""
        funding_bps = BPS * self._model.expected_sum(
            pair.symbol, pair.spread_1h, self._settings.scan.horizon_h
        )
        rules, facts = entry_rules(self._settings), self.facts(pair, None)
        long, short = (a, b) if pair.side_a is Side.BUY else (b, a)
        return economics.best_size(
            long_book=long.book,
            short_book=short.book,
            gain_bps=entry.gain_bps(funding_bps, costs.total_bps, facts, rules),
            limits=self._bounds(pair, a, b),
        )

    def _bounds(self, pair: Pair, a: _Side, b: _Side) -> SizeLimits:
        """What risk would object to is not proposed, where a smaller hedge is possible."""
        trading, risk = self._settings.trading, self._settings.risk
        caps = [("trading.max_position_size_usd", trading.max_position_size_usd)]
        most = risk.market_usd.get(as_configured(pair.symbol))
        if most is not None:
            caps.append((f"risk.market_usd of {pair.symbol}", most))
        live = self._store.live()
        live_usd = {
            side.venue: sum((h.requested_usd for h in live if side.venue in h.venues), ZERO)
            for side in (a, b)
        }
        for side in (a, b):
            if side.rules.max_order_value_usd is not None:
                caps.append((f"the order cap of {side.venue}", side.rules.max_order_value_usd))
            needed = (ONE / trading.leverage + side.fees.taker) * MARGIN_KEPT
            caps.append((f"the free margin on {side.venue}", max(ZERO, side.free_usd / needed)))
            room = risk.max_venue_usd - live_usd[side.venue]
            caps.append((f"risk.max_venue_usd on {side.venue}", max(ZERO, room)))
        today = self._store.asked_since(day_began(self._clock.now()))
        done_usd = sum((one.usd for one in today), ZERO)
        here_usd = sum((one.usd for one in today if one.symbol == pair.symbol), ZERO)
        caps.append(("risk.max_day_usd", max(ZERO, risk.max_day_usd - done_usd)))
        caps.append(("risk.max_market_day_usd", max(ZERO, risk.max_market_day_usd - here_usd)))
        return SizeLimits(
            step=common_step(a.rules.size_step, b.rules.size_step),
            min_size=max(a.rules.min_size, b.rules.min_size),
            min_value_usd=max(a.rules.min_notional_usd, b.rules.min_notional_usd),
            price=max(pair.a.mark_price, pair.b.mark_price),
            caps=tuple(caps),
        )

    def _judged(
        self, pair: Pair, worth: Valuation, costs: Costs, depth_usd: Decimal | None
    ) -> Proposal:
        facts = self.facts(pair, depth_usd)
        rules = entry_rules(self._settings)
        return Proposal(
            pair=pair,
            worth=worth,
            costs=costs,
            objections=entry.objections_to_entry(worth, facts, rules),
        )

    def facts(self, pair: Pair, depth_usd: Decimal | None) -> MarketFacts:
        """What is known of a market on both venues, the weaker of the two."""
        waits = [self._settlements.remaining_s(quote) for quote in (pair.a, pair.b)]
        known = [wait for wait in waits if wait is not None]
        # no further back than is asked for: the estimates of days are many rows
        back = timedelta(seconds=(self._settings.entry.persistence_settlements + 1) * HOUR_S)
        seen = self._store.rates_seen(pair.symbol, self._clock.now() - back)
        return MarketFacts(
            persisted=opportunity.persisted(
                pair, seen, share=self._settings.entry.persistence_share
            ),
            volume_usd=_least(pair.a.volume_24h_usd, pair.b.volume_24h_usd),
            open_interest_usd=_least(pair.a.open_interest_usd, pair.b.open_interest_usd),
            depth_usd=depth_usd,
            settles_in_s=max(known) if len(known) == len(waits) else None,
            interval_s=max(pair.a.interval_s, pair.b.interval_s),
        )


def _coins(usd: Decimal, a: _Side, b: _Side) -> Decimal:
    assert a.book.mid is not None
    assert b.book.mid is not None
    return usd * 2 / (a.book.mid + b.book.mid)


def _least(first: Decimal | None, second: Decimal | None) -> Decimal | None:
    return None if first is None or second is None else min(first, second)


def _depth(side: _Side, settings: Settings) -> Decimal:
    return economics.depth_usd(side.book, settings.entry.depth_bps)


def entry_rules(settings: Settings) -> EntryRules:
    """The configured rules of entry."""
    rules = settings.entry
    return EntryRules(
        min_value_usd=rules.min_value_usd,
        min_value_bps=rules.min_net_bps,
        cost_multiple=rules.cost_multiple,
        persistence=rules.persistence_settlements,
        min_volume_usd=rules.min_volume_usd,
        min_open_interest_usd=rules.min_open_interest_usd,
        min_depth_usd=rules.min_depth_usd,
        max_wait_s=rules.max_wait_s,
        waiting_bps_per_h=rules.waiting_bps_per_h,
    )


def terms_of(settings: Settings, model: DecayModel, store: Store | None = None) -> Terms:
    """What a scan values with: configured fees, and rollbacks as the ledger measured them."""
    believed = settings.economics
    prior = (believed.rollback_probability, believed.rollback_cost_bps)
    measured = store.rollbacks() if store is not None else None
    order, bps = settings.venues.order, settings.scan.taker_fee_bps
    return Terms(
        model=model,
        settlements=settings.scan.horizon_h,
        size_usd=settings.scan.size_usd,
        taker_fees=opportunity.fees_of(order, bps),
        basis_gain_share=believed.basis_gain_share,
        rollback_bps=economics.rollback_cost_bps(
            attempts=measured.attempts if measured else 0,
            rollbacks=measured.rollbacks if measured else 0,
            cost_bps=measured.cost_bps if measured else ZERO,
            prior=prior,
        ),
    )


def decay_model(settings: Settings) -> DecayModel:
    """
    The configured model.

    Raises:
        ConfigError: the file cannot be read or is no model.
    """
    return decayfile.named(settings.economics.decay_model)
