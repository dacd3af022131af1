"""Settlement by settlement, without look-ahead, at full cost, to the micro-dollar."""

from dataclasses import replace
from decimal import Decimal

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from hedger.backtest.account import Cut
from hedger.backtest.costs import Assumptions
from hedger.backtest.replay import Decision
from hedger.backtest.series import Series
from hedger.domain.ids import Symbol
from tests.unit.backtest.market import (
    ETH,
    FIRST,
    KNOWN,
    MODEL,
    PLAIN,
    conditions,
    decisions,
    hedges,
    hold,
    naive,
    oracle,
    ours,
    outcome,
    policy,
    series,
)

HIGH = 3e-4  # 263 % a year
RESOLV = Symbol("RESOLV")

spreads = st.lists(
    st.one_of(
        st.sampled_from([0.0, 1e-6, HIGH, -HIGH, 1.5e-4, 2e-3]),
        st.integers(-500, 500).map(lambda n: n * 1e-6),
    ),
    min_size=2,
    max_size=40,
)


def poisoned(one: Series, after: int, poison: float) -> Series:
    """The same until ``after``; then everything is something else."""
    changed = one.part(one.hours[0], one.hours[-1] + 1)
    for place, hour in enumerate(changed.hours):
        if hour > after:
            changed.rate_a[place] = poison
            changed.rate_b[place] = -poison
            changed.mark_a[place] = changed.mark_b[place] = 9e4
            changed.interest_a[place] = changed.interest_b[place] = 1.0
    return changed


def until(found: list[Decision], hour: int) -> list[Decision]:
    """What was decided up to an hour. An opening that the end of a run prevents is one, too."""
    return [
        replace(one, action="open" if one.action == "untried" else one.action)
        for one in found
        if one.hour <= hour
    ]


@given(spreads=spreads, cut=st.integers(0, 39), poison=st.sampled_from([0.0, 4e-3, -4e-3]))
def test_no_decision_up_to_an_hour_depends_on_anything_after_it(
    spreads: list[float], cut: int, poison: float
) -> None:
    one, market = series(spreads), conditions(Assumptions())
    after = one.hours[min(cut, len(one) - 2)]

    def all_of(what: Series) -> list[Decision]:
        return decisions(what, market, ours(market), naive(market), hold(market))

    assert until(all_of(one), after) == until(all_of(poisoned(one, after, poison)), after)


def test_the_oracle_looks_ahead_so_that_test_can_fail() -> None:
    market = conditions()
    one = series([0.0, 2e-3, 2e-3, 2e-3, 0.0])
    after = one.hours[1]

    before = until(decisions(one, market, oracle(one, market)), after)
    bad = poisoned(one, after, -2e-3)

    assert before != until(decisions(bad, market, oracle(bad, market)), after)


def test_a_hedge_earns_from_the_settlement_after_the_decision_on() -> None:
    market = conditions()
    (hedge,) = hedges(series([HIGH, HIGH, 2 * HIGH, 0.0]), market, naive(market))

    assert (hedge.opened_hour, hedge.closed_hour) == (FIRST, FIRST + 3)
    price = KNOWN.markets[ETH].reference_price
    assert price is not None
    assert hedge.funding == pytest.approx(hedge.size * price * (HIGH + 2 * HIGH + 0.0) * 1e6, abs=6)


def test_every_payment_of_each_leg_is_rounded_to_a_micro_dollar_by_itself() -> None:
    """X10 books each payment to 1e-6; a sum rounded once would be another number."""
    market = conditions()
    rates = [HIGH] * 50 + [0.0]
    one = series(rates, marks=[(3001.37, 3001.41)] * len(rates))
    (hedge,) = hedges(one, market, naive(market))

    size = hedge.size
    expected = sum(
        round(size * 3001.37 * one.rate_a[n] * 1e6) - round(size * 3001.41 * one.rate_b[n] * 1e6)
        for n in range(1, 51)
    )
    assert hedge.funding == expected


def test_four_fees_and_four_crossings_are_paid() -> None:
    market = conditions()
    (hedge,) = hedges(series([HIGH, HIGH, 0.0]), market, naive(market))

    value = hedge.value_usd
    assert hedge.fees == -2 * round(value * 0.000225 * 1e6)  # the other venue takes nothing
    assert hedge.slippage == -4 * round(value * 0.0001 * 1e6)
    assert hedge.net == hedge.funding + hedge.fees + hedge.slippage
    dear = conditions(replace(PLAIN, taker_fee={KNOWN.venues[1]: Decimal("0.0005")}))
    (paid,) = hedges(series([HIGH, HIGH, 0.0]), dear, naive(dear))
    assert paid.fees == hedge.fees - 2 * round(value * 0.0005 * 1e6)


