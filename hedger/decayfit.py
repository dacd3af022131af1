"""
Fit the decay of spreads on recorded rows: least squares, pure.

For every lag k, rows of the same market and source k hours apart are paired. A pair says which
share of the spread at the first hour was left at the second, signed in the first one's
direction. The pooled share at lag k is the mean of those, and the curve of ``hedger.decay`` is
fitted to all lags at once by weighted least squares. How rows are weighted:

- by the size of the first spread: a hedge is opened on large ones, and what counts is money, not
  cases. The mean of shares so weighted is the money left over the money there was;
- spreads below ``LEAST_1H`` are left out: nobody opens on them, and the rounding of the venues'
  base rates looks like a spread that never decays;
- against survivorship: rows of a bot's log exist only where it still held, or still saw a
  candidate. For each source and lag we count how many of its markets are still seen k hours
  later, among the hours at which it saw anything at all. A source that sees every market at
  every hour has 1; pairs of one that lost two thirds of its markets count a third, and for the
  lost ones as many pairs are counted that had the mean of the fully seen sources, or, where
  there is none, nothing left.

A market with ``MARKET_ROWS`` rows or more gets a scale of its own: what it kept over what all
markets of the same source kept, drawn towards 1 as if ``PRIOR_ROWS`` rows had said 1.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import combinations
from math import exp
from statistics import median

from hedger.decay import DecayModel, Form
from hedger.domain.ids import Symbol

LEAST_1H = 1e-5
"""9 % a year: below that no spread ever pays four fees."""

LAGS = 72
MARKET_ROWS = 24
PRIOR_ROWS = 48
MOST = 2.0
FULL = 0.9  # a source that still sees so many of its markets is a panel, not a selection
FAST_H = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
SLOW_H = (8.0, 12.0, 16.0, 24.0, 36.0, 48.0)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class PairRow:
    """The spread of one market in one hour: rate of the first venue less the second's."""

    source: str
    symbol: Symbol
    hour: datetime
    spread_1h: Decimal


