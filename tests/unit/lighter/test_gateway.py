"""Traps of the SDK's HTTP session, closed: proxies of the environment and redirects."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from adapters.lighter.access import access
from adapters.lighter.gateway import Gateway
from adapters.lighter.orders import Payload
from adapters.sandbox import credentials
from hedger.clock import SystemClock
from hedger.domain.ids import VenueId
from hedger.domain.order import NoProof

LIGHTER = VenueId("lighter")
PAYLOAD = Payload(14, "{}")


@asynccontextmanager
async def gateway_to(app: web.Application) -> AsyncIterator[Gateway]:
    """A started gateway whose venue is ``app`` on a real socket."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    keys = credentials.generate(1).lighter
    options: dict[str, str | int | float | bool] = {
        "url": f"http://127.0.0.1:{runner.addresses[0][1]}",
        "account_index": keys.account_index,
        "api_key_index": keys.api_key_index,
    }
    secrets = {f"private_key_{index}": key for index, key in keys.api_keys.items()}
    gateway = Gateway(LIGHTER, access(LIGHTER, options, secrets), SystemClock())
    try:
        await gateway.start()
        yield gateway
    finally:
        await gateway.close()
        await runner.cleanup()


async def ok(_: web.Request) -> web.Response:
    return web.json_response({"code": 200})


async def test_a_redirected_transaction_is_not_sent_a_second_time() -> None:
    arrived: list[str] = []

    async def redirect(request: web.Request) -> web.Response:
        arrived.append(request.path)
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async def elsewhere(request: web.Request) -> web.Response:
        arrived.append(request.path)
        return web.json_response({"code": 200})

    app = web.Application()
    app.router.add_get("/api/v1/accountLimits", ok)
    app.router.add_post("/api/v1/sendTx", redirect)
    app.router.add_post("/elsewhere", elsewhere)
    async with gateway_to(app) as gateway:
        assert isinstance(await gateway.send(PAYLOAD, None), NoProof)
    assert arrived == ["/api/v1/sendTx"]


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    app = web.Application()
    app.router.add_get("/api/v1/accountLimits", ok)
    async with gateway_to(app) as gateway:  # its start asks the venue
        assert await gateway.token()
