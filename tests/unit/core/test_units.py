"""
Units that cannot be wrong: what the ratio between endpoints proves, and what it does not.

The rates are those that the sandbox replays: hours recorded at both venues (data.md §1).
"""

import itertools
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adapters.lighter import units as lighter
from adapters.lighter.fields import UnreadableError
from adapters.sandbox.recording import load_recording
from hedger.domain.ids import Symbol
from hedger.units import (
    ERRORS,
    FACTORS,
    QUORUM,
    Compared,
    Estimates,
    beyond_cap,
    compare,
    judge,
    median_gap_bps,
)
from tests.builders import LIGHTER, NOW, X10, a_quote

CAP: Final = Decimal("0.005")
LEAST: Final = Decimal("0.000012")
signed_rates = st.decimals(-CAP, CAP, allow_nan=False, places=6)
rates = st.decimals(LEAST, CAP, allow_nan=False, places=6)
signs = st.sampled_from((1, -1))
factors = st.sampled_from(FACTORS)


def pairs(
    estimates: Sequence[Decimal], settled: Sequence[Decimal], *, same_hour: bool = True
) -> list[Compared]:
    return [
        Compared(symbol=Symbol(f"S{n}"), estimate_1h=e, settled_1h=s, same_hour=same_hour)
        for n, (e, s) in enumerate(zip(estimates, settled, strict=True))
    ]


def recorded(venue: str) -> list[tuple[list[Decimal], list[Decimal]]]:
    """The rates of all markets in two neighbouring recorded hours, hour by hour."""
    markets = load_recording().hours.values()
    rates_of = [[getattr(hour, f"{venue}_rate_1h") for hour in market] for market in markets]
    by_hour = list(zip(*rates_of, strict=True))
    return [(list(now), list(before)) for before, now in itertools.pairwise(by_hour)]


# -- the three units of Lighter -----------------------------------------------------------------


@given(rate=signed_rates)
def test_the_three_units_of_one_rate_come_out_as_the_same_fraction(rate: Decimal) -> None:
    direction = "long" if rate >= 0 else "short"

    assert lighter.rate_1h_of_funding_rates(rate * 8) == rate
    assert lighter.rate_1h_of_market_stats(rate * 100) == rate
    assert lighter.rate_1h_of_fundings(abs(rate) * 100, direction) == rate


@given(rate=rates, sign=signs)
def test_one_unit_taken_for_another_is_wrong_by_exactly_one_of_the_factors(
    rate: Decimal, sign: int
) -> None:
    """What the self-check looks for is what a mistake makes, and nothing else (peers.md §7)."""
    true = sign * rate
    per_8h, percent = true * 8, true * 100
    mistakes = {
        lighter.rate_1h_of_funding_rates(true) / true,
        lighter.rate_1h_of_funding_rates(percent) / true,
        lighter.rate_1h_of_market_stats(true) / true,
        lighter.rate_1h_of_market_stats(per_8h) / true,
        per_8h / true,
        percent / true,
    }
    assert mistakes == set(FACTORS)
    assert {factor for factor in FACTORS if factor > 1} == set(ERRORS)


@given(rate=rates)
def test_an_unsigned_rate_with_a_sign_after_all_is_refused(rate: Decimal) -> None:
    with pytest.raises(UnreadableError, match="has a sign"):
        lighter.rate_1h_of_fundings(-rate * 100, "long")


# -- a whole venue ------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", [X10, LIGHTER])
def test_s28_recorded_rates_of_neighbouring_hours_prove_nothing_against_a_venue(
    venue: str,
) -> None:
    """Rates change, and some change their sign, but never all of them by one factor."""
    hours = recorded(venue)
    changed = 0
    assert len(hours) >= 6
    for now, before in hours:
        judgement = judge(pairs(now, before, same_hour=False))
        changed += sum(e * s < 0 for e, s in zip(now, before, strict=True))
        assert judgement.enough
        assert (judgement.venue, judgement.out) == ("", {})
    assert changed > 0


@pytest.mark.parametrize("venue", [X10, LIGHTER])
@pytest.mark.parametrize("factor", FACTORS)
def test_s27_a_unit_error_at_one_endpoint_is_found_in_every_recorded_hour(
    venue: str, factor: Decimal
) -> None:
    for now, before in recorded(venue):
        wrong = judge(pairs([rate * factor for rate in now], before, same_hour=False))
        assert "unit error" in wrong.venue


@pytest.mark.parametrize("venue", [X10, LIGHTER])
def test_s27_a_sign_that_is_read_the_wrong_way_round_is_found(venue: str) -> None:
    for now, before in recorded(venue):
        wrong = judge(pairs([-rate for rate in now], before, same_hour=False))
        assert "opposite signs" in wrong.venue


