"""
What a hedge is worth before it is opened, as pure functions: for size N and H whole settlements

    value = sum of the expected spread at each settlement * N
            - four fees - slippage in and out, by walking both books for N
            - the signed entry basis that is expected to cost
            - the chance of a rollback * what rollbacks were measured to cost

The expected spread comes from ``hedger.decay``, not from today's rate held for ever. Break-even
is the first whole settlement at which the cumulated expected path covers the cost, or None.
The naive APY, which other tools show, stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from hedger.decay import DecayModel
from hedger.domain.ids import Symbol
from hedger.domain.market import Level, OrderBook
from hedger.domain.money import BPS, ZERO, floor_to_step

HOURS_PER_YEAR = 24 * 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """
    What a hedge is expected to cost from entry to exit, in bps of its value per leg.

    ``basis_bps`` is signed: what the long leg costs above the short one at entry, as far as it
    is expected to be lost. ``rollback_bps`` is a probability times a measured cost.
    """

    fees_bps: Decimal
    slippage_bps: Decimal = ZERO
    basis_bps: Decimal = ZERO
    rollback_bps: Decimal = ZERO

    @property
    def total_bps(self) -> Decimal:
        """Everything together."""
        return self.fees_bps + self.slippage_bps + self.basis_bps + self.rollback_bps


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """
    What ``size_usd`` per leg is expected to bring over ``settlements`` settlements, in USD.

    ``break_even`` is a number of settlements; None when the cost is not expected to come in
    within a week. ``naive_apy`` is today's rate for a year without cost, for comparison.
    """

    size_usd: Decimal
    settlements: int
    funding_usd: Decimal
    cost_usd: Decimal
    value_usd: Decimal
    break_even: int | None
    naive_apy: Decimal

    @property
    def value_bps(self) -> Decimal:
        """The value in bps of one leg."""
        return self.value_usd / self.size_usd * BPS


def value(
    model: DecayModel,
    symbol: Symbol,
    spread_1h: Decimal,
    *,
    size_usd: Decimal,
    costs: Costs,
    settlements: int,
) -> Valuation:
    """The worth of a hedge; ``spread_1h`` is signed in the direction of the hedge."""
    cost = costs.total_bps / BPS
    funding_usd = model.expected_sum(symbol, spread_1h, settlements) * size_usd
    cost_usd = cost * size_usd
    return Valuation(
        size_usd=size_usd,
        settlements=settlements,
        funding_usd=funding_usd,
        cost_usd=cost_usd,
        value_usd=funding_usd - cost_usd,
        break_even=model.settlements_until(symbol, spread_1h, cost),
        naive_apy=spread_1h * HOURS_PER_YEAR,
    )


def basis_cost_bps(long_mid: Decimal, short_mid: Decimal, *, gain_share: Decimal) -> Decimal:
    """
    The entry basis that is expected to cost, signed, in bps of the mean of both mids.

    What the long leg costs above the short one is expected to be lost in full; of a basis in our
    favour only ``gain_share`` is expected to come.
    """
    basis = (long_mid - short_mid) / (long_mid + short_mid) * 2 * BPS
    return basis if basis > ZERO else basis * gain_share + ZERO  # not -0


def rollback_cost_bps(
    *, attempts: int, rollbacks: int, cost_bps: Decimal, prior: tuple[Decimal, Decimal]
) -> Decimal:
    """
    The probability of a rollback times its cost, from what was measured here.

    ``cost_bps`` is the mean of ``rollbacks``; ``prior`` is the probability and cost that are
    believed before anything was measured, and counts like ``PRIOR_ATTEMPTS`` attempts.
    """
    chance, cost = prior
    believed = chance * PRIOR_ATTEMPTS
    share = (believed + rollbacks) / (PRIOR_ATTEMPTS + attempts)
    weight = believed + rollbacks
    return share * (believed * cost + rollbacks * cost_bps) / weight if weight else ZERO


PRIOR_ATTEMPTS = 20


def walk(levels: Sequence[Level], size: Decimal) -> Decimal | None:
    """The average price of taking ``size`` coins; None when the book is too thin."""
    assert size > ZERO
    left, paid = size, ZERO
    for level in levels:
        taken = min(left, level.size)
        paid += taken * level.price
        left -= taken
        if left == ZERO:
            return paid / size
    return None


def slippage_bps(book: OrderBook, size: Decimal) -> Decimal | None:
    """Cost against the mid of going in on one side and out on the other, in bps."""
    mid = book.mid
    if mid is None:
        return None
    bought, sold = walk(book.asks, size), walk(book.bids, size)
    if bought is None or sold is None:
        return None
    return (bought - sold) / mid * BPS


def depth_usd(book: OrderBook, within_bps: Decimal) -> Decimal:
    """What the thinner side of a book holds within so many bps of its mid, in USD."""
    mid = book.mid
    if mid is None:
        return ZERO
    band = mid * within_bps / BPS
    sides = (book.asks, book.bids)
    return min(
        sum((x.price * x.size for x in side if abs(x.price - mid) <= band), ZERO) for side in sides
    )


# -- size -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeLimits:
    """
    What bounds a size: coins on the common step, and values per leg in USD by what sets them.

    ``caps`` holds configured limits, order value caps of the venues, and what the free margin
    of each venue carries.
    """

    step: Decimal
    min_size: Decimal
    min_value_usd: Decimal
    price: Decimal  # the highest at which a coin may be counted against the caps
    caps: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class Sizing:
    """The best size in coins, zero when none is worth it, and what kept it from being larger."""

    size: Decimal
    bound_by: str


def best_size(
    *,
    long_book: OrderBook,
    short_book: OrderBook,
    gain_bps: Decimal,
    limits: SizeLimits,
) -> Sizing:
    """
    The size with the highest value, on the step of both venues.

    ``gain_bps`` is everything that grows with the size alone: expected funding less fees, basis
    and rollback. Walking the books costs more with every coin, so the value is concave in the
    size: the best size is where the next coin would cost what it brings, or the first limit.
    Leaving is priced by the same books as entering.
    """
    long_mid, short_mid = long_book.mid, short_book.mid
    if long_mid is None or short_mid is None:
        return Sizing(ZERO, "a side of a book is empty")
    price = max(long_mid, short_mid, limits.price)
    best, why = _worth_taking(long_book, short_book, gain_bps / BPS)
    for name, usd in limits.caps:
        if usd / price < best:
            best, why = usd / price, name
    size = max(ZERO, floor_to_step(best, limits.step))
    if size < limits.min_size or size * min(long_mid, short_mid) < limits.min_value_usd:
        return Sizing(ZERO, f"{why}, below the venues' minimum")
    return Sizing(size, why)


def _worth_taking(
    long_book: OrderBook, short_book: OrderBook, gain: Decimal
) -> tuple[Decimal, str]:
    """Coins up to the first at which the price levels cost more than ``gain`` per value."""
    ladders = [(book, side) for book in (long_book, short_book) for side in (book.asks, book.bids)]
    mids = [book.mid or ZERO for book in (long_book, short_book)]
    at = [0] * len(ladders)
    left = [side[0].size for _, side in ladders]
    taken = ZERO
    while True:
        prices = [side[i].price for (_, side), i in zip(ladders, at, strict=True)]
        cost = (prices[0] - prices[1]) / mids[0] + (prices[2] - prices[3]) / mids[1]
        if cost >= gain:
            return taken, "the books cost more than a larger hedge brings"
        step = min(left)
        taken += step
        for n, (_, side) in enumerate(ladders):
            left[n] -= step
            if left[n] == ZERO:
                at[n] += 1
                if at[n] == len(side):
                    return taken, "the books hold no more"
                left[n] = side[at[n]].size
