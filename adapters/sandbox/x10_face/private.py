"""Reads of the account under /user (x10.md §2.2, §2.4) and its leverage."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from aiohttp import web

from adapters.sandbox.engine.types import PaymentView, PositionView, Refusal
from adapters.sandbox.faults import Fault
from adapters.sandbox.reply import Reply
from adapters.sandbox.x10_face import errors, shapes
from adapters.sandbox.x10_face.context import FACE, Face
from adapters.sandbox.x10_face.errors import ApiProblemError, from_refusal, not_found
from adapters.sandbox.x10_face.gate import is_emptied, observed, read_as_of_ms, through
from adapters.sandbox.x10_face.requests import (
    PAGE,
    choice,
    json_object,
    market_filter,
    needed,
    ok,
    one_symbol,
    paged,
    whole,
)
from adapters.sandbox.x10_face.shapes import Json, text


async def account_info(request: web.Request) -> Reply:
    """GET /user/account/info."""
    body = _account(request.app[FACE])
    return await through(request, "public", lambda _: ok(body))


async def accounts(request: web.Request) -> Reply:
    """GET /user/accounts: the one there is."""
    body = [_account(request.app[FACE])]
    return await through(request, "public", lambda _: ok(body))


async def client_info(request: web.Request) -> Reply:
    """GET /user/client/info."""
    body = {"id": 1, "evmWalletAddress": None, "starknetWalletAddress": None}
    return await through(request, "public", lambda _: ok(body))


async def balance(request: web.Request) -> Reply:
    """GET /user/balance: 404 when there is no money at all, as the venue does."""
    face = request.app[FACE]

    def effect(taken: Sequence[Fault]) -> Reply:
        view = face.exchange.balance(face.account, read_as_of_ms(face, taken, fresh=True))
        if is_emptied(taken) or (view.collateral == 0 and view.equity == 0):
            raise not_found("Balance")
        return ok(shapes.balance(view))

    return await through(request, "balance", effect)


async def spot_balances(request: web.Request) -> Reply:
    """GET /user/spot/balances: spot is not modelled."""
    return await through(request, "public", lambda _: ok([]))


async def positions(request: web.Request) -> Reply:
    """GET /user/positions: open ones only, ``size`` absolute."""
    face = request.app[FACE]
    wanted = market_filter(request)

    def effect(taken: Sequence[Fault]) -> Reply:
        wanted_side = choice(request, "side", ("LONG", "SHORT"))
        exchange = face.exchange
        found: list[Json] = []
        for view in _positions(face, taken):
            name = exchange.rules_of(view.symbol).name
            if not wanted(name):
                continue
            liquidation = exchange.liquidation_price(face.account, view.symbol)
            found.append(shapes.position(view, name, exchange.mark(view.symbol), liquidation))
        return ok([one for one in found if wanted_side in {None, one["side"]}])

    question = (positions, *request.query.items())
    symbol = one_symbol(request, face)
    return await through(request, "positions", effect, symbol=symbol, question=question)


async def positions_history(request: web.Request) -> Reply:
    """GET /user/positions/history: closed ones and, without ``closedTime``, open ones."""
    face = request.app[FACE]
    wanted = market_filter(request)

    def effect(taken: Sequence[Fault]) -> Reply:
        wanted_side = choice(request, "side", ("LONG", "SHORT"))
        exchange = face.exchange
        rows = [
            shapes.closed_position(view, exchange.rules_of(view.symbol).name)
            for view in exchange.closed_positions(face.account)
            if not is_emptied(taken)
        ] + [
            shapes.open_in_history(view, exchange.rules_of(view.symbol).name)
            for view in _positions(face, taken)
        ]
        kept = [
            (row["id"], row)
            for row in rows
            if wanted(row["market"]) and wanted_side in {None, row["side"]}
        ]
        return paged(request, kept, default_limit=PAGE)

    return await through(request, "positions", effect, symbol=one_symbol(request, face))


async def fees(request: web.Request) -> Reply:
    """GET /user/fees: rates as fractions."""
    face = request.app[FACE]
    wanted = market_filter(request)

    def effect(_taken: Sequence[Fault]) -> Reply:
        rows: list[Json] = []
        for symbol, rules in face.exchange.rules.items():
            if wanted(rules.name):
                maker, taker = face.exchange.fees(face.account, symbol)
                rates = {"makerFeeRate": text(maker), "takerFeeRate": text(taker)}
                rows.append({"market": rules.name, **rates, "builderFeeRate": "0"})
        return ok(rows)

    return await through(request, "public", effect)


async def leverage(request: web.Request) -> Reply:
    """GET /user/leverage, per market."""
    face = request.app[FACE]
    wanted = market_filter(request)

    def effect(_taken: Sequence[Fault]) -> Reply:
        return ok(
            [
                _leverage(face, symbol)
                for symbol, rules in face.exchange.rules.items()
                if wanted(rules.name)
            ]
        )

    return await through(request, "public", effect)


async def set_leverage(request: web.Request) -> Reply:
    """PATCH /user/leverage with ``{"market", "leverage"}``."""
    face = request.app[FACE]
    body = await json_object(request)

    def effect(_taken: Sequence[Fault]) -> Reply:
        symbol = face.exchange.symbol_of(str(body.get("market")))
        if symbol is None:
            raise ApiProblemError(errors.MARKET_NOT_FOUND)
        try:
            wanted = Decimal(str(body.get("leverage")))
        except InvalidOperation:
            raise ApiProblemError(errors.INVALID_PARAMETERS) from None
        if not wanted.is_finite():
            raise ApiProblemError(errors.INVALID_PARAMETERS)
        refused = face.exchange.set_leverage(face.account, symbol, wanted)
        if refused is not None and refused.refusal is Refusal.MARGIN:
            raise ApiProblemError(errors.LEVERAGE_MARGIN, debug=refused.detail)
        if refused is not None:
            raise from_refusal(refused)
        return ok(_leverage(face, symbol))

    return await through(request, "public", effect)


async def funding_history(request: web.Request) -> Reply:
    """
    GET /user/funding/history from ``startTime`` or, as older clients say, ``fromTime``.

    Times are market time. A row appears at its ``paidTime``, some time after the hour.
    """
    face = request.app[FACE]
    wanted = market_filter(request)

    def effect(_taken: Sequence[Fault]) -> Reply:
        start_ms, end_ms = needed(request, "startTime", "fromTime"), whole(request, "endTime")
        rows: list[tuple[int, Json]] = []
        for view in face.exchange.listed_payments(face.account):
            name = face.exchange.rules_of(view.symbol).name
            paid_ms = _paid_ms(face, view)
            if start_ms <= paid_ms <= face.exchange.market_now_ms() and wanted(name):
                rows.append((view.id, shapes.payment(view, name, paid_ms)))
        kept = [row for row in rows if end_ms is None or row[1]["paidTime"] <= end_ms]
        return paged(request, kept, default_limit=PAGE)

    return await through(request, "public", effect, symbol=one_symbol(request, face))


async def asset_operations(request: web.Request) -> Reply:
    """GET /user/assetOperations: deposits and withdrawals are not modelled."""
    return await through(request, "public", lambda _: paged(request, [], default_limit=50))


def _account(face: Face) -> Json:
    return {
        "accountId": face.account,
        "description": "sandbox",
        "accountIndex": 0,
        "status": "ACTIVE",
        "l2Key": face.keys.public_key,
        "l2Vault": face.keys.vault,
        "bridgeStarknetAddress": None,
    }


def _positions(face: Face, taken: Sequence[Fault]) -> list[PositionView]:
    def read(as_of_ms: int | None) -> list[PositionView]:
        return face.exchange.positions(face.account, as_of_ms)

    return observed(face, taken, read, lambda view: view.symbol)


def _leverage(face: Face, symbol: str) -> Json:
    name = face.exchange.rules_of(symbol).name
    return {"market": name, "leverage": text(face.exchange.leverage(face.account, symbol))}


def _paid_ms(face: Face, view: PaymentView) -> int:
    return view.settlement_ms + face.options.payment_delay_ms
