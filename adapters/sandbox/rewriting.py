"""
Answers that something between the venue and its client puts in the place of the true ones.

A rewrite waits for requests that it matches and stands before the rate limit, as a proxy would.
Without ``forward`` and ``replace`` the request never reaches the venue; with one of them it has
its effect and only the answer is another one.
"""

import base64
import binascii
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from adapters.sandbox.control_fields import BadRequestError, Fields, wrong
from hedger.clock import Clock

MAX_REWRITES: Final = 100
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
MAX_PARTS: Final = 100
MAX_HEADERS: Final = 32
MAX_REPLACEMENTS: Final = 32
MAX_TIMES: Final = 1_000_000
MAX_DELAY_S: Final = 3_600.0
METHODS: Final = ("GET", "POST", "PATCH", "PUT", "DELETE")
KEYS: Final = (
    "venue", "path", "method", "request_body", "times", "skip", "forward", "status", "headers",
    "body", "body_base64", "body_parts", "replace", "delay_s",
)  # fmt: skip
_NO_BODY: Final = frozenset({204, 304})
_FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_OWN_HEADERS: Final = frozenset({"content-length", "transfer-encoding", "date", "server"})


@dataclass(slots=True, kw_only=True)
class Rewrite:
    """One checked rewrite and how often it was met."""

    id: str
    venue: str
    path: re.Pattern[str]
    method: str | None = None
    request_body: re.Pattern[str] | None = None
    times: int = 1  # 0: for ever
    skip: int = 0
    forward: bool = False
    status: int | None = None
    headers: Mapping[str, str] | None = None
    body: bytes | None = None
    replace: Sequence[tuple[str, str]] = ()
    delay_s: float = 0.0
    seen: int = 0
    done: int = 0

    @property
    def is_spent(self) -> bool:
        """Whether it will rewrite nothing more."""
        return 0 < self.times <= self.done

    def shown(self) -> dict[str, Any]:
        """The same as JSON, without the body."""
        return {
            "id": self.id,
            "venue": self.venue,
            "path": self.path.pattern,
            "method": self.method,
            "request_body": self.request_body.pattern if self.request_body else None,
            "times": self.times,
            "status": self.status,
            "body_bytes": None if self.body is None else len(self.body),
            "seen": self.seen,
            "done": self.done,
        }


class Rewrites:
    """All rewrites that wait, oldest first; the oldest that matches a request acts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[str, Rewrite] = {}
        self._numbers = itertools.count(1)

    def add(self, raw: object) -> str:
        """
        Take one rewrite and give back its id.

        Raises:
            BadRequestError: something in it is wrong, or there are too many.
        """
        if len(self._waiting) >= MAX_REWRITES:
            raise BadRequestError(
                f"there may be at most {MAX_REWRITES} rewrites; DELETE /rewrites first"
            )
        rewrite = parse_rewrite(raw, f"r{next(self._numbers)}")
        self._waiting[rewrite.id] = rewrite
        return rewrite.id

    def clear(self, name: str | None = None) -> int:
        """Delete one or all; says how many there were."""
        if name is not None:
            return 0 if self._waiting.pop(name, None) is None else 1
        count = len(self._waiting)
        self._waiting.clear()
        return count

    def listing(self) -> list[dict[str, Any]]:
        """What still waits."""
        return [rewrite.shown() for rewrite in self._waiting.values()]

    def middleware(self, venue: str) -> Middleware:
        """What stands before a venue."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            rewrite = await self._take(venue, request) if self._waiting else None
            if rewrite is None:
                return await handler(request)
            answer = await handler(request) if rewrite.forward else None
            if rewrite.delay_s:
                await self._clock.sleep(rewrite.delay_s)
            return _written(rewrite, answer)

        return check

    async def _take(self, venue: str, request: web.Request) -> Rewrite | None:
        found: Rewrite | None = None
        text: str | None = None
        for rewrite in tuple(self._waiting.values()):
            if rewrite.venue != venue or rewrite.method not in {None, request.method}:
                continue
            if rewrite.path.search(request.path_qs) is None:
                continue
            if rewrite.request_body is not None:
                text = await _body_text(request) if text is None else text
                if rewrite.request_body.search(text) is None:
                    continue
            rewrite.seen += 1
            if found is None and rewrite.seen > rewrite.skip:
                found = rewrite
        if found is not None:
            found.done += 1
            if found.is_spent:
                self._waiting.pop(found.id, None)
        return found


async def _body_text(request: web.Request) -> str:
    """The body of a request; forms as ``key=value`` with ``&`` between, nothing escaped."""
    if request.content_type in _FORMS:
        form = await request.post()
        texts = [(name, value) for name, value in form.items() if isinstance(value, str)]
        return "&".join(f"{name}={value}" for name, value in texts)
    return await request.text()


