"""
Whether a venue's rates are in the unit that we take them for. Pure.

The same rate comes in several units (per 8 hours, percent, with the sign beside it), and taking
one for another reverses the direction of a trade (peers.md §7). Two endpoints of a venue tell
the rate of the same hour in different units, so their ratio is 1 where both are read rightly,
and 8, 12.5 or 100, or one over that, where one of them is not:

* over all symbols, the ratios judge the venue: a unit error moves the many that stand at their
  base rate from exactly 1 to exactly such a factor. A change of rates between hours moves single
  ratios anywhere, but not the many to one factor, so an estimate may be held against the
  settlement of the hour before it too. On 325 recorded hours of both venues this never alarmed
  wrongly, and missed 0.6 % of the errors put into groups of twelve symbols;
* a single symbol is judged by nothing but its own ratio *for the same hour*, and only such a
  factor counts. That a rate changed is no evidence: predicted and settled rates differ in sign
  in 15 % of neighbouring hours.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from statistics import median_low
from typing import Final

from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import FundingQuote
from hedger.domain.money import BPS, ONE, ZERO, plain, rounded

ERRORS: Final = (Decimal(8), Decimal("12.5"), Decimal(100))
"""Per 8 h for per hour; percent per hour for a fraction per 8 h; percent for a fraction."""

FACTORS: Final = tuple(sorted([*ERRORS, *(ONE / error for error in ERRORS)]))
OWN_SPREAD: Final = Decimal("1.05")
"""How near one symbol's ratio has to be to a factor: a unit error is exact but for rounding."""

ALL_SPREAD: Final = Decimal("1.25")
"""The same for the median of all: 8 and 12.5 lie 1.56 apart, so that they are told apart."""

LEAST_SHARE: Final = Decimal("0.25")
"""Of the symbols have to show one factor, and more of them than show a ratio of 1."""

LEAST: Final = 3

OPPOSITE_SHARE: Final = Decimal(2) / Decimal(3)
"""So many opposite signs are no chance: 0.15 is what neighbouring hours have."""

OPPOSITE_QUORUM: Final = 8

TELLING: Final = Decimal("0.000005")
"""
The larger of two rates has to be at least this. Both venues tell settled rates in steps of a
millionth, so that two rates of a few steps have no ratio worth the name. The smaller one may be
anything but zero: a hundredth of a base rate is just what is looked for.
"""

QUORUM: Final = 5
"""Fewer symbols than this judge no venue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One symbol at two endpoints. ``same_hour``: both mean the settlement of one hour."""

    symbol: Symbol
    estimate_1h: Decimal
    settled_1h: Decimal
    same_hour: bool

    @property
    def ratio(self) -> Decimal | None:
        """Estimate by settlement; None where one is too small to tell."""
        larger = max(abs(self.estimate_1h), abs(self.settled_1h))
        if larger < TELLING or ZERO in {self.estimate_1h, self.settled_1h}:
            return None
        return self.estimate_1h / self.settled_1h


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """
    What the comparison came to. ``venue`` is why all its rates are doubted, else empty.

    ``judged`` is how many symbols had a ratio; below ``QUORUM`` nothing was judged.
    """

    judged: int
    venue: str
    out: Mapping[Symbol, str]

    @property
    def enough(self) -> bool:
        """Whether there were symbols enough to judge the venue by."""
        return self.judged >= QUORUM


def judge(compared: Sequence[Compared]) -> Judgement:
    """Hold the endpoints of one venue against each other."""
    ratios = [ratio for one in compared if (ratio := one.ratio) is not None]
    venue = _judge_all(ratios) if len(ratios) >= QUORUM else ""
    out = {one.symbol: why for one in compared if (why := _judge_one(one))}
    return Judgement(judged=len(ratios), venue=venue, out=out)


