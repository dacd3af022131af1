"""The JSON of account data: engine values in, plain dictionaries out (x10.md §2.3)."""

from decimal import Decimal
from typing import Any, Final

from adapters.sandbox.engine.types import (
    BalanceView,
    CancelReason,
    ClosedPosition,
    OrderStatus,
    OrderView,
    PaymentView,
    PositionView,
    Tif,
    TradeKind,
    TradeView,
)

Json = dict[str, Any]

USD: Final = Decimal("0.000001")
_FINE: Final = Decimal("1e-16")  # the venue prints mean prices with 16 decimals
_ZERO: Final = Decimal(0)

_STATUS_REASON: Final = {
    CancelReason.NO_LIQUIDITY: "NO_LIQUIDITY",
    CancelReason.SLIPPAGE: "NO_LIQUIDITY",  # X10 names no other reason for a book too far away
    CancelReason.MARGIN: "NOT_ENOUGH_FUNDS",
    CancelReason.REDUCE_ONLY: "REDUCE_ONLY_FAILED",
    CancelReason.POST_ONLY: "POST_ONLY_FAILED",
    CancelReason.SELF_TRADE: "SELF_TRADE_PROTECTION",
    CancelReason.EXPIRED: "INVALID_EXPIRE_TIME",
    CancelReason.USER: "NONE",
    CancelReason.LIQUIDATION: "ACCOUNT_LIQUIDATION",
    CancelReason.MARKET_CLOSED: "DISABLED_MARKET",
}
_TIF: Final = {Tif.IOC: "IOC", Tif.GTT: "GTT", Tif.POST_ONLY: "GTT"}


def text(value: Decimal) -> str:
    """Plain decimal text, never an exponent, as exact as the value."""
    return format(value, "f")


def usd(value: Decimal) -> str:
    """USD with the collateral's six decimals."""
    return format(value.quantize(USD), "f")


def mean(value: Decimal) -> str:
    """A price that was computed by dividing, cut to the venue's 16 decimals."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -16:
        return format(value, "f")
    return format(value.quantize(_FINE).normalize(), "f")


def side(*, is_buy: bool) -> str:
    """BUY or SELL."""
    return "BUY" if is_buy else "SELL"


def position_side(*, is_long: bool) -> str:
    """LONG or SHORT."""
    return "LONG" if is_long else "SHORT"


def order(view: OrderView, market: str) -> Json:
    """
    One order. An IOC order that was partly filled is CANCELLED with its ``filledQty``.

    The expiry is spelt ``expireTime``, as the venue does and its SDK does not.
    """
    new = view.new
    body: Json = {
        "id": view.id,
        "accountId": view.account,
        "externalId": new.client_id,
        "market": market,
        "type": "MARKET" if new.is_market else "LIMIT",
        "side": side(is_buy=new.is_buy),
        "status": view.status.value.upper(),
        "price": text(new.price),
        "qty": text(new.size),
        "filledQty": text(view.filled),
        "reduceOnly": new.reduce_only,
        "postOnly": new.tif is Tif.POST_ONLY,
        "timeInForce": _TIF[new.tif],
        "createdTime": view.created_ms,
        "updatedTime": view.updated_ms,
    }
    if new.expires_ms is not None:
        body["expireTime"] = new.expires_ms
    if view.avg_price is not None:
        body["averagePrice"] = mean(view.avg_price)
        body["payedFee"] = text(view.fee)
    if view.status.is_final and view.status is not OrderStatus.FILLED:
        body["cancelledQty"] = text(view.remaining)
    if view.cancel_reason is not None:
        body["statusReason"] = _STATUS_REASON[view.cancel_reason]
    return body


def trade(view: TradeView, market: str, *, streamed: bool = False) -> Json:
    """One fill. Only the stream names the order's external id; by REST join on ``orderId``."""
    body: Json = {
        "id": view.id,
        "accountId": view.account,
        "market": market,
        "orderId": view.order_id,
        "side": side(is_buy=view.is_buy),
        "price": text(view.price),
        "qty": text(view.size),
        "value": text(view.value),
        "fee": text(view.fee),
        "isTaker": view.is_taker,
        "tradeType": view.kind.value.upper(),
        "createdTime": view.at_ms,
    }
    if streamed:
        body["externalOrderId"] = view.client_id
    return body


