"""What a rule's hedges add up to: exact sums, an interval for the mean, markets, weeks, curve."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hedger.backtest.account import Cut, Hedge, usd
from hedger.backtest.oracle import ORACLE
from hedger.backtest.series import instant

RESAMPLES = 1_000
LEAST_RESAMPLES = 200
WORK = 2_000_000  # draws per interval, at most: more hedges need fewer resamples
LEVEL = 0.95
WEEK_H = 24 * 7
MONDAY_H = 24 * 4  # hours from the epoch, a Thursday, to the first Monday
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Exact sums in micro-dollars."""

    hedges: int
    fees: int
    slippage: int
    funding: int
    basis: int

    @property
    def net(self) -> int:
        """Everything together."""
        return self.fees + self.slippage + self.funding + self.basis

    def row(self) -> Row:
        """In dollars."""
        return {
            "hedges": self.hedges,
            "fees_usd": usd(self.fees),
            "slippage_usd": usd(self.slippage),
            "funding_usd": usd(self.funding),
            "basis_usd": usd(self.basis),
            "net_usd": usd(self.net),
        }


def total(hedges: Iterable[Hedge]) -> Total:
    """The sums of these hedges."""
    count = fees = slippage = funding = basis = 0
    for one in hedges:
        count += 1
        fees += one.fees
        slippage += one.slippage
        funding += one.funding
        basis += one.basis
    return Total(hedges=count, fees=fees, slippage=slippage, funding=funding, basis=basis)


def interval(nets: Sequence[int], seed: int) -> tuple[Decimal, Decimal] | None:
    """
    The 95 % bootstrap interval of the mean net, in dollars; None for fewer than two hedges.

    Hedges are drawn as if they were independent. Those of one market and week are not, so the
    true interval is rather wider.
    """
    if len(nets) < 2:
        return None
    chance = random.Random(seed)  # noqa: S311 - no secret
    count = max(LEAST_RESAMPLES, min(RESAMPLES, WORK // len(nets)))
    sums = sorted(sum(chance.choices(nets, k=len(nets))) for _ in range(count))
    edge = int(count * (1 - LEVEL) / 2)
    low, high = sums[edge], sums[count - 1 - edge]
    return _mean(low, len(nets)), _mean(high, len(nets))


def _mean(amount: int, count: int) -> Decimal:
    return usd(round(amount / count))


def curve(hedges: Iterable[Hedge]) -> list[tuple[int, int]]:
    """Hour and cumulated net in micro-dollars, a point where hedges were closed."""
    closed: dict[int, int] = defaultdict(int)
    for one in hedges:
        closed[one.closed_hour] += one.net
    points, level = [], 0
    for hour in sorted(closed):
        level += closed[hour]
        points.append((hour, level))
    return points


def drawdown(points: Sequence[tuple[int, int]]) -> int:
    """The deepest fall below an earlier peak (the start counts as one); never negative."""
    peak = deepest = 0
    for _, level in points:
        peak = max(peak, level)
        deepest = max(deepest, peak - level)
    return deepest


def summarise(
    name: str,
    hedges: Sequence[Hedge],
    *,
    oracle: Total,
    untried: int,
    refusals: Counter[str],
    seed: int,
) -> Row:
    """Everything about one rule on one part."""
    whole = total(hedges)
    cut = total(one for one in hedges if one.cut is not Cut.NO)
    own = total(one for one in hedges if one.cut is Cut.NO)
    between = interval([one.net for one in hedges], seed)
    return {
        **whole.row(),
        "net_per_hedge_usd": _mean(whole.net, whole.hedges) if whole.hedges else None,
        "net_per_hedge_interval_usd": None if between is None else list(between),
        "share_of_oracle": _share(whole.net, oracle.net),
        "verdict": verdict(name, whole, oracle),
        "closed_by_the_rule": own.row(),
        "cut_off_by_the_record": cut.row(),
        "wanted_in_a_last_hour": untried,
        "hours_held": sum(one.settlements for one in hedges),
        "winning_hedges": sum(one.net > 0 for one in hedges),
        "max_drawdown_usd": usd(drawdown(curve(hedges))),
        "refusals": dict(sorted(refusals.items())),
    }


def _share(net: int, of: int) -> Decimal | None:
    return Decimal(f"{net / of:.4f}") if of > 0 else None


def verdict(name: str, found: Total, oracle: Total) -> str:
    """Not trading where something was to be had is a failure, and never beats anybody."""
    if name == ORACLE:
        return "the ceiling"
    if found.hedges == 0:
        if oracle.hedges:
            return f"FAILED: opened none, the oracle found {oracle.hedges}"
        return "opened none; there was nothing to be had"
    return "earned" if found.net > 0 else "lost"


def by_market(hedges: Iterable[Hedge]) -> list[Row]:
    """One row a market, the best first."""
    groups: dict[str, list[Hedge]] = defaultdict(list)
    for one in hedges:
        groups[one.symbol].append(one)
    rows = [{"market": market, **total(group).row()} for market, group in groups.items()]
    return sorted(rows, key=lambda row: (-row["net_usd"], row["market"]))


def by_week(hedges: Iterable[Hedge]) -> list[Row]:
    """One row a week (from Monday, UTC) in which hedges were closed."""
    groups: dict[int, list[Hedge]] = defaultdict(list)
    for one in hedges:
        groups[(one.closed_hour - MONDAY_H) // WEEK_H].append(one)
    return [
        {"week_of": f"{instant(week * WEEK_H + MONDAY_H):%Y-%m-%d}", **total(group).row()}
        for week, group in sorted(groups.items())
    ]
