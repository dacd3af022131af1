"""
Orders, trades and positions as Lighter's JSON shows them (lighter.md §2).

Decimals are texts with a fixed number of places, zero included, because the SDK's own helpers
remove the point and read the rest as a whole number.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any

from adapters.sandbox.clock import HOUR_MS
from adapters.sandbox.engine.types import (
    CancelReason,
    OrderStatus,
    OrderView,
    PaymentView,
    PositionView,
    Rules,
    Tif,
    TradeKind,
    TradeView,
)
from adapters.sandbox.lighter_face.face import Face, block_at
from hedger.domain.money import plain

USD_PLACES = 6
PPM = 1_000_000
MARKET_MAKER = 281_474_976_710_000
"""The account on the other side of every trade: the synthetic book."""

ORDER_STATUSES = (
    "in-progress",
    "pending",
    "open",
    "filled",
    "canceled",
    "canceled-post-only",
    "canceled-reduce-only",
    "canceled-position-not-allowed",
    "canceled-margin-not-allowed",
    "canceled-too-much-slippage",
    "canceled-not-enough-liquidity",
    "canceled-self-trade",
    "canceled-expired",
    "canceled-oco",
    "canceled-child",
    "canceled-liquidation",
    "canceled-invalid-balance",
)
"""In the order of their numbers in ``event_info``."""

_BY_REASON = {
    CancelReason.NO_LIQUIDITY: "canceled-not-enough-liquidity",
    CancelReason.MARGIN: "canceled-margin-not-allowed",
    CancelReason.REDUCE_ONLY: "canceled-reduce-only",
    CancelReason.POST_ONLY: "canceled-post-only",
    CancelReason.SLIPPAGE: "canceled-too-much-slippage",
    CancelReason.SELF_TRADE: "canceled-self-trade",
    CancelReason.EXPIRED: "canceled-expired",
    CancelReason.USER: "canceled",
    CancelReason.LIQUIDATION: "canceled-liquidation",
    CancelReason.MARKET_CLOSED: "canceled",
}
_TIME_IN_FORCE = {
    Tif.IOC: "immediate-or-cancel",
    Tif.GTT: "good-till-time",
    Tif.POST_ONLY: "post-only",
}


def fixed(value: Decimal, places: int) -> str:
    """A decimal with exactly that many places."""
    return f"{value:.{places}f}"


def exact(value: Decimal, places: int) -> str:
    """So many places, and all it has where the market has become coarser since."""
    shown = fixed(value, places)
    return shown if Decimal(shown) == value else plain(value)


def usd(value: Decimal) -> str:
    """An amount of USDC, six places."""
    return fixed(value, USD_PLACES)


def truncated(value: Decimal, places: int) -> str:
    """Cut, not rounded, as the venue does with funding rates."""
    return str(value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_DOWN))


def fee_ppm(fraction: Decimal) -> int:
    """A fee rate in parts per million of the value traded."""
    return int(fraction * PPM)


def client_index(client_id: str) -> int:
    """``client_order_index``; 0 for orders that the venue itself made or that had none."""
    head = client_id.partition(":")[0]
    return int(head) if head.isascii() and head.isdecimal() else 0


def order_status(order: OrderView) -> str:
    """Lighter has no partly filled status: such an order is open, or canceled for a reason."""
    if order.status is OrderStatus.FILLED:
        return "filled"
    if order.is_open:
        return "open"
    return _BY_REASON.get(order.cancel_reason or CancelReason.USER, "canceled")


def order_json(face: Face, order: OrderView) -> dict[str, Any]:
    """One order. Its ``nonce`` is a number of the venue's, not that of the transaction."""
    new = order.new
    rules = face.exchange.rules_of(new.symbol)
    index = face.directory.index(order.id)
    client = client_index(new.client_id)
    remaining = order.remaining
    return {
        "order_index": index,
        "client_order_index": client,
        "order_id": str(index),
        "client_order_id": str(client),
        "market_index": rules.market_id,
        "owner_account_index": order.account,
        "initial_base_amount": exact(new.size, rules.size_decimals),
        "price": exact(new.price, rules.price_decimals),
        "nonce": order.id & 0xFFFFFFFF,
        "remaining_base_amount": exact(remaining, rules.size_decimals),
        "is_ask": not new.is_buy,
        "base_size": int(remaining.scaleb(rules.size_decimals)) if order.is_open else 0,
        "base_price": int(new.price.scaleb(rules.price_decimals)),
        "filled_base_amount": exact(order.filled, rules.size_decimals),
        "filled_quote_amount": usd(order.filled_value),
        "side": "",
        "type": "market" if new.is_market else "limit",
        "time_in_force": _TIME_IN_FORCE[new.tif],
        "reduce_only": new.reduce_only,
        "trigger_price": fixed(Decimal(0), rules.price_decimals),
        "order_expiry": new.expires_ms or 0,
        "status": order_status(order),
        "trigger_status": "na",
        "trigger_time": 0,
        "parent_order_index": 0,
        "parent_order_id": "0",
        "to_trigger_order_id_0": "0",
        "to_trigger_order_id_1": "0",
        "to_cancel_order_id_0": "0",
        "integrator_fee_collector_index": "0",
        "integrator_taker_fee": "0",
        "integrator_maker_fee": "0",
        "order_version": 1,
        "block_height": block_at(order.updated_ms),
        "timestamp": order.updated_ms // 1000,
        "created_at": order.created_ms // 1000,
        "updated_at": order.updated_ms // 1000,
        "transaction_time": order.updated_ms * 1000,
        "market_symbol": rules.name,
        "market_kind": "perps",
    }


