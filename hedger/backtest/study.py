"""
All rules on all parts of a record.

The record is split by time: the decay is fitted on the first part alone, so what the rules earn
on the second is out of sample. A generated part, if there is one, is never added to them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from hedger.backtest.costs import Assumptions, terms
from hedger.backtest.loading import Record
from hedger.backtest.oracle import ORACLE, Oracle
from hedger.backtest.ours import OURS, Ours, Policy
from hedger.backtest.package import Package
from hedger.backtest.replay import Outcome, Rule, Sink, replay
from hedger.backtest.rules import HOLD, NAIVE, HoldEverything, Naive
from hedger.backtest.series import Series, instant
from hedger.backtest.summary import Row, by_market, by_week, summarise, total
from hedger.decay import DecayModel
from hedger.decayfit import PairRow, fit
from hedger.domain.ids import Symbol
from hedger.errors import UsageError

RULES = (OURS, NAIVE, HOLD, ORACLE)
FITTED = "fitted"
HELD_OUT = "held out"
BEFORE, AFTER = "before the split", "after the split"
WHOLE = "whole record"
GENERATED = "generated"
MAX_FIT_HOURS = 30_000  # the newest are used: a fit looks at every pair within three days
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of the hours. ``first_hour`` is in it, ``end_hour`` is not."""

    name: str
    series: Mapping[Symbol, Series]
    first_hour: int
    end_hour: int
    generated: bool = False
    note: str = ""

    @property
    def hours(self) -> int:
        """Market-hours with both rates."""
        return sum(map(len, self.series.values()))


@dataclass(slots=True)
class Result:
    """What each rule did on one part."""

    part: Part
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def rows(self, seed: int) -> dict[str, Row]:
        """The summary of each rule."""
        oracle = total(self.outcomes[ORACLE].hedges)
        return {
            name: summarise(
                name,
                outcome.hedges,
                oracle=oracle,
                untried=outcome.untried,
                refusals=outcome.refusals,
                seed=seed,
            )
            for name, outcome in self.outcomes.items()
        }

    def tables(self, name: str) -> tuple[list[Row], list[Row]]:
        """By market and by week."""
        hedges = self.outcomes[name].hedges
        return by_market(hedges), by_week(hedges)


def split_hour(record: Record, share: Decimal) -> int:
    """
    The settlement before which that share of the recorded market-hours lies.

    Raises:
        UsageError: nothing would be left on one side.
    """
    hours = sorted(hour for one in record.series.values() for hour in one.hours)
    place = int(len(hours) * share)
    found = hours[place] if 0 < place < len(hours) else hours[0]
    if found == hours[0]:
        raise UsageError(
            f"--split {share}: leaves nothing on one side of {len(hours)} market-hours; "
            "give an instant or another share"
        )
    return found


def recorded_parts(record: Record, at: int | None, *, fitted: bool) -> list[Part]:
    """
    The record in one piece, or before and from the settlement ``at`` on.

    ``fitted`` says that the model is fitted on the first of them; otherwise it came from
    elsewhere, and what it has seen of them is not known here.

    Raises:
        UsageError: ``at`` is not within the record.
    """
    first = min(one.hours[0] for one in record.series.values())
    end = max(one.hours[-1] for one in record.series.values()) + 1
    if at is None:
        return [_part(FITTED if fitted else WHOLE, record.series, first, end)]
    if not first < at < end:
        raise UsageError(
            f"--split {instant(at):%Y-%m-%dT%H:%MZ}: the record goes from "
            f"{instant(first):%Y-%m-%dT%H:%MZ} to {instant(end - 1):%Y-%m-%dT%H:%MZ}; "
            "give an instant between them"
        )
    return [
        _part(FITTED if fitted else BEFORE, record.series, first, at),
        _part(HELD_OUT if fitted else AFTER, record.series, at, end),
    ]


def _part(name: str, series: Mapping[Symbol, Series], first: int, end: int) -> Part:
    pieces = {symbol: one.part(first, end) for symbol, one in series.items()}
    pieces = {symbol: piece for symbol, piece in pieces.items() if piece}
    return Part(name=name, series=pieces, first_hour=first, end_hour=end)


def generated_part(series: Mapping[Symbol, Series], note: str) -> Part:
    """Hours that nobody recorded, as a part of their own."""
    return Part(
        name=GENERATED,
        series=series,
        first_hour=min(one.hours[0] for one in series.values()),
        end_hour=max(one.hours[-1] for one in series.values()) + 1,
        generated=True,
        note=note,
    )


def fitted_on(record: Record, part: Part) -> DecayModel:
    """
    The decay of the hours of a part.

    Raises:
        UsageError: they hold too little.
    """
    rows = sorted(_pair_rows(record, part), key=lambda row: row.hour)
    try:
        return fit(rows[-MAX_FIT_HOURS:], origin=f"{record.folder.name}, {part.name} part")
    except ValueError as error:
        raise UsageError(
            f"{record.folder}: the decay cannot be fitted before "
            f"{_shown(instant(part.end_hour))}: {error}; move --split, or give --model"
        ) from error


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%MZ}"


def _pair_rows(record: Record, part: Part) -> Iterable[PairRow]:
    for symbol, one in part.series.items():
        for n, hour in enumerate(one.hours):
            yield PairRow(
                source=record.sources[one.sources[n]],
                symbol=symbol,
                hour=instant(hour),
                spread_1h=Decimal(repr(one.rate_a[n])) - Decimal(repr(one.rate_b[n])),
            )


def run(
    part: Part,
    package: Package,
    policy: Policy,
    assumed: Assumptions,
    *,
    naive_apy: float = 0.5,
    sink: Sink | None = None,
    progress: Progress | None = None,
) -> Result:
    """Every rule over every market of a part."""
    result = Result(part, {name: Outcome() for name in RULES})
    for symbol in sorted(part.series):
        series = part.series[symbol]
        market = terms(package, symbol, assumed)
        rules: Sequence[Rule] = (
            Ours(market, policy, venues=package.venues, size_usd=assumed.size_usd),
            Naive(market, size_usd=assumed.size_usd, apy=naive_apy),
            HoldEverything(market, size_usd=assumed.size_usd),
            Oracle(series, market, size_usd=assumed.size_usd),
        )
        for rule, outcome in zip(rules, replay(series, market, rules, sink), strict=True):
            add(result.outcomes[rule.name], outcome)
        if progress is not None:
            progress(len(series))
    return result


def add(to: Outcome, more: Outcome) -> None:
    """One market's outcome to those of the others."""
    to.hedges.extend(more.hedges)
    to.untried += more.untried
    to.refusals.update(more.refusals)


def together(results: Sequence[Result]) -> Result:
    """Several parts as one, for the sums over the whole record."""
    part = Part(
        name=WHOLE,
        series={},
        first_hour=min(one.part.first_hour for one in results),
        end_hour=max(one.part.end_hour for one in results),
    )
    whole = Result(part, {name: Outcome(refusals=Counter()) for name in RULES})
    for result in results:
        for name, outcome in result.outcomes.items():
            add(whole.outcomes[name], outcome)
    return whole
