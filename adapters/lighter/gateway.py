"""
The unmodified lighter-sdk with its traps closed (numbers are those of lighter.md §0).

1, 11  a 200 is ``Accepted`` and proves nothing: ``answers.py``; ``find`` looks it up.
2, 3, 4  no nonce manager of the SDK is in use: ``NonceManagerType.NONE`` makes an implicit
   call raise, and nonces come from the caller.
5  nonce and key index are always given together, and never -1: otherwise the signer library
   does blocking HTTP by itself, on our thread and with its own 30 s.
6  signing runs in one worker thread: 0.5 ms instead of 2.5 ms, and the loop goes on.
7  ``SignerClient`` is built inside the running loop, in ``start``.
8  the signer keeps keys per process by (account, key index), and the last one wins: a second
   account with the same two numbers in one process is not supported.
9  every request carries its own timeout (the SDK's is 300 s), and the HTTP session is replaced
   by one that ignores proxies of the environment and follows no redirect.
10  units: ``units.py``.
12  answers are read as text and parsed by us: the SDK's models make floats, turn missing fields
   into None, and lose a whole answer over one unknown word.

``check_client`` is not used: it does blocking HTTP of its own and remembers its answer per
process and not per address. Instead each key signs an auth token and the venue is asked to
honour it (``start``). The facade (``create_order`` and so on) is not used either: it drops the
hash and swallows the difference between a refusal and an accident.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from loguru import logger

from adapters.budget import Budget
from adapters.common import sdk
from adapters.common.answers import failure, parse_json
from adapters.common.body import UnreadableBodyError, text_of
from adapters.lighter.access import Access
from adapters.lighter.answers import CODE_OK, RATE_CODES, classify, code_of
from adapters.lighter.orders import MAX_NONCE, OrderFields, Payload
from hedger.clock import Clock
from hedger.common.words import shown
from hedger.domain.ids import VenueId
from hedger.domain.order import Answer, NeverSent, NoProof
from hedger.errors import ConfigError, DeniedError, DriftError, UnavailableError
from hedger.venueclock import VenueClock

TOKEN_LIFE_S: Final = 600
TOKEN_RENEW_S: Final = 60
CONNECTIONS: Final = 16
CROSS_MARGIN: Final = 0

NOT_SENT: Final = (
    aiohttp.ClientConnectorError,  # name, connection and TLS failures: no byte was written
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction and its hash, known before it is sent (the facade drops it)."""

    payload: Payload
    tx_hash: str