@dataclass(slots=True)
class _Sum:
    """Weighted mean of the shares of one lag."""

    weight: float = 0.0
    total: float = 0.0

    def add(self, weight: float, share: float) -> None:
        self.weight += weight
        self.total += weight * share

    @property
    def mean(self) -> float:
        return self.total / self.weight if self.weight else 0.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one source says about one lag; ``coverage`` is the share of it that it still saw."""

    coverage: float
    pairs: int
    there: _Sum
    markets: Mapping[Symbol, _Sum]


Series = dict[Symbol, dict[datetime, float]]


def fit(rows: Iterable[PairRow], *, origin: str) -> DecayModel:
    """
    The model that these rows support.

    Raises:
        ValueError: no market was seen in two hours with a spread worth trading.
    """
    sources: dict[str, Series] = defaultdict(lambda: defaultdict(dict))
    hours, counts = [], defaultdict[Symbol, int](int)
    for row in rows:
        sources[row.source][row.symbol][row.hour] = float(row.spread_1h)
        hours.append(row.hour)
        counts[row.symbol] += 1
    lags = _lags(sources)
    if not lags:
        raise ValueError("no market was seen in two hours with a spread of 0.00001 or more")
    return DecayModel(
        form=_fitted({k: _pooled(seen) for k, seen in lags.items()}),
        scales=_scales(lags, counts),
        counts=dict(sorted(counts.items())),
        origin=origin,
        since=min(hours),
        until=max(hours),
        pairs=sum(source.pairs for seen in lags.values() for source in seen),
    )


def _lags(sources: Mapping[str, Series]) -> dict[int, list[_Seen]]:
    """Every lag at which something was paired, with what each source says about it."""
    recorded = {name: _recorded(series) for name, series in sources.items()}
    found = {}
    for k in range(1, LAGS + 1):
        seen = [_paired(series, recorded[name], k) for name, series in sources.items()]
        if any(source.pairs for source in seen):
            found[k] = [source for source in seen if source.pairs]
    return found


def _recorded(series: Series) -> set[datetime]:
    """Hours of which a source has at least half as many markets as usual: no partial ones."""
    count: dict[datetime, int] = defaultdict(int)
    for hours in series.values():
        for hour in hours:
            count[hour] += 1
    usual = median(count.values())
    return {hour for hour, markets in count.items() if 2 * markets >= usual}


def _paired(series: Series, recorded: set[datetime], k: int) -> _Seen:
    """The pairs of one source at lag ``k``."""
    there, expected, pairs = _Sum(), 0.0, 0
    markets: dict[Symbol, _Sum] = defaultdict(_Sum)
    for symbol, hours in series.items():
        for hour, spread in hours.items():
            weight, later = abs(spread), hour + k * HOUR
            if weight < LEAST_1H or later not in recorded:
                continue
            expected += weight
            if later in hours:
                there.add(weight, hours[later] / spread)
                markets[symbol].add(weight, hours[later] / spread)
                pairs += 1
    coverage = there.weight / expected if expected else 0.0
    return _Seen(coverage, pairs, there, markets)


def _pooled(seen: list[_Seen]) -> _Sum:
    """Put the sources together; what a selection lost counts as the panels saw it, or as gone."""
    pooled, panel = _Sum(), _Sum()
    for source in seen:
        if source.coverage >= FULL:
            panel.add(source.there.weight, source.there.mean)
    for source in seen:
        pooled.add(source.there.weight * source.coverage, source.there.mean)
        if source.coverage < FULL:
            pooled.add(source.there.weight * (1 - source.coverage), panel.mean)
    return pooled


def _fitted(lags: Mapping[int, _Sum]) -> Form:
    """The curve with the least weighted square error, over a grid of both half-lives."""
    last = max(lags)
    best: tuple[float, Form] | None = None
    for fast_h in FAST_H:
        for slow_h in SLOW_H:
            basis = {k: (exp(-k / fast_h), exp(-k / slow_h), 1.0) for k in lags}
            for weights in _candidates(basis, lags):
                error = sum(
                    s.weight * (_dot(weights, basis[k]) - s.mean) ** 2 for k, s in lags.items()
                )
                if best is None or error < best[0] - 1e-15:
                    fast, slow, floor = (round(w, 6) for w in weights)
                    form = Form(
                        fast=fast,
                        fast_h=fast_h,
                        slow=slow,
                        slow_h=slow_h,
                        floor=floor,
                        last_lag=last,
                    )
                    best = (error, form)
    assert best is not None
    return best[1]


Three = tuple[float, float, float]


def _dot(a: Three, b: Three) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _candidates(basis: Mapping[int, Three], lags: Mapping[int, _Sum]) -> Iterable[Three]:
    """Solutions of the normal equations over every choice of terms, none negative."""
    yield (0.0, 0.0, 0.0)  # nothing is left
    for n in (1, 2, 3):
        for chosen in combinations(range(3), n):
            matrix = [
                [sum(s.weight * basis[k][i] * basis[k][j] for k, s in lags.items()) for j in chosen]
                for i in chosen
            ]
            right = [sum(s.weight * basis[k][i] * s.mean for k, s in lags.items()) for i in chosen]
            solved = _solve(matrix, right)
            if solved is not None and min(solved) >= 0.0:
                full = [0.0, 0.0, 0.0]
                for i, weight in zip(chosen, solved, strict=True):
                    full[i] = weight
                yield (full[0], full[1], full[2])


def _solve(matrix: list[list[float]], right: list[float]) -> list[float] | None:
    """Gauss with pivots; None when the terms cannot be told apart."""
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    size = len(rows)
    scale = max(abs(value) for line in matrix for value in line) or 1.0
    for i in range(size):
        pivot = max(range(i, size), key=lambda n: abs(rows[n][i]))
        if abs(rows[pivot][i]) < 1e-12 * scale:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for n in range(size):
            if n != i:
                rows[n] = [v - rows[n][i] * p for v, p in zip(rows[n], rows[i], strict=True)]
    return [line[-1] for line in rows]


def _scales(lags: Mapping[int, list[_Seen]], counts: Mapping[Symbol, int]) -> dict[Symbol, Decimal]:
    """
    For markets with rows enough: what they kept over what was kept around them.

    Compared within the same source and lag, so that a log of survivors flatters no market.
    """
    kept: dict[Symbol, float] = defaultdict(float)
    usual: dict[Symbol, float] = defaultdict(float)
    for seen in lags.values():
        for source in seen:
            for symbol, own in source.markets.items():
                kept[symbol] += own.total
                usual[symbol] += own.weight * source.there.mean
    scales = {}
    for symbol, count in sorted(counts.items()):
        if count >= MARKET_ROWS and usual[symbol] > 0:
            own_scale = min(max(0.0, kept[symbol] / usual[symbol]), MOST)
            drawn = (own_scale * count + PRIOR_ROWS) / (count + PRIOR_ROWS)
            scales[symbol] = Decimal(f"{drawn:.4f}")
    return scales
