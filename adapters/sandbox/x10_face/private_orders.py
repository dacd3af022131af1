"""Reads of the account's orders and fills under /user (x10.md §2.2)."""

from collections.abc import Callable, Sequence

from aiohttp import web

from adapters.sandbox.engine.types import OrderView, TradeView
from adapters.sandbox.faults import Fault
from adapters.sandbox.reply import Reply
from adapters.sandbox.x10_face import shapes
from adapters.sandbox.x10_face.context import FACE, Face
from adapters.sandbox.x10_face.errors import not_found
from adapters.sandbox.x10_face.gate import is_emptied, observed, read_as_of_ms, through
from adapters.sandbox.x10_face.requests import (
    PAGE,
    SNOWFLAKE_EPOCH_MS,
    choice,
    market_filter,
    ok,
    ok_rows,
    one_symbol,
    paged,
    whole,
)


async def open_orders(request: web.Request) -> Reply:
    """GET /user/orders: those that may still fill."""
    face = request.app[FACE]

    def effect(taken: Sequence[Fault]) -> Reply:
        found = _orders(request, taken, open_only=True)
        return ok_rows([_order(face, view) for view in found])

    question = (open_orders, *request.query.items())
    symbol = one_symbol(request, face)
    return await through(request, "orders", effect, symbol=symbol, question=question)


async def orders_history(request: web.Request) -> Reply:
    """GET /user/orders/history: every order, newest first; ``sort`` by id or by last change."""
    face = request.app[FACE]

    def effect(taken: Sequence[Fault]) -> Reply:
        order_id, client_id = whole(request, "id"), request.query.get("externalId")
        by_change = choice(request, "sort", ("ID", "UPDATED_AT")) == "UPDATED_AT"

        def asked_for(view: OrderView) -> bool:
            return order_id in {None, view.id} and client_id in {None, view.new.client_id}

        found = [
            (_change_key(view.id, view.updated_ms) if by_change else view.id, view)
            for view in _orders(request, taken, open_only=False, asked_for=asked_for)
        ]
        return paged(request, found, default_limit=PAGE, shown=lambda view: _order(face, view))

    question = (orders_history, *request.query.items())
    symbol = one_symbol(request, face)
    return await through(request, "orders", effect, symbol=symbol, question=question)


async def order_by_id(request: web.Request) -> Reply:
    """GET /user/orders/{id}; 404 when there is none."""
    face = request.app[FACE]

    def effect(taken: Sequence[Fault]) -> Reply:
        order_id = int(request.match_info["id"])
        view = face.exchange.order(face.account, order_id, read_as_of_ms(face, taken))
        if view is None or is_emptied(taken):
            raise not_found("Order")
        return ok(shapes.order(view, face.exchange.rules_of(view.new.symbol).name))

    return await through(request, "orders", effect)


async def orders_by_external_id(request: web.Request) -> Reply:
    """GET /user/orders/external/{externalId}: a list, empty when there is none."""
    face = request.app[FACE]
    exchange, client_id = face.exchange, request.match_info["external_id"]

    def effect(taken: Sequence[Fault]) -> Reply:
        found = _views(
            face,
            taken,
            lambda as_of_ms: exchange.orders_of_client(face.account, client_id, as_of_ms),
        )
        return ok_rows([_order(face, view) for view in found])

    question = (orders_by_external_id, client_id)
    return await through(request, "orders", effect, question=question)


async def trades(request: web.Request) -> Reply:
    """GET /user/trades: fills, newest first."""
    face = request.app[FACE]
    wanted = market_filter(request)

    def effect(taken: Sequence[Fault]) -> Reply:
        wanted_side = choice(request, "side", ("BUY", "SELL"))
        wanted_type = choice(request, "type", ("TRADE", "LIQUIDATION", "DELEVERAGE"))
        exchange = face.exchange
        views = observed(
            face,
            taken,
            lambda as_of_ms: exchange.trades(face.account, as_of_ms=as_of_ms),
            lambda view: view.symbol,
        )
        names = {symbol: rules.name for symbol, rules in exchange.rules.items()}
        kept = [
            (view.id, view)
            for view in views
            if wanted(names[view.symbol])
            and wanted_side in {None, shapes.side(is_buy=view.is_buy)}
            and wanted_type in {None, view.kind.value.upper()}
        ]
        return paged(request, kept, default_limit=PAGE, shown=lambda view: _trade(face, view))

    question = (trades, *request.query.items())
    symbol = one_symbol(request, face)
    return await through(request, "orders", effect, symbol=symbol, question=question)


def _change_key(order_id: int, updated_ms: int) -> int:
    """A cursor that orders by last change; the end of the id tells apart what changed at once."""
    return ((updated_ms - SNOWFLAKE_EPOCH_MS) << 22) | (order_id & 0x3FFFFF)


def _trade(face: Face, view: TradeView) -> str:
    """The JSON of a fill, which changes with the name of its market alone."""
    market = face.exchange.rules_of(view.symbol).name
    return face.rows.text(view, lambda: shapes.trade(view, market), market)


def _order(face: Face, view: OrderView) -> str:
    """The JSON of a version of an order, which changes with the name of its market alone."""
    market = face.exchange.rules_of(view.new.symbol).name
    return face.rows.text(view, lambda: shapes.order(view, market), market)


def _views(
    face: Face, taken: Sequence[Fault], read: Callable[[int | None], list[OrderView]]
) -> list[OrderView]:
    """Orders as this read shows them, newest first."""
    views = observed(face, taken, read, lambda view: view.new.symbol)
    return sorted(views, key=lambda view: view.id, reverse=True)


def _orders(
    request: web.Request,
    taken: Sequence[Fault],
    *,
    open_only: bool,
    asked_for: Callable[[OrderView], bool] = lambda _: True,
) -> list[OrderView]:
    """Orders of the account that the query asks for, newest first."""
    face = request.app[FACE]
    wanted = market_filter(request)
    wanted_type, wanted_side = request.query.get("type"), choice(request, "side", ("BUY", "SELL"))
    views = _views(
        face,
        taken,
        lambda as_of_ms: face.exchange.orders(face.account, as_of_ms, open_only=open_only),
    )
    return [
        view
        for view in views
        if asked_for(view)
        and wanted(face.exchange.rules_of(view.new.symbol).name)
        and wanted_type in {None, "MARKET" if view.new.is_market else "LIMIT"}
        and wanted_side in {None, shapes.side(is_buy=view.new.is_buy)}
    ]
