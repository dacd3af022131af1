"""What became of an order, from X10's rows."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.x10 import sightings
from adapters.x10.fields import Row, to_ms
from hedger.domain.ids import HedgeId, OrderId, Symbol, VenueId
from hedger.domain.order import Fill, Found, Order, Purpose, Side
from hedger.errors import ContradictionError
from tests.unit.x10.recorded import recorded

X10 = VenueId("x10")
NOW = datetime(2026, 1, 2, 21, 30, tzinfo=UTC)
LAG_S = 5.0
ORDER = Order(
    id=OrderId("123456789"),
    hedge=HedgeId("btc-1"),
    venue=X10,
    symbol=Symbol("BTC"),
    purpose=Purpose.OPEN,
    attempt=1,
    side=Side.SELL,
    size=Decimal("0.01"),
    limit_price=Decimal(87_777),
    expires_at=NOW,
)


def state(**changes: Any) -> sightings.OrderState:
    row = recorded("order")["data"] | {"updatedTime": to_ms(NOW)} | changes
    present = {key: value for key, value in row.items() if value is not None}
    return sightings.order_state(Row(X10, "order", present), ORDER, {"BTC-USD"})


def fill(size: str = "0.004", trade_id: int = 7) -> Fill:
    row = {
        "id": trade_id,
        "orderId": 2051479786538188800,
        "market": "BTC-USD",
        "side": "SELL",
        "qty": size,
        "price": "87700",
        "fee": "0.0877",
        "createdTime": 1777964689706,
    }
    return sightings.fill(X10, Row(X10, "trade", row), ORDER, {"BTC-USD"})


def seen(*states: sightings.OrderState, fills: tuple[Fill, ...] = (), later_s: float = 0) -> Found:
    return sightings.found(states, fills, NOW + timedelta(seconds=later_s), LAG_S)


def test_a_recorded_working_order_is_not_final() -> None:
    found = seen(state(), fills=(fill(),))
    assert (found.final, found.filled) == (False, Decimal("0.004"))
    assert found.venue_order_id == "2051479786538188800"
    assert found.status == "PARTIALLY_FILLED"


@pytest.mark.parametrize("word", ["FILLED", "CANCELLED", "REJECTED", "EXPIRED"])
def test_these_statuses_are_final(word: str) -> None:
    assert state(status=word).final


@pytest.mark.parametrize(
    "word", ["NEW", "PARTIALLY_FILLED", "UNTRIGGERED", "TRIGGERED", "NEW_WORD"]
)
def test_any_other_status_is_not(word: str) -> None:
    assert not state(status=word).final


def test_a_cancelled_order_with_a_filled_quantity_is_a_partial_fill() -> None:
    found = seen(state(status="CANCELLED", statusReason="NO_LIQUIDITY"), fills=(fill(),))
    assert found.complete
    assert found.filled == Decimal("0.004")
    assert found.status == "CANCELLED NO_LIQUIDITY"


def test_it_is_complete_only_when_its_trades_add_up() -> None:
    cancelled = state(status="CANCELLED")
    assert not seen(cancelled).complete
    assert not seen(cancelled, fills=(fill("0.003"),)).complete
    assert seen(cancelled, fills=(fill("0.003"), fill("0.001", 8))).complete


def test_a_status_reason_that_the_sdk_does_not_know_loses_nothing() -> None:
    assert state(status="CANCELLED", statusReason="ACCOUNT_LIQUIDATION").status == (
        "CANCELLED ACCOUNT_LIQUIDATION"
    )


def test_a_filled_order_without_a_quantity_is_filled_whole() -> None:
    assert state(status="FILLED", filledQty=None).filled == Decimal("0.01")


def test_a_cancelled_quantity_tells_the_filled_one() -> None:
    assert state(status="CANCELLED", filledQty=None, cancelledQty="0.006").filled == (
        Decimal("0.004")
    )


def test_a_missing_quantity_is_never_zero_while_trades_may_lag() -> None:
    unknown = state(status="CANCELLED", filledQty=None)
    assert not seen(unknown, later_s=LAG_S).final
    rested = seen(unknown, later_s=LAG_S + 1)
    assert rested.complete
    assert rested.filled == 0
    assert seen(unknown, fills=(fill(),), later_s=LAG_S + 1).filled == Decimal("0.004")


def test_two_orders_under_one_id_are_both_counted() -> None:
    first = state(status="FILLED", filledQty="0.01")
    second = state(status="NEW", filledQty="0", id="2051479786538188801")
    found = seen(first, second)
    assert not found.final
    assert found.filled == Decimal("0.01")
    assert found.venue_order_id == "2051479786538188800,2051479786538188801"


def test_our_id_on_another_market_contradicts_what_we_signed() -> None:
    with pytest.raises(ContradictionError, match="is there on ETH-USD"):
        state(market="ETH-USD")


def test_fills_are_told_oldest_first() -> None:
    found = seen(state(status="FILLED"), fills=(fill("0.001", 9), fill("0.003", 8)))
    assert [one.trade_id for one in found.fills] == ["8", "9"]
