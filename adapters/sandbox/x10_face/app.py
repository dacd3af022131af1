"""The X10 venue as an aiohttp application: routes, headers, and who may ask."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from aiohttp import web

from adapters.sandbox.clock import dating
from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.faults import FaultBox
from adapters.sandbox.reply import spoken
from adapters.sandbox.x10_face import orders, private, private_orders, public, streams
from adapters.sandbox.x10_face.context import FACE, Face, Keys, X10Options
from adapters.sandbox.x10_face.errors import ApiProblemError, unauthorized
from adapters.sandbox.x10_face.gate import drop
from adapters.sandbox.x10_face.streams import HUB, Hub
from hedger.clock import Clock

__all__ = ["X10Options", "build_app"]

API: Final = "/api/v1"
STREAM: Final = "/stream.extended.exchange/v1"
_MAX_BODY_BYTES: Final = 64 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_app(
    exchange: Exchange,
    faults: FaultBox,
    credentials: Keys,
    clock: Clock,
    options: X10Options | None = None,
) -> web.Application:
    """
    The application; its account is number ``credentials.vault`` of the engine and exists already.

    Which earlier ids code 1134 looks at is the engine's ``DuplicateRule``.
    """
    app = web.Application(middlewares=[_door], client_max_size=_MAX_BODY_BYTES)
    face = Face(exchange, faults, credentials, clock, options or X10Options())
    app[FACE] = face
    _add_public(app.router)
    _add_private(app.router)
    _add_streams(app.router)
    app.on_response_prepare.append(dating(clock))
    app.cleanup_ctx.append(_life)
    app.on_shutdown.append(_close_streams)
    return app


async def _life(app: web.Application) -> AsyncIterator[None]:
    """Streams and delayed matches live as long as the application."""
    app[HUB] = Hub(app[FACE])
    yield
    await app[FACE].background.close()


async def _close_streams(app: web.Application) -> None:
    await app[HUB].close()


@web.middleware
async def _door(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What holds for every request: outage, User-Agent, key, and errors as envelopes."""
    face = request.app[FACE]
    if face.closed():
        return drop(request).response()
    try:
        _check_headers(request, face)
        return await handler(request)
    except ApiProblemError as problem:
        return problem.reply().response()
    except web.HTTPException as refused:
        if refused.status < 400:
            raise
        return (
            ApiProblemError(refused.status, refused.reason, status=refused.status)
            .reply()
            .response()
        )


def _check_headers(request: web.Request, face: Face) -> None:
    if not request.headers.get("User-Agent"):
        raise ApiProblemError(403, "User-Agent header is required", status=403)
    is_private = request.path.startswith(f"{API}/user/")
    given = request.headers.get("X-Api-Key")
    if is_private and (given is None or given != face.api_key):
        raise unauthorized()


def _add_public(router: web.UrlDispatcher) -> None:
    info = f"{API}/info"
    for path, handler in (
        ("/markets", public.markets),
        ("/markets/{market}/stats", public.stats),
        ("/markets/{market}/orderbook", public.orderbook),
        ("/markets/{market}/trades", public.trades),
        ("/candles/{market}/{kind}", public.candle_history),
        ("/assets", public.assets),
        ("/assets/{asset}/price", public.asset_price),
        ("/starknet", public.starknet),
        ("/settings", public.settings),
        ("/{market}/funding", public.funding),
        ("/{market}/open-interests", public.open_interests),
    ):
        router.add_get(info + path, spoken(handler))


def _add_private(router: web.UrlDispatcher) -> None:
    user = f"{API}/user"
    for path, handler in (
        ("/account/info", private.account_info),
        ("/accounts", private.accounts),
        ("/client/info", private.client_info),
        ("/balance", private.balance),
        ("/spot/balances", private.spot_balances),
        ("/positions", private.positions),
        ("/positions/history", private.positions_history),
        ("/orders", private_orders.open_orders),
        ("/orders/history", private_orders.orders_history),
        (r"/orders/{id:\d{1,19}}", private_orders.order_by_id),
        ("/orders/external/{external_id}", private_orders.orders_by_external_id),
        ("/trades", private_orders.trades),
        ("/fees", private.fees),
        ("/leverage", private.leverage),
        ("/funding/history", private.funding_history),
        ("/assetOperations", private.asset_operations),
    ):
        router.add_get(user + path, spoken(handler))
    router.add_patch(f"{user}/leverage", spoken(private.set_leverage))
    router.add_post(f"{user}/order", spoken(orders.place))
    router.add_post(f"{user}/order/rfq", spoken(orders.place_rfq))
    router.add_post(f"{user}/order/massCancel", spoken(orders.mass_cancel))
    router.add_delete(f"{user}/order", spoken(orders.cancel_by_external_id))
    router.add_delete(rf"{user}/order/{{id:\d{{1,19}}}}", spoken(orders.cancel_by_id))
    router.add_post(f"{user}/deadmanswitch", spoken(orders.DeadMansSwitch().set))


def _add_streams(router: web.UrlDispatcher) -> None:
    router.add_get(f"{STREAM}/account", streams.account)
    for path, handler in (
        ("/orderbooks", streams.orderbooks),
        ("/publicTrades", streams.public_trades),
        ("/funding", streams.funding),
        ("/prices/{kind:mark|index}", streams.prices),
    ):
        router.add_get(STREAM + path, handler)
        router.add_get(STREAM + path + "/{market}", handler)
    router.add_get(f"{STREAM}/candles/{{market}}/{{kind}}", streams.candles)
