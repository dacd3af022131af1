"""
The control API: what a person or a test does to the venues that no client of theirs can.

    POST   /faults           one fault or a list of them     -> {"ids": [...]}
    GET    /faults           what still waits                -> {"faults": [...]}
    DELETE /faults[/{id}]    all of them, or one             -> {"deleted": n}
    POST   /market           change a market at run time     -> its rules
    GET    /markets/{venue}  the rules of all markets
    POST   /forget           a venue loses a batch           -> {"positions", "orders", "trades"}
    POST   /remember         and finds it again              -> {"remembered": n}
    POST   /payments         none, late or listed twice      -> what holds from now on
    POST   /nonce            Lighter's next nonce            -> {"before", "nonce"}
    POST   /keys/revoke      take a key away                 -> {"registered": [...]}
    POST   /keys/register    give it back, or another one    -> {"registered": [...]}
    POST   /rewrites         replace or rewrite an answer    -> {"id"}
    GET    /rewrites         what still waits                -> {"rewrites": [...]}
    DELETE /rewrites[/{id}]  all of them, or one             -> {"deleted": n}
    GET    /requests         counts by path and weight; DELETE starts again
    POST   /latency          match, taker, per request, lag  -> what holds; GET the same
    GET    /state            the truth of both venues (``state.py``)
    GET    /health           {"pid", "wire_ms", "market_ms"}
    POST   /clock/advance    {"hours": 1} or {"seconds": 60} -> {"wire_ms", "market_ms"}

A wrong request is HTTP 400 with one sentence: {"error": "..."}. Loopback only. What the bodies
hold is in docs/sandbox-control.md.
"""

import ipaddress
import json
import os
from typing import Any, Final, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from adapters.sandbox.control_fields import BadRequestError
from adapters.sandbox.controls import Controls
from adapters.sandbox.fault_model import BadFaultError
from adapters.sandbox.faults import FaultBox

ADVANCE_MAX_HOURS: Final = 24 * 31
HOUR_S: Final = 3_600
MAX_REQUEST_BYTES: Final = 16 * 1024 * 1024


class Controlled(Protocol):
    """What the control API needs of a sandbox."""

    @property
    def faults(self) -> FaultBox: ...
    @property
    def controls(self) -> Controls: ...

    def state(self) -> dict[str, Any]:
        """The truth of both venues."""

    def clocks(self) -> dict[str, int]:
        """``wire_ms`` and ``market_ms``."""

    def advance(self, ms: int) -> None:
        """Move market time, settling every hour that is crossed."""


def build_control(sandbox: Controlled) -> web.Application:
    """The application behind ``control_url``."""
    control = _Control(sandbox)
    app = web.Application(
        middlewares=[_only_loopback, _sentences], client_max_size=MAX_REQUEST_BYTES
    )
    app.add_routes(
        [
            web.get("/state", control.state),
            web.get("/health", control.health),
            web.get("/faults", control.list_faults),
            web.post("/faults", control.add_faults),
            web.delete("/faults", control.delete_faults),
            web.delete("/faults/{id}", control.delete_faults),
            web.post("/clock/advance", control.advance),
            web.post("/market", control.market),
            web.get("/markets/{venue}", control.markets),
            web.post("/forget", control.forget),
            web.post("/remember", control.remember),
            web.post("/payments", control.payments),
            web.post("/nonce", control.nonce),
            web.post("/keys/revoke", control.revoke),
            web.post("/keys/register", control.register),
            web.get("/rewrites", control.list_rewrites),
            web.post("/rewrites", control.add_rewrite),
            web.delete("/rewrites", control.delete_rewrites),
            web.delete("/rewrites/{id}", control.delete_rewrites),
            web.get("/requests", control.requests),
            web.delete("/requests", control.reset_requests),
            web.get("/latency", control.latencies),
            web.post("/latency", control.set_latency),
        ]
    )
    return app


