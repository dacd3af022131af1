"""
Candidates for a hedge: the same asset on both venues, valued by ``hedger.economics``. Pure.

Without books a candidate has the value that it would have at most; with them it has slippage,
basis and the value for the size that was asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from hedger import economics
from hedger.decay import DecayModel
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import FundingQuote, OrderBook, RateSeen
from hedger.domain.money import BPS, ZERO, plain
from hedger.domain.order import Side
from hedger.economics import Costs, Valuation


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The same asset on both venues, in the order in which the legs open."""

    symbol: Symbol
    a: FundingQuote
    b: FundingQuote

    @property
    def spread_1h(self) -> Decimal:
        """What the right direction earns per hour, as a fraction: never negative."""
        return abs(self.a.rate_1h - self.b.rate_1h)

    @property
    def side_a(self) -> Side:
        """
        The side of leg A that receives the spread.

        Longs pay a positive rate, so the short leg belongs where the rate is higher (S26).
        """
        return Side.SELL if self.a.rate_1h > self.b.rate_1h else Side.BUY

    @property
    def price_gap_bps(self) -> Decimal:
        """How far the two marks are apart, in basis points of their mean."""
        mean = (self.a.mark_price + self.b.mark_price) / 2
        return abs(self.a.mark_price - self.b.mark_price) / mean * BPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What every candidate is valued with."""

    model: DecayModel
    settlements: int
    size_usd: Decimal
    taker_fees: tuple[Decimal, Decimal]  # fractions
    rollback_bps: Decimal = ZERO
    basis_gain_share: Decimal = ZERO

    @property
    def fees_bps(self) -> Decimal:
        """Four fees: in and out, on both venues."""
        return 2 * (self.taker_fees[0] + self.taker_fees[1]) * BPS


@dataclass(frozen=True, slots=True, kw_only=True)
class Opportunity:
    """One candidate. Before books were read (``priced`` is False) it is worth that at most."""

    pair: Pair
    costs: Costs
    worth: Valuation
    priced: bool = False
    note: str = ""


def pair_up(
    first: Mapping[Symbol, FundingQuote],
    second: Mapping[Symbol, FundingQuote],
    *,
    max_price_gap_bps: Decimal,
) -> tuple[list[Pair], list[Pair]]:
    """
    Pairs of the symbols that both venues quote: those whose prices agree, and those not.

    Equal names do not make equal assets (1000PEPE and PEPE); equal prices come close (S54).
    """
    pairs = [
        Pair(symbol=symbol, a=first[symbol], b=second[symbol])
        for symbol in sorted(first.keys() & second.keys())
    ]
    agree = [pair for pair in pairs if pair.price_gap_bps <= max_price_gap_bps]
    return agree, [pair for pair in pairs if pair.price_gap_bps > max_price_gap_bps]


def estimate(pair: Pair, terms: Terms) -> Opportunity:
    """The candidate before any book was read: without slippage and basis."""
    return _valued(pair, terms, Costs(fees_bps=terms.fees_bps, rollback_bps=terms.rollback_bps))


def with_books(
    candidate: Opportunity, book_a: OrderBook, book_b: OrderBook, terms: Terms
) -> Opportunity:
    """The candidate with slippage and basis for ``terms.size_usd`` per leg."""
    pair, mid_a, mid_b = candidate.pair, book_a.mid, book_b.mid
    if mid_a is None or mid_b is None:
        return replace(candidate, note="a side of a book is empty")
    size = terms.size_usd * 2 / (mid_a + mid_b)
    slip_a, slip_b = economics.slippage_bps(book_a, size), economics.slippage_bps(book_b, size)
    if slip_a is None or slip_b is None:
        return replace(candidate, note=f"the books are too thin for {plain(terms.size_usd)} USD")
    costs = replace(
        candidate.costs,
        slippage_bps=slip_a + slip_b,
        basis_bps=basis_bps(pair.side_a, mid_a, mid_b, terms.basis_gain_share),
    )
    return replace(_valued(pair, terms, costs), priced=True)


def basis_bps(side_a: Side, mid_a: Decimal, mid_b: Decimal, gain_share: Decimal) -> Decimal:
    """What the long leg costs above the short one, as far as that is expected to be lost."""
    long_mid, short_mid = (mid_a, mid_b) if side_a is Side.BUY else (mid_b, mid_a)
    return economics.basis_cost_bps(long_mid, short_mid, gain_share=gain_share)


def _valued(pair: Pair, terms: Terms, costs: Costs) -> Opportunity:
    worth = economics.value(
        terms.model,
        pair.symbol,
        pair.spread_1h,
        size_usd=terms.size_usd,
        costs=costs,
        settlements=terms.settlements,
    )
    return Opportunity(pair=pair, costs=costs, worth=worth)


def by_value(candidates: Sequence[Opportunity]) -> list[Opportunity]:
    """Best first: those with books by their value, then the rest by what they are worth at most."""
    return sorted(candidates, key=lambda c: (not c.priced, -c.worth.value_usd, c.pair.symbol))


def persisted(pair: Pair, seen: Sequence[RateSeen], *, share: Decimal) -> int:
    """
    For how many settlements in a row, the next one included, the spread pays this way.

    ``seen`` are earlier estimates, the newest first; the latest of each settlement and venue
    counts. A settlement counts when at least ``share`` of today's spread was there in today's
    direction. One that was not looked at on both venues ends the row.
    """
    latest: dict[tuple[VenueId, datetime], Decimal] = {}
    for rate in seen:
        latest.setdefault((rate.venue, rate.settlement_at), rate.rate_1h)
    interval = timedelta(seconds=pair.a.interval_s)
    count, back_a, back_b = 1, pair.a.next_settlement_at, pair.b.next_settlement_at
    while pair.spread_1h > ZERO:
        back_a, back_b = back_a - interval, back_b - interval
        a, b = latest.get((pair.a.venue, back_a)), latest.get((pair.b.venue, back_b))
        if a is None or b is None or spread_kept(pair.side_a, a, b) < share * pair.spread_1h:
            break
        count += 1
    return count


def spread_kept(side_a: Side, rate_a: Decimal, rate_b: Decimal) -> Decimal:
    """What an open hedge earns per hour at these rates; negative when it pays."""
    return (rate_b - rate_a) if side_a is Side.BUY else (rate_a - rate_b)


def fees_of(
    venues: tuple[VenueId, VenueId], bps: Mapping[VenueId, Decimal]
) -> tuple[Decimal, Decimal]:
    """Assumed taker fees of both venues as fractions."""
    return (bps.get(venues[0], ZERO) / BPS, bps.get(venues[1], ZERO) / BPS)