def _judge_all(ratios: Sequence[Decimal]) -> str:
    sizes = [abs(ratio) for ratio in ratios]
    right = sum(_near(size, ONE, OWN_SPREAD) for size in sizes)
    middle = median_low(sizes)
    for factor in FACTORS:
        showing = sum(_near(size, factor, OWN_SPREAD) for size in sizes)
        many = showing >= LEAST and showing >= LEAST_SHARE * len(sizes)
        if showing > right and (many or _near(middle, factor, ALL_SPREAD)):
            return (
                f"estimates are {plain(factor)} times the settled rates at {showing} of"
                f" {len(sizes)} symbols, and equal at {right}: a unit error"
            )
    opposite = sum(ratio < ZERO for ratio in ratios)
    if len(ratios) >= OPPOSITE_QUORUM and opposite >= OPPOSITE_SHARE * len(ratios):
        return (
            f"estimates and settled rates have opposite signs at {opposite} of {len(ratios)}"
            " symbols: who pays whom is read wrongly at one endpoint"
        )
    return ""


def _judge_one(one: Compared) -> str:
    """A factor is believed only where rounding cannot have made it, and 1 does not fit."""
    ratio = one.ratio
    if not one.same_hour or ratio is None or ratio < ZERO:
        return ""
    factor = _factor(ratio)
    if factor is None:
        return ""
    return (
        f"its estimate is {_shown(ratio)} times its settled rate of the same hour:"
        f" a unit error of {plain(factor)}"
    )


def _factor(ratio: Decimal) -> Decimal | None:
    """The unit error that a positive ratio is near to."""
    return next((factor for factor in FACTORS if _near(ratio, factor, OWN_SPREAD)), None)


def _near(ratio: Decimal, factor: Decimal, spread: Decimal) -> bool:
    return factor / spread < ratio < factor * spread


def _shown(ratio: Decimal) -> str:
    return rounded(ratio, 3)


def beyond_cap(quote: FundingQuote) -> str:
    """Why a rate cannot be true; empty where it can. The venue clamps every rate to its cap."""
    if quote.cap_1h is None or abs(quote.rate_1h) <= quote.cap_1h:
        return ""
    return (
        f"the rate of {quote.symbol} on {quote.venue} is {plain(quote.rate_1h)} an hour,"
        f" beyond the venue's cap of {plain(quote.cap_1h)}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """What a venue told of the settlement at one instant, by symbol; the latest word counts."""

    venue: VenueId
    settles_at: datetime
    rates: Mapping[Symbol, Decimal]


def compare(
    symbol: Symbol, seen: Sequence[Estimates], settled: Mapping[datetime, Decimal]
) -> Compared | None:
    """
    The best comparison there is of one symbol: of the same hour, else of neighbouring ones.

    None where the symbol has no estimate or no settlement near one.
    """
    newest = sorted(seen, key=lambda one: one.settles_at, reverse=True)
    for estimates in newest:
        if symbol in estimates.rates and estimates.settles_at in settled:
            return Compared(
                symbol=symbol,
                estimate_1h=estimates.rates[symbol],
                settled_1h=settled[estimates.settles_at],
                same_hour=True,
            )
    for estimates in newest:
        before = [at for at in settled if at < estimates.settles_at]
        if symbol in estimates.rates and before:
            return Compared(
                symbol=symbol,
                estimate_1h=estimates.rates[symbol],
                settled_1h=settled[max(before)],
                same_hour=False,
            )
    return None


GAP_QUORUM: Final = 10


def median_gap_bps(
    first: Mapping[Symbol, FundingQuote], second: Mapping[Symbol, FundingQuote]
) -> Decimal | None:
    """
    How far apart two venues price everything, signed; None with too few symbols.

    Single markets differ by their basis. All of them in one direction means that the money in
    which one venue counts is not worth what the other's is.
    """
    gaps = [
        (first[symbol].mark_price / second[symbol].mark_price - ONE) * BPS
        for symbol in sorted(first.keys() & second.keys())
    ]
    return median_low(gaps) if len(gaps) >= GAP_QUORUM else None


def estimates_text(estimates: Mapping[datetime, Mapping[Symbol, Decimal]]) -> str:
    """Estimates by the settlement that they are of, for the ledger."""
    rows = {
        at.isoformat(): {symbol: plain(rate) for symbol, rate in rates.items()}
        for at, rates in estimates.items()
    }
    return json.dumps(rows, separators=(",", ":"))


def parsed_estimates(text: str) -> dict[datetime, dict[Symbol, Decimal]]:
    """The inverse of ``estimates_text``."""
    return {
        datetime.fromisoformat(at): {Symbol(s): Decimal(rate) for s, rate in rates.items()}
        for at, rates in json.loads(text).items()
    }
