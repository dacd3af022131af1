"""Accounts: money, positions, keys, nonces, payments, limits (lighter.md §2)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aiohttp import web

from adapters.sandbox.engine.types import TradeKind
from adapters.sandbox.faults import Op
from adapters.sandbox.lighter_face import shapes
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.face import Face
from adapters.sandbox.lighter_face.http import (
    Look,
    page_of,
    private_account,
    read,
    text,
    token_of,
    whole,
)
from adapters.sandbox.lighter_face.shapes import ok

PAGE = 100
ALL_KEYS = 255

routes = web.RouteTableDef()


def l1_address(face: Face) -> str:
    """An Ethereum address for the account; it means nothing."""
    return f"0x{face.account:040x}"


def position_rows(face: Face, look: Look, account: int) -> list[dict[str, Any]]:
    """One row for each market that was ever traded, flat ones too."""
    exchange = face.exchange
    working = exchange.orders(account, open_only=True)
    rows = []
    for symbol in exchange.traded_symbols(account):
        position = None
        if not look.is_empty(Op.POSITIONS, symbol):
            as_of_ms = look.as_of_ms(Op.POSITIONS, symbol)
            position = exchange.position(account, symbol, as_of_ms)
        count = sum(1 for order in working if order.new.symbol == symbol)
        rows.append(shapes.position_json(face, account, symbol, position, count))
    return rows


def account_json(face: Face, look: Look, account: int) -> dict[str, Any]:
    """A detailed account."""
    as_of_ms = look.as_of_ms(Op.BALANCE)
    balance = face.exchange.balance(account, as_of_ms)
    summary = account_summary(face, look, account)
    return summary | {
        "account_index": account,
        "name": "",
        "description": "",
        "can_invite": False,
        "referral_points_percentage": "",
        "positions": position_rows(face, look, account),
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


@routes.get("/api/v1/account")
@read(Op.POSITIONS, Op.BALANCE)
def account(request: web.Request, face: Face, look: Look) -> Mapping[str, Any]:
    by, value = text(request, "by"), text(request, "value")
    if by == "l1_address":
        index = face.account if value.lower() == l1_address(face) else -1
    elif by == "index" and value.isascii() and value.isdecimal():
        index = int(value)
    else:
        raise ApiError(Code.INVALID_PARAM, "by must be index or l1_address")
    face.known_account(index)
    row = account_json(face, look, index)
    if request.query.get("active_only") == "true":
        row["positions"] = [p for p in row["positions"] if Decimal(p["position"])]
    return ok(total=1, accounts=[row])


@routes.get("/api/v1/accountsByL1Address")
@read(Op.BALANCE)
def accounts_by_l1_address(request: web.Request, face: Face, look: Look) -> Mapping[str, Any]:
    if text(request, "l1_address").lower() != l1_address(face):
        raise ApiError(Code.ACCOUNT_NOT_FOUND)
    row = account_summary(face, look, face.account)
    return ok(l1_address=l1_address(face), sub_accounts=[row])


@routes.get("/api/v1/apikeys")
@read(Op.PUBLIC)
def apikeys(request: web.Request, face: Face, look: Look) -> Mapping[str, Any]:
    index = face.known_account(whole(request, "account_index"))
    wanted = whole(request, "api_key_index", ALL_KEYS, high=ALL_KEYS)
    if wanted != ALL_KEYS:
        face.lane(wanted)
    rows = [
        {
            "account_index": index,
            "api_key_index": key,
            "nonce": face.lane(key).shown(shown_nonce_ms(face, look)),
            "public_key": public_key,
            "transaction_time": 0,
        }
        for key, public_key in face.owner.public_keys.items()
        if wanted in {key, ALL_KEYS} and index == face.account
    ]
    return ok(api_keys=rows)


@routes.get("/api/v1/nextNonce")
@read(Op.NONCE)
def next_nonce(request: web.Request, face: Face, look: Look) -> Mapping[str, Any]:
    index = face.known_account(whole(request, "account_index"))
    if index != face.account:
        raise ApiError(Code.API_KEY_NOT_FOUND)
    lane = face.lane(whole(request, "api_key_index"))
    return ok(nonce=lane.shown(shown_nonce_ms(face, look)))


def shown_nonce_ms(face: Face, look: Look) -> int:
    """The instant whose nonces are shown: they normally lag behind execution."""
    normal_ms = look.now_ms - round(face.options.nonce_lag_s * 1000)
    return min(normal_ms, look.as_of_ms(Op.NONCE))


@routes.get("/api/v1/positionFunding")
@read(Op.PUBLIC)
def position_funding(request: web.Request, face: Face, look: Look) -> Mapping[str, Any]:
    """Funding payments, newest first, by pages; the times are market time."""
    index = private_account(request, face)
    limit = whole(request, "limit", low=1, high=PAGE)
    side = request.query.get("side", "all")
    wanted = {part for part in request.query.get("market_ids", "").split(",") if part}
    start_ms = whole(request, "start_timestamp", 0)
    end_ms = whole(request, "end_timestamp", 2**62)
    rows = [
        shapes.payment_json(face.exchange.rules_of(payment.symbol), payment)
        for payment in reversed(face.exchange.payments(index))
        if start_ms <= payment.settlement_ms <= end_ms
    ]
    rows = [
        row
        for row in rows
        if (not wanted or str(row["market_id"]) in wanted)
        and side in {"all", row["position_side"]}
    ]
    page, cursor = page_of(request, rows, limit)
    return ok(position_fundings=page, **cursor)


@routes.get("/api/v1/accountLimits")
@read(Op.PUBLIC)
def account_limits(request: web.Request, face: Face, look: Look) -> Mapping[str, Any]:
    """Tier and fees of the account; ticks are parts per million."""
    index = private_account(request, face)
    maker, taker = face.exchange.fees(index, next(iter(face.exchange.rules)))
    return ok(
        max_llp_percentage=25,
        max_llp_amount="0",
        user_tier=face.options.user_tier,
        user_tier_name=face.options.user_tier.capitalize(),
        can_create_public_pool=False,
        current_maker_fee_tick=shapes.fee_ppm(maker),
        current_taker_fee_tick=shapes.fee_ppm(taker),
        effective_lit_stakes="0",
        leased_lit="0",
        user_tier_last_update=0,
    )


@routes.get("/api/v1/liquidations")
@read(Op.PUBLIC)
def liquidations(request: web.Request, face: Face, look: Look) -> Mapping[str, Any]:
    index = private_account(request, face)
    limit = whole(request, "limit", low=1, high=PAGE)
    rows = [
        {
            "id": trade.id,
            "market_id": face.exchange.rules_of(trade.symbol).market_id,
            "type": "deleverage" if trade.kind is TradeKind.DELEVERAGE else "partial",
            "trade": shapes.trade_json(face, trade),
            "info": {},
            "executed_at": trade.at_ms,
        }
        for trade in reversed(face.exchange.trades(index))
        if trade.kind is not TradeKind.TRADE
    ]
    page, cursor = page_of(request, rows, limit)
    return ok(liquidations=page, **cursor)


@routes.get("/api/v1/pnl")
@read(Op.PUBLIC)
def pnl(request: web.Request, face: Face, look: Look) -> Mapping[str, Any]:
    """One entry: the profit up to now."""
    value = text(request, "value")
    index = face.known_account(int(value) if value.isdecimal() else -1)
    face.keys.authorise(token_of(request), index, look.now_ms // 1000)
    realised = sum((p.realised_pnl for p in face.exchange.positions(index)), Decimal(0))
    realised += sum((p.realised_pnl for p in face.exchange.closed_positions(index)), Decimal(0))
    unrealised = face.exchange.balance(index).unrealised
    entry = {
        "timestamp": look.now_ms // 1000,
        "trade_pnl": float(realised + unrealised),
        "inflow": 0.0,
        "outflow": 0.0,
    }
    return ok(resolution=request.query.get("resolution", "1h"), pnl=[entry])
