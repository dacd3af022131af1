"""
The ceiling: what perfect foresight would have made of the same hours at the same costs.

Per market and run of hours, dynamic programming over three states (out, A short, A long) finds
the best moments to go in and out. It knows the costs that are booked, the drawn basis included.
"""

from decimal import Decimal
from typing import TypeAlias

from hedger.backtest.account import Hedge
from hedger.backtest.costs import Terms
from hedger.backtest.replay import Close, Look, Open
from hedger.backtest.series import Series
from hedger.domain.money import ZERO

ORACLE = "oracle"
NEVER = -1e9

Chain: TypeAlias = "tuple[int, int, int, Chain] | None"
"""Hedges so far, the newest first: each with those before it."""


class Oracle:
    """Carries out the plan that was made with knowledge of everything."""

    name = ORACLE

    def __init__(self, series: Series, terms: Terms, *, size_usd: Decimal) -> None:
        self._terms = terms
        self._size_usd = size_usd
        self._entries: dict[int, int] = {}
        self._exits: set[int] = set()
        for start, end in series.runs():
            for opened, closed, direction in best(series, terms, start, end):
                self._entries[series.hours[opened]] = direction
                self._exits.add(series.hours[closed])

    def begin(self) -> None:
        return

    def decide(self, look: Look, held: Hedge | None) -> Open | Close | None:
        if held is not None:
            return Close("it is known to be over") if look.hour in self._exits else None
        direction = self._entries.get(look.hour)
        if direction is None:
            return None
        size = self._terms.size_for(self._size_usd, look.price)
        return Open(direction, size, "it is known to pay") if size != ZERO else None


def best(series: Series, terms: Terms, start: int, end: int) -> list[tuple[int, int, int]]:
    """
    Places of entry and exit, and the direction, of the best hedges within one run.

    After an exit the next entry is an hour later at the earliest, as for every other rule.
    """
    crossing = terms.crossing
    rate_a, rate_b, hours = series.rate_a, series.rate_b, series.hours
    flat, short, long = 0.0, NEVER, NEVER  # what each state is worth so far, per USD of a leg
    since_short = since_long = start
    chain: Chain = None
    chain_short: Chain = None
    chain_long: Chain = None
    for n in range(start, end):
        spread = rate_a[n] - rate_b[n]
        short += spread
        long -= spread
        rested, rested_chain = flat, chain
        if short - crossing > flat:
            flat, chain = short - crossing, (since_short, n, 1, chain_short)
        if long - crossing > flat:
            flat, chain = long - crossing, (since_long, n, -1, chain_long)
        entered = rested - crossing - terms.basis_cost(hours[n], 1)
        if entered > short:
            short, since_short, chain_short = entered, n, rested_chain
        entered = rested - crossing - terms.basis_cost(hours[n], -1)
        if entered > long:
            long, since_long, chain_long = entered, n, rested_chain
    found = []
    while chain is not None:
        opened, closed, direction, chain = chain
        found.append((opened, closed, direction))
    return found[::-1]
