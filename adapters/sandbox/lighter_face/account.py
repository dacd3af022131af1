"""Accounts: money, positions, keys, nonces, payments, limits (lighter.md §2)."""

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from aiohttp import web

from adapters.sandbox.engine.types import BalanceView, PositionView, TradeKind
from adapters.sandbox.faults import Op
from adapters.sandbox.lighter_face import shapes
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.face import Face
from adapters.sandbox.lighter_face.http import Look, Query, read
from adapters.sandbox.lighter_face.shapes import ok
from adapters.sandbox.reply import json_text, route

PAGE = 100
ALL_KEYS = 255

routes = web.RouteTableDef()


def l1_address(face: Face) -> str:
    """An Ethereum address for the account; it means nothing."""
    return f"0x{face.account:040x}"


def position_rows(face: Face, look: Look, account: int) -> list[dict[str, Any]]:
    """
    One row for each market that was ever traded, flat ones too.

    And for each whose leverage was chosen: that a venue shows it before the first trade is not
    recorded anywhere, so this is modelled.
    """
    return [
        shapes.position_json(face, account, *row) for row in _position_views(face, look, account)
    ]


def _position_texts(face: Face, look: Look, account: int, *, active_only: bool) -> list[str]:
    """The same as JSON; a market in which nothing is held has the same row again and again."""
    texts: list[str] = []
    for symbol, position, count in _position_views(face, look, account):
        make = partial(shapes.position_json, face, account, symbol, position, count)
        if position is not None:
            texts.append(json_text(make()))
        elif not active_only:
            leverage = face.exchange.leverage(account, symbol)
            texts.append(face.rows.text(face.exchange.rules_of(symbol), make, leverage, count))
    return texts


def _position_views(
    face: Face, look: Look, account: int
) -> list[tuple[str, PositionView | None, int]]:
    """Market, what is held there (None when nothing is), and how many orders work there."""
    exchange = face.exchange
    working = exchange.orders(account, open_only=True)
    views: list[tuple[str, PositionView | None, int]] = []
    traded = exchange.traded_symbols(account, look.as_of_ms(Op.POSITIONS))
    for symbol in dict.fromkeys([*traded, *exchange.chosen_leverages(account)]):
        position = None
        if not look.is_empty(Op.POSITIONS, symbol):
            as_of_ms = look.as_of_ms(Op.POSITIONS, symbol)
            position = exchange.position(account, symbol, as_of_ms)
        count = sum(1 for order in working if order.new.symbol == symbol)
        views.append((symbol, position, count))
    return views


def account_json(face: Face, look: Look, account: int) -> dict[str, Any]:
    """A detailed account."""
    return _details(face, look, account) | {"positions": position_rows(face, look, account)}


def _details(face: Face, look: Look, account: int) -> dict[str, Any]:
    """The same, but for the positions."""
    as_of_ms = look.as_of_ms(Op.BALANCE)
    balance = face.exchange.balance(account, as_of_ms)
    summary = _summary(face, look, account, balance)
    return summary | {
        "account_index": account,
        "name": "",
        "description": "",
        "can_invite": False,
        "referral_points_percentage": "",
        "positions": [],
        "assets": [
            {
                "symbol": "USDC",
                "asset_id": 3,
                "balance": shapes.usd(balance.collateral),
                "locked_balance": shapes.usd(Decimal(0)),
                "margin_balance": shapes.usd(balance.collateral),
                "margin_mode": "enabled",
                "multiplier": "1",
            }
        ],
        "total_asset_value": shapes.usd(balance.equity),
        "cross_asset_value": shapes.usd(balance.equity),
        "cross_initial_margin_requirement": shapes.usd(balance.initial_margin),
        "cross_maintenance_margin_requirement": shapes.usd(balance.maintenance_margin),
        "shares": [],
        "pending_unlocks": [],
        "approved_integrators": [],
    }


def account_summary(face: Face, look: Look, account: int) -> dict[str, Any]:
    """What ``accountsByL1Address`` shows."""
    balance = face.exchange.balance(account, look.as_of_ms(Op.BALANCE))
    return _summary(face, look, account, balance)


def _summary(face: Face, look: Look, account: int, balance: BalanceView) -> dict[str, Any]:
    orders = face.orders(account, look.now_ms, open_only=True)
    return {
        "code": 0,
        "account_type": 0,
        "account_trading_mode": 0,
        "index": account,
        "l1_address": l1_address(face),
        "cancel_all_time": face.cancel_all_ms or 0,
        "total_order_count": len(orders),
        "total_isolated_order_count": 0,
        "pending_order_count": 0,
        "available_balance": shapes.usd(balance.available),
        "status": 1,
        "collateral": shapes.usd(balance.collateral),
        "transaction_time": balance.updated_ms * 1000,
    }


@route(routes.get, "/api/v1/account")
@read(Op.POSITIONS, Op.BALANCE, of_edition=True)
def account(query: Query) -> str:
    by, value = query.text("by"), query.text("value")
    if by == "l1_address":
        index = query.face.account if value.lower() == l1_address(query.face) else -1
    elif by == "index" and value.isascii() and value.isdecimal():
        index = int(value)
    else:
        raise ApiError(Code.INVALID_PARAM, "by must be index or l1_address")
    query.face.known_account(index)
    active_only = query.get("active_only") == "true"
    positions = ", ".join(_position_texts(query.face, query.look, index, active_only=active_only))
    row = json_text(_details(query.face, query.look, index))
    row = row.replace('"positions": []', f'"positions": [{positions}]')
    return f'{{"code": 200, "total": 1, "accounts": [{row}]}}'


