"""
Requests about our account, over the SDK's own session.

The SDK's methods parse into strict models, and one unknown enum value loses the whole answer;
a refused order becomes a text in an exception; and they follow redirects, which would send an
order a second time. So the SDK gives the session, the address, the time limit and the
User-Agent, and what came back is read here as text (x10.md §0.4, §0.6, §2.4).

One session serves reads and orders alike: the balance that is read immediately before an order
leaves a warm connection for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp
from x10.clients.rest import RestApiClient
from x10.utils.http import USER_AGENT

from adapters.common.body import UnreadableBodyError, text_of
from adapters.x10 import wire
from adapters.x10.codes import error_code, refuses_the_order_alone
from adapters.x10.fields import Row, rows_of
from hedger.clock import Clock
from hedger.domain.ids import VenueId
from hedger.domain.order import Answer, NeverSent, NoProof
from hedger.errors import DriftError, UnavailableError
from hedger.venueclock import VenueClock

Params = Sequence[tuple[str, str]]

CONNECT_SHARE = 0.5
"""The part of the time limit that connecting may take: if it runs out, nothing was sent."""

LIMIT = ("limit", "100")
"""For lists that grow for ever. Open positions and orders are asked without: they come whole."""

PAGES_MAX = 200

CONNECT_ERRORS = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""
What aiohttp raises before a connection exists, so that no byte of a request was written: name
resolution, refused connection, TLS and certificate (subclasses of the first), and time.
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer as it came."""

    status: int
    text: str
    date: str | None = None  # the header of that name: the venue's clock


