"""Orders on the wire: client ids, scaled integers, the signed bytes, and what became of them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Final

from adapters.lighter import units
from adapters.lighter.fields import (
    Row,
    UnreadableError,
    decimal_of,
    flag_of,
    instant,
    int_of,
    row_of,
    rows_of,
    text_of,
)
from hedger.common.bounds import loads
from hedger.common.words import clean
from hedger.domain.ids import OrderId, Sent, Symbol, VenueId
from hedger.domain.market import Instrument
from hedger.domain.money import ZERO, plain
from hedger.domain.order import Fill, Order, PastOrder, Side

LIMIT_IMMEDIATE: Final = (0, 0, 0)  # Type, TimeInForce, OrderExpiry
TX_CREATE_ORDER: Final = 14
TX_CANCEL_ORDER: Final = 15
TX_UPDATE_LEVERAGE: Final = 20

MAX_BASE: Final = 2**48 - 1
MAX_PRICE: Final = 2**32 - 1
MAX_NONCE: Final = 2**48 - 2

PAYLOAD_MAX: Final = 65_536

TX_FAILED, TX_PENDING, TX_EXECUTED = 0, 1, 2  # 3 is "Pending-Final", of unknown meaning
NONCE_UNUSED: Final = re.compile("nonce|expir|21104|21711", re.IGNORECASE)
TX_WORDS: Final = {TX_FAILED: "failed", TX_PENDING: "pending", TX_EXECUTED: "executed"}


class NotSignableError(ValueError):
    """The values of an order do not fit what the signer can sign."""


def client_order_index(order: OrderId) -> int:
    """
    Our id as 48 bits, never 0 (0 means "none" to the venue).

    An id that carries a start is those bits itself, so that no two of ours are ever the same;
    older ones are hashed.
    """
    if (sent := Sent.of_order(order)) is not None:
        return sent.value
    return int.from_bytes(blake2b(order.encode(), digest_size=6).digest()) or 1


def steps(value: Decimal, step: Decimal, most: int, what: str) -> int:
    """
    A price or a size as the venue's integer.

    The signer does not check: 2^32+5 is signed as a price of 5, and a float raises out of
    ctypes (lighter.md §3). So it must be a whole number of steps within the range.
    """
    count = value / step
    if count != count.to_integral_value():
        raise NotSignableError(
            f"{what} {plain(value)} is not a whole number of steps of {plain(step)}"
        )
    if not 1 <= count <= most:
        raise NotSignableError(
            f"{what} {plain(value)} is {plain(count)} steps, outside 1 to {most}"
        )
    return int(count)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFields:
    """What is signed for an order, already scaled."""

    market_index: int
    client_order_index: int
    base_amount: int
    price: int
    is_ask: bool
    reduce_only: bool


def order_fields(order: Order, instrument: Instrument) -> OrderFields:
    """
    Scale one order.

    Raises:
        NotSignableError: a value is off its step or outside its range.
    """
    if instrument.market_id is None:
        raise NotSignableError(f"market {instrument.name} has no number")
    return OrderFields(
        market_index=instrument.market_id,
        client_order_index=client_order_index(order.id),
        base_amount=steps(order.size, instrument.size_step, MAX_BASE, "size"),
        price=steps(order.limit_price, instrument.price_tick, MAX_PRICE, "price"),
        is_ask=order.side is Side.SELL,
        reduce_only=order.reduce_only,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOrder:
    """What stands in the bytes that were signed; ``immediate`` is a plain limit order, IOC."""

    fields: OrderFields
    immediate: bool
    account: int
    key: int
    nonce: int


@dataclass(frozen=True, slots=True)
class Payload:
    """
    The two form fields of ``sendTx``. ``tx_info`` is kept as the signer wrote it.

    Its text goes into the ledger, so that the identical bytes can be sent again after a
    restart.
    """

    tx_type: int
    tx_info: str

    def text(self) -> str:
        """As it is kept in the ledger."""
        return json.dumps({"tx_type": self.tx_type, "tx_info": self.tx_info})

    @classmethod
    def parse(cls, text: str) -> "Payload":
        """
        Back from the ledger.

        Raises:
            UnreadableError: it is not a payload of ours.
        """
        data = row_of(json_of(text))
        return cls(int_of(data, "tx_type"), text_of(data, "tx_info", PAYLOAD_MAX))

    def expires_at(self) -> datetime:
        """The signed ``ExpiredAt``: 599 s after signing, and not to be had otherwise."""
        return instant(int_of(row_of(json_of(self.tx_info)), "ExpiredAt"))

    def market_index(self) -> int:
        """The market that was signed."""
        return int_of(row_of(json_of(self.tx_info)), "MarketIndex")

    def order(self) -> "SignedOrder":
        """
        The order that was signed.

        Raises:
            UnreadableError: it is none, or a field is not what it always was.
        """
        row = row_of(json_of(self.tx_info))
        if self.tx_type != TX_CREATE_ORDER:
            raise UnreadableError(f"transaction type {self.tx_type} is no order")
        plain = (int_of(row, "Type"), int_of(row, "TimeInForce"), int_of(row, "OrderExpiry"))
        return SignedOrder(
            fields=OrderFields(
                market_index=int_of(row, "MarketIndex"),
                client_order_index=int_of(row, "ClientOrderIndex"),
                base_amount=int_of(row, "BaseAmount"),
                price=int_of(row, "Price"),
                is_ask=flag_of(row, "IsAsk"),
                reduce_only=flag_of(row, "ReduceOnly"),
            ),
            immediate=plain == LIMIT_IMMEDIATE and not row.get("L2TxAttributes"),
            account=int_of(row, "AccountIndex"),
            key=int_of(row, "ApiKeyIndex"),
            nonce=int_of(row, "Nonce"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """The venue's record of an order. ``status`` is its word."""

    order_index: int
    market: int
    is_ask: bool
    filled: Decimal
    status: str

    @property
    def final(self) -> bool:
        """Only words known to be ends: a word we have never seen is waited for."""
        return self.status == "filled" or self.status.startswith("canceled")


