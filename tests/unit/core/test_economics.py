"""What a hedge is worth, and in which direction."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedger import economics
from hedger.domain.ids import Symbol
from hedger.domain.market import Level
from hedger.domain.order import Side
from hedger.economics import Pair
from tests.builders import ETH, LIGHTER, X10, a_book, a_quote

FEES = (Decimal("0.00025"), Decimal("0.00028"))
rates = st.integers(-5000, 5000).map(lambda n: Decimal(n) / 1_000_000)


def a_pair(rate_a: str, rate_b: str) -> Pair:
    return Pair(symbol=ETH, a=a_quote(X10, rate_a), b=a_quote(LIGHTER, rate_b))


@given(rate_a=rates, rate_b=rates)
def test_s26_the_short_leg_is_where_the_rate_is_higher(rate_a: Decimal, rate_b: Decimal) -> None:
    """Longs pay a positive rate; the side is the sign of the difference, never of one rate."""
    pair = a_pair(str(rate_a), str(rate_b))

    earned = -pair.side_a.sign * rate_a + pair.side_a.sign * rate_b

    assert earned == pair.spread_1h >= 0
    assert economics.spread_kept(pair.side_a, rate_a, rate_b) == earned


def test_s27_the_units_of_the_costliest_mistake_give_the_right_direction() -> None:
    """Lighter REST 0.000096 per 8 h is 0.000012 per hour: below Extended's 0.00003."""
    pair = a_pair("0.00003", str(Decimal("0.000096") / 8))

    assert pair.side_a is Side.SELL
    assert f"{economics.estimate(pair, horizon_h=24, taker_fees=FEES).naive_apy:.3f}" == "0.158"


def test_net_is_gross_less_four_fees_slippage_and_basis() -> None:
    pair = a_pair("0", "0.001")  # long X10, short Lighter: 10 bps an hour
    book_a = a_book(("2999", "10", "3001", "10"))
    book_b = a_book(("3005", "10", "3007", "10"), venue=LIGHTER)

    found = economics.with_books(
        economics.estimate(pair, horizon_h=2, taker_fees=FEES),
        book_a,
        book_b,
        size_usd=Decimal(300),
    )

    assert found.gross_bps == Decimal(20)
    assert found.fees_bps == Decimal("10.6")
    assert found.slippage_bps == Decimal(2) / 3000 * 10000 + Decimal(2) / 3006 * 10000
    assert found.basis_bps == Decimal(-6) / 3003 * 10000  # the long leg is the cheaper one
    assert found.net_bps == Decimal(20) - Decimal("10.6") - found.slippage_bps - found.basis_bps


def test_a_book_that_is_too_thin_leaves_the_net_unknown() -> None:
    thin = a_book(("2999", "0.01", "3001", "0.01"))
    candidate = economics.estimate(a_pair("0", "0.001"), horizon_h=24, taker_fees=FEES)

    found = economics.with_books(candidate, thin, thin, size_usd=Decimal(3000))

    assert found.net_bps is None
    assert "thin" in found.note


def test_walking_a_book_averages_over_its_levels() -> None:
    levels = [Level(Decimal(10), Decimal(1)), Level(Decimal(13), Decimal(2))]

    assert economics.walk(levels, Decimal(2)) == Decimal("11.5")
    assert economics.walk(levels, Decimal(4)) is None


@pytest.mark.parametrize("mark", ["3", "3000000"])
def test_s54_equal_names_with_unequal_prices_are_not_paired(mark: str) -> None:
    """1000PEPE is not PEPE: the prices tell."""
    pepe = Symbol("PEPE")
    agree, disagree = economics.pair_up(
        {ETH: a_quote(X10, "0"), pepe: a_quote(X10, "0", symbol=pepe, mark="3000")},
        {ETH: a_quote(LIGHTER, "0"), pepe: a_quote(LIGHTER, "0", symbol=pepe, mark=mark)},
        max_price_gap_bps=Decimal(100),
    )

    assert [pair.symbol for pair in agree] == [ETH]
    assert [pair.symbol for pair in disagree] == [pepe]


def test_a_symbol_that_one_venue_does_not_quote_is_not_paired() -> None:
    agree, disagree = economics.pair_up({ETH: a_quote(X10, "0")}, {}, max_price_gap_bps=Decimal(9))

    assert (agree, disagree) == ([], [])


def test_known_net_figures_come_before_guesses() -> None:
    weak = economics.with_books(
        economics.estimate(a_pair("0", "0.0001"), horizon_h=24, taker_fees=FEES),
        a_book(("2999", "10", "3001", "10")),
        a_book(("2999", "10", "3001", "10"), venue=LIGHTER),
        size_usd=Decimal(100),
    )
    unread = economics.estimate(a_pair("0", "0.01"), horizon_h=24, taker_fees=FEES)

    assert economics.by_net([unread, weak]) == [weak, unread]
