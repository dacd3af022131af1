"""Orders and fills of an account (lighter.md §2). Orders need an auth token."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from adapters.sandbox.engine.types import OrderView, TradeView
from adapters.sandbox.faults import Op
from adapters.sandbox.lighter_face import shapes
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.face import Face
from adapters.sandbox.lighter_face.http import Look, Query, read
from adapters.sandbox.lighter_face.market_shapes import public_trade_json
from adapters.sandbox.lighter_face.shapes import ok, ok_rows
from adapters.sandbox.reply import route

PAGE = 100
MAX_CLIENT_INDEXES = 20
KEPT_MS = 24 * 3_600_000
"""Finished orders are found by client id for this long."""

routes = web.RouteTableDef()


def seen_orders(
    face: Face, look: Look, account: int, *, open_only: bool = False
) -> list[OrderView]:
    """The orders this read may see, oldest first."""
    return _seen(look, lambda as_of_ms: face.orders(account, as_of_ms, open_only=open_only))


def _seen(look: Look, read: Callable[[int], list[OrderView]]) -> list[OrderView]:
    """What a read of orders shows, oldest first; ``read`` is asked for an instant."""
    if look.is_empty(Op.ORDERS):
        return []
    special = look.markets(Op.ORDERS)
    orders = read(look.as_of_ms(Op.ORDERS))
    rest = [order for order in orders if order.new.symbol not in special]
    for symbol in sorted(special):
        if not look.is_empty(Op.ORDERS, symbol):
            as_of_ms = look.as_of_ms(Op.ORDERS, symbol)
            rest += [order for order in read(as_of_ms) if order.new.symbol == symbol]
    return sorted(rest, key=lambda order: order.id)


def seen_trades(face: Face, look: Look, account: int) -> list[TradeView]:
    """The fills this read may see, oldest first."""
    if look.is_empty(Op.ORDERS):
        return []
    return [
        trade
        for trade in face.exchange.trades(account)
        if trade.at_ms <= look.as_of_ms(Op.ORDERS, trade.symbol)
        and not look.is_empty(Op.ORDERS, trade.symbol)
    ]


@route(routes.get, "/api/v1/accountOrders")
@read(Op.ORDERS)
def account_orders(query: Query) -> str:
    """Orders by client order index; finished ones for 24 hours, newest first."""
    index = _owner(query)
    wanted = _client_indexes(query.text("client_order_indexes"))
    since_ms = query.look.now_ms - KEPT_MS
    face = query.face

    def read(as_of_ms: int) -> list[OrderView]:
        return [o for one in sorted(wanted) for o in face.orders_of_client(index, one, as_of_ms)]

    rows = [
        shapes.order_text(face, order)
        for order in reversed(_seen(query.look, read))
        if order.is_open or order.updated_ms >= since_ms
    ]
    return ok_rows("orders", rows)


def _owner(query: Query) -> int:
    """The account in the query if it is named there, else the token's own."""
    if query.has("account_index"):
        return query.private_account()
    token = query.token
    owner = token.split(":")[1] if token.count(":") == 3 else "0"
    index = int(owner) if owner.isdecimal() else 0
    query.authorise(index)
    return index


def _client_indexes(listed: str) -> set[int]:
    parts = listed.split(",")
    if len(parts) > MAX_CLIENT_INDEXES:
        raise ApiError(Code.INVALID_PARAM, f"at most {MAX_CLIENT_INDEXES} client_order_indexes")
    try:
        return {int(part) for part in parts}
    except ValueError:
        raise ApiError(Code.INVALID_PARAM, "client_order_indexes must be whole numbers") from None


@route(routes.get, "/api/v1/accountActiveOrders")
@read(Op.ORDERS)
def account_active_orders(query: Query) -> str:
    index = query.private_account()
    market = query.market()
    orders = seen_orders(query.face, query.look, index, open_only=True)
    return ok_rows("orders", _order_rows(query.face, orders, market))


@route(routes.get, "/api/v1/accountInactiveOrders")
@read(Op.ORDERS)
def account_inactive_orders(query: Query) -> str:
    """Finished orders, newest first, by pages."""
    index = query.private_account()
    market = query.market()
    limit = query.whole("limit", low=1, high=PAGE)
    finished = [order for order in seen_orders(query.face, query.look, index) if not order.is_open]
    between = query.get("between_timestamps", "")
    if between:
        start_ms, end_ms = _between(between)
        finished = [o for o in finished if start_ms <= o.updated_ms <= end_ms]
    rows = _order_rows(query.face, finished[::-1], market)
    page, cursor = query.page(rows, limit)
    return ok_rows("orders", page, cursor)


def _order_rows(face: Face, orders: Sequence[OrderView], market: str | None) -> list[str]:
    return [
        shapes.order_text(face, order)
        for order in orders
        if market is None or order.new.symbol == market
    ]


def _between(value: str) -> tuple[int, int]:
    try:
        start, end = value.split("-")
        return int(start), int(end)
    except ValueError:
        raise ApiError(Code.INVALID_PARAM, "between_timestamps must be start-end") from None


@route(routes.get, "/api/v1/trades")
@read(Op.ORDERS)
def trades(query: Query) -> Mapping[str, Any] | str:
    """Fills of an account, newest first, by pages."""
    query.text("sort_by")
    limit = query.whole("limit", low=1, high=PAGE)
    market = query.market()
    if not query.has("account_index"):
        return ok(trades=_public_trades(query.face, market, limit))
    index = query.private_account()
    order_index = query.whole("order_index", 0)
    from_ms = query.whole("from", 0, low=-1)
    rows = [
        trade
        for trade in reversed(seen_trades(query.face, query.look, index))
        if (market is None or trade.symbol == market)
        and order_index in {0, query.face.directory.index(trade.order_id)}
        and trade.at_ms >= from_ms
    ]
    page, cursor = query.page(rows, limit)
    return ok_rows("trades", [shapes.trade_text(query.face, trade) for trade in page], cursor)


def _public_trades(face: Face, market: str | None, limit: int) -> list[dict[str, Any]]:
    if market is None:
        raise ApiError(Code.INVALID_PARAM, "market_id or account_index is missing")
    rules = face.exchange.rules_of(market)
    newest_last = face.exchange.public_trades(market, limit)
    return [public_trade_json(rules, trade) for trade in reversed(newest_last)]