def _written(rewrite: Rewrite, answer: web.StreamResponse | None) -> web.Response:
    body, headers, status = b"", {"Content-Type": "application/json"}, 200
    if isinstance(answer, web.Response):
        body, status = bytes(answer.body or b""), answer.status  # type: ignore[arg-type]
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name.lower() not in _OWN_HEADERS
        }
    for find, put in rewrite.replace:
        body = body.replace(find.encode(), put.encode())
    if rewrite.body is not None:
        body = rewrite.body
    if rewrite.headers is not None:
        given = {name.lower() for name in rewrite.headers}
        headers = {name: text for name, text in headers.items() if name.lower() not in given}
        headers |= rewrite.headers
    status = status if rewrite.status is None else rewrite.status
    return web.Response(body=None if status in _NO_BODY else body, status=status, headers=headers)


def parse_rewrite(raw: object, name: str) -> Rewrite:
    """
    Check one rewrite.

    Raises:
        BadRequestError: something in it is wrong; one sentence.
    """
    fields = Fields(raw, KEYS, "a rewrite")
    replace = _replacements(fields.raw("replace"))
    body = _body(fields)
    status = fields.whole("status", 200, 599) if fields.has("status") else None
    headers = _headers(fields.raw("headers")) if fields.has("headers") else None
    if not replace and body is None and status is None and headers is None:
        raise BadRequestError("a rewrite needs status, headers, a body or replace; add one")
    return Rewrite(
        id=name,
        venue=fields.choice("venue", ("x10", "lighter")),
        path=_pattern("path", fields.text("path")),
        method=fields.choice("method", METHODS) if fields.has("method") else None,
        request_body=(
            _pattern("request_body", fields.text("request_body"))
            if fields.has("request_body")
            else None
        ),
        times=fields.whole("times", 0, MAX_TIMES, 1),
        skip=fields.whole("skip", 0, MAX_TIMES, 0),
        forward=bool(replace) or fields.flag("forward", default=False),
        status=status,
        headers=headers,
        body=body,
        replace=replace,
        delay_s=fields.seconds("delay_s", MAX_DELAY_S, 0.0),
    )


def _pattern(name: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise wrong(name, text, f"a regular expression ({error})") from None


def _body(fields: Fields) -> bytes | None:
    given = [name for name in ("body", "body_base64", "body_parts") if fields.raw(name) is not None]
    if not given:
        return None
    if len(given) > 1:
        raise BadRequestError(f"{given[0]} and {given[1]} are both given; keep one")
    (name,) = given
    value = fields.raw(name)
    if name == "body_parts":
        return _parts(value)
    if not isinstance(value, str):
        raise wrong(name, value, "a text")
    if name == "body":
        return _bounded([(value.encode(), 1)])
    try:
        return _bounded([(base64.b64decode(value, validate=True), 1)])
    except binascii.Error:
        raise wrong(name, value, "bytes in base64") from None


def _parts(raw: object) -> bytes:
    """Texts, and texts that are repeated: ``{"text": "[", "times": 100000}``."""
    if not isinstance(raw, list) or not 0 < len(raw) <= MAX_PARTS:
        raise wrong("body_parts", raw, f"a list of 1 to {MAX_PARTS} texts")
    parts: list[tuple[bytes, int]] = []
    for item in raw:
        if isinstance(item, str):
            parts.append((item.encode(), 1))
            continue
        fields = Fields(item, ("text", "times"), "a part of a body")
        parts.append((fields.text("text").encode(), fields.whole("times", 1, MAX_BODY_BYTES)))
    return _bounded(parts)


def _bounded(parts: Sequence[tuple[bytes, int]]) -> bytes:
    size = sum(len(text) * times for text, times in parts)
    if size > MAX_BODY_BYTES:
        raise BadRequestError(f"the body has {size} bytes; it may have {MAX_BODY_BYTES}")
    return b"".join(text * times for text, times in parts)


def _headers(raw: object) -> Mapping[str, str]:
    allowed = f"an object of at most {MAX_HEADERS} header names and texts"
    if not isinstance(raw, Mapping) or len(raw) > MAX_HEADERS:
        raise wrong("headers", raw, allowed)
    for name, text in raw.items():
        if _HEADER.fullmatch(name) is None or name.lower() in _OWN_HEADERS:
            raise wrong("headers", name, "names of headers other than the server's own")
        if not isinstance(text, str) or not text.isprintable():
            raise wrong("headers", text, "texts without control characters")
    return dict(raw)


def _replacements(raw: object) -> Sequence[tuple[str, str]]:
    if raw is None:
        return ()
    if not isinstance(raw, list) or not 0 < len(raw) <= MAX_REPLACEMENTS:
        raise wrong("replace", raw, f'a list of 1 to {MAX_REPLACEMENTS} of {{"find", "with"}}')
    pairs: list[tuple[str, str]] = []
    for item in raw:
        fields = Fields(item, ("find", "with"), "a replacement")
        put = fields.raw("with")
        if not isinstance(put, str):
            raise wrong("with", put, "a text")
        pairs.append((fields.text("find"), put))
    return tuple(pairs)
