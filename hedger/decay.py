"""
What is expected to be left of a spread at the settlements that follow: pure.

A spread that is here now is mostly gone within a day (data.md §3), so a rate must never be held
for ever. The model says which *share* of today's spread the k-th following settlement pays:

    expected(k) = share(k) * counted spread
    share(k) = fast * exp(-k / fast_h) + slow * exp(-k / slow_h) + floor         (pooled)
    share of a market = pooled share * the market's scale, never above 1
    counted spread = spread less a rounding step, of which what lies above KNEE_1H counts
                     only ``excess``: the larger a spread, the less of it is there an hour later.
                     The same holds for a spread against us, which is counted with that step

``share`` is signed in the direction of today's spread: hours at which the spread had flipped
count as negative, so that flips are in it. Beyond the longest lag that was recorded nothing is
known; there the share goes on falling with ``slow_h`` towards nothing instead of staying at the
floor. Every step is a whole settlement, of one hour on both venues.

``hedger.decayfit`` fits it from rows; ``hedger.decayfile`` reads and writes it.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from math import exp

from hedger.domain.ids import Symbol
from hedger.domain.money import ONE, ZERO

H_MAX = 168
"""Settlements that the tables hold: a week."""

RESOLUTION_1H = Decimal("0.000001")
"""
The step in which the venues round rates per hour.

X10's base rate is rounded to 1.3e-5 and Lighter's to 1.2e-5: one step of difference is no
opportunity. A positive spread is counted less one step, so that the artefact is worth nothing.
"""


KNEE_1H = Decimal("0.00006")
"""Half of the spreads that are worth a look are larger than this (53 % a year)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """
    The pooled curve. Weights are shares of the counted spread, ``*_h`` settlements, ``excess``
    the share of what lies above the knee that counts.
    """

    fast: float
    fast_h: float
    slow: float
    slow_h: float
    floor: float
    last_lag: int  # the longest lag that was recorded
    excess: float = 1.0

    def share(self, settlement: int) -> float:
        """The expected share at the ``settlement``-th following settlement, at most 1."""
        near = min(settlement, self.last_lag)
        left = self.fast * exp(-near / self.fast_h) + self.slow * exp(-near / self.slow_h)
        return min(1.0, left + self.floor) * exp(-(settlement - near) / self.slow_h)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayModel:
    """
    The pooled curve, and how much more or less of a spread single markets keep.

    ``origin`` names the rows it was fitted on, ``since`` and ``until`` their first and last
    hour, ``pairs`` how many pairs of hours there were, ``counts`` the rows of each market.
    """

    form: Form
    scales: Mapping[Symbol, Decimal]
    counts: Mapping[Symbol, int]
    origin: str
    since: datetime
    until: datetime
    pairs: int
    _excess: Decimal = field(init=False, repr=False, compare=False)
    _pooled: tuple[Decimal, ...] = field(init=False, repr=False, compare=False)
    _markets: Mapping[Symbol, tuple[Decimal, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Cumulate the tables, so that a sum over settlements is one look-up."""
        object.__setattr__(self, "_excess", Decimal(f"{self.form.excess:.6f}"))
        shares = [self.form.share(k) for k in range(1, H_MAX + 1)]
        object.__setattr__(self, "_pooled", _sums(shares, ONE))
        tables = {symbol: _sums(shares, scale) for symbol, scale in self.scales.items()}
        object.__setattr__(self, "_markets", tables)

    def share(self, symbol: Symbol, settlement: int) -> Decimal:
        """The expected share of today's spread at one following settlement, from 1 on."""
        sums = self._markets.get(symbol, self._pooled)
        return sums[settlement] - sums[settlement - 1]

    def counted(self, spread_1h: Decimal) -> Decimal:
        """
        The part of a spread that its shares are of; signed.

        Above the knee gains and losses are reduced alike: the shares were fitted on the size of
        spreads, signed in the direction of the first one, so a large spread against us reverts
        as one for us does. Only a gain is counted less the rounding step.
        """
        if spread_1h <= ZERO:
            return -self._above(-spread_1h)
        return self._above(max(ZERO, spread_1h - RESOLUTION_1H))

    def _above(self, size_1h: Decimal) -> Decimal:
        """A size, of which what lies above the knee counts in part."""
        if size_1h > KNEE_1H:
            return KNEE_1H + (size_1h - KNEE_1H) * self._excess
        return size_1h

    def expected_sum(self, symbol: Symbol, spread_1h: Decimal, settlements: int) -> Decimal:
        """
        What the next ``settlements`` settlements are expected to pay, as a fraction of value.

        ``spread_1h`` is signed in the direction of the hedge. A gain is counted less the
        venues' rounding step, a loss with it.
        """
        sums = self._markets.get(symbol, self._pooled)
        return sums[min(settlements, H_MAX)] * self.counted(spread_1h)

    def settlements_until(self, symbol: Symbol, spread_1h: Decimal, needed: Decimal) -> int | None:
        """The first whole settlement by which ``needed`` (a fraction) is expected, or None."""
        spread, sums = self.counted(spread_1h), self._markets.get(symbol, self._pooled)
        if spread <= ZERO:  # it only gets worse: either the first settlement is enough or none
            return 1 if sums[1] * spread >= needed else None
        found = max(1, bisect_left(sums, needed / spread))
        if found > 1 and sums[found - 1] * spread >= needed:  # the quotient was rounded up
            found -= 1
        elif found <= H_MAX and sums[found] * spread < needed:  # or down
            found += 1
        return found if found <= H_MAX else None


def _sums(shares: list[float], scale: Decimal) -> tuple[Decimal, ...]:
    exact = (min(ONE, Decimal(f"{share:.6f}") * scale) for share in shares)
    return tuple(accumulate(exact, initial=ZERO))
