"""
``tx_info``: the JSON of a signed transaction, read strictly (lighter.md §3, §7).

Every number is a whole number within the limits that Lighter's own signer keeps. The order of
the fields below is the order in which they are hashed.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.schnorr import SIGNATURE_BYTES


class TxType(IntEnum):
    """The transactions that this face takes."""

    CREATE_ORDER = 14
    CANCEL_ORDER = 15
    CANCEL_ALL = 16
    MODIFY_ORDER = 17
    UPDATE_LEVERAGE = 20
    GROUPED_ORDERS = 28
    UPDATE_MARGIN = 29


class OrderType(IntEnum):
    """Kinds of orders; the sandbox has no triggers and no TWAP."""

    LIMIT = 0
    MARKET = 1
    STOP_LOSS = 2
    STOP_LOSS_LIMIT = 3
    TAKE_PROFIT = 4
    TAKE_PROFIT_LIMIT = 5
    TWAP = 6


class TimeInForce(IntEnum):
    """How long an order lives."""

    IOC = 0
    GTT = 1
    POST_ONLY = 2


U48 = (1 << 48) - 1
MAX_ORDER_INDEX = (1 << 60) - 1
MAX_PRICE = (1 << 32) - 1
MAX_KEY_INDEX = 254
MAX_MARKET_INDEX = (1 << 31) - 1
MAX_INSTANT_MS = U48
NIL_MARKET_INDEX = 255
MAX_GROUP = 3

SKIP_NONCE = 4
"""Attribute: any nonce above the last one will do."""
CANCEL_ALL_MARKET = 5
"""Attribute: cancel-all concerns one market only."""
ORDER_VERSION = 8
"""Attribute: the version of the order that a modification expects."""
MAX_ATTRIBUTES = 4

Limits = tuple[int, int, Code]

_MARKET = (0, MAX_MARKET_INDEX, Code.INVALID_MARKET)
_PRICE = (1, MAX_PRICE, Code.INVALID_PRICE)
_TRIGGER = (0, MAX_PRICE, Code.INVALID_TRIGGER_PRICE)
_INDEX = (0, MAX_ORDER_INDEX, Code.INVALID_ORDER_INDEX)
_BASE = (0, U48, Code.INVALID_BASE_AMOUNT)

_ORDER: Mapping[str, Limits] = {
    "MarketIndex": _MARKET,
    "ClientOrderIndex": (0, U48, Code.INVALID_CLIENT_ORDER_INDEX),
    "BaseAmount": _BASE,
    "Price": _PRICE,
    "IsAsk": (0, 1, Code.INVALID_IS_ASK),
    "Type": (0, 6, Code.INVALID_ORDER_TYPE),
    "TimeInForce": (0, 2, Code.INVALID_TIME_IN_FORCE),
    "ReduceOnly": (0, 1, Code.REDUCE_ONLY_MODE),
    "TriggerPrice": _TRIGGER,
    "OrderExpiry": (0, (1 << 63) - 1, Code.INVALID_EXPIRY),
}

_FIELDS: Mapping[TxType, Mapping[str, Limits]] = {
    TxType.CREATE_ORDER: _ORDER,
    TxType.CANCEL_ORDER: {"MarketIndex": _MARKET, "Index": _INDEX},
    TxType.CANCEL_ALL: {
        "TimeInForce": (0, 2, Code.CANCEL_ALL_TIME_IN_FORCE),
        "Time": (0, MAX_INSTANT_MS, Code.CANCEL_ALL_TIME),
    },
    TxType.MODIFY_ORDER: {
        "MarketIndex": _MARKET,
        "Index": _INDEX,
        "BaseAmount": _BASE,
        "Price": _PRICE,
        "TriggerPrice": _TRIGGER,
    },
    TxType.UPDATE_LEVERAGE: {
        "MarketIndex": _MARKET,
        "InitialMarginFraction": (1, 10_000, Code.INVALID_MARGIN_FRACTION),
        "MarginMode": (0, 1, Code.INVALID_MARGIN_MODE),
    },
    TxType.GROUPED_ORDERS: {"GroupingType": (1, 3, Code.INVALID_GROUPING)},
    TxType.UPDATE_MARGIN: {
        "MarketIndex": _MARKET,
        "USDCAmount": (1, (1 << 60) - 1, Code.INVALID_TX_INFO),
        "Direction": (0, 1, Code.INVALID_TX_INFO),
    },
}

_COMMON: Mapping[str, Limits] = {
    "AccountIndex": (0, (1 << 48) - 2, Code.INVALID_ACCOUNT_INDEX),
    "ApiKeyIndex": (0, MAX_KEY_INDEX, Code.INVALID_API_KEY_INDEX),
    "ExpiredAt": (0, MAX_INSTANT_MS, Code.INVALID_EXPIRY),
    "Nonce": (0, U48, Code.INVALID_NONCE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tx:
    """
    A transaction as signed. ``fields`` are those of its type, under their names on the wire.

    ``orders`` holds the orders of a grouped transaction, and the single one of a create.
    """

    type: TxType
    text: str  # tx_info exactly as it came
    account: int
    api_key_index: int
    nonce: int
    expired_at_ms: int
    signature: bytes
    fields: Mapping[str, int]
    orders: Sequence[Mapping[str, int]] = ()
    attributes: Mapping[int, int] = field(default_factory=dict)

    @property
    def market_id(self) -> int | None:
        """The market it names, if it names one."""
        if self.orders:
            return self.orders[0]["MarketIndex"]
        return self.fields.get("MarketIndex")

    @property
    def reduce_only(self) -> bool | None:
        """Whether its (first) order may only reduce; None where it has no order."""
        return bool(self.orders[0]["ReduceOnly"]) if self.orders else None

    @property
    def skips_nonces(self) -> bool:
        """Whether it allows holes in the nonce sequence."""
        return self.attributes.get(SKIP_NONCE) == 1


def parse(tx_type: int, text: str) -> Tx:
    """
    Read ``tx_info``.

    Raises:
        ApiError: 21505 unknown type, 21501 malformed, or the code of the field at fault.
    """
    try:
        kind = TxType(tx_type)
    except ValueError:
        raise ApiError(Code.UNSUPPORTED_TX_TYPE) from None
    raw = _object(text)
    fields = {name: _whole(raw, name, limits) for name, limits in _FIELDS[kind].items()}
    orders: Sequence[Mapping[str, int]] = ()
    if kind is TxType.CREATE_ORDER:
        orders = (fields,)
    elif kind is TxType.GROUPED_ORDERS:
        orders = _orders(raw)
    common = {name: _whole(raw, name, limits) for name, limits in _COMMON.items()}
    return Tx(
        type=kind,
        text=text,
        account=common["AccountIndex"],
        api_key_index=common["ApiKeyIndex"],
        nonce=common["Nonce"],
        expired_at_ms=common["ExpiredAt"],
        signature=_signature(raw.get("Sig")),
        fields=fields,
        orders=orders,
        attributes=_attributes(raw.get("L2TxAttributes")),
    )


def _object(text: str) -> dict[str, Any]:
    try:
        raw = json.loads(text)
    except ValueError:
        raise ApiError(Code.INVALID_TX_INFO, "not JSON") from None
    if not isinstance(raw, dict):
        raise ApiError(Code.INVALID_TX_INFO, "not an object")
    return raw


def _whole(raw: Mapping[str, Any], name: str, limits: Limits) -> int:
    low, high, code = limits
    value = raw.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ApiError(Code.INVALID_TX_INFO, f"{name} must be a whole number")
    if not low <= value <= high:
        raise ApiError(code)
    return value


def _orders(raw: Mapping[str, Any]) -> Sequence[Mapping[str, int]]:
    items = raw.get("Orders")
    if not isinstance(items, list) or not 2 <= len(items) <= MAX_GROUP:
        raise ApiError(Code.INVALID_GROUPING)
    if not all(isinstance(item, dict) for item in items):
        raise ApiError(Code.INVALID_TX_INFO, "Orders must be objects")
    return [{name: _whole(item, name, limits) for name, limits in _ORDER.items()} for item in items]


def _signature(value: object) -> bytes:
    if not isinstance(value, str):
        raise ApiError(Code.INVALID_SIGNATURE)
    try:
        signature = base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ApiError(Code.INVALID_SIGNATURE) from None
    if len(signature) != SIGNATURE_BYTES:
        raise ApiError(Code.INVALID_SIGNATURE)
    return signature


def _attributes(value: object) -> Mapping[int, int]:
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MAX_ATTRIBUTES:
        raise ApiError(Code.INVALID_TX_INFO, "L2TxAttributes")
    found: dict[int, int] = {}
    for key, number in value.items():
        if not key.isdecimal() or isinstance(number, bool) or not isinstance(number, int):
            raise ApiError(Code.INVALID_TX_INFO, "L2TxAttributes")
        found[int(key)] = number
    return found