@given(spreads=spreads)
def test_marks_that_move_apart_are_never_booked_as_a_profit(spreads: list[float]) -> None:
    """Hourly means differ by up to 44 bps; nobody could have traded at them."""
    calm = [(3000.0, 3000.0)] * len(spreads)
    apart = [(3000.0 * (1 + 0.01 * (n % 3)), 3000.0) for n in range(len(spreads))]
    market = conditions(Assumptions())

    for marks in (calm, apart):
        one = series(spreads, marks=marks)
        for rule in (naive(market), hold(market), oracle(one, market), ours(market)):
            for hedge in hedges(one, market, rule):
                assert hedge.basis <= 0
                assert hedge.net - hedge.funding < 0


def test_an_adverse_basis_costs_at_entry_and_a_favourable_one_brings_nothing() -> None:
    market = conditions(Assumptions(), RESOLV)
    hours = range(FIRST, FIRST + 500)
    for hour in hours:
        basis = market.basis_bps(hour)
        assert market.basis_cost(hour, 1) == pytest.approx(max(0.0, -basis) / 1e4)
        assert market.basis_cost(hour, -1) == pytest.approx(max(0.0, basis) / 1e4)
    drawn = {market.basis_bps(hour) for hour in hours}
    assert drawn <= set(KNOWN.basis_bps.get(RESOLV, ())) | set(KNOWN.pooled_basis_bps)
    assert len(drawn) > 10


def test_a_hedge_that_is_open_where_the_record_ends_is_closed_there_at_full_cost() -> None:
    market = conditions()
    (hedge,) = hedges(series([HIGH] * 5), market, hold(market))

    assert hedge.cut is Cut.RECORD_ENDS
    assert hedge.closed_hour == FIRST + 4
    assert hedge.settlements == 4
    assert hedge.fees == -2 * round(hedge.value_usd * 0.000225 * 1e6)
    assert hedge.slippage == -4 * round(hedge.value_usd * 0.0001 * 1e6)


def test_a_gap_ends_a_hedge_at_the_last_hour_before_it() -> None:
    market = conditions()
    hours = [FIRST, FIRST + 1, FIRST + 2, FIRST + 5, FIRST + 6]
    first, second = hedges(series([HIGH] * 5, hours=hours), market, hold(market))

    assert (first.cut, first.closed_hour) == (Cut.GAP, FIRST + 2)
    assert (second.cut, second.opened_hour, second.closed_hour) == (
        Cut.RECORD_ENDS,
        FIRST + 5,
        FIRST + 6,
    )


def test_what_is_wanted_in_the_last_hour_of_a_run_is_counted_and_not_done() -> None:
    market = conditions()
    found = outcome(series([0.0, HIGH]), market, naive(market))

    assert found.hedges == []
    assert found.untried == 1


def test_naive_leaves_when_the_apy_falls_below_its_threshold_or_turns() -> None:
    market = conditions()
    found = hedges(series([HIGH, HIGH, 5e-5, HIGH, -HIGH, -HIGH, 0.0]), market, naive(market))

    assert [(one.direction, one.opened_hour - FIRST, one.closed_hour - FIRST) for one in found] == [
        (1, 0, 2),
        (1, 3, 4),
        (-1, 5, 6),
    ]


@settings(max_examples=60)
@given(spreads=spreads)
def test_our_rule_never_enters_at_a_negative_expected_value(spreads: list[float]) -> None:
    for assumed in (PLAIN, Assumptions()):
        market = conditions(assumed, RESOLV)
        for hedge in hedges(series(spreads, symbol=RESOLV), market, ours(market)):
            assert hedge.expected_usd is not None
            assert hedge.expected_usd > 0


def test_the_shortcut_of_our_rule_leaves_out_nothing_that_the_daemon_would_open() -> None:
    """Without the shortcut, the same hours lead to the same hedges."""
    market = conditions(Assumptions())
    one = series([n * 2e-6 for n in range(-200, 200)] + [6e-4] * 5 + [0.0] * 5)
    quick, slow = ours(market), ours(market)
    slow._least = 0.0

    assert hedges(one, market, quick) == hedges(one, market, slow)
    for assumed in (PLAIN, replace(PLAIN, slippage_bps=Decimal(9)), Assumptions()):
        market = conditions(assumed, RESOLV)
        rule, ahead = ours(market), policy().settlements
        for much, worth in ((0.999, False), (1.001, True)):  # the edge is where nothing is left
            expected = MODEL.expected_sum(RESOLV, Decimal(repr(rule._least * much)), ahead)
            assert (float(expected) > 2 * market.crossing) is worth


def test_our_rule_wants_the_spread_to_persist_before_it_enters() -> None:
    market = conditions()
    once = decisions(series([0.0, 0.0, 2e-3, 0.0, 0.0]), market, ours(market))
    twice = decisions(series([0.0, 0.0, 2e-3, 2e-3, 2e-3]), market, ours(market))

    assert [one.action for one in once] == ["refuse"]
    assert "spread_persistence" not in once[0].reason
    assert "settlements in a row" in once[0].reason
    assert [one.action for one in twice] == ["refuse", "open", "cut"]
