"""Reading requests, answering them in Lighter's envelope, and letting faults strike."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from aiohttp import web

from adapters.sandbox.faults import Fault, Kind, Op, first
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.face import FACE, VENUE, Face
from adapters.sandbox.lighter_face.txinfo import NIL_MARKET_INDEX
from adapters.sandbox.reply import HTML, Handler, HttpHandler, Reply, of_json

SERVER_ERROR = 500
T = TypeVar("T")
_HTML_HEADERS = {"Server": "awselb/2.0"}


@dataclass(slots=True)
class Look:
    """What one read may see: faults can make it old, or empty."""

    now_ms: int
    normal_lag_ms: int
    faults: Mapping[Op, Sequence[Fault]]

    def as_of_ms(self, op: Op, symbol: str | None = None) -> int:
        """The instant whose state is served, for one market or in general."""
        return min(self.now_ms - self.normal_lag_ms, self.forced_ms(op, symbol))

    def forced_ms(self, op: Op, symbol: str | None = None) -> int:
        """The same where only faults make an answer old."""
        if not self.faults.get(op):
            return self.now_ms
        lags_ms = [round(f.seconds * 1000) for f in self._of(op, symbol) if f.kind is Kind.LAG]
        return self.now_ms - max(lags_ms, default=0)

    def is_empty(self, op: Op, symbol: str | None = None) -> bool:
        """Whether the answer is to look as if there were nothing."""
        if not self.faults.get(op):
            return False
        return any(f.kind is Kind.EMPTY_READS for f in self._of(op, symbol))

    def markets(self, op: Op) -> set[str]:
        """Markets that a fault treats on their own."""
        return {fault.market for fault in self.faults.get(op, ()) if fault.market is not None}

    def _of(self, op: Op, symbol: str | None) -> list[Fault]:
        return [f for f in self.faults.get(op, ()) if f.market is None or f.market == symbol]


@dataclass(slots=True)
class Query:
    """One GET request: its parameters, who asks, and what it may see."""

    request: web.Request
    face: Face
    look: Look

    def get(self, name: str, default: str = "") -> str:
        """A parameter that may be missing."""
        return self.request.query.get(name, default)

    def has(self, name: str) -> bool:
        """Whether the parameter is there."""
        return name in self.request.query

    def text(self, name: str) -> str:
        """
        A parameter that must be there.

        Raises:
            ApiError: 20001 it is missing.
        """
        value = self.get(name)
        if not value:
            raise ApiError(Code.INVALID_PARAM, f"{name} is missing")
        return value

    def whole(
        self, name: str, default: int | None = None, *, low: int = 0, high: int = 2**63
    ) -> int:
        """
        A whole number.

        Raises:
            ApiError: 20001 it is missing and has no default, or is not one within the limits.
        """
        text = self.request.query.get(name)
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

    def market(self) -> str | None:
        """
        The symbol of ``market_id``; None for all (absent or 255).

        Raises:
            ApiError: 21602 no such market.
        """
        market_id = self.whole("market_id", NIL_MARKET_INDEX)
        return None if market_id == NIL_MARKET_INDEX else self.face.rules(market_id).symbol

    @property
    def token(self) -> str:
        """The auth token: header ``authorization`` as it is, or the older parameter ``auth``."""
        return self.request.headers.get("authorization", "") or self.get("auth")

    def authorise(self, account: int) -> None:
        """
        Let only the owner of the account pass.

        Raises:
            ApiError: 20001 or 20013.
        """
        self.face.keys.authorise(self.token, account, self.look.now_ms // 1000)

    def private_account(self) -> int:
        """
        The account of the query, whose owner asks.

        Raises:
            ApiError: 20001, 20013, or 21100 no such account.
        """
        account = self.whole("account_index")
        self.authorise(account)
        return self.face.known_account(account)

    def page(self, rows: list[T], limit: int) -> tuple[list[T], dict[str, str]]:
        """One page and, unless it is the last, the cursor of the next."""
        at = self.whole("cursor", 0) if self.get("cursor") else 0
        more = at + limit < len(rows)
        return rows[at : at + limit], {"next_cursor": str(at + limit)} if more else {}


ReadHandler = Callable[[Query], Mapping[str, Any] | str]
"""From a query to a JSON object, or to its text where that is at hand."""


def read(
    *ops: Op, of_hour: bool = False, of_tick: bool = False, of_edition: bool = False
) -> Callable[[ReadHandler], Handler]:
    """
    Make a GET endpoint of a function from a query to a JSON object.

    ``of_tick``: the object follows from the query and the market instant alone; ``of_hour``:
    from the query and the market hour; ``of_edition``: from the query, the marks and what the
    account and its orders look like.
    """

    def decorate(handler: ReadHandler) -> Handler:
        @functools.wraps(handler)
        async def answer(request: web.Request) -> Reply:
            face = request.app[FACE]
            taken: dict[Op, Sequence[Fault]] = {}
            everything: list[Fault] = []
            for op in ops:
                if faults := face.faults.take(VENUE, op):
                    taken[op] = faults
                    everything += faults
            struck = strike_before(request, everything) if everything else None
            if struck is not None:
                return struck

            def make() -> Reply:
                lag_ms = round(face.options.read_lag_s * 1000)
                look = Look(face.now_ms(), lag_ms, taken)
                body = handler(Query(request, face, look))
                return Reply(HTTPStatus.OK, body) if isinstance(body, str) else of_json(body)

            if of_tick or of_hour:
                question = (handler, *request.query.items())
                edition = face.exchange.listing() if of_hour else face.exchange.tick()
                reply = face.shown.reply(question, edition, make)
            elif of_edition and not everything:
                question = (handler, *request.query.items())
                reply = face.shown.reply(question, face.edition(), make)
            else:
                reply = make()
            return await strike_after(request, everything, reply) if everything else reply

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


def strike_before(request: web.Request, faults: Sequence[Fault]) -> Reply | None:
    """What a fault answers before the request has had any effect; None lets it pass."""
    if first(faults, Kind.OUTAGE) is not None:
        return drop(request)
    limit = first(faults, Kind.RATE_LIMIT)
    if limit is not None:
        return too_many(limit)
    broken = first(faults, Kind.SERVER_ERROR, after=False) or first(faults, Kind.BAD_READS)
    if broken is not None:
        return server_error(broken)
    if first(faults, Kind.DROP_ANSWER, after=False) is not None:
        return drop(request)
    return None


async def strike_after(request: web.Request, faults: Sequence[Fault], reply: Reply) -> Reply:
    """What becomes of the answer when the effect is done."""
    if first(faults, Kind.DROP_ANSWER, after=True) is not None:
        return drop(request)
    broken = first(faults, Kind.SERVER_ERROR, after=True)
    if broken is not None:
        return server_error(broken)
    hang = first(faults, Kind.HANG)
    if hang is not None:
        await request.app[FACE].clock.sleep(hang.seconds)
    return reply


def drop(request: web.Request) -> Reply:
    """Cut the connection; the response is never written."""
    if request.transport is not None:
        request.transport.abort()
    return Reply(503, "")


def too_many(fault: Fault) -> Reply:
    """A throttle: the API server's JSON, or the firewall's HTML."""
    if fault.html:
        page = "<html><head><title>ERROR: The request could not be satisfied</title></head></html>"
        return Reply(fault.status, page, HTML, {"Server": "CloudFront"})
    return of_json(ApiError(Code.TOO_MANY_REQUESTS).body(), fault.status)


def server_error(fault: Fault) -> Reply:
    """The API server's JSON, or the load balancer's HTML."""
    if fault.html:
        page = "<html><head><title>503 Service Temporarily Unavailable</title></head></html>"
        return Reply(fault.status, page, HTML, _HTML_HEADERS)
    return of_json(ApiError(Code.INTERNAL).body(), fault.status)
