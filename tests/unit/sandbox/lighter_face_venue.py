"""The Lighter face alone in virtual time, and the unmodified official SDK in front of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import aiohttp
import lighter
from aiohttp import web
from lighter.nonce_manager import NonceManagerType

from adapters.sandbox import credentials
from adapters.sandbox.clock import HOUR_MS, ClockMs, MarketClock
from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.engine.params import lighter_params
from adapters.sandbox.faults import FaultBox
from adapters.sandbox.lighter_face.app import build_app
from adapters.sandbox.lighter_face.options import LighterOptions
from adapters.sandbox.tape import START_MS, Tape
from hedger.clock import Clock
from hedger.domain.money import ceil_to_step, floor_to_step

KEYS: Final = credentials.generate(1).lighter
ACCOUNT: Final = KEYS.account_index
KEY: Final = KEYS.api_key_index
ETH: Final = 0
ONE_TAPE: Final = Tape(seed=7)
NO_TOKEN: Final = ""


@dataclass
class LighterVenue:
    """A running face with one client of the SDK that takes its nonces from the test."""

    exchange: Exchange
    faults: FaultBox
    clock: Clock
    market: MarketClock
    url: str
    client: lighter.SignerClient
    http: aiohttp.ClientSession
    nonce: int = 0
    next_client_index: int = 1000
    sent: list[str] = field(default_factory=list)

    def fault(self, kind: str, **parameters: Any) -> None:
        self.faults.add({"venue": "lighter", "kind": kind, **parameters})

    def settle_hours(self, hours: int) -> None:
        self.market.advance(hours * HOUR_MS)
        self.exchange.sync()

    @property
    def size(self) -> Decimal:
        """The true ETH position."""
        position = self.exchange.position(ACCOUNT, "ETH")
        return Decimal(0) if position is None else position.size

    def price(self, is_ask: bool, *, symbol: str = "ETH", bps: int = 100) -> int:
        """A limit price well through the book, in the wire's units."""
        mark, rules = self.exchange.mark(symbol), self.exchange.rules_of(symbol)
        if is_ask:
            price = floor_to_step(mark * (10_000 - bps) / 10_000, rules.price_tick)
        else:
            price = ceil_to_step(mark * (10_000 + bps) / 10_000, rules.price_tick)
        return int(price.scaleb(rules.price_decimals))

    async def sign(self, what: str, *args: Any, key: int = KEY, **kwargs: Any) -> Any:
        """``sign_*`` of the SDK in a thread; gives (type, tx_info, hash)."""
        kwargs.setdefault("nonce", self.nonce)
        method = getattr(self.client, f"sign_{what}")
        *signed, error = await asyncio.to_thread(method, *args, api_key_index=key, **kwargs)
        assert error is None, error
        return tuple(signed)

    async def signed_market(
        self, size: str = "0.5", *, sell: bool = False, reduce_only: bool = False, **kwargs: Any
    ) -> Any:
        """A signed market order in ETH."""
        self.next_client_index += 1
        return await self.sign(
            "create_order",
            ETH,
            kwargs.pop("client_index", self.next_client_index),
            int(Decimal(size).scaleb(4)),
            kwargs.pop("price", self.price(sell)),
            sell,
            1,
            0,
            reduce_only=reduce_only,
            order_expiry=0,
            **kwargs,
        )

    async def signed_resting(self, size: str = "0.5", *, bps: int = -100, **kwargs: Any) -> Any:
        """A signed post-only bid below the book."""
        self.next_client_index += 1
        expiry_ms = self.exchange.wire_now_ms() + 3_600_000
        return await self.sign(
            "create_order",
            ETH,
            kwargs.pop("client_index", self.next_client_index),
            int(Decimal(size).scaleb(4)),
            self.price(False, bps=bps),
            False,
            0,
            2,
            order_expiry=expiry_ms,
            **kwargs,
        )

    async def send(self, signed: Any) -> Any:
        """Send through the SDK, as an adapter does; the nonce moves on when it is accepted."""
        tx_type, info, tx_hash = signed
        answer = await self.client.tx_api.send_tx(
            tx_type=tx_type, tx_info=info, _request_timeout=5.0
        )
        assert answer.tx_hash == tx_hash
        self.nonce += 1
        return answer

    async def refused(self, signed: Any) -> int:
        """Send what is to be refused at the API; gives Lighter's code."""
        try:
            await self.send(signed)
        except lighter.exceptions.BadRequestException as error:
            return int(error.data.code)
        raise AssertionError("the transaction was accepted")

    async def executed(self, signed: Any, *, after_s: float = 1) -> Any:
        """Send, let the sequencer run, and read the transaction back by its hash."""
        await self.send(signed)
        await self.clock.sleep(after_s)
        return await self.tx(signed[2])

    async def tx(self, tx_hash: str) -> Any:
        return await self.client.tx_api.tx(by="hash", value=tx_hash)

    async def token(self, key: int = KEY, life_s: int = 600) -> str:
        token, error = await asyncio.to_thread(
            self.client.create_auth_token_with_expiry,
            life_s,
            timestamp=self.exchange.wire_now_ms() // 1000,
            api_key_index=key,
        )
        assert error is None
        return str(token)

    async def get(
        self, path: str, *, token: str | None = NO_TOKEN, **query: Any
    ) -> tuple[int, Any]:
        """A raw read: HTTP status and JSON."""
        headers = {"authorization": token} if token else {}
        url = f"{self.url}{path if path.startswith('/') else f'/api/v1/{path}'}"
        async with self.http.get(url, params=query, headers=headers) as answer:
            return answer.status, json.loads(await answer.text())

    async def read(self, path: str, **query: Any) -> Any:
        """A raw read by the owner that must succeed."""
        status, body = await self.get(path, token=await self.token(), **query)
        assert status == 200, body
        return body

    async def orders(self, *client_indexes: int) -> list[Any]:
        listed = ",".join(map(str, client_indexes))
        body = await self.read("accountOrders", client_order_indexes=listed)
        return list(body["orders"])

    async def position(self) -> Any:
        """The ETH row of ``/account``, None when there is none."""
        body = await self.read("account", by="index", value=str(ACCOUNT))
        rows = {row["market_id"]: row for row in body["accounts"][0]["positions"]}
        return rows.get(ETH)

    async def next_nonce(self, key: int = KEY) -> int:
        answer = await self.client.tx_api.next_nonce(ACCOUNT, key)
        return int(answer.nonce)

    @asynccontextmanager
    async def stream(self) -> AsyncIterator["Stream"]:
        async with self.http.ws_connect(f"{self.url}/stream", autoping=True) as socket:
            stream = Stream(socket)
            assert (await stream.hear())["type"] == "connected"
            yield stream