async def _no_redirect(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """A redirected POST would be a second send, to a host that nobody configured."""
    response = await handler(request)
    if 300 <= response.status < 400:
        response.release()
        raise aiohttp.ClientPayloadError(f"HTTP {response.status}: redirects are not followed")
    return response


class Gateway:
    """
    One account through the SDK: signs, sends once, reads. Repeats nothing.

    ``time`` is the venue's clock, as its answers show it.
    """

    def __init__(
        self, venue: VenueId, access: Access, clock: Clock, budget: Budget | None = None
    ) -> None:
        self.time = VenueClock(clock)
        self._budget = budget
        self._venue = venue
        self._access = access
        self._clock = clock
        self._client: Any = None
        self._accounts: Any = None
        self._signer: ThreadPoolExecutor | None = None
        self._tokens: dict[int, tuple[str, float]] = {}
        self._unconfirmed: list[int] = []
        self._reading_key = access.open_key

    async def start(self) -> None:
        """
        Build the SDK's client and let the venue confirm every key.

        Where the venue does not answer, that waits: a leg may stand alone on the other one.

        Raises:
            ConfigError: a key does not belong to the account.
        """
        if self._client is not None:
            return
        self._signer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lighter-signer")
        try:
            sdk = await self._in_thread(_import_sdk)
            self._client = self._new_client(sdk)
            self._accounts = sdk.AccountApi(self._client.api_client)
            await self._own_session()
            self._unconfirmed = sorted(self._access.keys)
            try:
                await self._confirm(self._check)
            except UnavailableError as error:
                logger.warning("the API keys are checked later: {}", error)
        except BaseException:  # cancelled, too: who did not get it started closes nothing
            await self.close()
            raise

    async def confirm(self) -> None:
        """
        Let the venue confirm the keys that it could not confirm at the start.

        Raises:
            DeniedError: it does not accept a key.
            VenueError: it could not be asked.
        """
        await self._confirm(self.honoured)

    async def _confirm(self, check: Callable[[int], Awaitable[None]]) -> None:
        while self._unconfirmed:
            await check(self._unconfirmed[0])
            self._unconfirmed = self._unconfirmed[1:]

    async def close(self) -> None:
        """Give back the session and the thread."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
        signer, self._signer = self._signer, None
        if signer is not None:
            signer.shutdown(wait=False)
        self._tokens.clear()

    @property
    def orders(self) -> Any:
        """``OrderApi`` of the SDK."""
        return self._started().order_api

    @property
    def txs(self) -> Any:
        """``TransactionApi`` of the SDK."""
        return self._started().tx_api

    @property
    def accounts(self) -> Any:
        """``AccountApi`` of the SDK."""
        self._started()
        return self._accounts

    async def sign_order(self, fields: OrderFields, nonce: int, key: int) -> Signed:
        """A limit order, immediate or cancel: ``order_expiry`` has to be 0 then, not -1."""
        client = self._started()
        return await self._sign(
            client.sign_create_order,
            fields.market_index,
            fields.client_order_index,
            fields.base_amount,
            fields.price,
            int(fields.is_ask),
            client.ORDER_TYPE_LIMIT,
            client.ORDER_TIME_IN_FORCE_IMMEDIATE_OR_CANCEL,
            int(fields.reduce_only),
            order_expiry=0,
            nonce=nonce,
            key=key,
        )

    async def sign_cancel(
        self, market: int, client_order_index: int, nonce: int, key: int, *, skips: bool = False
    ) -> Signed:
        """
        A cancel by our own id; any key of the account may cancel (lighter.md §4.5).

        ``skips``: taken with any nonce above the last one, not with the next one alone.
        """
        client = self._started()
        return await self._sign(
            client.sign_cancel_order,
            market,
            client_order_index,
            skip_nonce=client.SKIP_NONCE_ON if skips else client.SKIP_NONCE_OFF,
            nonce=nonce,
            key=key,
        )

    async def sign_leverage(self, market: int, fraction: int, nonce: int, key: int) -> Signed:
        """The initial margin fraction of a market in basis points, on cross margin."""
        client = self._started()
        return await self._sign(
            client.sign_update_leverage, market, fraction, CROSS_MARGIN, nonce=nonce, key=key
        )

    async def send(self, payload: Payload, tx_hash: str | None) -> Answer:
        """Post the exact bytes once. Raises nothing but cancellation."""
        if self._client is None:
            return NeverSent("the session is not open")
        sent_s = self._clock.monotonic_s()
        try:
            self._count("sendTx")
            # The variant that leaves the answer alone: same request, but status and body are
            # ours to judge. float, because the SDK refuses an integer timeout here.
            response = await self._client.tx_api.send_tx_without_preload_content(
                tx_type=payload.tx_type,
                tx_info=payload.tx_info,
                _request_timeout=self._access.timeout_s,
            )
            status, body = response.status, await self._text(response)
        except NOT_SENT as error:
            return NeverSent(f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - whatever else happened, it may have arrived
            return NoProof(f"{type(error).__name__}: {error}".rstrip(": "))
        self.time.answered(response.headers.get("Date"), sent_s)
        return classify(status, body, tx_hash)

    async def read(
        self,
        what: str,
        call: Callable[..., Awaitable[Any]],
        *,
        absent: int | None = None,
        **arguments: Any,
    ) -> Any:
        """
        Ask once and parse the answer without floats; None for the error code ``absent``.

        Raises:
            VenueError: no usable answer, or a refusal. HTTP 404 is never "nothing there":
                the venue answers it for endpoints that it does not have.
        """
        self._count(what.removeprefix("GET /"))
        status, body = await self._ask(what, call, arguments)
        if status != HTTPStatus.OK:
            if absent is not None and status == HTTPStatus.BAD_REQUEST and code_of(body) == absent:
                return None
            if status == HTTPStatus.UNAUTHORIZED:
                self._refused(arguments.get("authorization"))
            raise failure(self._venue, what, status, body)
        data = parse_json(self._venue, what, body)
        code = data.get("code", CODE_OK) if isinstance(data, dict) else CODE_OK
        if code == CODE_OK:
            return data
        if code == absent:
            return None
        if not isinstance(code, int):
            raise DriftError(self._venue, f"{what}: code {shown(code)}")
        kind = UnavailableError if code in RATE_CODES else DeniedError
        raise kind(self._venue, f"{what}: code {code}: {data.get('message', '')}")

    def _count(self, endpoint: str) -> None:
        """What concerns the account is never refused for the budget's sake, only counted."""
        if self._budget is not None:
            self._budget.spend(endpoint, urgent=True)

    def _refused(self, token: str | None) -> None:
        """The next read signs a new token; with another key, where that of the reads is refused."""
        known = self._tokens.get(self._reading_key)
        self._tokens.clear()
        others = sorted(self._access.keys.keys() - {self._reading_key})
        if known is not None and known[0] == token and others:
            self._reading_key = others[0]

    async def token(self, key: int | None = None) -> str:
        """
        An auth token of one key (the one that reads), signed anew before it expires.

        That is the key for opens, or another one once the venue has refused it. It goes into the
        ``authorization`` header raw, without "Bearer".
        """
        index = self._reading_key if key is None else key
        now = self._clock.now().timestamp()
        known = self._tokens.get(index)
        if known is not None and now < known[1] - TOKEN_RENEW_S:
            return known[0]
        token, error = await self._in_thread(
            self._started().create_auth_token_with_expiry,
            TOKEN_LIFE_S,
            timestamp=int(now),
            api_key_index=index,  # 255, the default, is whatever key was created last
        )
        if error is not None or not isinstance(token, str):
            raise DeniedError(self._venue, f"API key {index} signs no auth token: {error}")
        self._tokens[index] = (token, int(now) + TOKEN_LIFE_S)
        return token

    def _new_client(self, sdk: Any) -> Any:
        try:
            client = sdk.SignerClient(
                url=self._access.url,
                account_index=self._access.account_index,
                api_private_keys=dict(self._access.keys),  # it strips 0x in place
                nonce_management_type=sdk.nonce_manager.NonceManagerType.NONE,
                chain_id=self._access.chain_id,
            )
        except Exception:  # noqa: BLE001 - the SDK raises bare Exception here
            # Its text may quote the key, so it is not even chained.
            raise ConfigError(
                f"{self._venue}: the signer refused an API private key; check private_key_<index>"
            ) from None
        client.api_key_dict.clear()  # the signer library has them; only check_client would ask
        return client

    async def _own_session(self) -> None:
        rest = self._client.api_client.rest_client
        assert rest.retry_client is None  # retries=None: nothing is repeated behind our back
        await rest.pool_manager.close()
        rest.pool_manager = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=self._access.timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_no_redirect,),
            trust_env=False,
            auto_decompress=False,  # bounded in adapters/common/body.py
            headers={"Accept-Encoding": "identity"},
        )

    async def honoured(self, key: int) -> None:
        """
        Have the venue accept a request that one key has signed.

        Raises:
            DeniedError: it does not accept the key.
            VenueError: it could not be asked.
        """
        await self.read(
            "GET /accountLimits",
            self.accounts.account_limits_without_preload_content,
            account_index=self._access.account_index,
            authorization=await self.token(key),
        )

    async def _check(self, key: int) -> None:
        try:
            await self.honoured(key)
        except DeniedError as error:
            raise ConfigError(
                f"{self._venue}: API key {key} is not accepted for account "
                f"{self._access.account_index} ({error.detail}); check private_key_{key}, "
                "account_index and this machine's clock"
            ) from error

    async def _sign(
        self, sign: Callable[..., Any], *values: int, nonce: int, key: int, **rest: int
    ) -> Signed:
        assert 0 <= nonce <= MAX_NONCE  # -1 would make the library fetch one by blocking HTTP
        tx_type, tx_info, tx_hash, error = await self._in_thread(
            sign, *values, **rest, nonce=nonce, api_key_index=key
        )
        if error is not None:
            raise DeniedError(self._venue, f"the signer refused the values: {error}")
        return Signed(Payload(int(tx_type), tx_info), tx_hash)

    async def _ask(
        self, what: str, call: Callable[..., Awaitable[Any]], arguments: dict[str, Any]
    ) -> tuple[int, str]:
        sent_s = self._clock.monotonic_s()
        try:
            response = await call(**arguments, _request_timeout=self._access.timeout_s)
            status, body = response.status, await self._text(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            detail = f"{what}: {type(error).__name__} {error}".rstrip()
            raise UnavailableError(self._venue, detail) from error
        except UnreadableBodyError as error:
            raise DriftError(self._venue, f"{what}: an answer {error}") from error
        self.time.answered(response.headers.get("Date"), sent_s)
        return status, body

    async def _text(self, response: Any) -> str:
        return await text_of(response)

    async def _in_thread(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Pure computation (no nonce -1, no check_client), so it needs no deadline."""
        if self._signer is None:
            raise UnavailableError(self._venue, "the session is not open")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._signer, partial(work, *args, **kwargs))

    def _started(self) -> Any:
        if self._client is None:
            raise UnavailableError(self._venue, "the session is not open")
        return self._client


def _import_sdk() -> Any:
    """More than a second of imports, so in the worker thread and only when it is needed."""
    return sdk.load("lighter")
