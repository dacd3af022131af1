"""
The HTTP plumbing of the quote sources: one client, one deadline per question, no repetition.

What comes back is parsed JSON or one of three exceptions, so that a quote source only has to
know what the fields mean.
"""

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Never

import httpx

from adapters.budget import Budget
from hedger.domain.ids import VenueId
from hedger.errors import DeniedError, DriftError, UnavailableError, VenueError

USER_AGENT = "hedger"
"""X10 answers nothing without a User-Agent (x10.md §2.1)."""

TEXT_LIMIT = 200
"""How much of a foreign text goes into one of our sentences."""

SHORT_TEXT = 8_192
"""Characters of an answer that is remembered: an account's are shorter, a market list is not."""

ASK_AGAIN = frozenset({405, 408, 425, 429})
"""
Statuses that a later repetition may change. 405 is here because a firewall in front of Lighter
answers it when there were too many requests (lighter.md §2).
"""


class PublicHttp:
    """
    GET on the public endpoints of one venue.

    The environment's proxies and credentials are not used, redirects are not followed, and
    nothing is asked twice. It may be made outside a running event loop.
    """

    def __init__(
        self, venue: VenueId, base_url: str, timeout_s: float, budget: Budget | None = None
    ) -> None:
        assert timeout_s > 0
        self._budget = budget
        self._venue = venue
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(timeout_s),
            trust_env=False,
            follow_redirects=False,
            headers={"Accept": "application/json", "User-Agent": USER_AGENT},
        )

    async def get_json(
        self, path: str, params: Mapping[str, str | int] | None = None, *, urgent: bool = False
    ) -> Any:
        """
        The answer to one question, parsed; a number with a point in it is a ``Decimal``.

        It is only for reading: equal answers may be the same object.

        What is not ``urgent`` is refused here when its share of the request limit is used up.

        Raises:
            UnavailableError: no answer within the deadline, 5xx, 429, or a proxy's page.
            DeniedError: another refusal of the venue.
            DriftError: an answer that is not JSON.
        """
        if self._budget is not None:
            self._budget.spend(path.rpartition("/")[2], urgent=urgent)
        response = await self._get(path, params)
        if not response.is_success:
            raise failure(self._venue, path, response.status_code, response.text)
        return parse_json(self._venue, path, response.text)

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.aclose()

    async def _get(self, path: str, params: Mapping[str, str | int] | None) -> httpx.Response:
        try:
            # httpx limits each phase by itself; the outer limit is the deadline of the whole
            async with asyncio.timeout(self._timeout_s):
                return await self._client.get(path, params=dict(params or {}))
        except (TimeoutError, httpx.TimeoutException) as error:
            raise UnavailableError(
                self._venue, f"GET {path}: no answer within {self._timeout_s:g} s"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnavailableError(
                self._venue, f"GET {path}: {type(error).__name__} {error}".rstrip()
            ) from error


def failure(venue: VenueId, what: str, status: int, text: str) -> VenueError:
    """What an HTTP status that is not 2xx means for a read."""
    detail = f"{what}: HTTP {status} {_short(text)}".rstrip()
    if status >= 500 or status in ASK_AGAIN or 300 <= status < 400:
        return UnavailableError(venue, detail)
    return DeniedError(venue, detail)


def parse_json(venue: VenueId, what: str, text: str) -> Any:
    """
    Decode one JSON document without ever making a float.

    It is only for reading: most short answers repeat one of the last ones word by word, and
    then it is the same object.

    Raises:
        UnavailableError: it is the page of a proxy in front of the venue.
        DriftError: it is not JSON.
    """
    try:
        return _decoded(text) if len(text) <= SHORT_TEXT else _DECODER.decode(text)
    except ValueError as error:
        if is_page(text):
            raise UnavailableError(venue, f"{what}: a web page instead of an answer") from error
        raise DriftError(venue, f"{what}: not JSON: {_short(text)!r}") from error


def is_page(text: str) -> bool:
    """Whether this is HTML, which only a proxy or firewall before the venue sends."""
    return text.lstrip()[:1] == "<"


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not a number that we can count with")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant)


@lru_cache(maxsize=64)
def _decoded(text: str) -> Any:
    return _DECODER.decode(text)


def _short(text: str) -> str:
    if is_page(text):
        return "(a web page)"
    line = " ".join(text.split())
    return line if len(line) <= TEXT_LIMIT else line[:TEXT_LIMIT] + "…"
