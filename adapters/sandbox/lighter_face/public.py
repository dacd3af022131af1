"""Public endpoints: markets, books, rates, statistics. No key, no signature (lighter.md §2)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aiohttp import web

from adapters.sandbox.clock import HOUR_MS
from adapters.sandbox.faults import Op
from adapters.sandbox.lighter_face import market_shapes as shapes
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.face import Face, block_at
from adapters.sandbox.lighter_face.http import Query, read
from adapters.sandbox.lighter_face.shapes import MARKET_MAKER, ok
from adapters.sandbox.reply import json_text, route

MAX_BOOK = 250
MAX_TRADES = 100
MAX_FUNDINGS = 749
PERP_FILTERS = {"", "all", "perp"}

routes = web.RouteTableDef()


def _symbols(query: Query) -> list[str]:
    if query.get("filter") not in PERP_FILTERS:
        return []
    wanted = query.market()
    return list(query.face.exchange.listed) if wanted is None else [wanted]


def _fees(face: Face, symbol: str) -> tuple[Decimal, Decimal]:
    return face.exchange.fees(face.account, symbol)


@route(routes.get, "/")
@read(Op.PUBLIC)
def status(query: Query) -> Mapping[str, Any]:
    return {"status": 200, "network_id": 1, "timestamp": query.look.now_ms // 1000}


@route(routes.get, "/info")
@read(Op.PUBLIC)
def info(_query: Query) -> Mapping[str, Any]:
    return {"contract_address": f"0x{0:040x}"}


@route(routes.get, "/api/v1/systemConfig")
@read(Op.PUBLIC)
def system_config(_query: Query) -> Mapping[str, Any]:
    return ok(
        liquidity_pool_index=MARKET_MAKER,
        staking_pool_index=MARKET_MAKER,
        funding_fee_rebate_account_index=MARKET_MAKER,
        fee_collector_account_index=MARKET_MAKER,
        liquidity_pool_cooldown_period=300_000,
        staking_pool_lockup_period=300_000,
        max_integrator_perps_maker_fee=0,
        max_integrator_perps_taker_fee=0,
        max_integrator_spot_maker_fee=0,
        max_integrator_spot_taker_fee=0,
    )


@route(routes.get, "/api/v1/orderBooks")
@read(Op.PUBLIC)
def order_books(query: Query) -> Mapping[str, Any]:
    return ok(
        order_books=[
            shapes.order_book_json(query.face.exchange.rules_of(symbol), *_fees(query.face, symbol))
            for symbol in _symbols(query)
        ]
    )


@route(routes.get, "/api/v1/orderBookDetails")
@read(Op.PUBLIC, of_tick=True)
def order_book_details(query: Query) -> str:
    rows = ", ".join(_detail(query.face, symbol) for symbol in _symbols(query))
    return f'{{"code": 200, "order_book_details": [{rows}], "spot_order_book_details": []}}'


def _detail(face: Face, symbol: str) -> str:
    """The JSON of one market, of which only the figures change."""
    rules, fees = face.exchange.rules_of(symbol), _fees(face, symbol)
    lasting = face.rows.text(rules, lambda: shapes.detail_rules_json(rules, *fees))
    figures = json_text(shapes.detail_figures_json(rules, face.exchange.stats(symbol)))
    return f"{lasting[:-1]}, {figures[1:]}"


@route(routes.get, "/api/v1/orderBookOrders")
@read(Op.PUBLIC)
def order_book_orders(query: Query) -> str:
    rules = query.face.rules(query.whole("market_id"))
    limit = query.whole("limit", low=1, high=MAX_BOOK)
    book = query.face.exchange.book(rules.symbol, limit)
    bids, asks = (
        shapes.book_orders_text(rules, levels, book.version, query.look.now_ms)
        for levels in (book.bids, book.asks)
    )
    return (
        f'{{"code": 200, "total_asks": {len(book.asks)}, "asks": [{asks}],'
        f' "total_bids": {len(book.bids)}, "bids": [{bids}]}}'
    )


@route(routes.get, "/api/v1/recentTrades")
@read(Op.PUBLIC)
def recent_trades(query: Query) -> Mapping[str, Any]:
    rules = query.face.rules(query.whole("market_id"))
    limit = query.whole("limit", low=1, high=MAX_TRADES)
    trades = query.face.exchange.public_trades(rules.symbol, limit)
    return ok(trades=[shapes.public_trade_json(rules, trade) for trade in reversed(trades)])


@route(routes.get, "/api/v1/funding-rates")
@read(Op.PUBLIC, of_hour=True)
def funding_rates(query: Query) -> Mapping[str, Any]:
    """All markets, whatever is asked: the venue may ignore a market parameter (scenario S63)."""
    exchange = query.face.exchange
    return ok(
        funding_rates=[
            row
            for symbol, rules in exchange.listed.items()
            for row in shapes.funding_rate_rows(rules, exchange.predicted_rate(symbol))
        ]
    )


@route(routes.get, "/api/v1/fundings")
@read(Op.PUBLIC, of_tick=True)
def fundings(query: Query) -> Mapping[str, Any]:
    """Settled rates between two market instants in ms, both excluded, oldest first."""
    rules = query.face.rules(query.whole("market_id"))
    resolution = query.text("resolution")
    if resolution not in {"1h", "1d"}:
        raise ApiError(Code.INVALID_PARAM, "resolution must be 1h or 1d")
    start_ms, end_ms = query.whole("start_timestamp"), query.whole("end_timestamp")
    count_back = query.whole("count_back", 0)
    until = [
        row
        for row in shapes.settled_rows(query.face.exchange, rules.symbol)
        if row.settlement_ms < end_ms
    ]
    within = [row for row in until if row.settlement_ms > start_ms]
    rows = until[-count_back:] if 0 < len(within) < count_back else within
    if not rows and count_back:
        rows = until[-count_back:]
    if resolution == "1d":
        rows = [row for row in rows if row.settlement_ms // HOUR_MS % 24 == 0]
    newest = rows[-MAX_FUNDINGS:]
    return ok(
        resolution=resolution,
        fundings=[shapes.funding_row_json(row) for row in newest],
    )


@route(routes.get, "/api/v1/exchangeStats")
@read(Op.PUBLIC)
def exchange_stats(query: Query) -> Mapping[str, Any]:
    rows = []
    total = Decimal(0)
    for symbol, rules in query.face.exchange.rules.items():
        stats = query.face.exchange.stats(symbol)
        total += stats.volume
        rows.append(
            {
                "symbol": rules.name,
                "last_trade_price": float(stats.last_price),
                "daily_trades_count": 0,
                "daily_base_token_volume": float(stats.volume_base),
                "daily_quote_token_volume": float(stats.volume),
                "daily_price_change": float(stats.price_change),
            }
        )
    return ok(
        total=len(rows),
        order_book_stats=rows,
        daily_usd_volume=float(total),
        daily_trades_count=0,
    )


@route(routes.get, "/api/v1/currentHeight")
@read(Op.PUBLIC)
def current_height(query: Query) -> Mapping[str, Any]:
    return ok(height=block_at(query.look.now_ms))
