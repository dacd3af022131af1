"""The X10 face alone in virtual time, and the unmodified official SDK in front of it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import aiohttp
from aiohttp import web
from x10.clients.rest import RestApiClient
from x10.clients.stream import StreamClient
from x10.config import TESTNET_CONFIG
from x10.core.stark_account import StarkPerpetualAccount
from x10.models.order import OrderSide, OrderType, TimeInForce
from x10.signing.order_object import create_order_object

from adapters.sandbox import credentials
from adapters.sandbox.clock import HOUR_MS, ClockMs, MarketClock
from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.engine.params import x10_params
from adapters.sandbox.engine.types import DuplicateRule
from adapters.sandbox.faults import FaultBox
from adapters.sandbox.tape import START_MS, Tape
from adapters.sandbox.x10_face.app import X10Options, build_app
from hedger.clock import Clock
from hedger.domain.money import ceil_to_step, floor_to_step

KEYS: Final = credentials.generate(1).x10
MARKET: Final = "ETH-USD"
AGENT: Final = {"User-Agent": "test"}
ONE_TAPE: Final = Tape(seed=7)


@dataclass(frozen=True)
class X10Venue:
    """A running face; ``url`` without a path."""

    exchange: Exchange
    faults: FaultBox
    clock: Clock
    market: MarketClock
    url: str
    client: RestApiClient
    http: aiohttp.ClientSession  # sends the key and a User-Agent

    @property
    def config(self) -> Any:
        return _config(self.url)

    @property
    def stream_url(self) -> str:
        return str(self.config.endpoints.stream_url)

    def streams(self) -> StreamClient:
        return StreamClient(api_url=self.stream_url)

    def fault(self, kind: str, **parameters: Any) -> None:
        self.faults.add({"venue": "x10", "kind": kind, **parameters})

    def settle_hours(self, hours: int, *, extra_ms: int = 60_000) -> None:
        """Cross that many settlements and let their rows appear."""
        self.market.advance(hours * HOUR_MS + extra_ms)
        self.exchange.sync()

    def price(self, side: str, *, symbol: str = "ETH", bps: int = 100) -> Decimal:
        """A limit price well through the book, on the tick."""
        mark, tick = self.exchange.mark(symbol), self.exchange.rules_of(symbol).price_tick
        if side == "BUY":
            return ceil_to_step(mark * (10_000 + bps) / 10_000, tick)
        return floor_to_step(mark * (10_000 - bps) / 10_000, tick)

    async def signed(
        self,
        side: str = "BUY",
        qty: str = "0.5",
        *,
        market: str = MARKET,
        ttl_s: float = 10,
        **changes: Any,
    ) -> Any:
        """An order object of the SDK, by default an IOC limit order that fills at once."""
        symbol = market.removesuffix("-USD")
        markets = await self.client.info.get_markets_dict()
        defaults: dict[str, Any] = {
            "price": self.price(side, symbol=symbol),
            "order_type": OrderType.LIMIT,
            "time_in_force": TimeInForce.IOC,
            "taker_fee": Decimal("0.00025"),
            "expire_time": self.clock.now() + timedelta(seconds=ttl_s),
            "nonce": 12345,
            "order_external_id": "test-1",
        }
        return create_order_object(
            account=_account(),
            market=markets[market],
            amount_of_synthetic=Decimal(qty),
            side=OrderSide(side),
            starknet_domain=self.config.signing.starknet_domain,
            **(defaults | changes),
        )

    async def place(self, side: str = "BUY", qty: str = "0.5", **changes: Any) -> int:
        """Send such an order; gives the venue's id."""
        placed = await self.client.orders.place_order(await self.signed(side, qty, **changes))
        order_id: int = placed.data.id
        return order_id

    async def filled(self, side: str = "BUY", qty: str = "0.5", **changes: Any) -> Any:
        """Send such an order and let it be matched; gives the order as read back."""
        order_id = await self.place(side, qty, **changes)
        await self.clock.sleep(1)
        return (await self.client.account.get_order_by_id(order_id)).data

    async def get(self, path: str, **query: Any) -> tuple[int, Any]:
        """A raw read: HTTP status and JSON."""
        async with self.http.get(f"{self.url}/api/v1{path}", params=query) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        """A raw write: HTTP status and JSON."""
        async with self.http.post(f"{self.url}/api/v1{path}", json=body) as answer:
            return answer.status, await answer.json()


def body_of(order: Any) -> dict[str, Any]:
    """The JSON that the SDK would send."""
    body: dict[str, Any] = order.to_api_request_json(exclude_none=True)
    return body


@asynccontextmanager
async def x10_venue(
    clock: Clock,
    *,
    balance_usd: str = "100000",
    duplicates: DuplicateRule = DuplicateRule.EVER,
    **options: Any,
) -> AsyncIterator[X10Venue]:
    """The face on a port of the running loop."""
    wire = ClockMs(clock)
    market = MarketClock(wire, start_ms=START_MS, hour_s=3_600)
    params = replace(x10_params(), duplicates=duplicates)
    exchange = Exchange("x10", tape=ONE_TAPE, wire=wire, market=market, params=params)
    exchange.create_account(KEYS.vault, Decimal(balance_usd))
    faults = FaultBox(clock)
    app = build_app(exchange, faults, KEYS, clock, X10Options(**options))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        client = RestApiClient(_config(url), _account())
        stack.push_async_callback(client.close)
        headers = AGENT | {"X-Api-Key": KEYS.api_key}
        http = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        yield X10Venue(exchange, faults, clock, market, url, client, http)


def _account() -> StarkPerpetualAccount:
    return StarkPerpetualAccount(
        vault=KEYS.vault,
        private_key=KEYS.private_key,
        public_key=KEYS.public_key,
        api_key=KEYS.api_key,
    )


def _config(url: str) -> Any:
    stream = url.replace("http://", "ws://")
    return replace(
        TESTNET_CONFIG,
        defaults=replace(TESTNET_CONFIG.defaults, request_timeout_seconds=5),
        endpoints=replace(
            TESTNET_CONFIG.endpoints,
            api_base_url=f"{url}/api/v1",
            api_base_order_management_url=f"{url}/api/v1",
            stream_url=f"{stream}/stream.extended.exchange/v1",
        ),
    )
