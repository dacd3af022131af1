"""What a leg should have been charged, from its own fills: rates in force, sizes held, gaps."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedger.audit import charges
from hedger.audit.charges import Charged, Lack
from hedger.audit.legrows import LegRows
from hedger.domain.account import Books
from hedger.ledger.text import instant_text

T0 = datetime(2026, 1, 2, 12, tzinfo=UTC)
OPENED, CLOSED = 10.0, 150.0  # minutes after T0
S1, S2 = 60.0, 120.0


def at(minutes: float) -> str:
    return instant_text(T0 + timedelta(minutes=minutes))


def a_fill(minutes: float, size: str, side: str = "buy", **other: Any) -> dict[str, Any]:
    return {
        "trade_id": str(minutes),
        "side": side,
        "size": size,
        "price": "2000",
        "is_maker": 0,
        "prepared_at": at(minutes),
        "done_at": at(minutes + 0.01),
        **other,
    }


def a_payment(minutes: float, size: str = "0.5", mark: str | None = "2000") -> dict[str, Any]:
    return {"settlement_at": at(minutes), "size": size, "mark_price": mark}


def told(taker: str, since: float, until: float, maker: str = "0") -> dict[str, Any]:
    return {"maker": maker, "taker": taker, "as_of": at(since), "until": at(until)}


def a_rate(minutes: float, per_coin: str | None = None) -> dict[str, Any]:
    return {"settlement_at": at(minutes), "rate_1h": "0.00001", "per_coin_usd": per_coin}


def a_leg(**changes: Any) -> LegRows:
    rows: dict[str, Any] = {
        "venue": "x10",
        "account": "1",
        "fills": [a_fill(OPENED, "0.5"), a_fill(CLOSED, "0.5", "sell")],
        "payments": [a_payment(S1), a_payment(S2)],
        "entries": [],
        "fee_rates": [told("0.00025", 9, 151)],
        "settled": [a_rate(0), a_rate(S1), a_rate(S2)],
        "seen": {at(S1): at(1), at(S2): at(61), at(180): at(121)},
        "still": {at(S1): at(59), at(S2): at(119), at(180): at(155)},
        "books": Books(),
    }
    return LegRows(**{**rows, **changes})


def charged(**changes: Any) -> Charged:
    return charges.of_leg(a_leg(**changes), at(S1), at(180), over=True)


def test_fees_are_value_times_rate_and_payments_position_times_charge() -> None:
    found = charged()

    assert found.fees == (Decimal("-0.25"), Decimal("-0.25"))
    assert found.payments == {at(S1): Decimal("-0.01"), at(S2): Decimal("-0.01")}
    assert (found.fee, found.funding) == (Decimal("-0.5"), Decimal("-0.02"))
    assert (found.lacks, found.problems) == (frozenset(), ())


def test_a_fill_in_the_book_has_the_rate_of_a_maker() -> None:
    fills = [a_fill(OPENED, "0.5", is_maker=1), a_fill(CLOSED, "0.5", "sell")]

    found = charged(fills=fills, fee_rates=[told("0.00025", 9, 151, maker="0.00004")])

    assert found.fees == (Decimal("-0.04"), Decimal("-0.25"))


def test_before_a_reading_after_the_last_fill_the_fee_is_asked_for() -> None:
    found = charged(fee_rates=[told("0.00025", 9, 149)])

    assert found.fees == (Decimal("-0.25"), None)
    assert (found.fee, found.lacks) == (None, frozenset({Lack.FEES}))
    assert charged(fee_rates=[]).lacks == {Lack.FEES}


def test_a_fill_between_two_different_rates_is_unknown_for_good() -> None:
    found = charged(fee_rates=[told("0.00025", 9, 149), told("0.0002", 160, 160)])

    assert (found.fee, found.lacks) == (None, frozenset())


def test_each_fill_has_the_rate_of_its_own_time() -> None:
    found = charged(fee_rates=[told("0.00025", 9, 100), told("0.0002", 140, 151)])

    assert found.fees == (Decimal("-0.25"), Decimal("-0.2"))


@pytest.mark.parametrize(
    "settled", [[], [a_rate(0), a_rate(S1)], [a_rate(S2)]], ids=["none", "no last", "no first"]
)
def test_until_the_public_list_has_every_settlement_funding_is_asked_for(settled: Any) -> None:
    found = charged(settled=settled)

    assert (found.funding, found.lacks) == (None, frozenset({Lack.RATES}))


def test_a_missing_payment_counts_as_what_we_should_have_been_paid() -> None:
    rates = [a_rate(0), a_rate(S1, "0.02"), a_rate(S2, "0.02")]

    found = charged(payments=[a_payment(S1)], settled=rates)

    assert found.payments == {at(S1): Decimal("-0.01"), at(S2): Decimal("-0.01")}


def test_without_a_price_from_anybody_the_payment_is_unknown() -> None:
    assert charged(payments=[a_payment(S1, mark=None), a_payment(S2)]).funding is None
    assert charged(payments=[a_payment(S1)]).funding is None


def test_the_size_is_ours_and_not_what_the_payment_says() -> None:
    found = charged(payments=[a_payment(S1, size="5"), a_payment(S2)])

    assert found.payments[at(S1)] == Decimal("-0.01")


def test_of_an_order_around_a_settlement_the_payment_says_on_which_side_it_fell() -> None:
    fills = [a_fill(OPENED, "0.3"), a_fill(60.5, "0.2"), a_fill(CLOSED, "0.5", "sell")]
    sizes = {"0.3": "-0.006", "0.5": "-0.01"}

    for size, amount in sizes.items():
        found = charged(fills=fills, payments=[a_payment(S1, size=size), a_payment(S2)])
        assert found.payments[at(S1)] == Decimal(amount)
    found = charged(fills=fills, payments=[a_payment(S1, size="0.4"), a_payment(S2)])
    assert found.funding is None
    assert f"at {at(S1)} we held 0.3 or 0.5 coins" in found.problems


def test_a_settlement_at_which_we_were_flat_again_pays_nothing() -> None:
    fills = [a_fill(OPENED, "0.5"), a_fill(70, "0.5", "sell")]

    found = charges.of_leg(
        a_leg(fills=fills, payments=[a_payment(S1)], fee_rates=[told("0.00025", 9, 80)]),
        at(S1),
        at(S2),
        over=True,
    )

    assert found.payments == {at(S1): Decimal("-0.01")}
