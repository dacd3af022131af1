"""
From a signed order to the engine's, and what Lighter refuses at its API.

Orders that take always pass the API if they are well formed and near the mark; what else is
wrong with them shows only at execution (lighter.md §0.1, §4.1). Orders that rest can be refused
at once. A refusal here leaves the nonce unused.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from adapters.sandbox.engine.types import CancelReason, NewOrder, Refusal, Rules, Tif
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.face import Face
from adapters.sandbox.lighter_face.txinfo import OrderType, TimeInForce, Tx, TxType

MIN_EXPIRY_MS = 5 * 60_000
MAX_EXPIRY_MS = 30 * 86_400_000
EXPIRY_SLACK_MS = 5_000
"""Grace for the way from the signer, whose default expiry is close to the limits."""

_TIFS = {
    TimeInForce.IOC: Tif.IOC,
    TimeInForce.GTT: Tif.GTT,
    TimeInForce.POST_ONLY: Tif.POST_ONLY,
}

_CODES: Mapping[Refusal, Code] = {
    Refusal.MARKET_UNKNOWN: Code.INVALID_MARKET,
    Refusal.MARKET_CLOSED: Code.MARKET_STATUS,
    Refusal.MARKET_REDUCE_ONLY: Code.REDUCE_ONLY_MODE,
    Refusal.QTY_BELOW_MIN: Code.INVALID_ORDER_AMOUNT,
    Refusal.NOTIONAL_BELOW_MIN: Code.INVALID_ORDER_AMOUNT,
    Refusal.VALUE_TOO_LARGE: Code.INVALID_ORDER_AMOUNT,
    Refusal.QTY_STEP: Code.INVALID_BASE_AMOUNT,
    Refusal.PRICE_STEP: Code.INVALID_PRICE,
    Refusal.TOO_MANY_ORDERS: Code.MAX_ORDERS,
    Refusal.EXPIRED: Code.INVALID_EXPIRY,
    Refusal.DUPLICATE: Code.CLIENT_ORDER_INDEX_EXISTS,
    Refusal.MARKET_NOT_IOC: Code.INVALID_TIME_IN_FORCE,
    Refusal.MARGIN: Code.NOT_ENOUGH_MARGIN,
    Refusal.POSITION_TOO_LARGE: Code.NOT_ENOUGH_MARGIN,
    Refusal.REDUCE_NO_POSITION: Code.NO_POSITION,
    Refusal.REDUCE_SAME_SIDE: Code.REDUCE_ONLY_DIRECTION,
    Refusal.REDUCE_TOO_LARGE: Code.REDUCE_ONLY_INCREASES,
}

_AT_EXECUTION = frozenset(
    {
        Refusal.MARGIN,
        Refusal.POSITION_TOO_LARGE,
        Refusal.REDUCE_NO_POSITION,
        Refusal.REDUCE_SAME_SIDE,
        Refusal.REDUCE_TOO_LARGE,
    }
)
"""What the sequencer finds out about an order that takes."""

FORCED = {
    "margin": CancelReason.MARGIN,
    "no_liquidity": CancelReason.NO_LIQUIDITY,
    "slippage": CancelReason.SLIPPAGE,
    "reduce_only": CancelReason.REDUCE_ONLY,
}
"""Reasons of the fault ``reject``."""


def checked_order(face: Face, tx: Tx, tx_hash: str) -> NewOrder:
    """
    The order of a create transaction, ready to be admitted.

    Raises:
        ApiError: it is refused at the API; the nonce stays unused.
    """
    fields = tx.fields
    rules = face.rules(fields["MarketIndex"])
    _check_form(fields, face.now_ms())
    new = NewOrder(
        client_id=str(fields["ClientOrderIndex"]),
        symbol=rules.symbol,
        is_buy=not fields["IsAsk"],
        size=scaled(fields["BaseAmount"], rules.size_decimals),
        price=scaled(fields["Price"], rules.price_decimals),
        tif=_TIFS[TimeInForce(fields["TimeInForce"])],
        reduce_only=bool(fields["ReduceOnly"]),
        expires_ms=fields["OrderExpiry"] or None,
        is_market=fields["Type"] == OrderType.MARKET,
        extra={
            "tx_hash": tx_hash,
            "nonce": str(tx.nonce),
            "api_key_index": str(tx.api_key_index),
        },
    )
    refuse_if_wrong(face, tx.account, new)
    return new


def modified_order(face: Face, tx: Tx, old: NewOrder) -> NewOrder:
    """The order that takes the place of ``old``."""
    rules = face.rules(tx.fields["MarketIndex"])
    return replace(
        old,
        size=scaled(tx.fields["BaseAmount"], rules.size_decimals),
        price=scaled(tx.fields["Price"], rules.price_decimals),
    )


def refuse_if_wrong(face: Face, account: int, new: NewOrder) -> None:
    """
    Apply the venue's business rules.

    Raises:
        ApiError: the API refuses the order.
    """
    for refused in face.exchange.refusals(account, new):
        if new.tif is Tif.IOC and refused.refusal in _AT_EXECUTION:
            continue
        if refused.refusal is Refusal.PRICE_BAND:
            raise ApiError(Code.ACCIDENTAL_PRICE if new.is_market else Code.PRICE_TOO_FAR)
        raise ApiError(_CODES[refused.refusal])


def check_supported(tx: Tx) -> None:
    """
    Refuse what this venue does not model: triggers, groups, TWAP, isolated margin.

    Raises:
        ApiError: 21710, 21613 or 21600.
    """
    fields = tx.fields
    if tx.type is TxType.GROUPED_ORDERS:
        raise ApiError(Code.UNSUPPORTED_ORDER_TYPE, "the sandbox has no grouped orders")
    if tx.type is TxType.UPDATE_MARGIN or fields.get("MarginMode"):
        raise ApiError(Code.INVALID_MARGIN_MODE, "the sandbox has cross margin only")
    simple = {OrderType.LIMIT, OrderType.MARKET}
    if tx.type is TxType.CREATE_ORDER and OrderType(fields["Type"]) not in simple:
        raise ApiError(Code.UNSUPPORTED_ORDER_TYPE, "the sandbox has no trigger or TWAP orders")
    if fields.get("TriggerPrice"):
        raise ApiError(Code.INVALID_TRIGGER_PRICE)


def scaled(units: int, decimals: int) -> Decimal:
    """A whole number of the venue's units as an exact decimal."""
    return Decimal(units).scaleb(-decimals)


