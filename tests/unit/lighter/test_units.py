"""The units of Lighter, each normalised once (peers.md §7: the costliest mistake)."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lighter import units
from adapters.lighter.fields import UnreadableError

DATA = Path(__file__).parent / "data"

percents = st.decimals(min_value=0, max_value="0.5", places=4)
amounts = st.decimals(min_value=-1000, max_value=1000, places=6)


def test_the_same_hour_reads_the_same_from_every_endpoint() -> None:
    hour = Decimal("0.000012")
    assert units.rate_1h_of_funding_rates(Decimal("0.000096")) == hour
    assert units.rate_1h_of_fundings(Decimal("0.0012"), "long") == hour
    assert units.rate_1h_of_market_stats(Decimal("0.0012")) == hour


def test_recorded_market_stats_are_percent_per_hour() -> None:
    messages = json.loads((DATA / "market_stats.json").read_text())["messages"]
    rates = {
        units.rate_1h_of_market_stats(Decimal(m["market_stats"]["funding_rate"])) for m in messages
    }
    assert rates == {Decimal("0.000012")}


@given(percents)
def test_direction_alone_gives_the_sign(percent: Decimal) -> None:
    paid_by_longs = units.rate_1h_of_fundings(percent, "long")
    assert paid_by_longs == percent / 100
    assert units.rate_1h_of_fundings(percent, "short") == -paid_by_longs


@given(percents)
def test_eight_hours_of_the_hourly_rate_are_the_published_rate(percent: Decimal) -> None:
    hourly = units.rate_1h_of_market_stats(percent)
    assert units.rate_1h_of_funding_rates(hourly * 8) == hourly


@pytest.mark.parametrize(
    ("rate", "direction"), [("0.0012", "up"), ("0.0012", ""), ("-0.0012", "short")]
)
def test_a_direction_that_cannot_be_understood_is_not_guessed(rate: str, direction: str) -> None:
    with pytest.raises(UnreadableError):
        units.rate_1h_of_fundings(Decimal(rate), direction)


def test_a_rate_of_zero_needs_no_direction() -> None:
    assert units.rate_1h_of_fundings(Decimal("0.0000"), "") == 0


@given(amounts, amounts, st.decimals(min_value="0.000001", max_value="0.005", places=6))
def test_a_payment_has_the_sign_that_its_cash_shows(
    amount: Decimal, size: Decimal, rate: Decimal
) -> None:
    signed = units.rate_1h_of_payment(rate, amount, size)
    assert abs(signed) == rate
    if amount and size:
        assert (amount > 0) == (size * signed < 0)  # payment = -size * index * rate
        assert units.rate_1h_of_payment(-rate, amount, size) == signed


@pytest.mark.parametrize(
    ("value", "ticks", "fee"),
    [
        ("300.100000", 280, "0.084028"),
        ("60.030000", 0, "0"),
        ("0.012500", 40, "0"),
        ("100", -20, "-0.002"),
    ],
)
def test_fees_are_parts_per_million_to_six_decimals(value: str, ticks: int, fee: str) -> None:
    assert units.fee_usd(Decimal(value), ticks) == Decimal(fee)


def test_forty_ticks_are_four_thousandths_of_a_percent() -> None:
    assert units.fraction_of_ppm(40) == Decimal("0.00004")