@dataclass
class Stream:
    """One WebSocket connection of a test."""

    socket: aiohttp.ClientWebSocketResponse

    async def say(self, **message: Any) -> None:
        await self.socket.send_json(message)

    async def hear(self, timeout_s: float = 20) -> Any:
        message = await self.socket.receive(timeout=timeout_s)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return json.loads(message.data)

    async def subscribe(self, channel: str, **fields: Any) -> Any:
        await self.say(type="subscribe", channel=channel, **fields)
        return await self.hear()

    async def until(self, kind: str, timeout_s: float = 20) -> Any:
        """The next frame of this type."""
        while True:
            frame = await self.hear(timeout_s)
            if frame.get("type") == kind:
                return frame


@asynccontextmanager
async def lighter_venue(
    clock: Clock, *, balance_usd: str = "100000", premium: bool = True, **options: Any
) -> AsyncIterator[LighterVenue]:
    """The face on a port of the running loop."""
    wire = ClockMs(clock)
    market = MarketClock(wire, start_ms=START_MS, hour_s=3_600)
    params = lighter_params(premium=premium)
    exchange = Exchange("lighter", tape=ONE_TAPE, wire=wire, market=market, params=params)
    exchange.create_account(ACCOUNT, Decimal(balance_usd))
    faults = FaultBox(clock)
    app = build_app(exchange, faults, KEYS, clock, LighterOptions(**options))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        client = lighter.SignerClient(
            url=url,
            account_index=ACCOUNT,
            api_private_keys=dict(KEYS.api_keys),
            nonce_management_type=NonceManagerType.NONE,
            chain_id=KEYS.chain_id,
        )
        stack.push_async_callback(client.close)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield LighterVenue(exchange, faults, clock, market, url, client, http)
