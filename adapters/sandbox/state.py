"""``GET /state``: the truth of both venues as the engine holds it, never delayed, never faulty."""

from decimal import Decimal
from typing import Any

from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.engine.types import OrderView, PaymentView, TradeView
from hedger.domain.money import plain

SHOWN_EXTRAS = ("tx_hash", "nonce", "api_key_index")
"""What a face may add to an order that an auditor needs."""


def venue_state(exchange: Exchange, account: int) -> dict[str, Any]:
    """Everything about one account: decimals and ids as texts, flat positions absent."""
    balance = exchange.balance(account)
    return {
        "account": str(account),
        "positions": {
            position.symbol: {
                "size": plain(position.size),
                "entry_price": plain(position.entry_price),
                "realised_pnl": plain(position.realised_pnl),
            }
            for position in exchange.positions(account)
        },
        "balance": {
            name: plain(getattr(balance, name))
            for name in (
                "collateral",
                "equity",
                "unrealised",
                "initial_margin",
                "maintenance_margin",
                "available",
            )
        },
        "orders": [_order(order) for order in exchange.orders(account)],
        "trades": [_trade(trade) for trade in exchange.trades(account)],
        "payments": [_payment(payment) for payment in exchange.payments(account)],
    }


def _side(is_buy: bool) -> str:
    return "buy" if is_buy else "sell"


def _order(order: OrderView) -> dict[str, Any]:
    new = order.new
    average: Decimal | None = order.avg_price
    return {
        "id": str(order.id),
        "client_id": new.client_id,
        "symbol": new.symbol,
        "side": _side(new.is_buy),
        "size": plain(new.size),
        "price": plain(new.price),
        "tif": new.tif.value,
        "reduce_only": new.reduce_only,
        "status": order.status.value,
        "cancel_reason": None if order.cancel_reason is None else order.cancel_reason.value,
        "filled": plain(order.filled),
        "filled_value": plain(order.filled_value),
        "avg_price": None if average is None else plain(average),
        "fee": plain(order.fee),
        "arrived_ms": order.arrived_ms,
        "created_ms": order.created_ms,
        "updated_ms": order.updated_ms,
        **{name: new.extra[name] for name in SHOWN_EXTRAS if name in new.extra},
    }


def _trade(trade: TradeView) -> dict[str, Any]:
    return {
        "id": str(trade.id),
        "order_id": str(trade.order_id),
        "client_id": trade.client_id,
        "symbol": trade.symbol,
        "side": _side(trade.is_buy),
        "price": plain(trade.price),
        "size": plain(trade.size),
        "fee": plain(trade.fee),
        "kind": trade.kind.value,
        "at_ms": trade.at_ms,
    }


def _payment(payment: PaymentView) -> dict[str, Any]:
    return {
        "id": str(payment.id),
        "symbol": payment.symbol,
        "settlement_ms": payment.settlement_ms,
        "amount": plain(payment.amount),
        "rate": plain(payment.rate),
        "size": plain(payment.size),
        "mark": plain(payment.mark),
        "at_ms": payment.at_ms,
    }
