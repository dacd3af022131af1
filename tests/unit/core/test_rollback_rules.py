"""What the rollback engine would send next, from real sizes alone."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedger.domain.hedge import Target
from hedger.domain.ids import VenueId
from hedger.domain.money import ZERO
from hedger.domain.order import Side
from hedger.owned import ours
from hedger.reduction import Legs, Reached, Reduction, next_reduction, within_cap
from tests.builders import LIGHTER, X10, an_instrument


def legs(
    a: str, b: str, *, min_a: str = "0.01", step_a: str = "0.001", beside: tuple[VenueId, ...] = ()
) -> Legs:
    return Legs(
        beside=frozenset(beside),
        a=Decimal(a),
        b=Decimal(b),
        rules_a=an_instrument(X10, min_size=Decimal(min_a), size_step=Decimal(step_a)),
        rules_b=an_instrument(LIGHTER, size_step=Decimal("0.0001")),
    )


@pytest.mark.parametrize(
    ("a", "b", "filled", "alone"),
    [
        ("0.1", "-0.1", "0.1", True),
        ("0.1", "-0.1", "0.09", False),  # something of it is left
        ("0.1", "0", "0.1", False),  # nothing else is there: both are looked at again
    ],
)
def test_the_other_leg_is_alone_once_a_whole_leg_is_off(
    a: str, b: str, filled: str, *, alone: bool
) -> None:
    read = legs(a, b)
    step = next_reduction(read, Target.FLAT)
    assert isinstance(step, Reduction)
    assert read.leaves_other(step, Decimal(filled)) is alone


def test_a_part_that_was_to_come_off_leaves_nothing_alone() -> None:
    read = legs("0.100", "-0.060")
    step = next_reduction(read, Target.MATCH)
    assert isinstance(step, Reduction)
    assert not read.leaves_other(step, step.size)


@pytest.mark.parametrize("target", Target)
def test_nothing_on_either_venue_is_flat(target: Target) -> None:
    assert next_reduction(legs("0", "0"), target) == Reached(flat=True)


def test_an_orphan_leg_is_closed_whole_whatever_was_planned() -> None:
    step = next_reduction(legs("0.137", "0"), Target.MATCH)

    assert step == Reduction(venue=X10, side=Side.SELL, size=Decimal("0.137"))


def test_the_side_comes_from_the_sign_of_the_live_position() -> None:
    step = next_reduction(legs("-0.137", "0"), Target.MATCH)

    assert step == Reduction(venue=X10, side=Side.BUY, size=Decimal("0.137"))


def test_a_partial_second_leg_brings_the_first_one_down_to_it() -> None:
    step = next_reduction(legs("0.100", "-0.060"), Target.MATCH)

    assert step == Reduction(venue=X10, side=Side.SELL, size=Decimal("0.040"))


def test_a_larger_second_leg_comes_down_to_the_first() -> None:
    step = next_reduction(legs("0.060", "-0.1000"), Target.MATCH)

    assert step == Reduction(venue=LIGHTER, side=Side.BUY, size=Decimal("0.0400"))


def test_equal_legs_match() -> None:
    assert next_reduction(legs("0.1", "-0.1"), Target.MATCH) == Reached(flat=False)


def test_equal_legs_come_off_in_the_order_in_which_they_opened() -> None:
    step = next_reduction(legs("0.1", "-0.1"), Target.FLAT)

    assert step == Reduction(venue=X10, side=Side.SELL, size=Decimal("0.1"))


def test_a_difference_below_the_venue_minimum_takes_the_whole_hedge_off() -> None:
    """It can neither be ordered nor be left naked (S52)."""
    step = next_reduction(legs("0.100", "-0.095"), Target.MATCH)

    assert step == Reduction(venue=X10, side=Side.SELL, size=Decimal("0.100"))


def test_a_difference_below_one_size_step_is_dust() -> None:
    step = next_reduction(legs("0.1005", "-0.1", step_a="0.01"), Target.MATCH)

    assert step == Reached(flat=False, dust=Decimal("0.0005"))


def test_a_remainder_below_the_minimum_is_closed_whole() -> None:
    step = next_reduction(legs("0.004", "0"), Target.FLAT)

    assert step == Reduction(venue=X10, side=Side.SELL, size=Decimal("0.004"))


@pytest.mark.parametrize("target", Target)
def test_a_remainder_below_the_minimum_beside_what_is_not_ours_is_stuck(target: Target) -> None:
    """No order may take it off: refused as too small, it was sent again and again (seed 96)."""
    step = next_reduction(legs("0.004", "0", beside=(X10,)), target)

    assert step == Reached(flat=False, dust=Decimal("0.004"), stuck=True)


def test_the_other_leg_comes_off_where_the_larger_one_is_stuck() -> None:
    step = next_reduction(legs("0.004", "-0.003", beside=(X10,)), Target.FLAT)

    assert step == Reduction(venue=LIGHTER, side=Side.BUY, size=Decimal("0.003"))


def test_a_venue_whose_minima_bind_only_resting_orders_takes_any_remainder() -> None:
    before = legs("0.004", "0", beside=(X10,))
    before = replace(before, rules_a=replace(before.rules_a, minima_bind_takers=False))

    step = next_reduction(before, Target.FLAT)

    assert step == Reduction(venue=X10, side=Side.SELL, size=Decimal("0.004"))


def test_what_an_order_may_be_comes_off_beside_what_is_not_ours() -> None:
    step = next_reduction(legs("0.01", "0", beside=(X10,)), Target.FLAT)

    assert step == Reduction(venue=X10, side=Side.SELL, size=Decimal("0.01"))


def test_two_legs_on_the_same_side_both_come_off() -> None:
    step = next_reduction(legs("0.1", "0.05"), Target.MATCH)

    assert step == Reduction(venue=X10, side=Side.SELL, size=Decimal("0.1"))


def test_an_order_is_cut_to_the_value_the_venue_allows() -> None:
    rules = an_instrument(max_order_value_usd=Decimal(1000))
    step = Reduction(venue=X10, side=Side.SELL, size=Decimal(1))

    assert within_cap(step, Decimal(3000), rules) == Decimal("0.333")


@pytest.mark.parametrize(
    ("read", "booked", "touched"),
    [("0.3", "0.1", "0.1"), ("0.05", "0.1", "0.05"), ("-0.3", "0.1", "0"), ("0.3", "0", "0")],
)
def test_on_a_shared_account_only_our_own_fills_are_touched(
    read: str, booked: str, touched: str
) -> None:
    assert ours(Decimal(read), Decimal(booked), dedicated=False) == Decimal(touched)


sizes = st.integers(-500, 500).map(lambda n: Decimal(n) / 1000)


@given(a=sizes, b=sizes, target=st.sampled_from(Target))
def test_no_step_ever_enlarges_or_flips_a_leg(a: Decimal, b: Decimal, target: Target) -> None:
    before = legs(str(a), str(b))
    step = next_reduction(before, target)
    if isinstance(step, Reduction):
        held = a if step.venue == X10 else b
        after = held + step.side.sign * step.size
        assert abs(after) < abs(held)
        assert after * held >= ZERO


@given(a=sizes, b=sizes, target=st.sampled_from(Target))
def test_full_fills_always_end_at_the_target(a: Decimal, b: Decimal, target: Target) -> None:
    now = legs(str(a), str(b))
    for _ in range(4):
        step = next_reduction(now, target)
        if isinstance(step, Reached):
            break
        change = step.side.sign * step.size
        at_a = step.venue == X10
        now = legs(str(now.a + (change if at_a else 0)), str(now.b + (0 if at_a else change)))
    else:
        raise AssertionError(now)
    assert now.flat or (target is Target.MATCH and now.net == ZERO)
