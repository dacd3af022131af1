"""
The HTTP plumbing of the quote sources: one client, one deadline per question, no repetition.

What comes back is parsed JSON or one of three exceptions, so that a quote source only has to
know what the fields mean.
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx

from adapters.budget import Budget
from adapters.common.answers import failure, parse_json
from adapters.common.body import UnreadableBodyError, text_of_stream
from hedger.domain.ids import VenueId
from hedger.errors import DriftError, UnavailableError

USER_AGENT = "hedger"
"""X10 answers nothing without a User-Agent (x10.md §2.1)."""

PACKING = "gzip, deflate"
"""Lists of all markets are long; what they unpack to is bounded (``body``)."""


@cache
def _trusted() -> ssl.SSLContext:
    """One set of trusted certificates for every client: reading it takes as long as a request."""
    return httpx.create_ssl_context(trust_env=False)


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
            verify=_trusted(),
            trust_env=False,
            follow_redirects=False,
            headers={
                "Accept": "application/json",
                "Accept-Encoding": PACKING,
                "User-Agent": USER_AGENT,
            },
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
            DriftError: an answer that is not JSON, or larger than anything that is asked for.
        """
        if self._budget is not None:
            self._budget.spend(path.rpartition("/")[2], urgent=urgent)
        status, text = await self._get(path, params)
        if not 200 <= status < 300:
            raise failure(self._venue, path, status, text)
        return parse_json(self._venue, path, text)

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.aclose()

    async def _get(self, path: str, params: Mapping[str, str | int] | None) -> tuple[int, str]:
        try:
            # httpx limits each phase by itself; the outer limit is the deadline of the whole
            async with asyncio.timeout(self._timeout_s):
                return await self._fetch(path, dict(params or {}))
        except (TimeoutError, httpx.TimeoutException) as error:
            raise UnavailableError(
                self._venue, f"GET {path}: no answer within {self._timeout_s:g} s"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnavailableError(
                self._venue, f"GET {path}: {type(error).__name__} {error}".rstrip()
            ) from error
        except UnreadableBodyError as error:
            raise DriftError(self._venue, f"GET {path}: an answer {error}") from error

    async def _fetch(self, path: str, params: Mapping[str, str | int]) -> tuple[int, str]:
        """Status and text."""
        async with self._client.stream("GET", path, params=dict(params)) as response:
            return response.status_code, await text_of_stream(response)