def record_of(data: object, client_index: int) -> OrderRecord | None:
    """
    The order with our client id in a list of orders, or None.

    The newest one, if the venue let a client id be used twice (lighter.md §0.11).
    """
    rows = [
        row for row in rows_of(data, "orders") if int_of(row, "client_order_index") == client_index
    ]
    if not rows:
        return None
    row = max(rows, key=lambda each: int_of(each, "order_index"))
    return OrderRecord(
        order_index=int_of(row, "order_index"),
        market=int_of(row, "market_index"),
        is_ask=flag_of(row, "is_ask"),
        filled=decimal_of(row, "filled_base_amount"),
        status=text_of(row, "status"),
    )


def is_named_as_ours(row: Row) -> bool:
    """Whether an order's id has the shape of ours; the others may be of any kind."""
    return Sent.of_value(int_of(row, "client_order_index")) is not None


def past_order(row: Row, venue: VenueId, symbols: Mapping[int, Symbol]) -> PastOrder | None:
    """One inactive order that is named as ours are; None where ours cannot be such."""
    index, market = int_of(row, "client_order_index"), int_of(row, "market_index")
    sent = Sent.of_value(index)
    size, price = decimal_of(row, "initial_base_amount"), decimal_of(row, "price")
    if sent is None or size <= ZERO or price <= ZERO:
        return None
    return PastOrder(
        venue=venue,
        client_id=str(index),
        sent=sent,
        symbol=symbols[market],
        side=Side.SELL if flag_of(row, "is_ask") else Side.BUY,
        size=size,
        limit_price=price,
        reduce_only=flag_of(row, "reduce_only"),
        at=instant(int_of(row, "timestamp")),
        payload=Payload(TX_CREATE_ORDER, json.dumps({"MarketIndex": market})).text(),
    )


