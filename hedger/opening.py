"""
The way from a pair of quotes to an open hedge: what a person asked for, or what a scan found.

Economics (``hedger.entering``) objects to what a scan found only; risk objects to both. Between
the last word of risk and the hedge's row in the ledger nothing is awaited.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from loguru import logger

from hedger import risk
from hedger.breaker import CircuitBreaker
from hedger.clock import Clock
from hedger.clockwatch import ClockWatch
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import Symbol, VenueId, as_configured
from hedger.domain.money import ZERO, plain
from hedger.entering import Entering, Proposal
from hedger.entry import Code
from hedger.errors import UsageError
from hedger.executor import Executor
from hedger.ids import IdMaker
from hedger.ledger.records import Decision
from hedger.ledger.store import Store
from hedger.monitoring.market_facts import OPENING_S
from hedger.monitoring.namecheck import NameCheck
from hedger.opportunity import Opportunity, Pair
from hedger.ports import QuoteSource, Venue
from hedger.position_cache import PositionCache
from hedger.reconciler import Report
from hedger.retrying import asking
from hedger.riskdesk import RiskDesk
from hedger.sequence import Lanes
from hedger.settings import Settings


@dataclass(slots=True)
class Situation:
    """What blocks new risk at the moment, as the latest looks found it."""

    in_doubt: frozenset[VenueId] = frozenset()
    blocked: frozenset[tuple[VenueId, Symbol]] = frozenset()
    cooling: frozenset[Symbol] = frozenset()
    stopped: dict[str, str] = field(default_factory=dict)  # why, by who says so
    found: Sequence[Opportunity] = ()  # by the latest scan, the best first

    def note(self, report: Report) -> None:
        """Take over what a reconciliation found."""
        self.in_doubt = frozenset(report.in_doubt)
        self.blocked = report.blocked
        self.cooling = report.cooling


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Every new hedge is opened here."""

    settings: Settings
    venues: Mapping[VenueId, Venue]
    quotes: Mapping[VenueId, QuoteSource]
    store: Store
    executor: Executor
    positions: PositionCache
    breaker: CircuitBreaker
    lanes: Lanes
    clocks: ClockWatch
    entering: Entering
    riskdesk: RiskDesk
    names: NameCheck
    ids: IdMaker
    clock: Clock
    situation: Situation = field(default_factory=Situation)

    # -- the two doors ----------------------------------------------------------------------

    async def approved(self, symbol: Symbol, usd: Decimal) -> risk.Approved:
        """
        What a person asked for, in the direction that the present rates pay; for ``open``.

        Raises:
            UsageError: risk objects; the text holds every reason.
            ConfigError: a market that the configuration names is none.
            VenueError: a venue could not be asked.
        """
        await self.names.refuse()
        verdict = await self.judge(await self.plan(await self.pair(symbol), usd))
        if isinstance(verdict, risk.Objected):
            raise UsageError(f"{symbol} is not opened: " + "; ".join(verdict.reasons))
        return verdict

    async def enter(self, opportunity: Opportunity) -> Hedge | None:
        """
        Open what a scan found at its best size, if it is worth it and risk approves; else None.

        Every refusal is counted with its reason.

        Raises:
            VenueError: a venue could not be asked.
        """
        if not opportunity.priced:
            return None
        symbol = opportunity.pair.symbol
        proposal = await self.entering.propose(opportunity.pair)
        if proposal.objections:
            self._refuse(proposal, [(o.code, o.text) for o in proposal.objections])
            return None
        plan = await self.plan(opportunity.pair, None, proposal)
        verdict = self.review(plan)
        if isinstance(verdict, risk.Approved):
            for venue in plan.venues:
                # a first sieve that may be some seconds old; the executor reads freshly again
                held = await self.positions.get(venue, symbol)
                if held.size != ZERO:
                    self._refuse(proposal, [(Code.HELD, f"{venue} holds {plain(held.size)}")])
                    return None
            verdict = await self.judge(plan)
        if isinstance(verdict, risk.Objected):
            self._refuse(proposal, [(o.code, o.text) for o in verdict.objections])
            return None
        hedge = await self.open(verdict)
        self.count(symbol, "entry", hedge.state, hedge.reason, proposal.worth.value_usd)
        return hedge

    async def open(self, approved: risk.Approved) -> Hedge:
        """
        Open it at once: its row is in the ledger before anything is awaited.

        Raises:
            MarketBusyError: another hedge took the market in between.
        """
        hedge = await self.executor.open(approved, self.ids.hedge(approved.plan.symbol))
        if hedge.state is State.OPEN:
            self.breaker.succeeded()
        elif hedge.state is not State.REFUSED:
            self.breaker.failed()
        return hedge

    # -- what is decided --------------------------------------------------------------------

    async def judge(self, plan: risk.Plan) -> risk.Approved | risk.Objected:
        """
        Review, prove the leverage of what may be opened, and review again.

        Nothing may be awaited between the last review and the hedge's row in the ledger:
        another one could be opened in between and both be within a limit that they break
        together.
        """
        verdict = self.review(plan)
        if isinstance(verdict, risk.Objected):
            return verdict
        if self.riskdesk.leverage.proven(plan.symbol, plan.venues):
            return verdict  # nothing was awaited since
        doubts = await self.riskdesk.leverage.doubts(plan.symbol, plan.venues)
        return self.review(plan, doubts)

    def review(
        self, plan: risk.Plan, leverage_in_doubt: Mapping[VenueId, str] | None = None
    ) -> risk.Approved | risk.Objected:
        """What risk says, by what is known now; the quotes have aged since the plan was made."""
        if plan.quotes:
            age = self.clock.now() - min(quote.as_of for quote in plan.quotes)
            plan = replace(plan, quotes_age_s=age.total_seconds())
        reasons = [*self.situation.stopped.values(), self.breaker.reason, self.store.trouble or ""]
        reasons += self.lanes.held_back()
        reasons += self.clocks.held_back()
        reasons += self.names.held_back()
        book = self.riskdesk.book(self.situation, reasons, leverage_in_doubt)
        return risk.review(plan, self.riskdesk.limits, book)

    async def pair(self, symbol: Symbol) -> Pair:
        """
        The present quotes of both venues; small letters in their name need not be typed.

        Raises:
            UsageError: one of them has no active market.
            VenueError: a venue could not be asked.
        """
        first, second = self.settings.venues.order
        quotes = []
        for venue in (first, second):
            found = await asking(self.quotes[venue].funding, self.settings.retry_policy, self.clock)
            if symbol not in found and venue == first:
                symbol = next((s for s in found if as_configured(s) == symbol), symbol)
            if symbol not in found:
                raise UsageError(f"{symbol} has no active market on {venue}; `hedger scan` lists")
            quotes.append(found[symbol])
        return Pair(symbol=symbol, a=quotes[0], b=quotes[1])

    async def plan(
        self, pair: Pair, usd: Decimal | None, proposal: Proposal | None = None
    ) -> risk.Plan:
        """
        What a person asked for, sized at the higher mark, or the best size that was found.

        What the books say is asked again before anything is sent.
        """
        first, second = self.settings.venues.order
        a = await self.venues[first].instrument(pair.symbol, max_age_s=OPENING_S)
        b = await self.venues[second].instrument(pair.symbol, max_age_s=OPENING_S)
        price = max(pair.a.mark_price, pair.b.mark_price)
        if proposal is not None:
            size = proposal.size
            usd = min(size * price, self.settings.trading.max_position_size_usd)
        else:
            assert usd is not None
            size = risk.sized(usd, price, a, b)
        return risk.Plan(
            symbol=pair.symbol,
            side_a=pair.side_a,
            usd=usd,
            price=price,
            size=size,
            a=a,
            b=b,
            price_gap_bps=pair.price_gap_bps,
            next_settlement_a=pair.a.next_settlement_at,
            next_settlement_b=pair.b.next_settlement_at,
            expected_net_bps=proposal.worth.value_bps if proposal is not None else None,
            quotes=(pair.a, pair.b),
        )

    # -- what is counted --------------------------------------------------------------------

    def pass_over(self, opportunities: Sequence[Opportunity]) -> None:
        """Count the candidates that were not looked at closely, and why."""
        self.store.decide(
            [
                Decision(
                    symbol=o.pair.symbol,
                    about="entry",
                    code=Code.VALUE if o.worth.value_usd <= ZERO else Code.RANK,
                    text=f"worth {o.worth.value_usd:.4f} USD at most, before any book was read",
                    value_usd=o.worth.value_usd,
                )
                for o in opportunities
                if not o.priced
            ]
        )

    def _refuse(self, proposal: Proposal, reasons: Sequence[tuple[str, str]]) -> None:
        symbol, value_usd = proposal.pair.symbol, proposal.worth.value_usd
        logger.info("{} is not opened: {}", symbol, "; ".join(text for _, text in reasons))
        self.store.decide(
            [
                Decision(symbol=symbol, about="entry", code=code, text=text, value_usd=value_usd)
                for code, text in reasons
            ]
        )

    def count(
        self, symbol: Symbol, about: str, code: str, text: str, value_usd: Decimal | None = None
    ) -> None:
        """Count one decision."""
        self.store.decide(
            [Decision(symbol=symbol, about=about, code=code, text=text, value_usd=value_usd)]
        )
