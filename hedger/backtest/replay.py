"""
Rules over one market, settlement by settlement.

At each recorded settlement, in this order: what is held is paid for the settlement; the rule
sees the rates and marks of that hour, and nothing later; what it decides is done at once. So the
first settlement a hedge can earn is the one after the hour in which it was decided on. A rule is
handed one ``Look`` at a time and never the series.

A hedge that is held where a run of hours ends is closed there at full cost and marked. What a
rule wants to open in the last hour of a run is counted, but not done: nothing after it is known.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, Protocol

from hedger.backtest.account import Cut, Hedge, micros
from hedger.backtest.costs import Terms
from hedger.backtest.series import Series

NOMINAL_PRICE = 1.0  # of a market for which nobody recorded any: rates need none


class Look(NamedTuple):
    """What is known right after a settlement. Prices are the last known; interest may be nan."""

    hour: int
    rate_a: float
    rate_b: float
    price_a: float
    price_b: float
    interest_a: float
    interest_b: float

    @property
    def price(self) -> float:
        """One price for both venues."""
        return (self.price_a + self.price_b) / 2


class Open(NamedTuple):
    """Wish to open: coins per leg, and 1 where leg A is to be short."""

    direction: int
    size: Decimal
    reason: str
    expected_usd: float | None = None


class Close(NamedTuple):
    """Wish to leave."""

    reason: str


class Refuse(NamedTuple):
    """A hedge that was looked at closely and not wanted; ``codes`` are for counting."""

    direction: int
    codes: tuple[str, ...]
    reason: str
    expected_usd: float | None


class Rule(Protocol):
    """One way of trading one market. It keeps what it needs to remember."""

    name: str

    def begin(self) -> None:
        """A run of hours begins: what was remembered of rates is out of date."""

    def decide(self, look: Look, held: Hedge | None) -> Open | Close | Refuse | None:
        """What to do now; None to leave things as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One line of the decisions log."""

    hour: int
    symbol: str
    rule: str
    action: str
    reason: str
    rate_a: float
    rate_b: float
    direction: int = 0
    expected_usd: float | None = None


Sink = Callable[[Decision], None]


@dataclass(slots=True)
class Outcome:
    """What a rule did on one market. ``untried`` counts openings wanted at the end of a run."""

    hedges: list[Hedge] = field(default_factory=list)
    untried: int = 0
    refusals: Counter[str] = field(default_factory=Counter)


def replay(
    series: Series, terms: Terms, rules: Sequence[Rule], sink: Sink | None = None
) -> list[Outcome]:
    """Run rules over a market, side by side and without knowledge of each other."""
    desks = [_Desk(series, terms, rule, sink) for rule in rules]
    looks = _looks(series, terms.listed.reference_price or NOMINAL_PRICE)
    for start, end in series.runs():
        for rule in rules:
            rule.begin()
        look = None
        for n in range(start, end):
            look = next(looks)
            for desk in desks:
                desk.step(look, last=n == end - 1)
        assert look is not None, "a run has at least one hour"
        cut = Cut.GAP if end < len(series) else Cut.RECORD_ENDS
        for desk in desks:
            desk.stop(look, cut)
    return [desk.outcome for desk in desks]


def _looks(series: Series, price: float) -> Iterator[Look]:
    """Hour by hour; a mark that was not recorded is the other venue's, else the last one."""
    price_a = price_b = price
    for n, hour in enumerate(series.hours):
        mark_a, mark_b = series.mark_a[n], series.mark_b[n]
        if known(mark_a):
            price_a = mark_a
            price_b = mark_b if known(mark_b) else mark_a
        elif known(mark_b):
            price_a = price_b = mark_b
        yield Look(
            hour,
            series.rate_a[n],
            series.rate_b[n],
            price_a,
            price_b,
            series.interest_a[n],
            series.interest_b[n],
        )


class _Desk:
    """One rule at work on one market, and its books."""

    __slots__ = ("_held", "_rule", "_sink", "_symbol", "_terms", "outcome")

    def __init__(self, series: Series, terms: Terms, rule: Rule, sink: Sink | None) -> None:
        self._symbol = series.symbol
        self._terms = terms
        self._rule = rule
        self._sink = sink
        self._held: Hedge | None = None
        self.outcome = Outcome()

    def step(self, look: Look, *, last: bool) -> None:
        held = self._held
        if held is not None:
            # each payment is rounded by itself, as the venues do
            held.funding += micros(held.direction * held.size * look.price_a * look.rate_a)
            held.funding -= micros(held.direction * held.size * look.price_b * look.rate_b)
        wish = self._rule.decide(look, held)
        if wish is None:
            return
        if isinstance(wish, Close):
            if held is not None:
                self._close(held, look, Cut.NO, wish.reason)
            return
        if isinstance(wish, Refuse):
            self.outcome.refusals.update(wish.codes)
            self._tell(look, "refuse", wish.reason, wish.direction, wish.expected_usd)
            return
        assert held is None, f"{self._rule.name} opens what it holds"
        if last:
            self.outcome.untried += 1
            self._tell(look, "untried", wish.reason, wish.direction, wish.expected_usd)
        else:
            self._open(wish, look)

    def stop(self, look: Look, cut: Cut) -> None:
        if self._held is not None:
            self._close(self._held, look, cut, cut.value)

    def _open(self, wish: Open, look: Look) -> None:
        size = float(wish.size)
        value = size * look.price
        terms = self._terms
        self._held = Hedge(
            symbol=self._symbol,
            direction=wish.direction,
            opened_hour=look.hour,
            size=size,
            value_usd=value,
            expected_usd=wish.expected_usd,
            fees=-micros(value * terms.fee_a) - micros(value * terms.fee_b),
            slippage=-micros(value * terms.slip_a) - micros(value * terms.slip_b),
            basis=-micros(value * terms.basis_cost(look.hour, wish.direction)),
        )
        self._tell(look, "open", wish.reason, wish.direction, wish.expected_usd)

    def _close(self, held: Hedge, look: Look, cut: Cut, reason: str) -> None:
        value, terms = held.size * look.price, self._terms
        held.closed_hour = look.hour
        held.fees -= micros(value * terms.fee_a) + micros(value * terms.fee_b)
        held.slippage -= micros(value * terms.slip_a) + micros(value * terms.slip_b)
        held.cut, held.reason = cut, reason
        self.outcome.hedges.append(held)
        self._held = None
        self._tell(look, "cut" if cut else "close", reason, held.direction)

    def _tell(
        self, look: Look, action: str, reason: str, direction: int, expected: float | None = None
    ) -> None:
        if self._sink is not None:
            self._sink(
                Decision(
                    hour=look.hour,
                    symbol=self._symbol,
                    rule=self._rule.name,
                    action=action,
                    reason=reason,
                    rate_a=look.rate_a,
                    rate_b=look.rate_b,
                    direction=direction,
                    expected_usd=expected,
                )
            )


def known(value: float) -> bool:
    """Whether somebody recorded it."""
    return not math.isnan(value)
