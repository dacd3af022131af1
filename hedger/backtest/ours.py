"""
Our rule: the daemon's own functions, asked once an hour. Nothing is decided here.

``opportunity`` and ``economics`` value a hedge with the fitted decay, ``entry`` and ``risk``
object, ``exits`` judges what is held. What the daemon reads from venues is modelled from the
record: books by ``costs``, instruments by the packaged rules. A daily volume is not recorded and
margins are not modelled, so the rules that ask for them are not asked; open interest is asked
for in hours that have it. A hedge is entered when its next settlement is as near as the rules
want it. Every market stands alone: limits over several hedges do not bind.
"""

from collections import deque
from dataclasses import dataclass, replace
from decimal import Decimal

from hedger import economics, entry, exits, opportunity, risk
from hedger.backtest.account import Hedge, usd
from hedger.backtest.costs import Terms
from hedger.backtest.modelled import HOUR_S, Modelled, exact
from hedger.backtest.replay import Close, Look, Open, Refuse, known
from hedger.backtest.series import instant
from hedger.decay import DecayModel
from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.market import OrderBook, RateSeen
from hedger.domain.money import BPS, ZERO
from hedger.domain.order import Side
from hedger.entry import EntryRules, MarketFacts
from hedger.holding import Action, ExitRules, Holding, Memory
from hedger.opportunity import Opportunity, Pair

