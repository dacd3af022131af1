"""When both legs of a hedge come down together, and by how much."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedger import settings_risk
from hedger.domain.ids import VenueId
from hedger.domain.money import ZERO
from hedger.errors import VenueError
from hedger.execution.relieving import part_of
from hedger.reduction import Legs
from hedger.risk import reliefmemory
from hedger.risk.relief import Relief, ReliefRules, Verdict, judge_relief
from tests.builders import LIGHTER, X10, an_instrument

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
RULES = ReliefRules(
    at_bps=Decimal(1_100),
    hysteresis_bps=Decimal(200),
    share=Decimal("0.25"),
    pause_s=15,
    max_steps=3,
)
BEGUN = Relief(venue=LIGHTER, tried_at=NOW, steps=1)


def judged(
    x10: int | None, lighter: int | None, before: Relief | None = None, after_s: float = 0
) -> Verdict:
    named = {X10: x10, LIGHTER: lighter}
    distances = {venue: Decimal(bps) for venue, bps in named.items() if bps is not None}
    return judge_relief(distances, RULES, before, NOW + timedelta(seconds=after_s))


def test_legs_that_are_far_away_are_left_alone() -> None:
    assert judged(1_100, 5_000) == Verdict(relief=None)


@pytest.mark.parametrize(
    ("x10", "lighter", "stressed"),
    [(1_099, 5_000, X10), (5_000, 1_099, LIGHTER), (900, 800, LIGHTER), (None, 800, LIGHTER)],
)
def test_the_nearest_leg_is_reduced_first(
    x10: int | None, lighter: int | None, stressed: VenueId
) -> None:
    found = judged(x10, lighter)
    assert found.stressed == stressed
    assert found.relief == Relief(venue=stressed, tried_at=NOW)


def test_unknown_distances_change_nothing() -> None:
    assert judged(None, None) == Verdict(relief=None)
    assert judged(None, None, BEGUN, after_s=60) == Verdict(relief=BEGUN)


def test_a_relief_goes_on_below_its_end_and_stops_there() -> None:
    going_on = judged(5_000, 1_299, BEGUN, after_s=15)
    assert going_on.stressed == LIGHTER
    assert judged(5_000, 1_300, BEGUN, after_s=15) == Verdict(relief=None)
    assert judged(5_000, 1_299) == Verdict(relief=None)  # which does not begin one


def test_a_relief_does_not_end_while_its_own_leg_is_unknown() -> None:
    assert judged(5_000, None, BEGUN, after_s=60) == Verdict(relief=BEGUN)


def test_a_pause_is_kept_and_grows_with_failures_up_to_five_minutes() -> None:
    assert judged(5_000, 900, BEGUN, after_s=14.9).stressed is None
    failed = BEGUN.failed()
    assert judged(5_000, 900, failed, after_s=29).stressed is None
    assert judged(5_000, 900, failed, after_s=30).stressed == LIGHTER
    often = replace(BEGUN, failures=1_000)
    assert judged(5_000, 900, often, after_s=299).stressed is None
    assert judged(5_000, 900, often, after_s=300).stressed == LIGHTER


def test_a_reduction_forgets_the_failures_before_it() -> None:
    assert BEGUN.failed().failed().reduced() == replace(BEGUN, steps=2)


def test_the_limit_is_told_once_and_lifted_when_the_relief_is_over() -> None:
    spent = replace(BEGUN, steps=3)
    first = judged(5_000, 900, spent, after_s=60)
    assert (first.stressed, first.exhausted) == (None, True)
    again = judged(5_000, 900, first.relief, after_s=120)
    assert (again.stressed, again.exhausted) == (None, False)
    assert judged(5_000, 1_300, again.relief, after_s=180) == Verdict(relief=None)


@given(
    st.builds(
        Relief,
        venue=st.sampled_from([X10, LIGHTER]),
        steps=st.integers(0, 100),
        failures=st.integers(0, 100),
        tried_at=st.none() | st.just(NOW),
        told=st.booleans(),
    )
)
def test_what_is_remembered_is_read_back(relief: Relief) -> None:
    assert reliefmemory.read(reliefmemory.written(relief)) == relief


def legs(a: str, b: str, *, min_a: str = "0.01", step_b: str = "0.0001") -> Legs:
    return Legs(
        a=Decimal(a),
        b=Decimal(b),
        rules_a=an_instrument(X10, min_size=Decimal(min_a), size_step=Decimal("0.001")),
        rules_b=an_instrument(LIGHTER, size_step=Decimal(step_b)),
    )


@pytest.mark.parametrize(
    ("read", "share", "part"),
    [
        (legs("0.100", "-0.1"), "0.25", "0.025"),
        (legs("-0.101", "0.101"), "0.25", "0.025"),  # on the coarser step, rounded down
        (legs("0.1", "-0.1", step_b="0.01"), "0.25", "0.02"),
        (legs("0.1", "-0.1", min_a="0.03"), "0.25", "0.03"),  # at least what an order may be
        (legs("0.1", "-0.1", min_a="0.06"), "0.25", "0"),  # what is left could not be closed
        (legs("0.1", "-0.1", min_a="0.02"), "0.9", "0"),
        (legs("0.1", "-0.09"), "0.25", "0"),  # they do not match: another one's matter
        (legs("0", "0"), "0.25", "0"),
        (replace(legs("0.1", "-0.1"), doubts={X10: "contradicts itself"}), "0.25", "0"),
        (replace(legs("0.1", "-0.1"), unread=VenueError(X10, "down")), "0.25", "0"),
    ],
)
def test_the_part_that_comes_off_both_legs(read: Legs, share: str, part: str) -> None:
    assert part_of(read, Decimal(share)) == Decimal(part)


@given(st.integers(1, 10_000), st.decimals("0.01", "0.9", places=2))
def test_what_is_left_of_both_legs_can_be_closed_later(thousandths: int, share: Decimal) -> None:
    size = Decimal(thousandths).scaleb(-3)
    part = part_of(legs(str(size), str(-size)), share)
    assert part == ZERO or (part >= Decimal("0.01") and size - part >= Decimal("0.01"))


def test_the_reduction_begins_between_entry_and_exit_unless_it_is_said() -> None:
    assert settings_risk.Risk().reduce_at_bps == 1_100
    said = settings_risk.Risk(reduce_liquidation_distance_bps=Decimal(1_500))
    assert said.reduce_at_bps == 1_500
    for wrong in (700, 1_501):
        with pytest.raises(ValueError, match="must be above exit_liquidation_distance_bps"):
            settings_risk.Risk(reduce_liquidation_distance_bps=Decimal(wrong))
