"""Public endpoints under /info (x10.md §2.2). Funding and its stamps are market time."""

from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import web

from adapters.sandbox.clock import HOUR_MS
from adapters.sandbox.engine.types import FundingRow, Rules
from adapters.sandbox.faults import Fault
from adapters.sandbox.reply import Reply, json_text
from adapters.sandbox.x10_face import market_shapes as shapes
from adapters.sandbox.x10_face.candles import INTERVALS_MS, candles
from adapters.sandbox.x10_face.context import FACE, Face
from adapters.sandbox.x10_face.errors import INVALID_PARAMETERS, ApiProblemError
from adapters.sandbox.x10_face.gate import through
from adapters.sandbox.x10_face.requests import (
    MAX_RECORDS,
    SNOWFLAKE_EPOCH_MS,
    choice,
    count,
    market_filter,
    needed,
    ok,
    ok_rows,
    paged,
    path_symbol,
    whole,
)
from adapters.sandbox.x10_face.shapes import Json, text, usd
from adapters.sandbox.x10_face.signing import DOMAIN_NAME, DOMAIN_REVISION, DOMAIN_VERSION

_BOOK_DEPTH: Final = 200

MarketEffect = Callable[[Face, str], Reply]
"""What a read about one market answers, given its symbol."""


async def markets(request: web.Request) -> Reply:
    """GET /info/markets: all of them, or those asked for."""
    face = request.app[FACE]

    def make() -> Reply:
        wanted = market_filter(request)
        rules = [rule for rule in face.exchange.listed.values() if wanted(rule.name)]
        return ok_rows([_market(face, rule) for rule in rules])

    def effect(_taken: Sequence[Fault]) -> Reply:
        question = ("markets", *request.query.getall("market", []))
        return face.shown.reply(question, face.exchange.tick(), make)

    return await through(request, "public", effect)


async def stats(request: web.Request) -> Reply:
    """GET /info/markets/{market}/stats."""

    def effect(face: Face, symbol: str) -> Reply:
        return ok(shapes.market_stats(face.exchange.stats(symbol)))

    return await _of_market(request, effect)


async def orderbook(request: web.Request) -> Reply:
    """GET /info/markets/{market}/orderbook; ``depth`` cuts it."""

    def effect(face: Face, symbol: str) -> Reply:
        depth = count(request, "depth", _BOOK_DEPTH)

        def make() -> Reply:
            bids, asks = face.exchange.book(symbol, depth)
            return ok(shapes.book(face.exchange.rules_of(symbol).name, bids, asks))

        question = ("orderbook", symbol, depth)
        return face.shown.reply(question, face.exchange.book_version(symbol), make)

    return await _of_market(request, effect)


async def trades(request: web.Request) -> Reply:
    """GET /info/markets/{market}/trades, newest first."""

    def effect(face: Face, symbol: str) -> Reply:
        name = face.exchange.rules_of(symbol).name
        found = face.exchange.public_trades(symbol, count(request, "limit", 100))
        return ok([shapes.public_trade(trade, name) for trade in reversed(found)])

    return await _of_market(request, effect)


async def candle_history(request: web.Request) -> Reply:
    """GET /info/candles/{market}/{kind}, newest first; derived from the price path."""

    def effect(face: Face, symbol: str) -> Reply:
        kind = request.match_info["kind"]
        interval = choice(request, "interval", tuple(INTERVALS_MS)) or "PT1M"
        limit = count(request, "limit", 0)
        if not limit:
            raise ApiProblemError(INVALID_PARAMETERS, debug="limit is required")
        end_ms = whole(request, "endTime")
        return ok(
            candles(
                face.exchange,
                symbol,
                kind,
                width_ms=INTERVALS_MS[interval],
                limit=limit,
                end_ms=end_ms,
            )
        )

    return await _of_market(request, effect)