def working_ids(data: object) -> list[str]:
    """Client ids of working orders; an order without one is named by the venue's number."""
    return [
        str(int_of(row, "client_order_index") or f"order-{int_of(row, 'order_index')}")
        for row in rows_of(data, "orders")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TxRecord:
    """What the sequencer did with a transaction. ``error`` is its own text, if it refused."""

    status: int
    error: str

    @property
    def executed(self) -> bool:
        """Sequenced: its nonce is consumed."""
        return self.status == TX_EXECUTED

    @property
    def rejected(self) -> bool:
        """Ended without effect on the book."""
        return self.status == TX_FAILED or (self.executed and bool(self.error))

    @property
    def used_its_nonce(self) -> bool:
        """
        Whether no other transaction can have its nonce any more.

        A failure over the nonce or over the expiry has not used it (lighter.md §4.1), and one
        without a text is not believed.
        """
        if self.status == TX_FAILED:
            return bool(self.error) and not NONCE_UNUSED.search(self.error)
        return self.executed and not NONCE_UNUSED.search(self.error)

    @property
    def word(self) -> str:
        """``executed``, ``failed`` or ``pending``, and the sequencer's text behind it."""
        word = TX_WORDS.get(self.status, f"status {self.status}")
        return f"{word}: {self.error}" if self.error else word


def tx_record(data: object) -> TxRecord:
    """``GET /tx``: status, and the ``ae`` text of its event (lighter.md §2)."""
    row = row_of(data)
    return TxRecord(status=int_of(row, "status"), error=_event_error(row))


def _event_error(row: Row) -> str:
    event = row.get("event_info")
    if not isinstance(event, str) or not event:
        return ""
    data = json_of(event, "event_info", ours=False)
    text = data.get("ae", "") if isinstance(data, dict) else ""
    if not isinstance(text, str):
        return clean(json.dumps(text, default=repr))
    return "" if text in ("", "null", "{}") else clean(text)


def fills(rows: list[Row], order: Order, record: OrderRecord) -> tuple[Fill, ...]:
    """
    The trades of one order, each with the fee that the venue charged, oldest first.

    Our side is the one that holds our order's number. Fees are parts per million of the
    trade's value and are left out of the row when they are zero (lighter.md §2).
    """
    found: dict[str, Fill] = {}
    for row in rows:
        own = "ask_id" if record.is_ask else "bid_id"
        if int_of(row, own) != record.order_index:
            continue
        fill = _fill(row, order, is_ask=record.is_ask)
        found[fill.trade_id] = fill  # a page boundary that moved may show a trade twice
    return tuple(sorted(found.values(), key=lambda fill: (fill.at, int(fill.trade_id))))


def traded(rows: list[Row], account: int, since: datetime) -> tuple[Decimal, Decimal, Decimal]:
    """
    Coins that an account bought and sold since an instant, and signed those that were forced.

    A trade of type ``liquidation`` or ``deleverage`` is the venue's own doing.
    """
    bought = sold = forced = ZERO
    for row in rows:
        if instant(int_of(row, "timestamp")) < since:
            continue
        size = decimal_of(row, "size")
        more = size if int_of(row, "bid_account_id") == account else ZERO
        less = size if int_of(row, "ask_account_id") == account else ZERO
        bought += more
        sold += less
        if text_of(row, "type") != "trade":
            forced += more - less
    return bought, sold, forced


def _fill(row: Row, order: Order, *, is_ask: bool) -> Fill:
    is_maker = flag_of(row, "is_maker_ask") == is_ask
    key = "maker_fee" if is_maker else "taker_fee"
    ticks = int_of(row, key) if row.get(key) is not None else 0
    size, price = decimal_of(row, "size"), decimal_of(row, "price")
    if size <= ZERO or price <= ZERO:
        raise UnreadableError(f"a trade of {size} at {price}")
    return Fill(
        venue=order.venue,
        trade_id=str(int_of(row, "trade_id")),
        order=order.id,
        symbol=order.symbol,
        side=Side.SELL if is_ask else Side.BUY,
        size=size,
        price=price,
        fee_usd=units.fee_usd(decimal_of(row, "usd_amount"), ticks),
        at=instant(int_of(row, "timestamp")),
        is_maker=is_maker,
    )


def json_of(text: str, what: str = "it", *, ours: bool = True) -> object:
    """
    A JSON document within a field; of what is ``ours`` every text stays as it was.

    Raises:
        UnreadableError: it is none, or beyond the bounds.
    """
    try:
        return loads(text, ours=ours)
    except ValueError as error:
        raise UnreadableError(f"{what} is not JSON") from error
