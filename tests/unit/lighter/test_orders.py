"""Client ids, scaled integers, kept bytes, and what became of an order."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lighter import orders
from adapters.lighter.fields import UnreadableError, rows_of
from adapters.lighter.orders import NotSignableError, OrderRecord, Payload, TxRecord
from hedger.domain.ids import HedgeId, OrderId, Symbol, VenueId
from hedger.domain.market import Instrument, MarketStatus
from hedger.domain.order import Order, Purpose, Side

SHAPES = json.loads(
    (Path(__file__).parent / "data" / "rest_shapes.json").read_text(), parse_float=Decimal
)
LIGHTER = VenueId("lighter")
ETH = Instrument(
    venue=LIGHTER,
    symbol=Symbol("ETH"),
    name="ETH",
    status=MarketStatus.ACTIVE,
    size_step=Decimal("0.0001"),
    price_tick=Decimal("0.01"),
    min_size=Decimal("0.0050"),
    market_id=0,
)


def an_order(
    size: str = "0.1",
    price: str = "3010.25",
    side: Side = Side.BUY,
    purpose: Purpose = Purpose.OPEN,
) -> Order:
    return Order(
        id=OrderId("eth-260102213005-k3f9-2"),
        hedge=HedgeId("eth-260102213005-k3f9"),
        venue=LIGHTER,
        symbol=Symbol("ETH"),
        purpose=purpose,
        attempt=1,
        side=side,
        size=Decimal(size),
        limit_price=Decimal(price),
        expires_at=datetime(2026, 1, 2, 21, 30, 15, tzinfo=UTC),
    )


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=60))
def test_a_client_id_fits_48_bits_and_is_never_none(order_id: str) -> None:
    index = orders.client_order_index(OrderId(order_id))
    assert 1 <= index < 2**48
    assert index == orders.client_order_index(OrderId(order_id))


def test_an_order_is_scaled_to_whole_steps() -> None:
    fields = orders.order_fields(an_order(side=Side.SELL, purpose=Purpose.ROLLBACK), ETH)
    assert (fields.base_amount, fields.price) == (1000, 301025)
    assert (fields.is_ask, fields.reduce_only) == (True, True)


@pytest.mark.parametrize(
    ("size", "price"),
    [
        ("0.00015", "3000"),  # off the step
        ("0.1", "3000.001"),  # off the tick
        ("0.1", "42949672.96"),  # 2^32 ticks: the signer would wrap it to 0
        ("0.1", "42949673.01"),  # 2^32 + 5: and this to 5
        ("28147497671.0656", "3000"),  # 2^48 steps
    ],
)
def test_what_the_signer_would_wrap_or_round_is_refused(size: str, price: str) -> None:
    with pytest.raises(NotSignableError):
        orders.order_fields(an_order(size, price), ETH)


@given(st.integers(min_value=1, max_value=orders.MAX_PRICE), st.integers(min_value=0, max_value=9))
def test_steps_are_exact_for_every_number_of_decimals(count: int, decimals: int) -> None:
    step = Decimal(1).scaleb(-decimals)
    assert orders.steps(count * step, step, orders.MAX_PRICE, "price") == count


@given(st.integers(min_value=0, max_value=255), st.text(min_size=1))
def test_kept_bytes_come_back_as_they_were(tx_type: int, tx_info: str) -> None:
    payload = Payload(tx_type, tx_info)
    assert Payload.parse(payload.text()) == payload


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"tx_type": 14}', '{"tx_type": "x", "tx_info": "y"}']
)
def test_a_payload_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        Payload.parse(text)


def test_an_order_is_found_by_our_id_alone() -> None:
    record = orders.record_of(SHAPES["accountOrders"], 42)
    assert record == OrderRecord(
        order_index=281475000000001,
        market=0,
        is_ask=False,
        filled=Decimal("0.0600"),
        status="canceled-not-enough-liquidity",
    )
    assert orders.record_of(SHAPES["accountOrders"], 43) is None


def a_record(word: str) -> OrderRecord:
    return OrderRecord(order_index=1, market=0, is_ask=True, filled=Decimal(0), status=word)


@pytest.mark.parametrize("word", ["in-progress", "pending", "open", "a-word-of-next-year"])
def test_only_words_known_as_ends_are_final(word: str) -> None:
    assert not OrderRecord(
        order_index=1, market=0, is_ask=True, filled=Decimal(0), status=word
    ).final


@pytest.mark.parametrize(
    "word", ["filled", "canceled", "canceled-margin-not-allowed", "canceled-expired"]
)
def test_filled_and_every_way_of_cancelled_are_final(word: str) -> None:
    assert a_record(word).final


def the_record() -> OrderRecord:
    record = orders.record_of(SHAPES["accountOrders"], 42)
    assert record is not None
    return record


def test_fills_are_ours_alone_with_the_fee_of_our_side() -> None:
    record = the_record()
    fills = orders.fills(rows_of(SHAPES["trades"], "trades"), an_order(), record)
    assert [fill.trade_id for fill in fills] == ["9007199254740993", "9007199254740995"]
    assert sum(fill.size for fill in fills) == record.filled
    assert [fill.fee_usd for fill in fills] == [Decimal("0.033608"), Decimal("0.016808")]
    assert {fill.side for fill in fills} == {Side.BUY}


def test_a_fee_that_is_left_out_is_zero_and_a_trade_shown_twice_counts_once() -> None:
    row = dict(rows_of(SHAPES["trades"], "trades")[0])
    del row["taker_fee"]
    record = the_record()
    (fill,) = orders.fills([row, row], an_order(), record)
    assert fill.fee_usd == 0


def test_a_maker_pays_the_maker_fee() -> None:
    row = {**rows_of(SHAPES["trades"], "trades")[0], "is_maker_ask": False}
    record = the_record()
    (fill,) = orders.fills([row], an_order(), record)
    assert fill.fee_usd == Decimal("0.002401")  # 60.03 * 40 ppm


@pytest.mark.parametrize(
    ("status", "event", "rejected", "word"),
    [
        (2, '{"t":null,"mo":null,"to":{"i":1},"ae":""}', False, "executed"),
        (2, '{"ae":"not enough margin"}', True, "executed: not enough margin"),
        (2, '{"ae":"{\\"message\\":\\"x\\"}"}', True, 'executed: {"message":"x"}'),
        (2, '{"ae":{"code":21614}}', True, 'executed: {"code": 21614}'),
        (0, '{"ae":"reduce only"}', True, "failed: reduce only"),
        (0, "", True, "failed"),
        (1, "", False, "pending"),
        (3, "", False, "status 3"),
    ],
)
def test_the_sequencers_word_on_a_transaction(
    status: int, event: str, rejected: bool, word: str
) -> None:
    tx = orders.tx_record({"code": 200, "status": status, "event_info": event})
    assert tx == TxRecord(status=status, error=tx.error)
    assert (tx.rejected, tx.word) == (rejected, word)


def test_working_orders_without_our_id_are_named_by_the_venues_number() -> None:
    rows = [
        {"client_order_index": 5, "order_index": 1},
        {"client_order_index": 0, "order_index": 2},
    ]
    assert orders.working_ids({"orders": rows}) == ["5", "order-2"]


@pytest.mark.parametrize(
    ("status", "error", "used"),
    [
        (2, "", True),
        (2, "AppErrInctiveOrder", True),  # nothing to cancel, and the nonce is gone
        (0, "AppErrInvalidOrderIndex", True),
        (0, "AppErrInvalidNonce", False),  # the other one got it
        (2, "AppErrInvalidNonce", False),
        (0, "AppErrTxExpired", False),
        (0, "", False),  # no reason given: not believed
        (1, "", False),
        (3, "", False),
    ],
)
def test_only_a_decided_transaction_has_used_its_nonce(status: int, error: str, used: bool) -> None:
    assert TxRecord(status=status, error=error).used_its_nonce is used
