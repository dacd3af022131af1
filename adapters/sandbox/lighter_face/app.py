"""The Lighter face as an aiohttp application."""

from collections.abc import AsyncIterator

from aiohttp import web

from adapters.sandbox.clock import dating
from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.faults import FaultBox
from adapters.sandbox.lighter_face import (
    account,
    account_orders,
    public,
    sending,
    streams,
    txs,
)
from adapters.sandbox.lighter_face.face import FACE, Face
from adapters.sandbox.lighter_face.http import envelope
from adapters.sandbox.lighter_face.ingress import Ingress
from adapters.sandbox.lighter_face.keyring import KeyOwner
from adapters.sandbox.lighter_face.options import LighterOptions
from adapters.sandbox.lighter_face.sequencer import Sequencer
from hedger.clock import Clock


def build_app(
    exchange: Exchange,
    faults: FaultBox,
    credentials: KeyOwner,
    clock: Clock,
    options: LighterOptions | None = None,
) -> web.Application:
    """
    Lighter's REST API and stream over an exchange.

    Args:
        exchange: the venue; the account of ``credentials`` exists in it.
        faults: asked once per request under the venue name ``lighter``.
        credentials: account index, API keys and chain id.
        clock: wire time.
        options: latencies, lags and checks.
    """
    face = Face(exchange, faults, credentials, clock, options or LighterOptions())
    sequencer = Sequencer(face)
    hub = streams.Hub()
    app = web.Application(middlewares=[envelope])
    app[FACE] = face
    app[sending.INGRESS] = Ingress(face, sequencer)
    app[streams.HUB] = hub
    for module in (public, account, account_orders, txs, sending, streams):
        app.add_routes(module.routes)
    sequencer.watch(hub.tell)

    async def life(_: web.Application) -> AsyncIterator[None]:
        unsubscribe = exchange.subscribe(hub.tell)
        yield
        unsubscribe()
        await face.background.close()

    async def say_goodbye(_: web.Application) -> None:
        await hub.close()

    app.on_response_prepare.append(dating(clock))
    app.cleanup_ctx.append(life)
    app.on_shutdown.append(say_goodbye)
    return app
