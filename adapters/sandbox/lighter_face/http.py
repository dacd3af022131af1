"""Reading requests, answering them in Lighter's envelope, and letting faults strike."""

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from adapters.sandbox.faults import Fault, Kind, Op, first
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.face import FACE, VENUE, Face

SERVER_ERROR = 500
_HTML_HEADERS = {"Server": "awselb/2.0"}

HttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Look:
    """What one read may see: faults can make it old, or empty."""

    now_ms: int
    normal_lag_ms: int
    faults: Mapping[Op, Sequence[Fault]]

    def as_of_ms(self, op: Op, symbol: str | None = None) -> int:
        """The instant whose state is served, for one market or in general."""
        lags_ms = [round(f.seconds * 1000) for f in self._of(op, symbol) if f.kind is Kind.LAG]
        return self.now_ms - max([self.normal_lag_ms, *lags_ms])

    def is_empty(self, op: Op, symbol: str | None = None) -> bool:
        """Whether the answer is to look as if there were nothing."""
        return any(f.kind is Kind.EMPTY_READS for f in self._of(op, symbol))

    def markets(self, op: Op) -> set[str]:
        """Markets that a fault treats on their own."""
        return {fault.market for fault in self.faults.get(op, ()) if fault.market is not None}

    def _of(self, op: Op, symbol: str | None) -> list[Fault]:
        return [f for f in self.faults.get(op, ()) if f.market is None or f.market == symbol]


ReadHandler = Callable[[web.Request, Face, Look], Mapping[str, Any]]


def read(*ops: Op) -> Callable[[ReadHandler], HttpHandler]:
    """Make a GET endpoint of a function from a request and a ``Look`` to a JSON object."""

    def decorate(handler: ReadHandler) -> HttpHandler:
        @functools.wraps(handler)
        async def answer(request: web.Request) -> web.StreamResponse:
            face = request.app[FACE]
            taken = {op: face.faults.take(VENUE, op) for op in ops}
            everything = [fault for faults in taken.values() for fault in faults]
            struck = strike_before(request, everything)
            if struck is not None:
                return struck
            lag_ms = round(face.options.read_lag_s * 1000)
            body = handler(request, face, Look(face.now_ms(), lag_ms, taken))
            response = web.json_response(body)
            return await strike_after(request, everything, response)

        return answer

    return decorate


@web.middleware
async def envelope(request: web.Request, handler: HttpHandler) -> web.StreamResponse:
    """Refusals and unknown paths in the venue's words."""
    try:
        return await handler(request)
    except ApiError as error:
        return web.json_response(error.body(), status=error.status)
    except web.HTTPNotFound:
        return web.json_response(ApiError(Code.NOT_FOUND).body(), status=404)
    except web.HTTPMethodNotAllowed as error:
        return web.json_response(ApiError(Code.NOT_FOUND).body(), status=error.status)


def strike_before(request: web.Request, faults: Sequence[Fault]) -> web.StreamResponse | None:
    """What a fault answers before the request has had any effect; None lets it pass."""
    limit = first(faults, Kind.RATE_LIMIT)
    if limit is not None:
        return too_many(limit)
    broken = first(faults, Kind.SERVER_ERROR, after=False) or first(faults, Kind.BAD_READS)
    if broken is not None:
        return server_error(broken)
    if first(faults, Kind.DROP_ANSWER, after=False) is not None:
        return drop(request)
    return None


async def strike_after(
    request: web.Request, faults: Sequence[Fault], response: web.StreamResponse
) -> web.StreamResponse:
    """What becomes of the answer when the effect is done."""
    if first(faults, Kind.DROP_ANSWER, after=True) is not None:
        return drop(request)
    broken = first(faults, Kind.SERVER_ERROR, after=True)
    if broken is not None:
        return server_error(broken)
    hang = first(faults, Kind.HANG)
    if hang is not None:
        await request.app[FACE].clock.sleep(hang.seconds)
    return response


def drop(request: web.Request) -> web.Response:
    """Cut the connection; the response is never written."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


def too_many(fault: Fault) -> web.Response:
    """A throttle: the API server's JSON, or the firewall's HTML."""
    if fault.html:
        page = "<html><head><title>ERROR: The request could not be satisfied</title></head></html>"
        return _html(page, fault.status, {"Server": "CloudFront"})
    return web.json_response(ApiError(Code.TOO_MANY_REQUESTS).body(), status=fault.status)


def server_error(fault: Fault) -> web.Response:
    """The API server's JSON, or the load balancer's HTML."""
    if fault.html:
        page = "<html><head><title>503 Service Temporarily Unavailable</title></head></html>"
        return _html(page, fault.status, _HTML_HEADERS)
    return web.json_response(ApiError(Code.INTERNAL).body(), status=fault.status)


def _html(page: str, status: int, headers: Mapping[str, str]) -> web.Response:
    return web.Response(text=page, status=status, content_type="text/html", headers=headers)


def whole(
    request: web.Request, name: str, default: int | None = None, *, low: int = 0, high: int = 2**63
) -> int:
    """
    A whole number of the query.

    Raises:
        ApiError: 20001 it is missing and has no default, or is not a number within the limits.
    """
    text = request.query.get(name)
    if text is None:
        if default is None:
            raise ApiError(Code.INVALID_PARAM, f"{name} is missing")
        return default
    try:
        value = int(text)
    except ValueError:
        raise ApiError(Code.INVALID_PARAM, f"{name} must be a whole number") from None
    if not low <= value <= high:
        raise ApiError(Code.INVALID_PARAM, f"{name} must be from {low} to {high}")
    return value


def text(request: web.Request, name: str) -> str:
    """
    A text of the query.

    Raises:
        ApiError: 20001 it is missing.
    """
    value = request.query.get(name, "")
    if not value:
        raise ApiError(Code.INVALID_PARAM, f"{name} is missing")
    return value


def token_of(request: web.Request) -> str:
    """The auth token: the ``authorization`` header as it is, or the older ``auth`` parameter."""
    return request.headers.get("authorization", "") or request.query.get("auth", "")


def private_account(request: web.Request, face: Face) -> int:
    """
    The account of the query, whose owner asks.

    Raises:
        ApiError: 20001, 20013, or 21100 no such account.
    """
    account = whole(request, "account_index")
    face.keys.authorise(token_of(request), account, face.now_ms() // 1000)
    return face.known_account(account)


def optional_market(request: web.Request, face: Face) -> str | None:
    """
    The symbol of ``market_id``; None for all (absent or 255).

    Raises:
        ApiError: 21602 no such market.
    """
    market_id = whole(request, "market_id", 255)
    return None if market_id == 255 else face.rules(market_id).symbol


def page_of(
    request: web.Request, rows: list[dict[str, Any]], limit: int
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """One page and, unless it is the last, the cursor of the next."""
    at = whole(request, "cursor", 0) if request.query.get("cursor") else 0
    page = rows[at : at + limit]
    more = at + limit < len(rows)
    return page, {"next_cursor": str(at + limit)} if more else {}
