"""Lighter's JSON about markets, prices and the account, in our words."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lighter import accountwire, wire
from adapters.lighter.fields import UnreadableError, instant, on_the_hour, rows_of
from adapters.lighter.names import Names
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Level, MarketStatus

SHAPES = json.loads(
    (Path(__file__).parent / "data" / "rest_shapes.json").read_text(), parse_float=Decimal
)
LIGHTER = VenueId("lighter")
ETH, PEPE = Symbol("ETH"), Symbol("PEPE")
NAMES = Names({PEPE: "1000PEPE"})
NOW = datetime(2026, 1, 2, 21, 30, tzinfo=UTC)


@pytest.fixture
def markets() -> wire.Markets:
    return wire.markets(SHAPES["orderBookDetails"], LIGHTER, NAMES)


def test_rules_of_a_market_are_exact(markets: wire.Markets) -> None:
    eth = markets.instruments[ETH]
    assert (eth.size_step, eth.price_tick) == (Decimal("0.0001"), Decimal("0.01"))
    assert (eth.min_size, eth.min_notional_usd) == (Decimal("0.0050"), Decimal(10))
    assert (eth.max_leverage, eth.price_band) == (Decimal(50), Decimal("0.05"))
    assert eth.max_order_value_usd is None  # 281474976.710655 means none
    assert eth.status is MarketStatus.ACTIVE


def test_a_renamed_market_appears_under_our_name_only(markets: wire.Markets) -> None:
    assert PEPE in markets.instruments
    assert Symbol("1000PEPE") not in markets.instruments
    assert markets.instruments[PEPE].name == "1000PEPE"
    assert markets.instruments[PEPE].status is MarketStatus.REDUCE_ONLY
    assert markets.instruments[PEPE].identity == "4"


def test_their_own_market_of_that_name_is_not_mistaken_for_it() -> None:
    assert NAMES.ours("PEPE") is None
    assert NAMES.theirs(PEPE) == "1000PEPE"


def test_one_market_that_cannot_be_read_costs_only_itself(markets: wire.Markets) -> None:
    assert Symbol("ODD") not in markets.instruments
    assert any(complaint.startswith("ODD") for complaint in markets.unreadable)
    assert Symbol("YES") not in markets.instruments  # a binary option


def test_a_settled_market_has_rules_and_no_price(markets: wire.Markets) -> None:
    assert markets.instruments[Symbol("OLD")].status is MarketStatus.CLOSED
    assert Symbol("OLD") not in markets.marks


def test_open_interest_is_turned_from_coins_into_usd(markets: wire.Markets) -> None:
    assert markets.marks[ETH].open_interest_usd == Decimal("62566.5475") * Decimal("3008.20")


def test_an_answer_without_one_readable_market_is_an_error() -> None:
    with pytest.raises(UnreadableError):
        wire.markets({"order_book_details": []}, LIGHTER, NAMES)


def test_only_rows_of_lighter_are_its_rates() -> None:
    rates = wire.lighter_rates(SHAPES["funding-rates"])
    assert rates == {0: Decimal("0.000012"), 4: Decimal("-0.000003")}


def test_settled_rates_carry_the_sign_of_their_direction() -> None:
    settled = wire.settled_rates(SHAPES["fundings"], LIGHTER, ETH)
    assert [row.rate_1h for row in settled.values()] == [Decimal("0.000012"), Decimal("-0.000004")]
    assert wire.settlements(SHAPES["fundings"])[-1] == datetime(2025, 11, 30, 2, tzinfo=UTC)


def test_a_book_is_summed_to_levels_best_first() -> None:
    rows = [("3001", "1"), ("3002", "0.5"), ("3001", "2"), ("3000", "0")]
    orders = [{"price": price, "remaining_base_amount": size} for price, size in rows]
    book = wire.book({"bids": orders, "asks": orders}, LIGHTER, ETH, NOW)
    levels = (Level(Decimal(3001), Decimal(3)), Level(Decimal(3002), Decimal("0.5")))
    assert book.asks == levels
    assert book.bids == levels[::-1]


def test_a_missing_side_of_the_book_is_not_an_empty_one() -> None:
    with pytest.raises(UnreadableError):
        wire.book({"bids": []}, LIGHTER, ETH, NOW)


def test_positions_take_their_sign_from_sign_and_flat_rows_are_flat() -> None:
    account = accountwire.account_of(SHAPES["account"], 700001)
    positions = accountwire.positions(account, LIGHTER, NAMES, NOW, NOW).positions
    assert set(positions) == {ETH}
    assert positions[ETH].size == Decimal("-0.1")
    assert positions[ETH].entry_price == Decimal(3001)


@given(st.decimals(min_value="0.0001", max_value=10_000, places=4), st.sampled_from([1, -1]))
def test_the_size_of_a_position_is_sign_times_position(size: Decimal, sign: int) -> None:
    row = {"symbol": "ETH", "market_id": 0, "sign": sign, "position": str(size)}
    account = {"positions": [row | {"avg_entry_price": "1"}]}
    held = accountwire.positions(account, LIGHTER, NAMES, NOW, NOW)
    assert held.positions[ETH].size == sign * size


@pytest.mark.parametrize(
    "row",
    [
        {"symbol": "ETH", "position": "0.1", "avg_entry_price": "1"},
        {"symbol": "ETH", "sign": 0, "position": "0.1", "avg_entry_price": "1"},
        {"symbol": "ETH", "sign": 1, "avg_entry_price": "1"},
        {"symbol": "ETH", "sign": 1, "position": 0.1, "avg_entry_price": "1"},
        {"symbol": "ETH", "sign": 1, "position": "-0.1", "avg_entry_price": "1"},
        {"symbol": "ETH", "sign": 1, "position": "NaN", "avg_entry_price": "1"},
    ],
)
def test_a_position_that_cannot_be_read_is_an_error_and_not_flat(row: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        accountwire.positions({"positions": [row]}, LIGHTER, NAMES, NOW, NOW)


def test_an_account_without_a_list_of_positions_is_not_flat() -> None:
    with pytest.raises(UnreadableError):
        accountwire.positions({"collateral": "1"}, LIGHTER, NAMES, NOW, NOW)


def test_an_account_without_orders_says_so_in_every_count() -> None:
    row = {"position": "0", "open_order_count": 0, "pending_order_count": 0}
    account = {"total_order_count": 0, "pending_order_count": 0, "positions": [row]}
    assert accountwire.has_no_orders(account)
    for key in accountwire.ORDER_COUNTS:
        assert not accountwire.has_no_orders(account | {key: 1})
        assert not accountwire.has_no_orders({k: v for k, v in account.items() if k != key})
    for key in accountwire.MARKET_ORDER_COUNTS:
        for unclear in (1, None, "0", False):
            assert not accountwire.has_no_orders(account | {"positions": [row | {key: unclear}]})


def test_another_account_is_refused() -> None:
    with pytest.raises(UnreadableError):
        accountwire.account_of(SHAPES["account"], 700002)


def test_the_balance_is_free_margin_and_value() -> None:
    balance = accountwire.balance(accountwire.account_of(SHAPES["account"], 700001), LIGHTER, NOW)
    assert (balance.available_usd, balance.equity_usd) == (
        Decimal("9210.123456"),
        Decimal("10012.5"),
    )


def test_what_is_held_is_the_value_of_both_sides_or_unknown() -> None:
    account = {"available_balance": "1", "total_asset_value": "1"}
    flat = {"position": "0.0000", "position_value": "0"}
    rows = [{"position": "2", "position_value": "30.5"}, {"position": "1", "position_value": "9"}]

    def held(**more: object) -> Decimal | None:
        return accountwire.balance(account | more, LIGHTER, NOW).held_usd

    assert held(positions=[]) == 0
    assert held(positions=[*rows, flat]) == Decimal("39.5")
    assert held(positions=[*rows, {"position": "1"}]) is None
    assert held() is None


def test_fee_ticks_are_parts_per_million() -> None:
    fees = accountwire.fees({"current_maker_fee_tick": 40, "current_taker_fee_tick": 280})
    assert (fees.maker, fees.taker) == (Decimal("0.00004"), Decimal("0.00028"))


def test_payments_are_stamped_to_the_hour_and_signed_by_the_cash() -> None:
    rows = rows_of(SHAPES["positionFunding"], "position_fundings")
    received, paid = (accountwire.payment(row, LIGHTER, ETH) for row in rows)
    assert (received.amount_usd, received.rate_1h, received.size) == (
        Decimal("0.00361"),
        Decimal("0.000012"),
        Decimal("-0.1"),
    )
    assert (paid.amount_usd, paid.rate_1h) == (Decimal("-0.001203"), Decimal("-0.000004"))
    assert paid.settlement_at == datetime(2025, 11, 30, 1, tzinfo=UTC)


@given(
    st.datetimes(
        min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)
    )
)
def test_seconds_milliseconds_and_microseconds_are_told_apart(at: datetime) -> None:
    seconds = int(at.timestamp())
    at = datetime.fromtimestamp(seconds, UTC)
    assert instant(seconds) == instant(seconds * 1000) == instant(seconds * 10**6) == at


def test_a_settlement_some_seconds_late_belongs_to_its_hour() -> None:
    assert on_the_hour(datetime(2026, 1, 2, 21, 0, 7, tzinfo=UTC)) == datetime(
        2026, 1, 2, 21, tzinfo=UTC
    )
    assert on_the_hour(datetime(2026, 1, 2, 20, 59, 59, tzinfo=UTC)) == datetime(
        2026, 1, 2, 21, tzinfo=UTC
    )


@given(
    hours=st.integers(min_value=0, max_value=24 * 365 * 30),
    off_s=st.integers(min_value=-1_799, max_value=1_799),
    unit=st.sampled_from([1, 1_000, 1_000_000]),
)
def test_s59_a_payment_is_booked_at_its_hour_whatever_its_stamp_is_off_and_in_which_unit(
    hours: int, off_s: int, unit: int
) -> None:
    """Seconds, milliseconds or microseconds, early or late: one settlement, one key."""
    settlement = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    (row, _) = rows_of(SHAPES["positionFunding"], "position_fundings")
    stamp = (int(settlement.timestamp()) + off_s) * unit
    assert (
        accountwire.payment({**row, "timestamp": stamp}, LIGHTER, ETH).settlement_at == settlement
    )


@pytest.mark.parametrize(("mode", "isolated"), [({}, False), ({"margin_mode": 0}, False),
                                                ({"margin_mode": 1}, True)])  # fmt: skip
def test_b23_isolated_margin_is_told_apart(mode: dict[str, int], isolated: bool) -> None:
    """Only the leverage was compared: a market on isolated margin passed for one on cross."""
    row = {"symbol": "ETH", "market_id": 0, "initial_margin_fraction": "20.00"} | mode
    margin = accountwire.margin({"positions": [row]}, 0)
    assert margin == accountwire.Margin(Decimal(5), isolated=isolated)


def test_b06_two_rows_of_one_market_are_drift_and_the_open_one_counts() -> None:
    (row,) = [r for r in SHAPES["orderBookDetails"]["order_book_details"] if r["symbol"] == "ETH"]
    other = row | {"status": "inactive", "supported_size_decimals": 2}
    data = {"order_book_details": [other, row]}
    found = wire.markets(data, LIGHTER, Names({}))
    assert found.instruments[ETH].status is MarketStatus.ACTIVE
    assert "lists the market number 0 twice" in found.drift[ETH]
    assert ETH not in found.marks
