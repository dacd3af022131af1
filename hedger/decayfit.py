"""
Fit the decay of spreads on recorded rows: least squares, pure.

For every lag k, rows of the same market and source k hours apart are paired. A pair says which
share of the spread at the first hour was left at the second, signed in the first one's
direction. The pooled share at lag k is the mean of those, and the curve of ``hedger.decay`` is
fitted to all lags at once by weighted least squares. How rows are weighted:

- by the size of the first spread: a hedge is opened on large ones, and what counts is money, not
  cases. The mean of shares so weighted is the money left over the money there was;
- large spreads revert more: what of them lies above the knee counts ``excess``, which is fitted
  before the curve;
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
from statistics import median

from hedger.decay import KNEE_1H, DecayModel
from hedger.decaycurve import Mean, fitted
from hedger.domain.ids import Symbol

LEAST_1H = 2e-5
"""18 % a year: below that no spread ever pays four fees."""

KNEE = float(KNEE_1H)
EXCESS_LAGS = 8  # beyond, little is left of which the excess could be told

LAGS = 72
MARKET_ROWS = 24
PRIOR_ROWS = 48
MOST = 2.0
FULL = 0.9  # a source that still sees so many of its markets is a panel, not a selection
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class PairRow:
    """The spread of one market in one hour: rate of the first venue less the second's."""

    source: str
    symbol: Symbol
    hour: datetime
    spread_1h: Decimal


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one source says about one lag; ``coverage`` is the share of it that it still saw."""

    name: str
    coverage: float
    pairs: int
    there: Mean
    markets: Mapping[Symbol, Mean]


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
    recorded = {name: _recorded(series) for name, series in sources.items()}
    excess = _excess(sources)
    lags = _lags(sources, recorded, excess)
    if not lags:
        raise ValueError(f"no market was seen in two hours with a spread of {LEAST_1H:f} or more")
    form = fitted({k: _pooled(seen) for k, seen in lags.items()}, excess=excess)
    return DecayModel(
        form=form,
        scales=_scales(lags, counts),
        counts=dict(sorted(counts.items())),
        origin=origin,
        since=min(hours),
        until=max(hours),
        pairs=sum(source.pairs for seen in lags.values() for source in seen),
    )


def _excess(sources: Mapping[str, Series]) -> float:
    """
    Which share of what lies above the knee behaves like what lies below it; least squares.

    Every source and lag has a share of its own here, so that survivors do not flatter it: with
    c = below + excess * above, the excess is sought for which the shares explain most. Weighted
    by the size of the spread, as everything.
    """
    moments = [
        found
        for series in sources.values()
        for k in range(1, EXCESS_LAGS + 1)
        if (found := _moments(series, k))[2] > 0
    ]

    def explained(excess: float) -> float:
        return sum(
            (left_below + excess * left_above) ** 2
            / (below + 2 * excess * mixed + excess * excess * above)
            for left_below, left_above, below, mixed, above in moments
        )

    return max((step / 100 for step in range(100, -1, -1)), key=explained) if moments else 1.0


def _moments(series: Series, k: int) -> tuple[float, float, float, float, float]:
    """Weighted products of what was left, and of the parts below and above the knee."""
    left_below = left_above = below2 = mixed = above2 = 0.0
    for hours in series.values():
        for hour, spread in hours.items():
            left, size = hours.get(hour + k * HOUR), abs(spread)
            if left is None or size < LEAST_1H:
                continue
            below, above, kept = min(size, KNEE), max(size - KNEE, 0.0), left * _sign(spread)
            left_below += kept * below / size
            left_above += kept * above / size
            below2 += below * below / size
            mixed += below * above / size
            above2 += above * above / size
    return left_below, left_above, below2, mixed, above2


def _sign(value: float) -> int:
    return 1 if value > 0 else -1


def _counted(spread: float, excess: float) -> float:
    """The size of a spread as the model counts it."""
    size = abs(spread)
    return size if size <= KNEE else KNEE + (size - KNEE) * excess


def _lags(
    sources: Mapping[str, Series], recorded: Mapping[str, set[datetime]], excess: float
) -> dict[int, list[_Seen]]:
    """Every lag at which something was paired, with what each source says about it."""
    found = {}
    for k in range(1, LAGS + 1):
        seen = [
            _paired(name, series, recorded[name], k, excess) for name, series in sources.items()
        ]
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


def _paired(name: str, series: Series, recorded: set[datetime], k: int, excess: float) -> _Seen:
    """The pairs of one source at lag ``k``: what was left over the counted spread."""
    there, expected, pairs = Mean(), 0.0, 0
    markets: dict[Symbol, Mean] = defaultdict(Mean)
    for symbol, hours in series.items():
        for hour, spread in hours.items():
            weight, later = _counted(spread, excess), hour + k * HOUR
            if weight < LEAST_1H or later not in recorded:
                continue
            expected += weight
            if later in hours:
                share = hours[later] * _sign(spread) / weight
                there.add(weight, share)
                markets[symbol].add(weight, share)
                pairs += 1
    coverage = there.weight / expected if expected else 0.0
    return _Seen(name, coverage, pairs, there, markets)


def _pooled(seen: list[_Seen]) -> Mean:
    """Put the sources together; what a selection lost counts as the panels saw it, or as gone."""
    pooled, panel = Mean(), Mean()
    for source in seen:
        if source.coverage >= FULL:
            panel.add(source.there.weight, source.there.mean)
    for source in seen:
        pooled.add(source.there.weight * source.coverage, source.there.mean)
        if source.coverage < FULL:
            pooled.add(source.there.weight * (1 - source.coverage), panel.mean)
    return pooled


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