@route(routes.get, "/api/v1/accountsByL1Address")
@read(Op.BALANCE)
def accounts_by_l1_address(query: Query) -> Mapping[str, Any]:
    if query.text("l1_address").lower() != l1_address(query.face):
        raise ApiError(Code.ACCOUNT_NOT_FOUND)
    row = account_summary(query.face, query.look, query.face.account)
    return ok(l1_address=l1_address(query.face), sub_accounts=[row])


@route(routes.get, "/api/v1/apikeys")
@read(Op.PUBLIC)
def apikeys(query: Query) -> Mapping[str, Any]:
    index = query.face.known_account(query.whole("account_index"))
    wanted = query.whole("api_key_index", ALL_KEYS, high=ALL_KEYS)
    if wanted != ALL_KEYS:
        query.face.lane(wanted)
    rows = [
        {
            "account_index": index,
            "api_key_index": key,
            "nonce": query.face.lane(key).shown(shown_nonce_ms(query.face, query.look)),
            "public_key": public_key,
            "transaction_time": 0,
        }
        for key, public_key in query.face.public_keys.items()
        if wanted in {key, ALL_KEYS} and index == query.face.account
    ]
    return ok(api_keys=rows)


@route(routes.get, "/api/v1/nextNonce")
@read(Op.NONCE)
def next_nonce(query: Query) -> str:
    index = query.face.known_account(query.whole("account_index"))
    if index != query.face.account:
        raise ApiError(Code.API_KEY_NOT_FOUND)
    lane = query.face.lane(query.whole("api_key_index"))
    return f'{{"code": 200, "nonce": {lane.shown(shown_nonce_ms(query.face, query.look))}}}'


def shown_nonce_ms(face: Face, look: Look) -> int:
    """The instant whose nonces are shown: they normally lag behind execution."""
    normal_ms = look.now_ms - round(face.options.nonce_lag_s * 1000)
    return min(normal_ms, look.forced_ms(Op.NONCE))


@route(routes.get, "/api/v1/positionFunding")
@read(Op.PUBLIC)
def position_funding(query: Query) -> Mapping[str, Any]:
    """Funding payments, newest first, by pages; the times are market time."""
    index = query.private_account()
    limit = query.whole("limit", low=1, high=PAGE)
    side = query.get("side", "all")
    wanted = {part for part in query.get("market_ids", "").split(",") if part}
    start_ms = query.whole("start_timestamp", 0)
    end_ms = query.whole("end_timestamp", 2**62)
    late_s = query.face.options.stamp_late_s
    rows = [
        shapes.payment_json(query.face.exchange.rules_of(payment.symbol), payment, late_s)
        for payment in reversed(query.face.exchange.listed_payments(index))
        if start_ms <= payment.settlement_ms <= end_ms
    ]
    rows = [
        row
        for row in rows
        if (not wanted or str(row["market_id"]) in wanted) and side in {"all", row["position_side"]}
    ]
    page, cursor = query.page(rows, limit)
    return ok(position_fundings=page, **cursor)


@route(routes.get, "/api/v1/accountLimits")
@read(Op.PUBLIC)
def account_limits(query: Query) -> Mapping[str, Any]:
    """Tier and fees of the account; ticks are parts per million."""
    index = query.private_account()
    maker, taker = query.face.exchange.fees(index, next(iter(query.face.exchange.rules)))
    return ok(
        max_llp_percentage=25,
        max_llp_amount="0",
        user_tier=query.face.options.user_tier,
        user_tier_name=query.face.options.user_tier.capitalize(),
        can_create_public_pool=False,
        current_maker_fee_tick=shapes.fee_ppm(maker),
        current_taker_fee_tick=shapes.fee_ppm(taker),
        effective_lit_stakes="0",
        leased_lit="0",
        user_tier_last_update=0,
    )


@route(routes.get, "/api/v1/liquidations")
@read(Op.PUBLIC)
def liquidations(query: Query) -> Mapping[str, Any]:
    index = query.private_account()
    limit = query.whole("limit", low=1, high=PAGE)
    rows = [
        {
            "id": trade.id,
            "market_id": query.face.exchange.rules_of(trade.symbol).market_id,
            "type": "deleverage" if trade.kind is TradeKind.DELEVERAGE else "partial",
            "trade": shapes.trade_json(query.face, trade),
            "info": {},
            "executed_at": trade.at_ms,
        }
        for trade in reversed(query.face.exchange.trades(index))
        if trade.kind is not TradeKind.TRADE
    ]
    page, cursor = query.page(rows, limit)
    return ok(liquidations=page, **cursor)


@route(routes.get, "/api/v1/pnl")
@read(Op.PUBLIC)
def pnl(query: Query) -> Mapping[str, Any]:
    """One entry: the profit up to now."""
    value = query.text("value")
    index = query.face.known_account(int(value) if value.isdecimal() else -1)
    query.authorise(index)
    realised = sum((p.realised_pnl for p in query.face.exchange.positions(index)), Decimal(0))
    realised += sum(
        (p.realised_pnl for p in query.face.exchange.closed_positions(index)), Decimal(0)
    )
    unrealised = query.face.exchange.balance(index).unrealised
    entry = {
        "timestamp": query.look.now_ms // 1000,
        "trade_pnl": float(realised + unrealised),
        "inflow": 0.0,
        "outflow": 0.0,
    }
    return ok(resolution=query.get("resolution", "1h"), pnl=[entry])