async def funding(request: web.Request) -> Reply:
    """GET /info/{market}/funding: rates applied between startTime and endTime."""

    def effect(face: Face, symbol: str) -> Reply:
        start_ms, end_ms = needed(request, "startTime"), needed(request, "endTime")
        name = face.exchange.rules_of(symbol).name
        rows = [
            (_funding_id(stamp_ms), shapes.funding_row(row, name, stamp_ms))
            for row, stamp_ms in visible_rates(face, symbol)
            if start_ms <= stamp_ms <= end_ms
        ]
        return paged(request, rows, default_limit=MAX_RECORDS)

    return await _of_market(request, effect)


def visible_rates(face: Face, symbol: str) -> list[tuple[FundingRow, int]]:
    """The settled rates that the venue shows by now, with their stamps."""
    delay_ms = face.options.rate_delay_ms
    now_ms = face.exchange.market_now_ms()
    stamped = ((row, row.settlement_ms + delay_ms) for row in face.exchange.funding_rows(symbol))
    return [(row, stamp_ms) for row, stamp_ms in stamped if stamp_ms <= now_ms]


async def open_interests(request: web.Request) -> Reply:
    """
    GET /info/{market}/open-interests.

    The engine keeps no history of it: the last hour before ``endTime`` has the present figure.
    """

    def effect(face: Face, symbol: str) -> Reply:
        start_ms, end_ms = needed(request, "startTime"), needed(request, "endTime")
        choice(request, "interval", ("P1H", "P1D", "PT1H"))
        now = face.exchange.stats(symbol)
        hour_ms = min(end_ms, face.exchange.market_now_ms()) // HOUR_MS * HOUR_MS
        row = {"i": usd(now.open_interest), "I": text(now.open_interest_base), "t": hour_ms}
        return ok([row] if start_ms <= hour_ms else [])

    return await _of_market(request, effect)


async def assets(request: web.Request) -> Reply:
    """GET /info/assets: the collateral and one synthetic per market."""
    face = request.app[FACE]

    def effect(_taken: Sequence[Fault]) -> Reply:
        wanted = choice(request, "type", ("SPOT", "PERPETUAL"))
        synthetic = [
            shapes.asset(2 + number, rules)
            for number, rules in enumerate(face.exchange.rules.values())
        ]
        found = [shapes.COLLATERAL_ASSET, *synthetic]
        return ok([one for one in found if wanted is None or one["type"] == wanted])

    return await through(request, "public", effect)


async def asset_price(request: web.Request) -> Reply:
    """GET /info/assets/{asset}/price: the index price."""
    face = request.app[FACE]

    def effect(_taken: Sequence[Fault]) -> Reply:
        name = request.match_info["asset"]
        symbol = face.exchange.symbol_of(f"{name}-USD")
        if symbol is None:
            raise ApiProblemError(1000, status=404)
        return ok(text(face.exchange.index(symbol)))

    return await through(request, "public", effect)


async def starknet(request: web.Request) -> Reply:
    """GET /info/starknet: the domain of signatures."""
    domain: Json = {
        "name": DOMAIN_NAME,
        "version": DOMAIN_VERSION,
        "chainId": request.app[FACE].keys.chain_id,
        "revision": DOMAIN_REVISION,
    }
    return await through(request, "public", lambda _: ok(domain))


async def settings(request: web.Request) -> Reply:
    """GET /info/settings."""
    body = {"starkExContractAddress": "0x0"}
    return await through(request, "public", lambda _: ok(body))


async def _of_market(request: web.Request, effect: MarketEffect) -> Reply:
    """A read about the market in the path."""
    face = request.app[FACE]
    symbol = face.exchange.symbol_of(request.match_info["market"])

    def whole_effect(_taken: Sequence[Fault]) -> Reply:
        return effect(face, path_symbol(request, face))

    return await through(request, "public", whole_effect, symbol=symbol)


def _market(face: Face, rules: Rules) -> str:
    """The JSON of one market, of which only the figures change."""
    stats = json_text(shapes.market_stats(face.exchange.stats(rules.symbol)))
    whole = face.rows.text(rules, lambda: shapes.market(rules, None))
    return whole.replace('"marketStats": null', f'"marketStats": {stats}')


def _funding_id(stamp_ms: int) -> int:
    """A cursor of the size the venue uses, from the stamp: one row per market and hour."""
    return (stamp_ms - SNOWFLAKE_EPOCH_MS) << 22
