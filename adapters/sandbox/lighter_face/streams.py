"""``/stream``: one WebSocket connection with its subscriptions (lighter.md §5)."""

import json
import uuid
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from adapters.sandbox.faults import Fault, Kind, Op, first
from adapters.sandbox.lighter_face.account_channels import (
    ACCOUNT_CHANNELS,
    PRIVATE,
    AccountOrders,
)
from adapters.sandbox.lighter_face.channels import (
    MARKET_CHANNELS,
    Channel,
    Happening,
    MarketStatsChannel,
)
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.face import FACE, VENUE, Face
from adapters.sandbox.lighter_face.ingress import Ingress
from adapters.sandbox.lighter_face.sending import INGRESS, accept, answer, faults_of, parse_batch
from adapters.sandbox.lighter_face.txinfo import Tx, parse

BATCH_S = 0.05
SILENT_RETRY_S = 0.25
CHECK_S = 1.0
MAX_SUBSCRIPTIONS = 500
MAX_STREAM_BATCH = 15
FAILED_TO_SUBSCRIBE = 30012

routes = web.RouteTableDef()


class Hub:
    """Every open connection; hands on what happens."""

    def __init__(self) -> None:
        self._connections: dict[Connection, None] = {}  # as they came

    def join(self, connection: "Connection") -> None:
        """A connection opened."""
        self._connections[connection] = None

    def leave(self, connection: "Connection") -> None:
        """A connection closed."""
        self._connections.pop(connection, None)

    def tell(self, happening: Happening) -> None:
        """Something happened at the venue."""
        for connection in self._connections:
            connection.feed(happening)

    async def close(self) -> None:
        """The server goes down."""
        for connection in list(self._connections):
            await connection.close(WSCloseCode.GOING_AWAY, b"shutdown")


HUB: web.AppKey[Hub] = web.AppKey("lighter_hub", Hub)


