"""Reading queries and bodies, and the success envelope with its pages (x10.md §2.1)."""

import json
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final, TypeVar

from aiohttp import web

from adapters.sandbox.reply import Reply, json_text, of_json
from adapters.sandbox.x10_face.context import Face
from adapters.sandbox.x10_face.errors import (
    INVALID_PARAMETERS,
    ApiProblemError,
    unknown_market,
)

MAX_RECORDS: Final = 10_000
PAGE: Final = 100
"""Rows per page of the account's lists when the client does not say, as seen live."""

SNOWFLAKE_EPOCH_MS: Final = 1_288_834_974_657
"""From where the venue's ids count milliseconds, in their upper bits."""

_UNSAID: Final = object()

T = TypeVar("T")
Row = tuple[int, T]
"""A row's id, by which pages are cut, and what it shows."""


def ok(data: object = _UNSAID, **more: object) -> Reply:
    """A success; without ``data`` the envelope has none."""
    body: dict[str, object] = {"status": "OK"}
    if data is not _UNSAID:
        body["data"] = data
    return of_json(body | more)


def ok_rows(rows: Iterable[str], more: str = "") -> Reply:
    """A success with a list, whose rows are JSON already; ``more`` is what follows it."""
    return Reply(HTTPStatus.OK, f'{{"status": "OK", "data": [{", ".join(rows)}]{more}}}')


def whole(request: web.Request, *names: str) -> int | None:
    """
    A whole number from the query under the first of these names that is there.

    Raises:
        ApiProblemError: it is no number.
    """
    for name in names:
        value = request.query.get(name, "")
        if value:
            try:
                return int(value)
            except ValueError:
                raise ApiProblemError(INVALID_PARAMETERS, debug=f"{name}={value!r}") from None
    return None


def needed(request: web.Request, *names: str) -> int:
    """
    The same, where the endpoint cannot do without.

    Raises:
        ApiProblemError: it is missing or no number.
    """
    value = whole(request, *names)
    if value is None:
        raise ApiProblemError(INVALID_PARAMETERS, debug=f"{names[0]} is required")
    return value


def count(request: web.Request, name: str, default: int, most: int = MAX_RECORDS) -> int:
    """
    How many rows or levels are wanted.

    Raises:
        ApiProblemError: it is no number, or not within 1 and ``most``.
    """
    value = whole(request, name)
    if value is None:
        return default
    if not 0 < value <= most:
        raise ApiProblemError(INVALID_PARAMETERS, debug=f"{name}={value}")
    return value


def choice(request: web.Request, name: str, allowed: Sequence[str]) -> str | None:
    """
    One of a few words from the query, None when it is not there.

    Raises:
        ApiProblemError: it is another word.
    """
    value = request.query.get(name, "")
    if value and value not in allowed:
        raise ApiProblemError(INVALID_PARAMETERS, debug=f"{name}={value!r}")
    return value or None


def market_filter(request: web.Request) -> Callable[[str], bool]:
    """Which venue names the query asks for: ``?market=A&market=B``, all when there is none."""
    wanted = frozenset(name for name in request.query.getall("market", []) if name)
    return lambda name: not wanted or name in wanted


def path_symbol(request: web.Request, face: Face) -> str:
    """
    Our symbol of the market in the path.

    Raises:
        ApiProblemError: there is no such market.
    """
    name = request.match_info["market"]
    symbol = face.exchange.symbol_of(name)
    if symbol is None:
        raise unknown_market(name)
    return symbol


def paged(
    request: web.Request,
    rows: Sequence[Row[T]],
    *,
    default_limit: int,
    shown: Callable[[T], str] = json_text,
) -> Reply:
    """
    One page of rows, newest first by id.

    ``cursor`` is the id after which to go on; the answer gives the id of its last row, and
    null when it has none. ``shown`` gives the JSON of a row; only those of the page are made.
    """
    cursor = whole(request, "cursor")
    limit = count(request, "limit", default_limit)
    newest_first = sorted(rows, key=lambda row: row[0], reverse=True)
    page = [row for row in newest_first if cursor is None or row[0] < cursor][:limit]
    pagination = json_text({"cursor": page[-1][0] if page else None, "count": len(page)})
    return ok_rows([shown(row[1]) for row in page], f', "pagination": {pagination}')


def one_symbol(request: web.Request, face: Face) -> str | None:
    """The market of a read that asks for exactly one; None for a read of several."""
    names = request.query.getall("market", [])
    return face.exchange.symbol_of(names[0]) if len(names) == 1 else None


async def json_object(request: web.Request) -> dict[str, Any]:
    """
    The body of a request.

    Raises:
        ApiProblemError: it is no JSON object.
    """
    try:
        body = json.loads(await request.text(), parse_float=Decimal)
    except ValueError:  # also text that is no UTF-8
        raise ApiProblemError(INVALID_PARAMETERS, debug="the body is no JSON") from None
    if not isinstance(body, dict):
        raise ApiProblemError(INVALID_PARAMETERS, debug="the body is no JSON object")
    return body