OURS = "ours"
WIDEST_1H = 0.1  # no two venues can be so far apart
HALVINGS = 40
SURE = 0.999999  # of the cost that must be covered before a market is looked at closely


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that the daemon would take from its configuration."""

    model: DecayModel
    settlements: int
    entry: EntryRules
    exit: ExitRules
    limits: risk.Limits
    rollback_bps: Decimal = ZERO
    basis_gain_share: Decimal = ZERO
    persistence_share: Decimal = ZERO
    depth_bps: Decimal = BPS


class Ours:
    """One market of the daemon's life."""

    name = OURS

    def __init__(
        self,
        terms: Terms,
        policy: Policy,
        *,
        venues: tuple[VenueId, VenueId],
        size_usd: Decimal,
    ) -> None:
        self._terms = terms
        self._policy = policy
        self._venues = venues
        self._size_usd = size_usd
        self._symbol = terms.listed.symbol
        self._model = Modelled(terms, venues)
        self._candidate = opportunity.Terms(
            model=policy.model,
            settlements=policy.settlements,
            size_usd=size_usd,
            taker_fees=(exact(terms.fee_a), exact(terms.fee_b)),
            rollback_bps=policy.rollback_bps,
            basis_gain_share=policy.basis_gain_share,
        )
        self._leaving_bps = exact(terms.crossing) * BPS
        self._least = self._least_spread()
        self._memory = Memory()
        # the looks before, as many as the rule of persistence asks for
        self._before: deque[Look] = deque(maxlen=max(1, policy.entry.persistence - 1))

    def begin(self) -> None:
        self._before.clear()
        self._memory = Memory()

    def decide(self, look: Look, held: Hedge | None) -> Open | Close | Refuse | None:
        try:
            if held is not None:
                return self._judge(look, held)
            spread = look.rate_a - look.rate_b
            if spread == 0 or abs(spread) < self._least:
                return None
            return self._consider(look, 1 if spread > 0 else -1)
        finally:
            self._before.append(look)

    def _least_spread(self) -> float:
        """
        The spread below which a hedge cannot be worth anything: a shortcut, not a rule.

        What is expected grows with the spread, and a hedge costs at least four fees and the
        books. A basis in our favour could lower that; then nothing is left out.
        """
        policy = self._policy
        if policy.basis_gain_share > ZERO:
            return 0.0
        cost = exact(2 * self._terms.crossing * SURE)
        low, high = 0.0, WIDEST_1H
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            expected = policy.model.expected_sum(self._symbol, exact(middle), policy.settlements)
            low, high = (low, middle) if expected >= cost else (middle, high)
        return low

    def _consider(self, look: Look, direction: int) -> Open | Refuse:
        pair = self._model.pair(look)
        books = self._model.books(look)
        found = opportunity.with_books(
            opportunity.estimate(pair, self._candidate), *books, self._candidate
        )
        facts, rules = self._facts(look, pair, books), self._rules(look)
        sizing = self._sizing(found, books, facts, rules)
        if sizing.size == ZERO:
            return Refuse(direction, (str(entry.Code.SIZE),), sizing.bound_by, None)
        price = max(book.mid or ZERO for book in books)
        terms = replace(self._candidate, size_usd=sizing.size * price)
        found = opportunity.with_books(opportunity.estimate(pair, terms), *books, terms)
        expected = float(found.worth.value_usd)
        objections = entry.objections_to_entry(found.worth, facts, rules)
        if objections:
            return Refuse(
                direction,
                tuple(str(one.code) for one in objections),
                "; ".join(one.text for one in objections),
                expected,
            )
        answer = self._review(pair, found, sizing.size, price, look)
        if isinstance(answer, risk.Objected):
            return Refuse(
                direction,
                tuple(one.code for one in answer.objections),
                "; ".join(answer.reasons),
                expected,
            )
        self._memory = Memory()
        reason = f"worth {expected:.4f} USD over {self._policy.settlements} settlements"
        return Open(direction, sizing.size, reason, expected)

    def _sizing(
        self,
        found: Opportunity,
        books: tuple[OrderBook, OrderBook],
        facts: MarketFacts,
        rules: EntryRules,
    ) -> economics.Sizing:
        policy, (a, b) = self._policy, self._model.instruments
        expected = policy.model.expected_sum(self._symbol, found.pair.spread_1h, policy.settlements)
        costs = found.costs
        fixed_bps = costs.fees_bps + costs.basis_bps + costs.rollback_bps
        short_a = found.pair.side_a is Side.SELL
        caps = [("size per hedge", self._size_usd)]
        caps += [
            (f"order cap of {one.venue}", one.max_order_value_usd)
            for one in (a, b)
            if one.max_order_value_usd is not None
        ]
        return economics.best_size(
            long_book=books[1] if short_a else books[0],
            short_book=books[0] if short_a else books[1],
            gain_bps=entry.gain_bps(expected * BPS, fixed_bps, facts, rules),
            limits=economics.SizeLimits(
                step=self._terms.step,
                min_size=max(a.min_size, b.min_size),
                min_value_usd=max(a.min_notional_usd, b.min_notional_usd),
                price=max(found.pair.a.mark_price, found.pair.b.mark_price),
                caps=tuple(caps),
            ),
        )

    def _review(
        self, pair: Pair, found: Opportunity, size: Decimal, price: Decimal, look: Look
    ) -> risk.Approved | risk.Objected:
        a, b = self._model.instruments
        settles = instant(look.hour + 1)
        return risk.review(
            risk.Plan(
                symbol=self._symbol,
                side_a=pair.side_a,
                usd=self._size_usd,
                price=price,
                size=size,
                a=a,
                b=b,
                price_gap_bps=abs(exact(self._terms.basis_bps(look.hour))),
                next_settlement_a=settles,
                next_settlement_b=settles,
                expected_net_bps=found.worth.value_bps,
            ),
            self._policy.limits,
            risk.Book(),
        )

    def _facts(self, look: Look, pair: Pair, books: tuple[OrderBook, OrderBook]) -> MarketFacts:
        policy = self._policy
        interests = [one for one in (look.interest_a, look.interest_b) if known(one)]
        return MarketFacts(
            persisted=opportunity.persisted(pair, self._seen(), share=policy.persistence_share),
            volume_usd=None,
            open_interest_usd=exact(min(interests)) if len(interests) == 2 else None,
            depth_usd=min(economics.depth_usd(book, policy.depth_bps) for book in books),
            settles_in_s=min(HOUR_S, policy.entry.max_wait_s),
            interval_s=HOUR_S,
        )

    def _seen(self) -> list[RateSeen]:
        """What earlier looks were an estimate of: the settlement after each, newest first."""
        return [
            RateSeen(venue=venue, settlement_at=instant(look.hour + 1), rate_1h=exact(rate))
            for look in reversed(self._before)
            for venue, rate in zip(self._venues, (look.rate_a, look.rate_b), strict=True)
        ]

    def _rules(self, look: Look) -> EntryRules:
        rules = self._policy.entry
        recorded = known(look.interest_a) and known(look.interest_b)
        return replace(
            rules,
            min_volume_usd=ZERO,
            min_open_interest_usd=rules.min_open_interest_usd if recorded else ZERO,
        )

    def _judge(self, look: Look, held: Hedge) -> Close | None:
        judgement = exits.judge(
            Holding(
                hedge=HedgeId(self._symbol),
                symbol=self._symbol,
                size_usd=exact(held.size * look.price),
                spread_1h=held.direction * (exact(look.rate_a) - exact(look.rate_b)),
                first_settlement=instant(held.opened_hour + 1),
                next_settlement=instant(look.hour + 1),
                interval_s=HOUR_S,
                settles_in_s=HOUR_S,
                leaving_bps=self._leaving_bps,
                earned_usd=usd(held.funding),
            ),
            self._policy.exit,
            self._policy.model,
            self._memory,
        )
        self._memory = judgement.memory
        if judgement.action is not Action.LEAVE:
            return None
        return Close(f"{judgement.code}: {judgement.text}")
