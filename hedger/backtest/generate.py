"""
Hours that nobody recorded, from where the record ends: generated, and marked so everywhere.

Spreads come as shocks. A shock decays along the fitted curve of ``hedger.decay``: whole at its
own hour, then at each following settlement the expected share of what the model counts of it.
So the path of a shock is the one that the model expects. *Worthy* shocks are worth ``WORTHY``
times what a round trip costs on their market over ``HORIZON`` settlements, *decoys* only
``DECOY`` times, and are as frequent; directions are random. How often worthy ones come follows
from the share of hours that are to be of positive value; the share that came out is counted,
because the generator knows the expected future of every hour. Rates carry noise and
the venues' rounding; marks stand still.

This shows whether the rules find what is there and leave what is not. It says nothing about how
often real markets offer anything.
"""

import random
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from math import copysign

from hedger.backtest.costs import Assumptions, Terms, terms
from hedger.backtest.loading import Record
from hedger.backtest.package import Package
from hedger.backtest.series import UNKNOWN, Series
from hedger.decay import H_MAX, DecayModel
from hedger.domain.ids import Symbol

YEAR_H = 24 * 365
HORIZON = 24
WORTHY = (2.0, 8.0)
DECOY = (0.2, 0.9)
BASE_1H = 1.2e-5  # what both venues charge when nothing happens
NOISE_1H = 3e-6
PLACES = 6  # venues round rates to 1e-6
HALVINGS = 30
LAST_SHARE = 0.005  # a shock that has decayed to this is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """Market-years and what is known about them."""

    series: Mapping[Symbol, Series]
    hours: int
    positive_hours: int
    wanted_share: Decimal

    @property
    def note(self) -> str:
        """For every output that shows them."""
        share = self.positive_hours / self.hours
        return (
            f"GENERATED, not recorded: {len(self.series)} markets, {self.hours} market-hours,"
            f" shocks with the fitted decay, {share:.2%} of hours of positive expected value"
        )


def generate(
    record: Record,
    package: Package,
    model: DecayModel,
    assumed: Assumptions,
    *,
    years: int,
    positive_share: Decimal,
) -> Generated:
    """``years`` of every packaged market, each from the end of its record on."""
    end = max(one.hours[-1] for one in record.series.values()) + 1
    made, positive = {}, 0
    for symbol in sorted(package.markets):
        before = record.series.get(symbol)
        start = before.hours[-1] + 1 if before else end
        last = before.rate_a[-1] - before.rate_b[-1] if before else 0.0
        one, worth = _market(
            symbol,
            model,
            terms(package, symbol, assumed),
            start=start,
            hours=years * YEAR_H,
            last_spread=last,
            share=float(positive_share),
            most=min(facts.max_rate_1h for facts in package.facts),
            chance=random.Random(f"{assumed.seed}|{symbol}"),  # noqa: S311 - no secret
        )
        made[symbol] = one
        positive += worth
    return Generated(
        series=made,
        hours=len(made) * years * YEAR_H,
        positive_hours=positive,
        wanted_share=positive_share,
    )


def _market(
    symbol: Symbol,
    model: DecayModel,
    market: Terms,
    *,
    start: int,
    hours: int,
    last_spread: float,
    share: float,
    most: float,
    chance: random.Random,
) -> tuple[Series, int]:
    """One market, and how many of its hours are of positive expected value."""
    path = _path(model, symbol)
    ahead = _ahead(path)
    cost = 2 * market.crossing
    unit = cost / ahead[0]  # what must be counted of a shock that is worth exactly a round trip
    often = share / _lasting(ahead)
    spread = array("d", bytes(8 * hours))
    future = array("d", bytes(8 * hours))

    def shock(at: int, counted: float, *, age: int = 0) -> None:
        for k in range(min(len(path) - age, hours - at)):
            spread[at + k] += counted * path[k + age]
            future[at + k] += counted * ahead[k + age]

    # what the record ended with goes on decaying
    shock(0, copysign(_counted(model, abs(last_spread)), last_spread), age=1)
    at = 0
    while often > 0:
        at += 1 + int(chance.expovariate(2 * often))
        if at >= hours:
            break
        low, high = WORTHY if chance.random() < 0.5 else DECOY
        sign, counted = chance.choice((-1, 1)), chance.uniform(low, high) * unit
        shock(at, sign * counted)
        spread[at] += sign * (_whole(model, counted, most) - counted)
    positive = sum(abs(one) > cost for one in future)
    rate_a, rate_b = array("d"), array("d")
    for one in spread:
        rate_a.append(_rate(BASE_1H + max(0.0, one), chance, most))
        rate_b.append(_rate(BASE_1H + max(0.0, -one), chance, most))
    return _series(symbol, start, rate_a, rate_b), positive


def _counted(model: DecayModel, spread: float) -> float:
    """What the model counts of a spread."""
    return float(model.counted(Decimal(repr(spread))))


def _whole(model: DecayModel, counted: float, most: float) -> float:
    """The spread of which the model counts that much, or the largest there can be."""
    low, high = 0.0, most
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _counted(model, middle) < counted else (low, middle)
    return high


def _rate(value: float, chance: random.Random, most: float) -> float:
    return round(min(most, value + NOISE_1H * (2 * chance.random() - 1)), PLACES)


def _path(model: DecayModel, symbol: Symbol) -> list[float]:
    """The share of a shock at its own hour and after."""
    shares = [1.0] + [float(model.share(symbol, k)) for k in range(1, H_MAX + 1)]
    while len(shares) > 2 and shares[-1] < LAST_SHARE:
        shares.pop()
    return shares


def _ahead(path: list[float]) -> list[float]:
    """The expected sum of the ``HORIZON`` settlements after each hour of a shock."""
    sums = [0.0, *accumulate(path)]
    return [sums[min(k + 1 + HORIZON, len(path))] - sums[k + 1] for k in range(len(path))]


def _lasting(ahead: list[float]) -> float:
    """How many hours a worthy shock stays worth its cost, on average."""
    steps = 50
    low, high = WORTHY
    sizes = [low + (high - low) * (n + 0.5) / steps for n in range(steps)]
    return sum(sum(size * left > ahead[0] for left in ahead) for size in sizes) / steps


def _series(symbol: Symbol, start: int, rate_a: "array[float]", rate_b: "array[float]") -> Series:
    count = len(rate_a)
    nothing = array("d", [UNKNOWN]) * count
    return Series(
        symbol=symbol,
        hours=array("q", range(start, start + count)),
        rate_a=rate_a,
        rate_b=rate_b,
        mark_a=nothing,
        mark_b=nothing,
        interest_a=nothing,
        interest_b=nothing,
        sources=array("i", bytes(4 * count)),
        generated=True,
    )