def order_text(face: Face, order: OrderView) -> str:
    """The JSON of a version of an order, which changes with its index and its market's rules."""
    index = face.directory.index(order.id)
    shown_by = _shown_by(face.exchange.rules_of(order.new.symbol))
    return face.rows.text(order, lambda: order_json(face, order), index, *shown_by)


def trade_text(face: Face, trade: TradeView) -> str:
    """The JSON of a fill, which changes with its order's index and its market's rules."""
    index = face.directory.index(trade.order_id)
    shown_by = _shown_by(face.exchange.rules_of(trade.symbol))
    return face.rows.text(trade, lambda: trade_json(face, trade), index, *shown_by)


def _shown_by(rules: Rules) -> tuple[object, ...]:
    """What the row of an order or a fill takes from the rules of its market."""
    return rules.market_id, rules.name, rules.size_decimals, rules.price_decimals


def trade_json(face: Face, trade: TradeView) -> dict[str, Any]:
    """One fill of an account. Fees are parts per million and left out when zero."""
    rules = face.exchange.rules_of(trade.symbol)
    own_order = face.directory.index(trade.order_id)
    other_order = own_order ^ (trade.id & 0xFFF) ^ 0x800
    client = client_index(trade.client_id)
    sides = {
        "ask": (other_order, 0, MARKET_MAKER),
        "bid": (own_order, client, trade.account),
    }
    if not trade.is_buy:
        sides = {"ask": sides["bid"], "bid": sides["ask"]}
    maker, taker = face.exchange.fees(trade.account, trade.symbol)
    is_liquidation = trade.kind is not TradeKind.TRADE
    own = "taker" if trade.is_taker else "maker"
    row: dict[str, Any] = {
        "trade_id": trade.id,
        "trade_id_str": str(trade.id),
        "tx_hash": trade.extra.get("tx_hash", ""),
        "type": trade.kind.value,
        "market_id": rules.market_id,
        "size": exact(trade.size, rules.size_decimals),
        "price": exact(trade.price, rules.price_decimals),
        "usd_amount": usd(trade.value),
        "is_maker_ask": trade.is_buy == trade.is_taker,
        "block_height": block_at(trade.at_ms),
        "timestamp": trade.at_ms,
        "transaction_time": trade.at_ms * 1000,
        f"{own}_position_size_before": exact(trade.size_before, rules.size_decimals),
        f"{own}_entry_quote_before": usd(trade.entry_value_before),
        "bid_account_pnl": usd(trade.realised if trade.is_buy else Decimal(0)),
        "ask_account_pnl": usd(Decimal(0) if trade.is_buy else trade.realised),
    }
    for side, (index, client_order, account) in sides.items():
        row |= {
            f"{side}_id": index,
            f"{side}_id_str": str(index),
            f"{side}_client_id": client_order,
            f"{side}_client_id_str": str(client_order),
            f"{side}_account_id": account,
        }
    fees = {"taker_fee": fee_ppm(taker), "maker_fee": fee_ppm(maker)}
    return row | {name: ppm for name, ppm in fees.items() if ppm and not is_liquidation}


