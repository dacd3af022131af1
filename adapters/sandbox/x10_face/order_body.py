"""The body of POST /user/order, checked for form alone (x10.md §3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from adapters.sandbox.engine.types import Tif
from adapters.sandbox.x10_face.errors import (
    INVALID_PARAMETERS,
    MARKET_NOT_IOC,
    PRICE_MISSING,
    TYPE_NOT_ALLOWED,
    ApiProblemError,
)
from adapters.sandbox.x10_face.signing import SignedTerms

MAX_ID_LENGTH: Final = 128
MAX_NONCE: Final = (1 << 32) - 1
"""Documented is 2**31; the official SDK draws up to 2**32-1 and is evidently served."""

_TIFS: Final = ("GTT", "IOC", "TOB")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderBody:
    """An order as it was sent. Hex texts are numbers already."""

    external_id: str
    market: str
    is_market: bool
    is_buy: bool
    qty: Decimal
    price: Decimal
    reduce_only: bool
    tif: Tif
    expiry_ms: int
    fee: Decimal  # highest fee rate accepted, as a fraction
    builder_fee: Decimal
    nonce: int
    stark_key: int
    vault: int
    r: int
    s: int
    cancel_id: str | None

    @property
    def signed_terms(self) -> SignedTerms:
        """The part that the signature covers."""
        return SignedTerms(
            is_buy=self.is_buy,
            qty=self.qty,
            price=self.price,
            fee_rate=self.fee + self.builder_fee,
            expiry_ms=self.expiry_ms,
            nonce=self.nonce,
        )


def parse_order(raw: Mapping[str, Any]) -> OrderBody:
    """
    Read the JSON of an order.

    Raises:
        ApiProblemError: 1133 with the key in ``debugInfo``, 1130 without a price, 1132 for an
            order type that the sandbox does not model, 1139 for MARKET that is not IOC.
    """
    if raw.get("price") is None:
        raise ApiProblemError(PRICE_MISSING)
    kind = _word(raw, "type", ("LIMIT", "MARKET", "CONDITIONAL", "TPSL", "TWAP"))
    if kind not in {"LIMIT", "MARKET"} or any(
        raw.get(key) is not None for key in ("tpSlType", "takeProfit", "stopLoss", "trigger")
    ):
        raise ApiProblemError(TYPE_NOT_ALLOWED, debug=f"{kind} is not modelled by the sandbox")
    settlement = _mapping(raw, "settlement")
    signature = _mapping(settlement, "signature")
    return OrderBody(
        external_id=_external_id(raw),
        market=_string(raw, "market"),
        is_market=kind == "MARKET",
        is_buy=_word(raw, "side", ("BUY", "SELL")) == "BUY",
        qty=_decimal(raw, "qty"),
        price=_decimal(raw, "price"),
        reduce_only=_flag(raw, "reduceOnly"),
        tif=_tif(raw, kind),
        expiry_ms=_int(raw, "expiryEpochMillis", 1 << 53),
        fee=_decimal(raw, "fee"),
        builder_fee=_decimal(raw, "builderFee") if raw.get("builderFee") else Decimal(0),
        nonce=_int(raw, "nonce", MAX_NONCE),
        stark_key=_hex(settlement, "starkKey"),
        vault=_int(settlement, "collateralPosition", (1 << 32) - 1),
        r=_hex(signature, "r"),
        s=_hex(signature, "s"),
        cancel_id=_string(raw, "cancelId") if raw.get("cancelId") else None,
    )


def _bad(key: str, value: object) -> ApiProblemError:
    return ApiProblemError(INVALID_PARAMETERS, debug=f"{key}={value!r}")


def _tif(raw: Mapping[str, Any], kind: str) -> Tif:
    """Time in force and post-only in one; FOK is deprecated at the venue."""
    word = _word(raw, "timeInForce", _TIFS)
    post_only = _flag(raw, "postOnly")
    if kind == "MARKET" and (word != "IOC" or post_only):
        raise ApiProblemError(MARKET_NOT_IOC)
    if word == "IOC":
        if post_only:
            raise _bad("postOnly", post_only)
        return Tif.IOC
    if word == "TOB" and not post_only:
        raise _bad("timeInForce", word)
    return Tif.POST_ONLY if post_only else Tif.GTT


def _string(raw: Mapping[str, Any], key: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str) or not value:
        raise _bad(key, value)
    return value


def _external_id(raw: Mapping[str, Any]) -> str:
    value = _string(raw, "id")
    if len(value) > MAX_ID_LENGTH:
        raise _bad("id", value)
    return value


def _word(raw: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> str:
    value = _string(raw, key)
    if value not in allowed:
        raise _bad(key, value)
    return value


def _flag(raw: Mapping[str, Any], key: str) -> bool:
    value = raw.get(key, False)
    if not isinstance(value, bool):
        raise _bad(key, value)
    return value


def _decimal(raw: Mapping[str, Any], key: str) -> Decimal:
    """A finite decimal that is not negative; text with an exponent is taken, as Java does."""
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise _bad(key, value)
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise _bad(key, value) from None
    if not number.is_finite() or number < 0 or abs(number.adjusted()) > 20:
        raise _bad(key, value)
    return number


def _int(raw: Mapping[str, Any], key: str, high: int) -> int:
    """A whole number, as JSON number or text (the SDK sends nonce and vault as text)."""
    number = _decimal(raw, key)
    if number != number.to_integral_value() or number > high:
        raise _bad(key, raw.get(key))
    return int(number)


def _hex(raw: Mapping[str, Any], key: str) -> int:
    value = _string(raw, key)
    try:
        return int(value, 16)
    except ValueError:
        raise _bad(key, value) from None


def _mapping(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = raw.get(key)
    if not isinstance(value, Mapping):
        raise _bad(key, value)
    return value
