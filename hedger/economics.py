"""
What a hedge is worth, as pure functions of quotes and books.

Per candidate and size, over ``horizon_h`` hours (peers.md §8):

    net = (rate of the short leg - rate of the long leg) * hours
          - four taker fees - slippage in and out on both books - signed entry basis

in basis points of the hedge's value per leg. The present rates are held for the whole horizon:
that is the simple rule of this version, and the horizon is printed beside every figure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import FundingQuote, Level, OrderBook
from hedger.domain.money import BPS, ZERO
from hedger.domain.order import Side

HOURS_PER_YEAR = 24 * 365


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
class Opportunity:
    """One candidate with everything that was counted. ``net_bps`` is None without books."""

    pair: Pair
    horizon_h: int
    gross_bps: Decimal
    fees_bps: Decimal
    slippage_bps: Decimal | None
    basis_bps: Decimal | None
    net_bps: Decimal | None
    note: str = ""

    @property
    def rank(self) -> Decimal:
        """Gross less fees: the most that books can leave over."""
        return self.gross_bps - self.fees_bps

    @property
    def naive_apy(self) -> Decimal:
        """The figure that other tools show: the present spread for a year, without cost."""
        return self.pair.spread_1h * HOURS_PER_YEAR


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


def estimate(pair: Pair, *, horizon_h: int, taker_fees: tuple[Decimal, Decimal]) -> Opportunity:
    """The candidate before any book was read."""
    gross = pair.spread_1h * horizon_h * BPS
    fees = 2 * (taker_fees[0] + taker_fees[1]) * BPS  # in and out, on both venues
    return Opportunity(
        pair=pair,
        horizon_h=horizon_h,
        gross_bps=gross,
        fees_bps=fees,
        slippage_bps=None,
        basis_bps=None,
        net_bps=None,
    )


def walk(levels: Sequence[Level], size: Decimal) -> Decimal | None:
    """The average price of taking ``size`` coins; None when the book is too thin."""
    assert size > ZERO
    left, value = size, ZERO
    for level in levels:
        taken = min(left, level.size)
        value += taken * level.price
        left -= taken
        if left == ZERO:
            return value / size
    return None


def _slippage_bps(book: OrderBook, size: Decimal) -> Decimal | None:
    """Cost against the mid of going in on one side and out on the other, in bps."""
    mid = book.mid
    if mid is None:
        return None
    bought, sold = walk(book.asks, size), walk(book.bids, size)
    if bought is None or sold is None:
        return None
    return (bought - sold) / mid * BPS


def with_books(
    candidate: Opportunity, book_a: OrderBook, book_b: OrderBook, *, size_usd: Decimal
) -> Opportunity:
    """
    The candidate with slippage and basis for ``size_usd`` per leg.

    The basis is what the long leg's mid costs above the short leg's; it is a cost when
    positive and a gain when negative. Leaving at the same basis is not assumed.
    """
    pair = candidate.pair
    mid_a, mid_b = book_a.mid, book_b.mid
    if mid_a is None or mid_b is None:
        return _without_net(candidate, "a side of a book is empty")
    mid = (mid_a + mid_b) / 2
    size = size_usd / mid
    slip_a, slip_b = _slippage_bps(book_a, size), _slippage_bps(book_b, size)
    if slip_a is None or slip_b is None:
        return _without_net(candidate, f"the books are too thin for {size_usd} USD")
    long_mid, short_mid = (mid_a, mid_b) if pair.side_a is Side.BUY else (mid_b, mid_a)
    basis = (long_mid - short_mid) / mid * BPS
    slippage = slip_a + slip_b
    return Opportunity(
        pair=pair,
        horizon_h=candidate.horizon_h,
        gross_bps=candidate.gross_bps,
        fees_bps=candidate.fees_bps,
        slippage_bps=slippage,
        basis_bps=basis,
        net_bps=candidate.gross_bps - candidate.fees_bps - slippage - basis,
    )


def _without_net(candidate: Opportunity, note: str) -> Opportunity:
    return Opportunity(
        pair=candidate.pair,
        horizon_h=candidate.horizon_h,
        gross_bps=candidate.gross_bps,
        fees_bps=candidate.fees_bps,
        slippage_bps=None,
        basis_bps=None,
        net_bps=None,
        note=note,
    )


def by_net(candidates: Sequence[Opportunity]) -> list[Opportunity]:
    """Best first: known net figures by size, then the rest by what they could be at most."""
    known = [c for c in candidates if c.net_bps is not None]
    rest = [c for c in candidates if c.net_bps is None]
    known.sort(key=lambda c: (-(c.net_bps or ZERO), c.pair.symbol))
    rest.sort(key=lambda c: (-c.rank, c.pair.symbol))
    return known + rest


def spread_kept(side_a: Side, rate_a: Decimal, rate_b: Decimal) -> Decimal:
    """What an open hedge earns per hour at these rates; negative when it pays."""
    return (rate_b - rate_a) if side_a is Side.BUY else (rate_a - rate_b)


def fees_of(
    venues: tuple[VenueId, VenueId], bps: Mapping[VenueId, Decimal]
) -> tuple[Decimal, Decimal]:
    """Assumed taker fees of both venues as fractions."""
    return (bps.get(venues[0], ZERO) / BPS, bps.get(venues[1], ZERO) / BPS)
