"""Which pairs there are, which way they face, and what a look at them comes to."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedger import decayfile, opportunity
from hedger.domain.ids import Symbol
from hedger.domain.market import RateSeen
from hedger.domain.order import Side
from hedger.opportunity import Pair, Terms
from tests.builders import ETH, LIGHTER, NOW, X10, a_book, a_quote

TERMS = Terms(
    model=decayfile.shipped(),
    settlements=24,
    size_usd=Decimal(300),
    taker_fees=(Decimal("0.00025"), Decimal("0.00028")),
    rollback_bps=Decimal("0.5"),
)
rates = st.integers(-5000, 5000).map(lambda n: Decimal(n) / 1_000_000)


def a_pair(rate_a: str, rate_b: str) -> Pair:
    return Pair(symbol=ETH, a=a_quote(X10, rate_a), b=a_quote(LIGHTER, rate_b))


@given(rate_a=rates, rate_b=rates)
def test_s26_the_short_leg_is_where_the_rate_is_higher(rate_a: Decimal, rate_b: Decimal) -> None:
    """Longs pay a positive rate; the side is the sign of the difference, never of one rate."""
    pair = a_pair(str(rate_a), str(rate_b))

    earned = -pair.side_a.sign * rate_a + pair.side_a.sign * rate_b

    assert earned == pair.spread_1h >= 0
    assert opportunity.spread_kept(pair.side_a, rate_a, rate_b) == earned


def test_s27_the_units_of_the_costliest_mistake_give_the_right_direction() -> None:
    """Lighter REST 0.000096 per 8 h is 0.000012 per hour: below Extended's 0.00003."""
    pair = a_pair("0.00003", str(Decimal("0.000096") / 8))

    assert pair.side_a is Side.SELL
    assert f"{opportunity.estimate(pair, TERMS).worth.naive_apy:.3f}" == "0.158"


def test_the_value_is_expected_funding_less_fees_slippage_basis_and_rollbacks() -> None:
    pair = a_pair("0", "0.001")  # long X10, short Lighter: 10 bps an hour
    book_a = a_book(("2999", "10", "3001", "10"))
    book_b = a_book(("2993", "10", "2995", "10"), venue=LIGHTER)

    found = opportunity.with_books(opportunity.estimate(pair, TERMS), book_a, book_b, TERMS)

    costs = found.costs
    assert found.priced
    assert costs.fees_bps == Decimal("10.6")
    assert costs.slippage_bps == Decimal(2) / 3000 * 10000 + Decimal(2) / 2994 * 10000
    assert costs.basis_bps == pytest.approx(Decimal(6) / 2997 * 10000)  # the long leg is dearer
    assert costs.rollback_bps == Decimal("0.5")
    assert found.worth.value_usd == found.worth.funding_usd - found.worth.cost_usd
    assert found.worth.cost_usd == costs.total_bps / 10000 * 300
    held_for_ever = Decimal("0.001") * 24 * 300
    assert 0 < found.worth.funding_usd < held_for_ever / 2


def test_a_basis_in_our_favour_is_no_income_before_it_is_taken() -> None:
    pair = a_pair("0", "0.001")
    book_a, book_b = a_book(("2999", "9", "3001", "9")), a_book(("3005", "9", "3007", "9"))

    found = opportunity.with_books(opportunity.estimate(pair, TERMS), book_a, book_b, TERMS)

    assert found.costs.basis_bps == 0


def test_a_book_that_is_too_thin_leaves_the_candidate_unpriced() -> None:
    thin = a_book(("2999", "0.01", "3001", "0.01"))
    candidate = opportunity.estimate(a_pair("0", "0.001"), TERMS)

    found = opportunity.with_books(candidate, thin, thin, TERMS)

    assert not found.priced
    assert "thin" in found.note


@pytest.mark.parametrize("mark", ["3", "3000000"])
def test_s54_equal_names_with_unequal_prices_are_not_paired(mark: str) -> None:
    """1000PEPE is not PEPE: the prices tell."""
    pepe = Symbol("PEPE")
    agree, disagree = opportunity.pair_up(
        {ETH: a_quote(X10, "0"), pepe: a_quote(X10, "0", symbol=pepe, mark="3000")},
        {ETH: a_quote(LIGHTER, "0"), pepe: a_quote(LIGHTER, "0", symbol=pepe, mark=mark)},
        max_price_gap_bps=Decimal(100),
    )

    assert [pair.symbol for pair in agree] == [ETH]
    assert [pair.symbol for pair in disagree] == [pepe]


def test_a_symbol_that_one_venue_does_not_quote_is_not_paired() -> None:
    found = opportunity.pair_up({ETH: a_quote(X10, "0")}, {}, max_price_gap_bps=Decimal(9))

    assert found == ([], [])


def test_candidates_whose_books_were_read_come_before_guesses() -> None:
    book = a_book(("2999", "10", "3001", "10"))
    weak = opportunity.with_books(
        opportunity.estimate(a_pair("0", "0.0001"), TERMS), book, book, TERMS
    )
    unread = opportunity.estimate(a_pair("0", "0.01"), TERMS)

    assert opportunity.by_value([unread, weak]) == [weak, unread]


def seen(*spreads: str | None) -> list[RateSeen]:
    """Lighter's rates at the settlements before the next one, the newest first; X10's is zero."""
    found = []
    for back, spread in enumerate(spreads, start=0):
        if spread is not None:
            at = NOW - timedelta(hours=back)
            found.append(RateSeen(venue=X10, settlement_at=at, rate_1h=Decimal(0)))
            found.append(RateSeen(venue=LIGHTER, settlement_at=at, rate_1h=Decimal(spread)))
    return found


@pytest.mark.parametrize(
    ("history", "settlements"),
    [
        ([], 1),
        (["0.0009"], 2),
        (["0.0009", "0.0006", "0.0001", "0.0009"], 3),  # a weak one ends the row
        (["0.0009", "-0.0009", "0.0009"], 2),  # so does one that was turned around
        (["0.0009", None, "0.0009"], 2),  # and one that nobody looked at
    ],
)
def test_a_spread_persists_while_every_settlement_had_half_of_it_in_the_same_direction(
    history: list[str | None], settlements: int
) -> None:
    pair = a_pair("0", "0.001")

    assert opportunity.persisted(pair, seen(*history), share=Decimal("0.5")) == settlements