@given(
    true=st.lists(rates, min_size=QUORUM, max_size=60),
    sign=st.data(),
    factor=factors,
)
def test_any_venue_that_is_wrong_by_a_factor_is_found_and_a_right_one_is_not(
    true: list[Decimal], sign: st.DataObject, factor: Decimal
) -> None:
    values = [rate * sign.draw(signs) for rate in true]

    assert judge(pairs(values, values)).venue == ""
    assert "unit error" in judge(pairs([value * factor for value in values], values)).venue


def test_too_few_symbols_judge_no_venue() -> None:
    few = [LEAST] * (QUORUM - 1)

    assert not judge(pairs([rate * 8 for rate in few], few)).enough
    assert judge(pairs([rate * 8 for rate in few], few)).venue == ""


def test_rates_too_small_to_have_a_ratio_are_left_out() -> None:
    zero = [Decimal(0)] * 20

    assert judge(pairs(zero, zero)).judged == 0


# -- one symbol ---------------------------------------------------------------------------------


@given(rate=rates, sign=signs, factor=factors)
def test_one_symbol_is_taken_out_for_its_own_factor_and_the_venue_is_not(
    rate: Decimal, sign: int, factor: Decimal
) -> None:
    right = [LEAST] * 20
    odd = Compared(
        symbol=Symbol("ODD"),
        estimate_1h=sign * rate * factor,
        settled_1h=sign * rate,
        same_hour=True,
    )

    judgement = judge([*pairs(right, right), odd])

    assert judgement.venue == ""
    assert list(judgement.out) == ["ODD"]
    assert "unit error" in judgement.out[Symbol("ODD")]


@given(estimate=signed_rates, settled=signed_rates)
def test_s28_a_change_between_hours_takes_no_symbol_out_however_large(
    estimate: Decimal, settled: Decimal
) -> None:
    right = [LEAST] * 20

    judgement = judge([*pairs(right, right), *pairs([estimate], [settled], same_hour=False)])

    assert judgement.out == {}


@given(estimate=signed_rates, settled=rates, sign=signs)
def test_within_one_hour_nothing_but_a_factor_takes_a_symbol_out(
    estimate: Decimal, settled: Decimal, sign: int
) -> None:
    ratio = estimate / (sign * settled)
    assume(not any(factor / 2 < ratio < factor * 2 for factor in FACTORS))

    assert judge(pairs([estimate], [sign * settled])).out == {}


# -- which hours are compared -------------------------------------------------------------------


def estimates(hours: int, rate: str) -> Estimates:
    return Estimates(
        venue=LIGHTER,
        settles_at=NOW + timedelta(hours=hours),
        rates={Symbol("ETH"): Decimal(rate)},
    )


def test_the_same_hour_is_compared_where_both_endpoints_tell_it() -> None:
    settled = {NOW: Decimal("0.00001"), NOW + timedelta(hours=1): Decimal("0.00002")}

    found = compare(Symbol("ETH"), [estimates(1, "0.00002"), estimates(2, "0.5")], settled)

    assert found is not None
    assert found.same_hour
    assert found.ratio == 1


def test_without_an_estimate_of_a_settled_hour_the_hour_before_has_to_do() -> None:
    found = compare(Symbol("ETH"), [estimates(1, "0.00002")], {NOW: Decimal("0.00001")})

    assert found is not None
    assert not found.same_hour
    assert found.ratio == 2


def test_a_symbol_without_estimate_or_settlement_is_compared_with_nothing() -> None:
    assert compare(Symbol("BTC"), [estimates(1, "0.1")], {NOW: Decimal(1)}) is None
    assert compare(Symbol("ETH"), [estimates(1, "0.1")], {}) is None


# -- caps and the money behind the prices -------------------------------------------------------


@given(rate=signed_rates)
def test_a_rate_is_refused_just_beyond_the_venues_cap_and_not_at_it(rate: Decimal) -> None:
    cap, more = abs(rate), abs(rate) + Decimal("0.000001")

    assert beyond_cap(a_quote(X10, str(rate), cap_1h=cap)) == ""
    assert "beyond the venue's cap" in beyond_cap(a_quote(X10, str(more), cap_1h=cap))
    assert "beyond the venue's cap" in beyond_cap(a_quote(X10, str(-more), cap_1h=cap))
    assert beyond_cap(a_quote(X10, str(rate))) == ""  # the venue has none


def test_the_gap_of_all_prices_is_told_by_the_middle_one() -> None:
    symbols = [Symbol(f"S{n}") for n in range(11)]
    first = {s: a_quote(X10, "0", mark="100") for s in symbols}
    second = {s: a_quote(LIGHTER, "0", mark="100") for s in symbols[:-1]}
    second[symbols[-1]] = a_quote(LIGHTER, "0", mark="1")  # another asset of that name

    assert median_gap_bps(first, second) == 0
    lower = {s: a_quote(LIGHTER, "0", mark="99") for s in symbols}
    assert median_gap_bps(first, lower) == pytest.approx(Decimal(101), rel=Decimal("0.01"))
    assert median_gap_bps(dict(list(first.items())[:5]), second) is None