def is_loopback(host: str | None) -> bool:
    """Whether an address is this machine's own."""
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@web.middleware
async def _only_loopback(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not is_loopback(request.remote):
        return web.json_response({"error": "the control API is for this machine"}, status=403)
    return await handler(request)


@web.middleware
async def _sentences(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except (BadRequestError, BadFaultError) as error:
        return web.json_response({"error": str(error)}, status=400)


async def _body(request: web.Request) -> Any:
    try:
        return json.loads(await request.text())
    except ValueError:
        raise BadRequestError("the body must be JSON") from None


def _advance_ms(body: object) -> int:
    allowed = 'the body must be {"hours": n} or {"seconds": n}'
    if not isinstance(body, dict) or len(body) != 1:
        raise BadRequestError(allowed)
    unit, amount = next(iter(body.items()))
    if unit not in {"hours", "seconds"}:
        raise BadRequestError(f"{allowed}, not {unit!r}")
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise BadRequestError(f"{unit} must be a number, not {amount!r}")
    unit_s = HOUR_S if unit == "hours" else 1
    most = ADVANCE_MAX_HOURS * HOUR_S // unit_s
    if not 0 < amount <= most:  # also refuses NaN
        raise BadRequestError(f"{unit} must be above 0 and at most {most}, not {amount!r}")
    return round(amount * unit_s * 1_000)


class _Control:
    """The handlers."""

    def __init__(self, sandbox: Controlled) -> None:
        self._sandbox = sandbox
        self._controls = sandbox.controls

    async def state(self, request: web.Request) -> web.Response:
        return web.json_response(self._sandbox.state())

    async def health(self, request: web.Request) -> web.Response:
        return web.json_response({"pid": os.getpid(), **self._sandbox.clocks()})

    async def list_faults(self, request: web.Request) -> web.Response:
        return web.json_response({"faults": self._sandbox.faults.listing()})

    async def add_faults(self, request: web.Request) -> web.Response:
        return web.json_response({"ids": self._sandbox.faults.add(await _body(request))})

    async def delete_faults(self, request: web.Request) -> web.Response:
        deleted = self._sandbox.faults.clear(request.match_info.get("id"))
        return web.json_response({"deleted": deleted})

    async def advance(self, request: web.Request) -> web.Response:
        self._sandbox.advance(_advance_ms(await _body(request)))
        return web.json_response(self._sandbox.clocks())

    async def market(self, request: web.Request) -> web.Response:
        return web.json_response(self._controls.change_market(await _body(request)))

    async def markets(self, request: web.Request) -> web.Response:
        return web.json_response(self._controls.markets(request.match_info["venue"]))

    async def forget(self, request: web.Request) -> web.Response:
        return web.json_response(self._controls.forget(await _body(request)))

    async def remember(self, request: web.Request) -> web.Response:
        return web.json_response(self._controls.remember(await _body(request)))

    async def payments(self, request: web.Request) -> web.Response:
        return web.json_response(self._controls.pay_otherwise(await _body(request)))

    async def nonce(self, request: web.Request) -> web.Response:
        return web.json_response(self._controls.set_next_nonce(await _body(request)))

    async def revoke(self, request: web.Request) -> web.Response:
        return web.json_response(self._controls.revoke_key(await _body(request)))

    async def register(self, request: web.Request) -> web.Response:
        return web.json_response(self._controls.register_key(await _body(request)))

    async def list_rewrites(self, request: web.Request) -> web.Response:
        return web.json_response({"rewrites": self._controls.rewrites.listing()})

    async def add_rewrite(self, request: web.Request) -> web.Response:
        return web.json_response({"id": self._controls.rewrites.add(await _body(request))})

    async def delete_rewrites(self, request: web.Request) -> web.Response:
        deleted = self._controls.rewrites.clear(request.match_info.get("id"))
        return web.json_response({"deleted": deleted})

    async def requests(self, request: web.Request) -> web.Response:
        return web.json_response(self._controls.requests())

    async def reset_requests(self, request: web.Request) -> web.Response:
        self._controls.reset_requests()
        return web.json_response(self._controls.requests())

    async def latencies(self, request: web.Request) -> web.Response:
        return web.json_response(self._controls.latencies())

    async def set_latency(self, request: web.Request) -> web.Response:
        return web.json_response(self._controls.set_latency(await _body(request)))
