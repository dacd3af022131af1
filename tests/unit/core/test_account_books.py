"""How a position is booked: averaged or by value, rounded as the venue does, nothing lost."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sandbox.engine.account import Account
from adapters.sandbox.engine.order_types import TradeKind
from hedger.domain.account import Books, Holding
from hedger.domain.money import ZERO

BY_PRICE = Books()
BY_VALUE = Books(entry_step=None)
SIZES = st.integers(min_value=-5_000, max_value=5_000).filter(bool)
PRICES = st.integers(min_value=1, max_value=9_999_999)
FILLS = st.lists(
    st.tuples(SIZES, PRICES).map(lambda pair: (Decimal(pair[0]) / 1000, Decimal(pair[1]) / 1000)),
    min_size=1,
    max_size=25,
)


@pytest.mark.parametrize("books", [BY_PRICE, BY_VALUE], ids=["price", "value"])
@given(fills=FILLS)
def test_core_and_venue_book_the_same_result_for_every_fill(
    books: Books, fills: list[tuple[Decimal, Decimal]]
) -> None:
    """Two independent computations: the sandbox's engine and the core's, to the last decimal."""
    venue = Account(1, ZERO, by_value=books.entry_step is None)
    ours = Holding(books)
    for number, (size, price) in enumerate(fills):
        before = venue.collateral
        venue.apply_fill(
            "ETH",
            size,
            price,
            ZERO,
            new_id=number,
            leverage=Decimal(1),
            now_ms=number,
            kind=TradeKind.TRADE,
        )
        assert ours.fill(size, price) == venue.collateral - before
        assert ours.size == venue.size("ETH")


@given(fills=FILLS)
def test_by_value_a_round_trip_books_exactly_the_cash_that_moved(
    fills: list[tuple[Decimal, Decimal]],
) -> None:
    """Steps times ticks fit into the six decimals, as on Lighter: nothing is rounded away."""
    holding, booked, cash = Holding(BY_VALUE), ZERO, ZERO
    left = sum((size for size, _ in fills), ZERO)
    for size, price in [*fills, *([(-left, Decimal("7.5"))] if left else [])]:
        booked += holding.fill(size, price)
        cash -= size * price
    assert holding.size == ZERO
    assert booked == cash


@given(fills=FILLS)
def test_by_price_each_booked_result_is_off_by_less_than_a_millionth(
    fills: list[tuple[Decimal, Decimal]],
) -> None:
    holding, booked, cash = Holding(BY_PRICE), ZERO, ZERO
    left = sum((size for size, _ in fills), ZERO)
    trips = [*fills, *([(-left, Decimal("7.5"))] if left else [])]
    for size, price in trips:
        booked += holding.fill(size, price)
        cash -= size * price
    assert abs(booked - cash) <= Decimal("0.000001") * len(trips)


def test_a_loss_is_rounded_half_to_even_at_the_sixth_decimal() -> None:
    holding = Holding(BY_PRICE)
    holding.fill(Decimal(1), Decimal("1.0000005"))
    assert holding.fill(Decimal(-1), Decimal(1)) == ZERO
    holding.fill(Decimal(1), Decimal("1.0000015"))
    assert holding.fill(Decimal(-1), Decimal(1)) == Decimal("-0.000002")


def test_turning_round_books_the_old_side_and_begins_the_new_one_at_the_new_price() -> None:
    holding = Holding(BY_VALUE)
    holding.fill(Decimal(2), Decimal(10))
    assert holding.fill(Decimal(-5), Decimal(11)) == Decimal(2)
    assert holding.fill(Decimal(3), Decimal(10)) == Decimal(3)
    assert holding.size == ZERO