@routes.get("/stream")
async def stream(request: web.Request) -> web.StreamResponse:
    """Open a stream and serve it until either side closes it."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    connection = Connection(request, socket)
    hub = request.app[HUB]
    hub.join(connection)
    try:
        await connection.serve()
    finally:
        hub.leave(connection)
    return socket


class Connection:
    """One client."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self._face: Face = request.app[FACE]
        self._ingress: Ingress = request.app[INGRESS]
        self._transport = request.transport
        self._socket = socket
        self._channels: dict[str, Channel] = {}
        self._fresh: set[str] = set()  # channels with something to say
        self._flushing = False
        self._heard_s = self._face.clock.monotonic_s()

    async def serve(self) -> None:
        """Answer messages until the connection ends."""
        background = self._face.background
        await self._say({"type": "connected", "session_id": str(uuid.uuid4())})
        stop_keepalive = background.start(self._keep_alive(), "stream keepalive")
        try:
            async for message in self._socket:
                self._heard_s = self._face.clock.monotonic_s()
                if message.type is WSMsgType.TEXT:
                    await self._hear(message.data)
        finally:
            stop_keepalive()

    def feed(self, happening: Happening) -> None:
        """Let every subscription take it, and send what they have to say a moment later."""
        for key, channel in self._channels.items():
            if channel.feed(happening):
                self._fresh.add(key)
        if self._fresh and not self._flushing:
            self._flushing = True
            self._face.background.start(self._flush(), "stream flush")

    async def close(self, code: int, reason: bytes) -> None:
        """End the connection properly."""
        await self._socket.close(code=code, message=reason)

    async def _flush(self) -> None:
        try:
            await self._face.clock.sleep(BATCH_S)
            while self._is_silenced():
                await self._face.clock.sleep(SILENT_RETRY_S)
        finally:
            self._flushing = False
        for key in sorted(self._fresh):
            self._fresh.discard(key)
            channel = self._channels.get(key)
            body = channel.update() if channel is not None else None
            if channel is None or body is None:
                continue
            kind = key.partition(":")[0]
            frame = {"type": f"update/{kind}", "channel": _frame_channel(key), **body}
            if not await self._send_frame(frame, channel.symbol):
                return

    async def _send_frame(self, frame: dict[str, Any], symbol: str | None) -> bool:
        """Send an update unless a fault strikes; whether the stream still lives."""
        faults = self._face.faults.take(VENUE, Op.STREAM, symbol)
        if self._face.faults.outage(VENUE):
            self._abort()
            return False
        if first(faults, Kind.CLOSE_STREAM) is not None:
            await self.close(WSCloseCode.GOING_AWAY, b"closed")
            return False
        if first(faults, Kind.SEQ_GAP) is None:  # else this update gets lost on its way
            await self._say(frame)
        return not self._socket.closed

    async def _say(self, frame: dict[str, Any]) -> None:
        if self._socket.closed or self._is_silenced():
            return
        try:
            await self._socket.send_json(frame)
        except ConnectionError:
            self._abort()  # the client has gone; the reading side ends by itself

    def _is_silenced(self) -> bool:
        return any(
            waiting["fault"]["kind"] == Kind.SILENCE_STREAM and waiting["fault"]["venue"] == VENUE
            for waiting in self._face.faults.listing()
        )

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _keep_alive(self) -> None:
        """Ask a silent client for a sign of life; cut it when there is none, or in an outage."""
        options = self._face.options
        asked = False
        while not self._socket.closed:
            await self._face.clock.sleep(CHECK_S)
            silent_s = self._face.clock.monotonic_s() - self._heard_s
            if self._face.faults.outage(VENUE):
                self._abort()
                return
            if silent_s >= options.idle_s:
                await self.close(WSCloseCode.POLICY_VIOLATION, b"no pong")
            elif silent_s < options.ping_s:
                asked = False
            elif not asked:
                asked = True
                await self._say({"type": "ping"})

    async def _hear(self, text: str) -> None:
        message_id: Any = None
        try:
            message = _object(text)
            data = message.get("data")
            message_id = data.get("id") if isinstance(data, dict) else None
            await self._act(message)
        except ApiError as error:
            frame: dict[str, Any] = {"error": error.body()}
            if message_id is not None:
                frame["id"] = message_id
            await self._say(frame)

    async def _act(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "ping":
            await self._say({"type": "pong"})
        elif kind == "subscribe":
            await self._subscribe(message)
        elif kind == "unsubscribe":
            await self._unsubscribe(message)
        elif kind in {"jsonapi/sendtx", "jsonapi/sendtxbatch"}:
            await self._send_transactions(str(kind), message.get("data"))
        elif kind != "pong":
            raise ApiError(Code.INVALID_TYPE)

    async def _subscribe(self, message: dict[str, Any]) -> None:
        key = _key(message)
        if key in self._channels:
            raise ApiError(Code.ALREADY_SUBSCRIBED, key)
        if len(self._channels) >= MAX_SUBSCRIPTIONS:
            raise ApiError(Code.TOO_MANY_SUBSCRIPTIONS)
        channel = self._open(key, str(message.get("auth") or ""))
        self._channels[key] = channel
        kind = key.partition(":")[0]
        body = channel.snapshot()
        await self._say({"type": f"subscribed/{kind}", "channel": _frame_channel(key), **body})

    async def _unsubscribe(self, message: dict[str, Any]) -> None:
        key = _key(message)
        if self._channels.pop(key, None) is None:
            raise ApiError(Code.NOT_SUBSCRIBED, key)
        await self._say({"type": "unsubscribed", "channel": _frame_channel(key)})

    def _open(self, key: str, token: str) -> Channel:
        kind, *places = key.split(":")
        try:
            numbers = [int(place) for place in places if place != "all"]
        except ValueError:
            raise ApiError(Code.INVALID_CHANNEL) from None
        shape = (kind, len(places))
        if shape == ("market_stats", 1) and not numbers:
            return MarketStatsChannel(self._face, None)
        if len(numbers) != len(places):
            raise ApiError(Code.INVALID_CHANNEL)
        try:
            if kind in MARKET_CHANNELS and len(numbers) == 1:
                return MARKET_CHANNELS[kind](self._face, numbers[0])
            if shape == ("account_orders", 2) or (kind in ACCOUNT_CHANNELS and len(numbers) == 1):
                return self._open_account(key, kind, numbers, token)
        except ApiError as error:
            if error.code in {Code.INVALID_MARKET, Code.ACCOUNT_NOT_FOUND}:
                raise ApiError(Code.INVALID_CHANNEL) from None
            raise
        raise ApiError(Code.INVALID_CHANNEL)

    def _open_account(self, key: str, kind: str, numbers: list[int], token: str) -> Channel:
        account = numbers[-1]
        if token:
            self._face.keys.authorise(token, account, self._face.now_ms() // 1000)
        elif kind in PRIVATE:
            raise ApiError(FAILED_TO_SUBSCRIBE, f"auth field is required: {key}")
        if kind == "account_orders":
            return AccountOrders(self._face, numbers[0], account)
        return ACCOUNT_CHANNELS[kind](self._face, account)

    async def _send_transactions(self, kind: str, data: Any) -> None:
        if not isinstance(data, dict):
            raise ApiError(Code.INVALID_DATA)
        is_batch = kind == "jsonapi/sendtxbatch"
        txs = _transactions(data, is_batch=is_batch)
        faults = faults_of(self._face, txs[0])
        if not self._survives(faults, after=False):
            return
        entries = accept(self._ingress, txs, faults)
        if not self._survives(faults, after=True):
            return
        hang = first(faults, Kind.HANG)
        if hang is not None:
            await self._face.clock.sleep(hang.seconds)
        body = dict(answer(entries, is_batch=is_batch))
        body.pop("message")  # not sent over the stream
        await self._say({"type": kind, "id": data.get("id"), **body})

    def _survives(self, faults: list[Fault], *, after: bool) -> bool:
        if not after and first(faults, Kind.RATE_LIMIT) is not None:
            raise ApiError(Code.TOO_MANY_REQUESTS)
        if first(faults, Kind.SERVER_ERROR, after=after) is not None:
            raise ApiError(Code.INTERNAL)
        if first(faults, Kind.DROP_ANSWER, after=after) is not None:
            self._abort()
            return False
        return True


def _object(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except ValueError:
        raise ApiError(Code.INVALID_JSON) from None
    if not isinstance(message, dict):
        raise ApiError(Code.INVALID_JSON)
    return message


def _key(message: dict[str, Any]) -> str:
    channel = message.get("channel")
    if not isinstance(channel, str):
        raise ApiError(Code.INVALID_CHANNEL)
    return channel.replace("/", ":")


def _frame_channel(key: str) -> str:
    """``account_orders`` frames leave the account out; all others repeat the channel."""
    kind, *places = key.split(":")
    return f"{kind}:{places[0]}" if kind == "account_orders" else key


def _transactions(data: dict[str, Any], *, is_batch: bool) -> list[Tx]:
    if is_batch:
        types, infos = data.get("tx_types"), data.get("tx_infos")
        if not isinstance(types, str) or not isinstance(infos, str):
            raise ApiError(Code.INVALID_DATA)
        return parse_batch(types, infos, MAX_STREAM_BATCH)
    tx_type, info = data.get("tx_type"), data.get("tx_info")
    if not isinstance(tx_type, int) or not isinstance(info, dict | str):
        raise ApiError(Code.INVALID_DATA)
    return [parse(tx_type, info if isinstance(info, str) else json.dumps(info))]