class AccountHttp:
    """
    GET, POST and DELETE with the account's key. Asks once; never shows the key.

    ``time`` is the venue's clock, as its answers show it.

    One exception is aiohttp's own: a GET or DELETE on a kept connection that turns out to be
    closed is sent once more on a new one. It never does that with a POST.
    """

    owner: str | None = None

    def __init__(
        self, venue: VenueId, client: RestApiClient, api_key: str, clock: Clock, timeout_s: float
    ) -> None:
        self.time = VenueClock(clock)
        self._clock = clock
        self._venue = venue
        self._client = client
        self._api_key = api_key
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=timeout_s * CONNECT_SHARE)
        self._base_url: str = client.config.endpoints.api_base_order_management_url

    def belongs_to(self, account_id: str) -> None:
        """X10's own id of the account: answers that name another one are refused from now on."""
        self.owner = account_id

    async def page(self, path: str, params: Params = ()) -> wire.Page | None:
        """
        One page of an answer; None when the venue says 404.

        Raises:
            VenueError: anything but a usable answer.
            DriftError: it is about another account.
        """
        reply = await self._read("GET", path, params)
        page = wire.answer(self._venue, f"GET {path}", reply.status, reply.text)
        if page is not None and self.owner is not None:
            wire.check_owner(self._venue, f"GET {path}", page.data, self.owner)
        return page

    async def content(self, path: str, params: Params = ()) -> wire.Page:
        """As ``page``, where a 404 is no possible answer."""
        page = await self.page(path, params)
        if page is None:
            raise DriftError(self._venue, f"GET {path}: HTTP 404, which it should not answer")
        return page

    async def rows(
        self, path: str, params: Params, enough: Callable[[Sequence[Row]], bool] | None = None
    ) -> list[Row]:
        """
        A list, page by page, newest first, until ``enough`` says so of a page.

        Ends where the venue names no further page or repeats itself; a list without an end is
        an error, because a part of it would look like the whole.

        Raises:
            VenueError: one of the pages could not be had.
        """
        found: dict[str, Row] = {}
        following: Params = ()
        for _ in range(PAGES_MAX):
            page = await self.content(path, [*params, *following])
            rows = rows_of(self._venue, f"GET {path}", page.data)
            fresh = {row.id("id"): row for row in rows if row.id("id") not in found}
            found.update(fresh)
            if not fresh or page.cursor is None or (enough and enough(tuple(fresh.values()))):
                return list(found.values())
            following = (("cursor", page.cursor),)
        raise DriftError(self._venue, f"GET {path}: more than {PAGES_MAX} pages")

    async def delete(self, path: str, params: Params) -> None:
        """
        Ask for a cancellation. What is not there any more is no error.

        Raises:
            VenueError: there was no usable answer.
        """
        self._done(f"DELETE {path}", await self._read("DELETE", path, params))

    async def honoured(self, path: str, params: Params) -> None:
        """
        Have the venue look at our key, by a request to cancel what is not there.

        What it says of the order is no matter: the key was accepted before.

        Raises:
            DeniedError: it does not accept the key or the account.
            VenueError: there was no usable answer.
        """
        reply = await self._read("DELETE", path, params)
        if not refuses_the_order_alone(reply.status, reply.text):
            self._done(f"DELETE {path}", reply)

    async def patch(self, path: str, body: str) -> None:
        """
        Change a setting of the account. Sent once; what the venue made of it is read afterwards.

        Raises:
            VenueError: it was refused, or there was no usable answer.
        """
        try:
            reply = await self._request("PATCH", path, (), body)
        except TimeoutError as error:
            raise UnavailableError(
                self._venue, f"PATCH {path}: no answer within {self._timeout.total:g} s"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnavailableError(self._venue, f"PATCH {path}: {type(error).__name__}") from error
        except UnreadableBodyError as error:
            raise DriftError(self._venue, f"PATCH {path}: an answer {error}") from error
        if error_code(reply.text) is not None or not 200 <= reply.status < 300:
            wire.answer(self._venue, f"PATCH {path}", reply.status, reply.text)
            raise UnavailableError(self._venue, f"PATCH {path}: HTTP {reply.status}")

    async def send(self, path: str, body: str) -> Reply | Answer:
        """
        POST these exact bytes once; what could not be learned is a value.

        aiohttp repeats no POST by itself, and a redirect is not followed.
        """
        try:
            return await self._dated("POST", path, (), body)
        except CONNECT_ERRORS as error:
            return NeverSent(f"no connection: {type(error).__name__}")
        except TimeoutError:
            return NoProof(f"no answer within {self._timeout.total:g} s")
        except Exception as error:  # noqa: BLE001
            # a value for every failure: the bytes may be out there whatever went wrong here
            return NoProof(f"no answer: {type(error).__name__}")

    def _done(self, what: str, reply: Reply) -> None:
        if not 200 <= reply.status < 300 or reply.text.strip():
            wire.answer(self._venue, what, reply.status, reply.text)

    async def _read(self, method: str, path: str, params: Params) -> Reply:
        try:
            return await self._dated(method, path, params, None)
        except TimeoutError as error:
            raise UnavailableError(
                self._venue, f"{method} {path}: no answer within {self._timeout.total:g} s"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnavailableError(
                self._venue, f"{method} {path}: {type(error).__name__}"
            ) from error
        except UnreadableBodyError as error:
            raise DriftError(self._venue, f"{method} {path}: an answer {error}") from error

    async def _dated(self, method: str, path: str, params: Params, body: str | None) -> Reply:
        """One request; the date of its answer measures the venue's clock."""
        sent_s = self._clock.monotonic_s()
        reply = await self._request(method, path, params, body)
        self.time.answered(reply.date, sent_s)
        return reply

    async def _request(self, method: str, path: str, params: Params, body: str | None) -> Reply:
        # the SDK offers its session only to its own modules (x10.md §2.4 uses it like this)
        session: aiohttp.ClientSession = await self._client.orders._get_session()  # noqa: SLF001
        async with session.request(
            method,
            self._base_url + path,
            params=list(params),
            data=body.encode() if body is not None else None,
            headers=self._headers(),
            timeout=self._timeout,
            allow_redirects=False,
            auto_decompress=False,  # bounded in adapters/common/body.py
        ) as response:
            return Reply(response.status, await text_of(response), response.headers.get("Date"))

    def _headers(self) -> dict[str, str]:
        return {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "X-Api-Key": self._api_key,
        }