def in_units(value: Decimal, rules_decimals: int) -> int:
    """The way back: exact, because the engine keeps to the steps."""
    return int(value.scaleb(rules_decimals))


def price_units(rules: Rules, price: Decimal) -> int:
    """A price as the wire's whole number."""
    return in_units(price, rules.price_decimals)


def size_units(rules: Rules, size: Decimal) -> int:
    """A size as the wire's whole number."""
    return in_units(size, rules.size_decimals)


def _check_form(fields: Mapping[str, int], now_ms: int) -> None:
    if not fields["BaseAmount"]:
        raise ApiError(Code.INVALID_BASE_AMOUNT)
    immediate = fields["TimeInForce"] == TimeInForce.IOC
    if fields["Type"] == OrderType.MARKET and not immediate:
        raise ApiError(Code.INVALID_TIME_IN_FORCE)
    expiry_ms = fields["OrderExpiry"]
    if immediate:
        if expiry_ms:
            raise ApiError(Code.INVALID_EXPIRY)
        return
    least = now_ms + MIN_EXPIRY_MS - EXPIRY_SLACK_MS
    if not least <= expiry_ms <= now_ms + MAX_EXPIRY_MS + EXPIRY_SLACK_MS:
        raise ApiError(Code.INVALID_EXPIRY)