def position(view: PositionView, market: str, mark: Decimal, liquidation: Decimal | None) -> Json:
    """One open position; ``size`` is absolute, ``side`` has the sign."""
    size = abs(view.size)
    value, profit = size * mark, usd(view.size * (mark - view.entry_price))
    return {
        "id": view.id,
        "accountId": view.account,
        "market": market,
        "status": "OPENED",
        "side": position_side(is_long=view.size > 0),
        "leverage": text(view.leverage),
        "size": text(size),
        "value": usd(value),
        "openPrice": mean(view.entry_price),
        "markPrice": text(mark),
        "liquidationPrice": "0" if liquidation is None else mean(liquidation),
        "margin": usd(value / view.leverage),
        "unrealisedPnl": profit,
        "midPriceUnrealisedPnl": profit,
        "realisedPnl": usd(view.realised_pnl),
        "adl": 1,
        "createdAt": view.opened_ms,
        "updatedAt": view.updated_ms,
    }


def closed_frame(view: ClosedPosition, market: str, mark: Decimal) -> Json:
    """
    The last word of the stream on a position that went flat.

    As recorded from the live venue it is CLOSED and still shows its former size: whoever reads
    only the size takes it for open.
    """
    return {
        "id": view.id,
        "accountId": view.account,
        "market": market,
        "status": "CLOSED",
        "side": position_side(is_long=view.was_long),
        "leverage": text(view.leverage),
        "size": text(view.max_size),
        "value": usd(view.max_size * mark),
        "openPrice": mean(view.entry_price),
        "markPrice": text(mark),
        "liquidationPrice": "0",
        "margin": "0",
        "unrealisedPnl": "0",
        "midPriceUnrealisedPnl": "0",
        "realisedPnl": usd(view.realised_pnl),
        "createdAt": view.opened_ms,
        "updatedAt": view.closed_ms,
    }


def closed_position(view: ClosedPosition, market: str) -> Json:
    """A row of positions/history."""
    return {
        "id": view.id,
        "accountId": view.account,
        "market": market,
        "side": position_side(is_long=view.was_long),
        "size": text(view.max_size),
        "maxPositionSize": text(view.max_size),
        "leverage": text(view.leverage),
        "openPrice": mean(view.entry_price),
        "exitPrice": mean(view.exit_price),
        "realisedPnl": usd(view.realised_pnl),
        "realisedPnlBreakdown": {
            "tradePnl": usd(view.trade_pnl),
            "fundingFees": usd(view.funding_total),
            "openFees": usd(-abs(view.open_fees)),
            "closeFees": usd(-abs(view.close_fees)),
        },
        "createdTime": view.opened_ms,
        "exitType": "ADL" if view.kind is TradeKind.DELEVERAGE else view.kind.value.upper(),
        "closedTime": view.closed_ms,
    }


def open_in_history(view: PositionView, market: str) -> Json:
    """A row of positions/history that is not closed yet."""
    size = text(abs(view.size))
    return {
        "id": view.id,
        "accountId": view.account,
        "market": market,
        "side": position_side(is_long=view.size > 0),
        "size": size,
        "maxPositionSize": size,
        "leverage": text(view.leverage),
        "openPrice": mean(view.entry_price),
        "realisedPnl": usd(view.realised_pnl),
        "realisedPnlBreakdown": {
            "tradePnl": usd(view.realised_pnl + abs(view.fees) - view.funding_total),
            "fundingFees": usd(view.funding_total),
            "openFees": usd(-abs(view.fees)),
            "closeFees": "0",
        },
        "createdTime": view.opened_ms,
    }


def balance(view: BalanceView) -> Json:
    """``marginRatio`` is maintenance margin over equity, as a fraction (the unit is unknown)."""
    ratio = view.maintenance_margin / view.equity if view.equity > 0 else _ZERO
    withdrawable = view.collateral + min(_ZERO, view.unrealised) - view.initial_margin
    leverage = view.exposure / view.equity if view.equity > 0 else _ZERO
    return {
        "collateralName": "USD",
        "balance": usd(view.collateral),
        "status": "ACTIVE",
        "equity": usd(view.equity),
        "spotEquity": "0",
        "spotEquityForAvailableForTrade": "0",
        "collateralReservedForSpotOrders": "0",
        "availableForTrade": usd(view.available),
        "availableForWithdrawal": usd(max(_ZERO, withdrawable)),
        "unrealisedPnl": usd(view.unrealised),
        "initialMargin": usd(view.initial_margin),
        "marginRatio": format(ratio.quantize(USD), "f"),
        "exposure": usd(view.exposure),
        "leverage": format(leverage.quantize(USD), "f"),
        "updatedTime": view.updated_ms,
    }


def payment(view: PaymentView, market: str, paid_ms: int) -> Json:
    """A row of funding/history; ``fundingFee`` is positive when received."""
    return {
        "id": view.id,
        "accountId": view.account,
        "market": market,
        "positionId": view.position_id,
        "side": position_side(is_long=view.size > 0),
        "size": text(abs(view.size)),
        "value": usd(abs(view.size) * view.mark),
        "markPrice": text(view.mark),
        "fundingFee": text(view.amount),
        "fundingRate": text(view.rate),
        "paidTime": paid_ms,
    }
