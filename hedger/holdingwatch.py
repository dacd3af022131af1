"""
Look at every open hedge: gather what ``hedger.exits`` judges by, and keep what it remembers.

What cannot be read is unknown and no reason to leave: a book that does not answer is counted at
the worst price that an order accepts. What a judgement remembers is in the ledger before
anything is done about it, so a reason fires once, also over a restart.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from loguru import logger

from hedger import exits, legview
from hedger import holdingmemory as memory
from hedger.clock import Clock
from hedger.decay import DecayModel
from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.market import Balance, FundingQuote, Instrument
from hedger.domain.money import ONE, ZERO
from hedger.errors import VenueError
from hedger.holding import Alternative, Holding, Judgement, Memory
from hedger.ledger.records import Decision, LegCash
from hedger.ledger.store import Store
from hedger.legview import Leg
from hedger.opportunity import Opportunity, spread_kept
from hedger.ports import QuoteSource, Venue
from hedger.settings import Settings
from hedger.settlements import SettlementClock
from hedger.units import beyond_cap

KEEP_S = 60.0  # an unchanged memory is written again after so long, for `hedger status`
FEES_FOR_S = 3_600.0
BALANCE_FOR_S = 60.0
KEY = "holding:"
OLD_KEY = "flipped_since:"  # of hedges opened by an earlier version
Quotes = Mapping[VenueId, Mapping[Symbol, FundingQuote]]
Distances = Mapping[tuple[VenueId, Symbol], Decimal]
NOTHING_KNOWN: Distances = {}


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
        doubt: Callable[[Symbol, Iterable[VenueId]], str],
    ) -> None:
        self._settings = settings
        self._venues = venues
        self._quotes = quotes
        self._store = store
        self._clock = clock
        self._model = model
        self._settlements = settlements
        self._doubt = doubt  # why the rates of a market are not believed
        self._kept_s: dict[HedgeId, float] = {}
        self._fees: dict[tuple[VenueId, Symbol], tuple[float, Decimal]] = {}

    async def look(
        self,
        held: Sequence[Hedge],
        others: Sequence[Opportunity],
        distances_bps: Distances = NOTHING_KNOWN,
    ) -> list[tuple[Hedge, Judgement]]:
        """
        What is to be done about each open hedge.

        ``distances_bps`` are of the legs that a venue names a liquidation price for; that of
        any other leg is estimated.

        Raises:
            VenueError: the rates of a venue could not be read; nothing is judged.
        """
        quotes = {v: await self._quotes[v].funding() for v in self._settings.venues.order}
        balances = {v: await self._balance(v) for v in quotes}
        values = {v: self._values(v, held, quotes[v]) for v in quotes}
        self._forget()
        found = []
        for hedge in held:
            holding = await self._holding(hedge, quotes, balances, values, others)
            if holding is not None:
                holding = legview.with_distances(holding, distances_bps)
                found.append((hedge, self._judge(hedge, holding)))
        return found

    def _forget(self) -> None:
        """What was remembered of hedges that are over."""
        kept = {KEY + hedge.id for hedge in self._store.live()}
        for key in self._store.metas(KEY):
            if key not in kept:
                self._store.set_meta(key, "")
                self._kept_s.pop(HedgeId(key.removeprefix(KEY)), None)

    def _judge(self, hedge: Hedge, holding: Holding) -> Judgement:
        told = self._store.meta(KEY + hedge.id)
        before = self._memory(hedge.id, told)
        judged = exits.judge(holding, legview.exit_rules(self._settings), self._model, before)
        now_s = self._clock.monotonic_s()
        kept_s = self._kept_s.get(hedge.id)
        changed = judged.memory != before or not told or memory.doubted(told) != holding.doubted
        self._tell(hedge, judged)  # first: once it is kept nobody would tell it any more
        if changed or kept_s is None or now_s - kept_s >= KEEP_S:
            self._store.set_meta(KEY + hedge.id, memory.written(judged, holding))
            self._kept_s[hedge.id] = now_s
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

    def _memory(self, hedge: HedgeId, text: str | None) -> Memory:
        return memory.read(text) if text else memory.read_old(self._store.meta(OLD_KEY + hedge))

    # -- gathering --------------------------------------------------------------------------

    async def _holding(
        self,
        hedge: Hedge,
        quotes: Quotes,
        balances: Mapping[VenueId, Balance | None],
        values: Mapping[VenueId, Decimal],
        others: Sequence[Opportunity],
    ) -> Holding | None:
        """None when a market has no rate, and is not leaving either."""
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
            first_settlement=hedge.first_settlement_a or hedge.opened_at,
            next_settlement=a.quote.next_settlement_at,
            interval_s=a.quote.interval_s,
            settles_in_s=max(known) if len(known) == len(legs) else None,
            leaving_bps=sum((legview.leaving_bps(leg, self._settings) for leg in legs), ZERO),
            basis_bps=legview.basis_bps(legs, size_usd),
            earned_usd=legview.earned_usd(cash),
            legs=tuple(
                legview.view(
                    leg,
                    balances[leg.venue],
                    values[leg.venue],
                    rules[leg.venue],
                    leverage=self._settings.trading.leverage,
                )
                for leg in legs
            ),
            alternative=self._alternative(hedge, size_usd, others),
            doubted=self._doubted(hedge, [leg.quote for leg in legs]),
        )

    def _doubted(self, hedge: Hedge, quoted: Sequence[FundingQuote]) -> str:
        """Why its rates are not believed: their units, or one that cannot be true."""
        beyond = [why for quote in quoted if (why := beyond_cap(quote))]
        units = self._doubt(hedge.symbol, hedge.venues)
        doubted = "; ".join([*beyond, units] if units else beyond)
        if doubted:
            logger.warning("hedge {} is not judged by its rates now: {}", hedge.id, doubted)
        return doubted

    async def _leaving(self, hedge: Hedge, cash: Mapping[VenueId, LegCash]) -> Holding | None:
        """A hedge whose market has no rate any more, if a venue says why."""
        legs = []
        for venue in hedge.venues:
            try:
                rules = (await self._quotes[venue].instruments()).get(hedge.symbol)
            except VenueError as error:
                logger.warning("hedge {} is not judged now: {}", hedge.id, error)
                return None
            legs.append(legview.of_market(venue, hedge.symbol, rules))
        if not any(leg.leaving or leg.closed for leg in legs):
            # absent is unknown: a row that we cannot read is left out of the list as well
            logger.warning("hedge {} is not judged now: no rate for {}", hedge.id, hedge.symbol)
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

    async def _leg(self, hedge: Hedge, quote: FundingQuote, cash: LegCash | None) -> Leg:
        venue = quote.venue
        book, fee = None, None
        try:
            book = await self._quotes[venue].book(hedge.symbol)
            fee = await self._fee(venue, hedge.symbol)
        except VenueError as error:
            logger.info("hedge {}: leaving is counted at its worst, {}", hedge.id, error)
        size = self._store.leg_size(hedge.id, venue)
        return Leg(venue=venue, size=size, quote=quote, book=book, fee=fee, cash=cash)

    async def _rules(self, leg: Leg) -> Instrument | None:
        try:
            return await self._venues[leg.venue].instrument(leg.quote.symbol)
        except VenueError:
            return None

    async def _fee(self, venue: VenueId, symbol: Symbol) -> Decimal:
        """The account's taker fee; it changes rarely, and every request is taken from a limit."""
        now_s, known = self._clock.monotonic_s(), self._fees.get((venue, symbol))
        if known is None or now_s - known[0] > FEES_FOR_S:
            known = (now_s, (await self._venues[venue].fees(symbol)).taker)
            self._fees[venue, symbol] = known
        return known[1]

    async def _balance(self, venue: VenueId) -> Balance | None:
        """Not older than a minute: the guard of the account is another job's; this is a value."""
        try:
            return await self._venues[venue].balance(max_age_s=BALANCE_FOR_S)
        except VenueError as error:
            logger.info("the margin on {} is not judged now: {}", venue, error)
            return None

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

    def _alternative(
        self, hedge: Hedge, size_usd: Decimal, others: Sequence[Opportunity]
    ) -> Alternative | None:
        """The best other hedge, no larger than this one; only where there is no room for both."""
        live = self._store.live()
        if len(live) < self._settings.trading.max_open_hedges:
            return None
        busy = {one.symbol for one in live}
        free = (o for o in others if o.priced and o.pair.symbol not in busy)
        best = next((o for o in free if not self._doubt(o.pair.symbol, hedge.venues)), None)
        if best is None:
            return None
        share = min(ONE, size_usd / best.worth.size_usd)
        return Alternative(
            symbol=best.pair.symbol,
            value_usd=best.worth.value_usd * share,
            cost_usd=best.worth.cost_usd * share,
        )
