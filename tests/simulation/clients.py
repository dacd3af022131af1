"""
The adapters over a simulated wire.

Everything above the socket is the product's own: what is asked, how answers are parsed, and what
an answer or its absence proves. Here stand only the socket and the signer.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Protocol

import aiohttp
from aiohttp.client_reqrep import ConnectionKey

from adapters.common.body import BYTES_MAX, UnreadableBodyError
from adapters.lighter.gateway import Gateway
from adapters.lighter.names import Names as LighterNames
from adapters.lighter.orders import TX_CANCEL_ORDER, TX_CREATE_ORDER, TX_UPDATE_LEVERAGE
from adapters.lighter.reads import Reads
from adapters.lighter.venue import LighterVenue
from adapters.x10 import lookup, markets
from adapters.x10.fields import to_ms
from adapters.x10.http import AccountHttp, Params, Reply
from adapters.x10.names import Names
from adapters.x10.options import AccountOptions, read_options
from adapters.x10.readback import body_of, signed_terms
from adapters.x10.reads import Reads as XReads
from adapters.x10.signing import check_steps, expiry_of, salt_of
from adapters.x10.venue import READ_LAG_S, XVenue
from hedger.clock import Clock
from hedger.domain.ids import VenueId
from hedger.domain.money import plain
from hedger.domain.order import Order, Prepared, Side
from hedger.venueclock import VenueClock
from tests.simulation.exchange import KEYS, hash_of, unsigned

TIMEOUT_S = 5.0
X10, LIGHTER = VenueId("x10"), VenueId("lighter")
TX_LIFE_MS = 599_000


class NoConnectionError(Exception):
    """No byte left: nobody listens, or the connection could not be made."""


class BrokenError(Exception):
    """The connection was closed after the request had begun."""


class Wire(Protocol):
    """One process's way to the venues."""

    async def x10(
        self, method: str, path: str, query: Sequence[tuple[str, str]], body: str | None
    ) -> tuple[int, str, str]:
        """
        Status, text, and the ``Date`` of the venue's clock.

        Raises:
            NoConnectionError, BrokenError, TimeoutError: no answer.
        """

    async def lighter(
        self, name: str, query: Sequence[tuple[str, str]], form: Mapping[str, str] | None
    ) -> tuple[int, str, str]:
        """As ``x10``."""

    async def signing(self) -> None:
        """To sign takes a moment, in which others go on."""


def bounded(text: str) -> str:
    """
    A body as far as it is read.

    Raises:
        UnreadableBodyError: it is too large.
    """
    if len(text) > BYTES_MAX:
        raise UnreadableBodyError("is too large")
    return text


def _refused() -> aiohttp.ClientConnectorError:
    key = ConnectionKey("sim", 443, True, True, None, None, None)
    return aiohttp.ClientConnectorError(key, OSError(111, "refused"))


# -- X10 ----------------------------------------------------------------------------------------


class SimAccountHttp(AccountHttp):
    """The account's requests of X10 without a session."""

    def __init__(self, venue: VenueId, wire: Wire, clock: Clock) -> None:
        self.time = VenueClock(clock)
        self._clock = clock
        self._venue = venue
        self._timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        self._wire = wire

    async def _request(self, method: str, path: str, params: Params, body: str | None) -> Reply:
        try:
            status, text, date = await self._wire.x10(method, path, list(params), body)
            return Reply(status, bounded(text), date)
        except NoConnectionError:
            raise _refused() from None
        except BrokenError:
            raise aiohttp.ServerDisconnectedError from None


class SimXVenue(XVenue):
    """X10's account without SDK and signature."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self._id = X10
        self._clock = clock
        self._names = Names({})
        self._options = _x10_options()
        self._wire = wire
        self._http = SimAccountHttp(X10, wire, clock)
        self._markets = markets.Markets(X10, self._http, self._names, clock)
        self._lookup = lookup.Lookup(X10, self._http, self._names, clock, READ_LAG_S)
        self._reads = XReads(X10, self._http, self._names, clock)
        self._unlisted = set()

    async def close(self) -> None:
        """Nothing is open."""

    async def prepare(self, order: Order, nonce: int | None) -> Prepared:
        market = await self._markets.get(order.symbol)
        await self._wire.signing()
        check_steps(order, market.instrument)
        salt = salt_of(order.id) if nonce is None else nonce
        expires_at = self._on_their_clock(order.expires_at)
        fee = await self._reads.max_fee(order)
        payload = _x10_body(order, market.instrument.name, fee, salt, expires_at)
        return Prepared(
            order=order,
            account=self.account,
            client_id=order.id,
            payload=payload,
            expires_at=expiry_of(X10, payload),
            nonce=salt,
            signed=signed_terms(body_of(X10, payload), self._names),
        )


@cache
def _x10_options() -> AccountOptions:
    """Checked once: to derive the public key takes longer than a short life takes otherwise."""
    announced = KEYS.announcement("http://sim", "http://sim", "")["x10"]
    options = {k: announced[k] for k in ("api_base_url", "vault", "public_key", "chain_id")}
    secrets = {k: str(announced[k]) for k in ("api_key", "private_key")}
    return read_options(X10, options, secrets)


def _x10_body(order: Order, market: str, fee: Decimal, salt: int, expires_at: datetime) -> str:
    """The body that the SDK makes, unsigned."""
    return json.dumps(
        {
            "id": order.id,
            "market": market,
            "type": "LIMIT",
            "side": "BUY" if order.side is Side.BUY else "SELL",
            "qty": plain(order.size),
            "price": plain(order.limit_price),
            "reduceOnly": order.reduce_only,
            "postOnly": False,
            "timeInForce": "IOC",
            "expiryEpochMillis": to_ms(expires_at),
            "fee": plain(fee),
            "nonce": str(salt),
            "settlement": {
                "signature": {"r": "0x1", "s": "0x1"},
                "starkKey": KEYS.x10.public_key,
                "collateralPosition": str(KEYS.x10.vault),
            },
            "selfTradeProtectionLevel": "ACCOUNT",
        }
    )


# -- Lighter ------------------------------------------------------------------------------------


class _Response:
    def __init__(self, status: int, body: str, date: str) -> None:
        self.status = status
        self.headers = {"Date": date}
        self.body = body


class _Endpoints:
    """The generated API classes of the SDK, as far as the adapter calls them."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def __getattr__(self, name: str) -> Any:
        words = name.removesuffix("_without_preload_content").split("_")
        endpoint = words[0] + "".join(word.capitalize() for word in words[1:])

        async def call(**arguments: Any) -> _Response:
            arguments.pop("_request_timeout", None)
            token = arguments.pop("authorization", None)
            form = {k: str(v) for k, v in arguments.items()} if endpoint == "sendTx" else None
            query = [] if form is not None else _query(arguments)
            if token is not None:
                query.append(("auth", token))
            try:
                return _Response(*await self._wire.lighter(endpoint, query, form))
            except NoConnectionError:
                raise _refused() from None
            except BrokenError:
                raise aiohttp.ServerDisconnectedError from None

        setattr(self, name, call)  # asked for by name once
        return call