def position_json(
    face: Face, account: int, symbol: str, position: PositionView | None, open_orders: int
) -> dict[str, Any]:
    """
    One row of positions. A market that was once traded has a row with size zero, sign 1.

    ``total_funding_paid_out`` is positive when we paid and left out while it is zero.
    """
    exchange = face.exchange
    rules = exchange.rules_of(symbol)
    zero = Decimal(0)
    size = position.size if position is not None else zero
    mark = exchange.mark(symbol) if size else zero
    entry = position.entry_price if position is not None and size else zero
    liquidation = exchange.liquidation_price(account, symbol) if size else None
    row: dict[str, Any] = {
        "market_id": rules.market_id,
        "symbol": rules.name,
        "initial_margin_fraction": fixed(100 / exchange.leverage(account, symbol), 2),
        "open_order_count": open_orders,
        "pending_order_count": 0,
        "position_tied_order_count": 0,
        "sign": -1 if size < 0 else 1,
        "position": exact(abs(size), rules.size_decimals),
        "avg_entry_price": fixed(entry, rules.price_decimals),
        "position_value": usd(abs(size) * mark),
        "unrealized_pnl": usd((mark - entry) * size),
        "realized_pnl": usd(position.realised_pnl if position is not None else zero),
        "liquidation_price": "0"
        if liquidation is None
        else fixed(liquidation, rules.price_decimals),
        "margin_mode": 0,
        "margin_set_flag": 1,
        "allocated_margin": usd(zero),
        "total_discount": usd(zero),
    }
    if position is not None and position.funding_total:
        row["total_funding_paid_out"] = usd(-position.funding_total)
    return row


def payment_json(rules: Rules, payment: PaymentView, late_s: Sequence[int]) -> dict[str, Any]:
    """
    One funding payment. ``timestamp`` is on the market clock, in seconds, and some seconds
    after the settlement or before it, by turns of ``late_s``.

    ``rate`` is a signed fraction per hour (its unit is not documented; exports of the venue's
    own page hold fractions, data.md §1).
    """
    hour = payment.settlement_ms // HOUR_MS
    return {
        "timestamp": payment.settlement_ms // 1000 + late_s[hour % len(late_s)],
        "market_id": rules.market_id,
        "funding_id": payment.id,
        "change": usd(payment.amount),
        "rate": f"{payment.rate:f}",
        "position_size": exact(abs(payment.size), rules.size_decimals),
        "position_side": "long" if payment.size > 0 else "short",
        "discount": usd(Decimal(0)),
    }


def by_market(face: Face, symbols_and_rows: Iterable[tuple[str, Any]]) -> dict[str, list[Any]]:
    """Rows grouped under the number of their market, as the streams send them."""
    grouped: dict[str, list[Any]] = {}
    for symbol, row in symbols_and_rows:
        market_id = face.exchange.rules_of(symbol).market_id
        grouped.setdefault(str(market_id), []).append(row)
    return grouped


def ok(**fields: Any) -> Mapping[str, Any]:
    """The envelope of every successful answer."""
    return {"code": 200, **fields}


def ok_rows(name: str, rows: Iterable[str], more: Mapping[str, str] | None = None) -> str:
    """The same with a list, whose rows are JSON already, and what follows it."""
    after = "".join(f', "{key}": "{value}"' for key, value in (more or {}).items())
    return f'{{"code": 200, "{name}": [{", ".join(rows)}]{after}}}'
