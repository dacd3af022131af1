"""
The v1 streams: one socket per topic, frames numbered from 1 per connection (x10.md §4).

Events are queued and sent by one task per connection. Faults are asked for once per frame and
once per handshake: ``close_stream`` ends the connection instead of sending, ``silence_stream``
loses frames (their numbers are used up), ``seq_gap`` skips one number.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import WSCloseCode, web

from adapters.sandbox.engine.types import Event
from adapters.sandbox.faults import Kind, first
from adapters.sandbox.x10_face.candles import INTERVALS_MS, KINDS, CandleTopic
from adapters.sandbox.x10_face.context import FACE, VENUE, Face
from adapters.sandbox.x10_face.errors import (
    INVALID_PARAMETERS,
    ApiProblemError,
    unauthorized,
    unknown_market,
)
from adapters.sandbox.x10_face.gate import drop
from adapters.sandbox.x10_face.shapes import Json
from adapters.sandbox.x10_face.topics import (
    AccountTopic,
    BookTopic,
    FundingTopic,
    ManyTopics,
    PriceTopic,
    Topic,
    TradesTopic,
)

PING_S: Final = 15.0
QUEUE: Final = 10_000
"""Events that may wait for a slow reader before its connection is closed."""


class Feed:
    """One open stream."""

    def __init__(
        self, face: Face, topic: Topic, request: web.Request, socket: web.WebSocketResponse
    ) -> None:
        self._face = face
        self._topic = topic
        self._request = request
        self._socket = socket
        self._events: asyncio.Queue[Event] = asyncio.Queue(QUEUE)
        self._overrun = False
        self._seq = 0

    def offer(self, event: Event) -> None:
        """Take an event of the engine; called inside the engine, so nothing is asked of it."""
        if not self._topic.wants(event):
            return
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            self._overrun = True

    async def pump(self) -> None:
        """Send until the connection ends."""
        if not await self._send(self._topic.opening()):
            return
        while not self._socket.closed:
            event = await self._events.get()
            if self._overrun:
                await self.close(WSCloseCode.TRY_AGAIN_LATER)
                return
            if not await self._send(self._topic.on_event(event)):
                return

    async def close(self, code: WSCloseCode) -> None:
        """End the connection with a close frame."""
        await self._socket.close(code=code)

    def cut(self) -> None:
        """End the connection without a word."""
        drop(self._request)

    async def _send(self, frames: list[Json]) -> bool:
        """Whether the connection is still there after these frames."""
        for frame in frames:
            taken = self._face.faults.take(VENUE, "stream")
            if first(taken, Kind.OUTAGE):
                self.cut()
                return False
            if first(taken, Kind.CLOSE_STREAM):
                await self.close(WSCloseCode.GOING_AWAY)
                return False
            self._seq += 2 if first(taken, Kind.SEQ_GAP) else 1
            if first(taken, Kind.SILENCE_STREAM):
                continue
            stamped = frame | {"ts": self._face.exchange.wire_now_ms(), "seq": self._seq}
            try:
                await self._socket.send_json(stamped)
            except ConnectionError:
                return False
        return True


class Hub:
    """All open streams, and the beat that makes the engine look at its clocks for them."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._feeds: dict[Feed, None] = {}  # as they came
        self._beat: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = face.exchange.subscribe(self._on_event)

    async def serve(self, request: web.Request, topic: Topic) -> web.StreamResponse:
        """Hold one stream until either side ends it."""
        socket = web.WebSocketResponse(heartbeat=PING_S)
        await socket.prepare(request)
        feed = Feed(self._face, topic, request, socket)
        self._feeds[feed] = None
        if self._beat is None or self._beat.done():
            self._beat = self._face.background.spawn(self._keep_beating(), "stream beat")
        pump = self._face.background.spawn(feed.pump(), f"stream {request.path}")
        try:
            async for _ in socket:
                pass  # clients have nothing to say
        finally:
            self._feeds.pop(feed, None)
            pump.cancel()
        return socket

    async def close(self) -> None:
        """End every stream."""
        self._unsubscribe()
        await asyncio.gather(*(feed.close(WSCloseCode.GOING_AWAY) for feed in list(self._feeds)))

    def _on_event(self, event: Event) -> None:
        for feed in self._feeds:
            feed.offer(event)

    async def _keep_beating(self) -> None:
        while self._feeds:
            await self._face.clock.sleep(self._face.options.stream_tick_s)
            if self._face.closed():
                for feed in list(self._feeds):
                    feed.cut()
            self._face.exchange.sync()


HUB: web.AppKey[Hub] = web.AppKey("x10_hub", Hub)


async def account(request: web.Request) -> web.StreamResponse:
    """/account, with the key in the header ``X-Api-Key`` or the query ``X-API-KEY``."""
    face = request.app[FACE]
    given = request.headers.get("X-Api-Key") or request.query.get("X-API-KEY")
    if given is None or given != face.api_key:
        raise unauthorized()
    return await request.app[HUB].serve(request, AccountTopic(face))


async def orderbooks(request: web.Request) -> web.StreamResponse:
    """/orderbooks/{market}, ``?depth=1`` for the top alone."""
    face = request.app[FACE]
    top_only = request.query.get("depth") == "1"
    return await _serve(request, lambda symbol: BookTopic(face, symbol, top_only=top_only))


async def public_trades(request: web.Request) -> web.StreamResponse:
    """/publicTrades/{market}."""
    face = request.app[FACE]
    return await _serve(request, lambda symbol: TradesTopic(face, symbol))


async def funding(request: web.Request) -> web.StreamResponse:
    """/funding/{market}."""
    face = request.app[FACE]
    return await _serve(request, lambda symbol: FundingTopic(face, symbol))


async def prices(request: web.Request) -> web.StreamResponse:
    """/prices/mark/{market} and /prices/index/{market}."""
    face = request.app[FACE]
    index = request.match_info["kind"] == "index"
    return await _serve(request, lambda symbol: PriceTopic(face, symbol, index=index))


async def candles(request: web.Request) -> web.StreamResponse:
    """/candles/{market}/{kind}?interval=PT1M: the candle that is being made."""
    face = request.app[FACE]
    kind, interval = request.match_info["kind"], request.query.get("interval", "PT1M")
    if kind not in KINDS or interval not in INTERVALS_MS:
        raise ApiProblemError(INVALID_PARAMETERS, debug=f"{kind} {interval}")
    width_ms = INTERVALS_MS[interval]
    return await _serve(request, lambda symbol: CandleTopic(face, symbol, kind, width_ms))


async def _serve(request: web.Request, make: Callable[[str], Topic]) -> web.StreamResponse:
    """A stream about the market of the path, or about all when it names none."""
    face = request.app[FACE]
    name = request.match_info.get("market", "")
    if not name:
        topics = {symbol: make(symbol) for symbol in face.exchange.rules}
        return await request.app[HUB].serve(request, ManyTopics(topics))
    symbol = face.exchange.symbol_of(name)
    if symbol is None:
        raise unknown_market(name)
    return await request.app[HUB].serve(request, make(symbol))
