"""
Look at every open hedge: gather what ``hedger.exits`` judges by, and keep what it remembers.

What cannot be read is unknown and no reason to leave: a book that does not answer is counted at
the worst price that an order accepts. What a judgement remembers is in the ledger before
anything is done about it, so a reason fires once, also over a restart.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from loguru import logger

from hedger import economics, exits
from hedger.clock import Clock
from hedger.decay import DecayModel
from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.market import Balance, FundingQuote, Instrument, MarketStatus, OrderBook
from hedger.domain.money import BPS, ZERO
from hedger.economics import HOURS_PER_YEAR
from hedger.errors import VenueError
from hedger.holding import Alternative, Code, ExitRules, Holding, Judgement, LegView, Memory
from hedger.ledger.records import Decision, LegCash
from hedger.ledger.store import Store
from hedger.opportunity import Opportunity, spread_kept
from hedger.ports import QuoteSource, Venue
from hedger.settings import Settings
from hedger.settlements import SettlementClock

KEEP_S = 60.0  # an unchanged memory is written again after so long, for `hedger status`
KEY = "holding:"
OLD_KEY = "flipped_since:"  # of hedges opened by an earlier version
Quotes = Mapping[VenueId, Mapping[Symbol, FundingQuote]]


@dataclass(frozen=True, slots=True)
class _Leg:
    """What one venue shows of one leg now."""

    venue: VenueId
    size: Decimal
    quote: FundingQuote
    book: OrderBook | None
    fee: Decimal | None
    cash: LegCash | None


class HoldingWatch:
    """Values every open hedge anew at each look."""

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
        self._kept_s: dict[HedgeId, float] = {}

    async def look(
        self, held: Sequence[Hedge], others: Sequence[Opportunity]
    ) -> list[tuple[Hedge, Judgement]]:
        """
        What is to be done about each open hedge.

        Raises:
            VenueError: the rates of a venue could not be read; nothing is judged.
        """
        quotes = {v: await self._quotes[v].funding() for v in self._settings.venues.order}
        balances = {v: await self._balance(v) for v in quotes}
        values = {v: self._values(v, held, quotes[v]) for v in quotes}
        found = []
        for hedge in held:
            holding = await self._holding(hedge, quotes, balances, values, others)
            if holding is not None:
                found.append((hedge, self._judge(hedge, holding)))
        return found

    def _judge(self, hedge: Hedge, holding: Holding) -> Judgement:
        before = self._memory(hedge.id)
        judged = exits.judge(holding, exit_rules(self._settings), self._model, before)
        now_s = self._clock.monotonic_s()
        kept_s = self._kept_s.get(hedge.id)
        if judged.memory != before or kept_s is None or now_s - kept_s >= KEEP_S:
            self._store.set_meta(KEY + hedge.id, _written(judged, holding))
            self._kept_s[hedge.id] = now_s
        self._tell(hedge, judged)
        return judged

    def _tell(self, hedge: Hedge, judged: Judgement) -> None:
        """A reason is told once, when it comes to hold."""
        if not judged.new:
            return
        self._store.decide(
            [
                Decision(
                    symbol=hedge.symbol,
                    about="exit",
                    code=code,
                    text=judged.texts[code],
                    value_usd=judged.stay_usd,
                )
                for code in sorted(judged.new)
            ]
        )
        for hint in judged.hints:
            text = f"hedge {hedge.id}: {'; '.join(judged.texts.values())}; {hint}"
            logger.warning("{}", text)
            self._store.alert(text, hedge=hedge.id)

    def _memory(self, hedge: HedgeId) -> Memory:
        text = self._store.meta(KEY + hedge)
        if not text:
            old = self._store.meta(OLD_KEY + hedge)
            return Memory(flipped_since=datetime.fromisoformat(old) if old else None)
        data = json.loads(text)
        return Memory(
            negative_since=_instant(data["negative_since"]),
            flipped_since=_instant(data["flipped_since"]),
            waiting_for=_instant(data["waiting_for"]),
            fired=frozenset(Code(code) for code in data["fired"]),
        )

    # -- gathering --------------------------------------------------------------------------

    async def _holding(
        self,
        hedge: Hedge,
        quotes: Quotes,
        balances: Mapping[VenueId, Balance | None],
        values: Mapping[VenueId, Decimal],
        others: Sequence[Opportunity],
    ) -> Holding | None:
        """None when a market has no rate and is not said to be leaving either."""
        cash = self._store.leg_cash(hedge.id)
        quoted = [quotes[v].get(hedge.symbol) for v in hedge.venues]
        if any(quote is None for quote in quoted):
            return await self._leaving(hedge, cash)
        legs = [
            await self._leg(hedge, quote, cash.get(quote.venue))
            for quote in quoted
            if quote is not None
        ]
        a, b = legs
        rules = {leg.venue: await self._rules(leg) for leg in legs}
        size_usd = max(abs(leg.size) * leg.quote.mark_price for leg in legs)
        if size_usd == ZERO:
            return None
        waits = [self._settlements.remaining_s(leg.quote) for leg in legs]
        known = [wait for wait in waits if wait is not None]
        return Holding(
            hedge=hedge.id,
            symbol=hedge.symbol,
            size_usd=size_usd,
            spread_1h=spread_kept(hedge.side_a, a.quote.rate_1h, b.quote.rate_1h),
            first_settlement=hedge.first_settlement_a,
            next_settlement=a.quote.next_settlement_at,
            interval_s=a.quote.interval_s,
            settles_in_s=max(known) if len(known) == len(legs) else None,
            leaving_bps=sum((self._leaving_bps(leg) for leg in legs), ZERO),
            basis_bps=_basis_bps(legs, size_usd),
            earned_usd=_earned_usd(cash),
            legs=tuple(
                self._view(leg, balances[leg.venue], values[leg.venue], rules[leg.venue])
                for leg in legs
            ),
            alternative=self._alternative(hedge, others),
        )

    async def _leaving(self, hedge: Hedge, cash: Mapping[VenueId, LegCash]) -> Holding | None:
        """A hedge whose market has no rate any more, if a venue says that it closes it."""
        legs = []
        for venue in hedge.venues:
            try:
                rules = (await self._quotes[venue].instruments()).get(hedge.symbol)
            except VenueError as error:
                logger.warning("hedge {} is not judged now: {}", hedge.id, error)
                return None
            status = "no longer listed" if rules is None else rules.status
            gone = rules is None or rules.status is not MarketStatus.ACTIVE
            text = f"{hedge.symbol} is {status} on {venue}" if gone else ""
            legs.append(LegView(venue=venue, leaving=text))
        if not any(leg.leaving for leg in legs):
            return None
        return Holding(
            hedge=hedge.id,
            symbol=hedge.symbol,
            size_usd=max((leg.opened_usd for leg in cash.values()), default=ZERO)
            or hedge.requested_usd,
            spread_1h=ZERO,
            first_settlement=None,
            next_settlement=hedge.first_settlement_a or self._clock.now(),
            interval_s=3_600,
            settles_in_s=None,
            leaving_bps=self._settings.execution.slippage_bps,
            legs=tuple(legs),
        )

    async def _leg(self, hedge: Hedge, quote: FundingQuote, cash: LegCash | None) -> _Leg:
        venue = quote.venue
        book, fee = None, None
        try:
            book = await self._quotes[venue].book(hedge.symbol)
            fee = (await self._venues[venue].fees(hedge.symbol)).taker
        except VenueError as error:
            logger.info("hedge {}: leaving is counted at its worst, {}", hedge.id, error)
        size = self._store.leg_size(hedge.id, venue)
        return _Leg(venue=venue, size=size, quote=quote, book=book, fee=fee, cash=cash)

    async def _rules(self, leg: _Leg) -> Instrument | None:
        try:
            return await self._venues[leg.venue].instrument(leg.quote.symbol)
        except VenueError:
            return None

    async def _balance(self, venue: VenueId) -> Balance | None:
        try:
            return await self._venues[venue].balance()
        except VenueError as error:
            logger.info("the margin on {} is not judged now: {}", venue, error)
            return None

    def _leaving_bps(self, leg: _Leg) -> Decimal:
        """Fee and slippage of taking this leg off now, against the mid."""
        settings = self._settings
        fee = settings.scan.taker_fee_bps.get(leg.venue, ZERO)
        if leg.fee is not None:
            fee = leg.fee * BPS
        if leg.book is None or leg.book.mid is None or leg.size == ZERO:
            return fee + settings.execution.slippage_bps
        side = leg.book.bids if leg.size > ZERO else leg.book.asks
        price = economics.walk(side, abs(leg.size))
        if price is None:
            return fee + settings.execution.slippage_bps
        return fee + abs(price - leg.book.mid) / leg.book.mid * BPS

    def _values(
        self, venue: VenueId, held: Sequence[Hedge], quotes: Mapping[Symbol, FundingQuote]
    ) -> Decimal:
        """What all open legs on one venue are worth."""
        return sum(
            (
                abs(self._store.leg_size(hedge.id, venue)) * quotes[hedge.symbol].mark_price
                for hedge in held
                if hedge.symbol in quotes and venue in hedge.venues
            ),
            ZERO,
        )

    def _view(
        self, leg: _Leg, balance: Balance | None, value_usd: Decimal, rules: Instrument | None
    ) -> LegView:
        """
        How much margin stands behind a leg.

        The distance to liquidation is an estimate under cross margin: the venue's equity less a
        maintenance margin of half of what the highest leverage asks for, over the leg's value.
        """
        if balance is None or value_usd == ZERO:
            return LegView(venue=leg.venue)
        needed = value_usd / self._settings.trading.leverage
        distance = None
        if rules is not None and rules.max_leverage:
            kept = value_usd / rules.max_leverage / 2
            own = abs(leg.size) * leg.quote.mark_price
            distance = (balance.equity_usd - kept) / own if own else None
        return LegView(
            venue=leg.venue,
            liquidation_distance=distance,
            margin_ratio=balance.equity_usd / needed,
            spare_usd=balance.equity_usd - needed,
        )

    def _alternative(self, hedge: Hedge, others: Sequence[Opportunity]) -> Alternative | None:
        """The best other hedge; only where there is no room for both."""
        live = self._store.live()
        if len(live) < self._settings.trading.max_open_hedges:
            return None
        busy = {one.symbol for one in live}
        best = next((o for o in others if o.priced and o.pair.symbol not in busy), None)
        if best is None:
            return None
        return Alternative(
            symbol=best.pair.symbol, value_usd=best.worth.value_usd, cost_usd=best.worth.cost_usd
        )


def _basis_bps(legs: Sequence[_Leg], size_usd: Decimal) -> Decimal | None:
    """What the prices have gained for us since entry, at the mids, in bps of one leg."""
    gained = ZERO
    for leg in legs:
        mid = leg.book.mid if leg.book is not None else None
        if leg.cash is None or mid is None:
            return None
        gained += leg.cash.cash_usd + leg.cash.size * mid
    return gained / size_usd * BPS


def _earned_usd(cash: Mapping[VenueId, LegCash]) -> Decimal | None:
    """The funding received so far; None before both venues have told any."""
    if not cash or any(leg.funding_through is None for leg in cash.values()):
        return None
    return sum((leg.funding_usd for leg in cash.values()), ZERO)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _written(judged: Judgement, holding: Holding) -> str:
    memory = judged.memory
    data: dict[str, Any] = {
        "negative_since": memory.negative_since and memory.negative_since.isoformat(),
        "flipped_since": memory.flipped_since and memory.flipped_since.isoformat(),
        "waiting_for": memory.waiting_for and memory.waiting_for.isoformat(),
        "fired": sorted(memory.fired),
        "stay_usd": f"{judged.stay_usd:.4f}",
        "leave_usd": f"{judged.leave_usd:.4f}",
        "break_even_h": judged.break_even,
        "naive_apy": f"{holding.spread_1h * HOURS_PER_YEAR:.4f}",
        "action": judged.action,
        "code": judged.code,
    }
    return json.dumps(data)


def exit_rules(settings: Settings) -> ExitRules:
    """The configured rules of leaving."""
    rules = settings.exit
    return ExitRules(
        horizon=settings.scan.horizon_h,
        hysteresis=rules.hysteresis_settlements,
        flip_settlements=rules.flip_settlements,
        max_hold_h=rules.max_hold_h,
        target_bps=rules.target_bps,
        basis_profit_bps=rules.basis_profit_bps,
        carry_bps_per_h=rules.carry_bps_per_h,
        rotation_gain_usd=rules.rotation_gain_usd,
        min_liquidation_distance=rules.min_liquidation_distance,
        min_margin_ratio=rules.min_margin_ratio,
        wait_s=rules.wait_s,
        wait_risk_bps_per_h=rules.wait_risk_bps_per_h,
    )
