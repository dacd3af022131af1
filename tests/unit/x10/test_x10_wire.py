"""X10's answers in our words, from recorded payloads and their known variations."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.common.answers import failure, parse_json
from adapters.x10 import wire
from adapters.x10.fields import Row, from_ms, to_ms
from adapters.x10.names import Names
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Balance, Fees, Level, MarketStatus
from hedger.errors import DeniedError, DriftError, UnavailableError, VenueError
from tests.unit.x10.recorded import recorded

X10 = VenueId("x10")
BTC = Symbol("BTC")
NAMES = Names({})
NOW = datetime(2026, 1, 2, 21, 30, tzinfo=UTC)


def market(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = recorded("markets")["data"][0]
    return row | changes


def row(value: Any) -> Row:
    return Row(X10, "test", value)


def test_the_rules_of_a_recorded_market_are_read() -> None:
    rules = wire.instrument(X10, BTC, row(market()))
    assert rules.name == "BTC-USD"
    assert rules.status is MarketStatus.ACTIVE
    assert (rules.size_step, rules.price_tick) == (Decimal("0.00001"), Decimal(1))
    assert rules.min_size == Decimal("0.0001")
    assert rules.max_order_value_usd == Decimal(15_000_000)
    assert rules.price_band == Decimal("0.05")
    assert rules.max_leverage == Decimal(50)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, MarketStatus.ACTIVE),
        ({"status": "REDUCE_ONLY"}, MarketStatus.REDUCE_ONLY),
        ({"status": "REDUCE_ONLY", "active": False}, MarketStatus.REDUCE_ONLY),
        ({"status": "DELISTED"}, MarketStatus.CLOSED),
        ({"status": "PRELISTED"}, MarketStatus.CLOSED),
        ({"status": "A_NEW_WORD"}, MarketStatus.CLOSED),
        ({"active": False}, MarketStatus.CLOSED),
        ({"isRfq": True}, MarketStatus.CLOSED),
        ({"status": None}, MarketStatus.ACTIVE),
    ],
)
def test_active_alone_does_not_make_a_market_tradable(
    changes: dict[str, Any], status: MarketStatus
) -> None:
    assert wire.status_of(row(market(**changes))) is status


def test_the_funding_rate_is_a_fraction_per_hour_and_its_next_charge_an_instant() -> None:
    quote = wire.funding_quote(X10, BTC, row(market()), NOW)
    assert quote.rate_1h == Decimal("0.000012")
    assert quote.next_settlement_at == datetime(2026, 4, 29, 7, tzinfo=UTC)
    assert quote.interval_s == 3600
    assert quote.mark_price == Decimal("77006.091897999984")
    assert quote.open_interest_usd == Decimal("114851569.088316")


def test_a_next_charge_in_seconds_is_the_same_instant() -> None:
    stats = market()["marketStats"] | {"nextFundingRate": 1777446000}
    quote = wire.funding_quote(X10, BTC, row(market(marketStats=stats)), NOW)
    assert quote.next_settlement_at == datetime(2026, 4, 29, 7, tzinfo=UTC)


def test_one_market_that_is_not_understood_harms_no_other() -> None:
    assets = market()["l2Config"]
    odd = market(
        name="ODD-USD",
        tradingConfig={"minOrderSize": "lots"},
        l2Config=assets | {"syntheticId": "0x2"},
    )
    new = market(
        name="ETH-USD",
        tradingHours="A_NEW_WORD",
        isOffHours="perhaps",
        l2Config=assets | {"syntheticId": "0x3"},
    )
    rows = wire.perpetuals(X10, [odd, new, market()], Names({})).rows
    understood = wire.understood(rows, lambda symbol, one: wire.instrument(X10, symbol, one))
    assert set(understood) == {"ETH", "BTC"}


def test_if_no_market_is_understood_that_is_said() -> None:
    rows = wire.perpetuals(X10, [market(tradingConfig={})], NAMES).rows
    with pytest.raises(DriftError, match="minOrderSizeChange is missing"):
        wire.understood(rows, lambda symbol, one: wire.instrument(X10, symbol, one))


def test_spot_markets_are_left_out() -> None:
    assert wire.perpetuals(X10, [market(type="SPOT")], NAMES).rows == {}


def test_an_overridden_name_belongs_to_exactly_one_market() -> None:
    names = Names({Symbol("PEPE"): "1000PEPE-USD"})
    assert names.market(Symbol("PEPE")) == "1000PEPE-USD"
    assert names.symbol("1000PEPE-USD") == "PEPE"
    assert names.symbol("PEPE-USD") is None
    assert names.certain_symbol("PEPE-USD") == "PEPE-USD"
    assert names.symbol("ETH-USD") == "ETH"


def test_a_row_with_an_earlier_name_belongs_to_the_market_that_had_it() -> None:
    names = Names({})
    names.renamed(Symbol("SOL"), "SOL2-USD")
    assert names.symbol("SOL-USD") is None  # nobody may trade by that name now
    assert names.past_symbol("SOL-USD") == names.past_symbol("SOL2-USD") == "SOL"
    names.renamed(Symbol("SOL"), "SOL-USD")
    assert names.past_symbol("SOL-USD") == names.past_symbol("SOL2-USD") == "SOL"
    assert names.past_symbol("SOL3-USD") == "SOL3"


def test_a_payment_under_an_earlier_name_is_one_of_the_same_market() -> None:
    names = Names({})
    names.renamed(Symbol("BTC"), "BTC2-USD")
    told = {
        "id": 1, "market": "BTC-USD", "side": "LONG", "size": "0.01", "fundingFee": "0.1",
        "fundingRate": "0.00001", "paidTime": 1723147241346,
    }  # fmt: skip
    assert wire.payment(X10, row(told), names).symbol == "BTC"


def test_a_position_is_signed_by_its_side() -> None:
    rows = recorded("positions")["data"]
    long = wire.position(X10, row(rows[0]), NAMES, NOW, NOW)
    short = wire.position(X10, row(rows[0] | {"side": "SHORT"}), NAMES, NOW, NOW)
    assert (long.symbol, long.size) == ("BTC", Decimal("0.00010"))
    assert short.size == Decimal("-0.00010")
    assert long.entry_price == Decimal("81500.0")


def test_a_closed_position_is_flat_whatever_size_it_still_shows() -> None:
    rows = recorded("positions")["data"]
    assert wire.position(X10, row(rows[0] | {"status": "CLOSED"}), NAMES, NOW, NOW).size == 0


@pytest.mark.parametrize(
    "change", [{"side": "BOTH"}, {"size": None}, {"size": "NaN"}, {"size": ""}]
)
def test_a_position_that_is_not_understood_is_never_taken_for_flat(
    change: dict[str, Any],
) -> None:
    rows = recorded("positions")["data"]
    with pytest.raises(DriftError):
        wire.position(X10, row(rows[0] | change), NAMES, NOW, NOW)


def test_a_book_is_sorted_and_cut() -> None:
    data = {
        "market": "BTC-USD",
        "bid": [
            {"qty": "1", "price": "99"},
            {"qty": "2", "price": "100"},
            {"qty": "0", "price": "101"},
        ],
        "ask": [{"qty": "3", "price": "103"}, {"qty": "4", "price": "102"}],
    }
    book = wire.book(X10, BTC, "BTC-USD", data, depth=1, as_of=NOW)
    assert book.bids == (Level(Decimal(100), Decimal(2)),)
    assert book.asks == (Level(Decimal(102), Decimal(4)),)
    with pytest.raises(DriftError, match="the book of BTC-USD"):
        wire.book(X10, Symbol("ETH"), "ETH-USD", data, depth=1, as_of=NOW)


def test_balance_and_fees_are_exact() -> None:
    data = {"availableForTrade": "9999.000001", "equity": "10000.10"}
    assert wire.balance(X10, data, NOW) == Balance(
        venue=X10, available_usd=Decimal("9999.000001"), equity_usd=Decimal("10000.10"), as_of=NOW
    )
    told = wire.balance(X10, data | {"exposure": "1234.5"}, NOW)
    assert told.held_usd == Decimal("1234.5")
    fees = [{"market": "BTC-USD", "makerFeeRate": "0", "takerFeeRate": "0.000225"}]
    assert wire.fees(X10, fees, "BTC-USD") == Fees(maker=Decimal(0), taker=Decimal("0.000225"))
    with pytest.raises(DriftError, match="ETH-USD is not in the answer"):
        wire.fees(X10, fees, "ETH-USD")


@pytest.mark.parametrize(
    ("paid_at", "hour"),
    [
        ("2024-08-08T20:00:41.346+00:00", 20),
        ("2024-08-08T20:00:00.000+00:00", 20),
        ("2024-08-08T20:45:00.000+00:00", 20),
        ("2024-08-08T19:59:59.900+00:00", 20),
    ],
)
def test_a_payment_belongs_to_the_hour_it_was_booked_after(paid_at: str, hour: int) -> None:
    assert wire.settled_hour(datetime.fromisoformat(paid_at)) == datetime(
        2024, 8, 8, hour, tzinfo=UTC
    )


def test_a_funding_payment_is_positive_when_received() -> None:
    payment = wire.payment(
        X10,
        row(
            {
                "id": 1784963886257016832,
                "market": "BTC-USD",
                "side": "SHORT",
                "size": "0.01",
                "fundingFee": "0.000924",
                "fundingRate": "0.000012",
                "paidTime": 1723147241346,
            }
        ),
        NAMES,
    )
    assert payment.payment_id == "1784963886257016832"
    assert payment.settlement_at == datetime(2024, 8, 8, 20, tzinfo=UTC)
    assert payment.amount_usd == Decimal("0.000924")
    assert payment.size == Decimal("-0.01")


def answered(status: int, text: str) -> wire.Page | None:
    return wire.answer(X10, "GET /x", status, text)


def test_only_the_venues_own_404_means_that_there_is_nothing() -> None:
    assert answered(404, "") is None
    assert answered(404, '{"status":"ERROR","error":{"code":1,"message":"none"}}') is None
    with pytest.raises(DeniedError):
        answered(404, '{"status":"ERROR","error":{"code":1004,"message":"no such account"}}')
    with pytest.raises(DeniedError):
        answered(404, "<html>not here</html>")


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (200, "<html>maintenance</html>", UnavailableError),
        (200, "nonsense", DriftError),
        (200, "[]", DriftError),
        (200, "{}", DriftError),
        (200, '{"status":"PERHAPS"}', DriftError),
        (200, '{"status":"ERROR","error":{"code":1004,"message":"who"}}', DeniedError),
        (200, '{"status":"ERROR","error":{"code":1010,"message":"later"}}', UnavailableError),
        (400, '{"status":"ERROR","error":{"code":1001,"message":"which"}}', DeniedError),
        (400, '{"status":"ERROR","error":{"code":1006,"message":"oops"}}', UnavailableError),
        (401, "", DeniedError),
        (403, "", DeniedError),
        (302, "", UnavailableError),
        (408, "", UnavailableError),
        (429, '{"status":"ERROR","error":{"code":429,"message":"slow"}}', UnavailableError),
        (500, "", UnavailableError),
        (503, "<html>", UnavailableError),
    ],
)
def test_a_failed_read_says_what_may_be_done_next(
    status: int, text: str, error: type[VenueError]
) -> None:
    with pytest.raises(error):
        answered(status, text)


def test_an_envelope_is_opened() -> None:
    text = (
        '{"status":"ok","data":[{"x":0.1}],"pagination":{"cursor":1784963886257016832,"count":1}}'
    )
    page = answered(200, text)
    assert page == wire.Page([{"x": Decimal("0.1")}], "1784963886257016832")


def test_a_number_that_cannot_be_counted_with_is_not_json_for_us() -> None:
    for word in ("NaN", "Infinity", "-Infinity"):
        with pytest.raises(DriftError, match="not JSON"):
            parse_json(X10, "GET /x", f'{{"price": {word}}}')


def test_a_long_foreign_text_is_cut_and_a_web_page_is_only_named() -> None:
    assert len(failure(X10, "GET /x", 400, "a" * 10_000).detail) < 300
    assert failure(X10, "GET /x", 502, "<html>secret</html>").detail == (
        "GET /x: HTTP 502 (a web page)"
    )


def test_instants_are_counted_in_whole_milliseconds() -> None:
    instant = datetime(2026, 1, 2, 21, 0, 0, 123_999, tzinfo=UTC)
    assert from_ms(to_ms(instant)) == instant.replace(microsecond=123_000)


@pytest.mark.parametrize("value", [True, 1.5, [], {}, "1e", "Infinity", None])
def test_what_is_not_an_exact_number_is_refused(value: Any) -> None:
    with pytest.raises(DriftError):
        row({"x": value}).decimal("x")