def _query(arguments: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, ",".join(str(part) for part in value) if isinstance(value, list) else str(value))
        for name, value in arguments.items()
    ]


class _Signer:
    """Makes transactions without a signature; ``_Endpoints`` sends them."""

    SKIP_NONCE_OFF, SKIP_NONCE_ON = 0, 1
    ORDER_TYPE_LIMIT = 0
    ORDER_TIME_IN_FORCE_IMMEDIATE_OR_CANCEL = 0

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self.tx_api = self.order_api = _Endpoints(wire)
        self._clock = clock

    def sign_create_order(
        self, *values: int, order_expiry: int, nonce: int, api_key_index: int
    ) -> tuple[int, str, str, None]:
        names = (
            "MarketIndex", "ClientOrderIndex", "BaseAmount", "Price", "IsAsk", "Type",
            "TimeInForce", "ReduceOnly",
        )  # fmt: skip
        fields = dict(zip(names, values, strict=True))
        return self._made(
            TX_CREATE_ORDER, nonce, api_key_index, **fields, TriggerPrice=0,
            OrderExpiry=order_expiry,
        )  # fmt: skip

    def sign_cancel_order(
        self, market: int, index: int, *, skip_nonce: int, nonce: int, api_key_index: int
    ) -> tuple[int, str, str, None]:
        return self._made(
            TX_CANCEL_ORDER, nonce, api_key_index, skips=skip_nonce, MarketIndex=market,
            Index=index,
        )  # fmt: skip

    def sign_update_leverage(
        self, market: int, fraction: int, mode: int, *, nonce: int, api_key_index: int
    ) -> tuple[int, str, str, None]:
        return self._made(
            TX_UPDATE_LEVERAGE, nonce, api_key_index, MarketIndex=market,
            InitialMarginFraction=fraction, MarginMode=mode,
        )  # fmt: skip

    def _made(
        self, kind: int, nonce: int, key: int, *, skips: int = 0, **fields: int
    ) -> tuple[int, str, str, None]:
        text = unsigned(
            skips=bool(skips),
            AccountIndex=KEYS.lighter.account_index, ApiKeyIndex=key, **fields,
            ExpiredAt=to_ms(self._clock.now()) + TX_LIFE_MS, Nonce=nonce,
        )  # fmt: skip
        return kind, text, hash_of(text), None


class SimGateway(Gateway):
    """The gateway over a wire instead of the SDK's session."""

    def __init__(self, venue: VenueId, access: Any, clock: Clock, wire: Wire) -> None:
        super().__init__(venue, access, clock)
        self._wire = wire
        self._client = _Signer(wire, clock)
        self._accounts = self._client.order_api

    async def start(self) -> None:
        """The keys are right."""

    async def close(self) -> None:
        """Nothing is open."""

    async def token(self, key: int | None = None) -> str:
        index = self._reading_key if key is None else key
        self._tokens[index] = (str(index), float("inf"))
        return str(index)

    async def _text(self, response: Any) -> str:
        text: str = response.body
        return bounded(text)

    async def _in_thread(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        await self._wire.signing()
        return work(*args, **kwargs)


class SimLighterVenue(LighterVenue):
    """Lighter's account without SDK and signature."""

    def __init__(self, wire: Wire, clock: Clock, *, keys: int) -> None:
        first, second = sorted(KEYS.lighter.api_keys)[:2]
        rollback = second if keys > 1 else first
        super().__init__(
            id=LIGHTER,
            options={
                "url": "https://sim",
                "account_index": KEYS.lighter.account_index,
                "api_key_index": first,
                "rollback_api_key_index": rollback,
                "timeout_s": TIMEOUT_S,
            },
            secrets={
                f"private_key_{k}": KEYS.lighter.api_keys[k] for k in sorted({first, rollback})
            },
            names={},
            clock=clock,
        )
        self._gateway = SimGateway(LIGHTER, self._access, clock, wire)
        self._reads = Reads(LIGHTER, self._access, self._gateway, LighterNames({}), clock)
