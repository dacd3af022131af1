"""Money, prices and states: small pure rules."""

from datetime import timedelta
from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedger.domain.hedge import FOLLOWS, TERMINAL, State, check_transition
from hedger.domain.money import common_step, is_on_step, plain, to_step
from hedger.domain.order import Declined, NeverSent, NoProof, Reason, Side
from hedger.errors import IllegalTransitionError
from hedger.ports import Capabilities, Fence
from hedger.pricing import worst_price
from hedger.proofs import expired_for_good, verdict
from hedger.venueclock import Offset
from tests.builders import (
    NOW,
    a_book,
    a_hedge,
    a_prepared,
    an_instrument,
)

steps = st.sampled_from([Decimal(s) for s in ("10", "5", "0.25", "0.1", "0.00001", "100")])
amounts = st.decimals("0.00001", "1000000", places=5)


@given(value=amounts, step=steps)
def test_rounding_to_a_step_gives_whole_steps_and_never_overshoots(
    value: Decimal, step: Decimal
) -> None:
    down, up = to_step(value, step), to_step(value, step, ROUND_CEILING)

    assert is_on_step(down, step)
    assert is_on_step(up, step)
    assert down <= value <= up < value + step


@given(a=steps, b=steps)
def test_the_common_step_is_whole_on_both_venues(a: Decimal, b: Decimal) -> None:
    step = common_step(a, b)

    assert is_on_step(step, a)
    assert is_on_step(step, b)
    assert step >= max(a, b)


def test_numbers_go_out_without_an_exponent() -> None:
    assert plain(Decimal(77260).normalize()) == "77260"
    assert plain(Decimal("0.1000")) == "0.1"
    assert plain(Decimal("-0.0")) == "0"


def test_the_worst_price_is_rounded_outwards_to_a_tick() -> None:
    book = a_book(("2999.5", "1", "3000.1", "1"))
    rules = an_instrument(price_tick=Decimal(5))

    assert worst_price(Side.BUY, book, rules, Decimal(30)) == Decimal(3010)
    assert worst_price(Side.SELL, book, rules, Decimal(30)) == Decimal(2990)


def test_the_worst_price_stays_inside_the_band_of_the_venue() -> None:
    book = a_book(("2999", "1", "3001", "1"))
    rules = an_instrument(price_band=Decimal("0.01"))

    assert worst_price(Side.BUY, book, rules, Decimal(500)) == Decimal(3027)


def test_an_empty_side_has_no_price() -> None:
    assert worst_price(Side.BUY, a_book(), an_instrument(), Decimal(30)) is None


def test_a_terminal_state_is_followed_by_nothing() -> None:
    assert all(not FOLLOWS[state] for state in TERMINAL)
    with pytest.raises(IllegalTransitionError):
        check_transition(a_hedge(State.CLOSED), State.OPEN)


def test_every_state_that_is_not_terminal_can_end() -> None:
    for start in set(State) - TERMINAL:
        seen, todo = set(), [start]
        while todo:
            state = todo.pop()
            seen.add(state)
            todo += FOLLOWS[state] - seen
        assert seen & TERMINAL, start


def test_only_proof_ends_an_order_by_its_answer() -> None:
    prepared = a_prepared()

    assert verdict(prepared, NoProof("timeout")) is None
    assert verdict(prepared, None) is None
    assert verdict(prepared, NeverSent("no route")) is not None
    refused = verdict(prepared, Declined(Reason.MARGIN, "1140", "too dear"))
    assert refused is not None
    assert refused.reason is Reason.MARGIN


def test_s36_absence_proves_nothing_before_expiry_skew_and_lag_have_passed() -> None:
    limits = Capabilities(fence=Fence.EXPIRY, order_ttl_s=10, read_lag_s=5, clock_skew_s=2)
    prepared = a_prepared()

    assert not expired_for_good(prepared, limits, prepared.expires_at + timedelta(seconds=7), None)
    assert expired_for_good(prepared, limits, prepared.expires_at + timedelta(seconds=7.1), None)


def test_s36_a_venue_that_tells_its_time_is_believed_about_its_own_expiry() -> None:
    """What counts is the least that its clock can have shown, and the lag of its reads."""
    limits = Capabilities(fence=Fence.EXPIRY, order_ttl_s=5, read_lag_s=5, clock_skew_s=2)
    prepared = a_prepared()
    slow = Offset(low_s=-20, high_s=-19, measured_at=NOW)
    fast = Offset(low_s=19, high_s=20, measured_at=NOW)

    def dead(after_s: float, offset: Offset) -> bool:
        asked_at = prepared.expires_at + timedelta(seconds=after_s)
        return expired_for_good(prepared, limits, asked_at, offset)

    assert not dead(25.9, slow)
    assert dead(26.1, slow)
    assert dead(-12.9, fast)
    assert not dead(-13.1, fast)
