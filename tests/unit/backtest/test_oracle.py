"""The ceiling is the best there is, and nobody is above it."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hedger.backtest.costs import Assumptions, Terms
from hedger.backtest.oracle import best
from hedger.backtest.series import Series
from hedger.backtest.summary import total
from tests.unit.backtest.market import (
    conditions,
    hedges,
    hold,
    naive,
    oracle,
    ours,
    series,
)

few = st.lists(st.sampled_from([0.0, 5e-4, -5e-4, 2e-3, -2e-3, 9e-4]), min_size=2, max_size=7)
many = st.lists(st.integers(-1500, 1500).map(lambda n: n * 1e-6), min_size=2, max_size=60)


def worth(one: Series, market: Terms, plan: list[tuple[int, int, int]]) -> float:
    """Per USD of a leg."""
    return sum(
        sum(direction * (one.rate_a[n] - one.rate_b[n]) for n in range(opened + 1, closed + 1))
        - 2 * market.crossing
        - market.basis_cost(one.hours[opened], direction)
        for opened, closed, direction in plan
    )


def every_plan(first: int, end: int) -> list[list[tuple[int, int, int]]]:
    """All sequences of hedges within these hours."""
    plans: list[list[tuple[int, int, int]]] = [[]]
    for opened in range(first, end - 1):
        for closed in range(opened + 1, end):
            for direction in (1, -1):
                plans += [
                    [(opened, closed, direction), *rest] for rest in every_plan(closed + 1, end)
                ]
    return plans


@given(spreads=few)
def test_the_oracle_finds_the_best_of_all_plans(spreads: list[float]) -> None:
    one, market = series(spreads), conditions(Assumptions())

    found = worth(one, market, best(one, market, 0, len(one)))

    assert found == pytest.approx(
        max(worth(one, market, plan) for plan in every_plan(0, len(one))), abs=1e-12
    )


@given(spreads=many)
def test_no_rule_earns_more_than_the_oracle(spreads: list[float]) -> None:
    one, market = series(spreads), conditions(Assumptions())
    ceiling = total(hedges(one, market, oracle(one, market))).net

    assert ceiling >= 0
    for rule in (ours(market), naive(market), hold(market)):
        assert total(hedges(one, market, rule)).net <= ceiling + 10 * len(spreads)  # rounding


@given(spreads=many)
def test_the_oracle_is_never_cut_off_and_loses_on_no_hedge(spreads: list[float]) -> None:
    one, market = series(spreads), conditions(Assumptions())

    for hedge in hedges(one, market, oracle(one, market)):
        assert not hedge.cut
        assert hedge.net > -len(spreads)
