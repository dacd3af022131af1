"""One account at one venue behind the port, and what the venue truly knows of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

from adapters.registry import Access, factory
from hedger.domain.ids import HedgeId, OrderId, Symbol, VenueId
from hedger.domain.money import to_step
from hedger.domain.order import (
    Accepted,
    Answer,
    Found,
    Order,
    Prepared,
    Purpose,
    Side,
)
from hedger.ports import QuoteSource, Venue
from tests.world import TIMEOUT_S, World

VENUES: Final = ("x10", "lighter")
ETH: Final = Symbol("ETH")
HEDGE: Final = HedgeId("eth-260102213000-k3f9")
SIZE: Final = Decimal("0.1")
SETTLED_S: Final = 2.0
"""Longer than either venue takes to match, and than its reads lag."""

URL_OPTION: Final = {"x10": "api_base_url", "lighter": "url"}


class Account:
    """The port of one venue with the truth beside it; knows of no venue's peculiarities."""

    def __init__(self, world: World, venue: Venue, quotes: QuoteSource) -> None:
        self.world = world
        self.name = str(venue.id)
        self.venue = venue
        self.quotes = quotes

    def fault(self, kind: str, **parameters: Any) -> str:
        return self.world.fault(self.name, kind, **parameters)

    async def order(
        self,
        number: int = 1,
        *,
        side: Side = Side.BUY,
        size: Decimal | str = SIZE,
        purpose: Purpose = Purpose.OPEN,
        lives_s: float = 10,
    ) -> Order:
        """An order that crosses the book by one percent."""
        mid = (await self.quotes.book(ETH)).mid
        assert mid is not None
        rules = (await self.quotes.instruments())[ETH]
        rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
        limit = mid * (1 + side.sign * Decimal("0.01"))
        return Order(
            id=OrderId(f"{HEDGE}-{number}"),
            hedge=HEDGE,
            venue=VenueId(self.name),
            symbol=ETH,
            purpose=purpose,
            attempt=number,
            side=side,
            size=Decimal(size),
            limit_price=to_step(limit, rules.price_tick, rounding),
            expires_at=self.world.clock.now() + timedelta(seconds=lives_s),
        )

    async def prepared(self, number: int = 1, **changes: Any) -> Prepared:
        return await self.prepare(await self.order(number, **changes))

    async def prepare(self, order: Order, venue: Venue | None = None) -> Prepared:
        """Signed with the next nonce of its lane, where there is one."""
        port = venue or self.venue
        return await port.prepare(order, await self.nonce(order.purpose))

    async def nonce(self, purpose: Purpose) -> int | None:
        lane = self.venue.lane(purpose)
        return None if lane is None else await self.venue.next_nonce(lane)

    async def sent(self, number: int = 1, **changes: Any) -> tuple[Prepared, Answer]:
        """Prepare, send once, and wait until everything about it can be read."""
        ready = await self.prepared(number, **changes)
        answer = await self.venue.submit(ready)
        await self.world.pass_time(SETTLED_S)
        return ready, answer

    async def filled(self, number: int = 1, **changes: Any) -> Prepared:
        ready, answer = await self.sent(number, **changes)
        assert isinstance(answer, Accepted)
        assert (await self.found(ready)).filled == ready.order.size
        return ready

    async def found(self, ready: Prepared) -> Found:
        sighting = await self.venue.find(ready)
        assert isinstance(sighting, Found)
        return sighting

    @property
    def size(self) -> Decimal:
        """The true position."""
        return self.world.position(self.name, ETH)

    @property
    def orders(self) -> list[dict[str, Any]]:
        """Every order that the venue took."""
        return self.world.orders(self.name)

    def truth(self, what: str) -> Any:
        """A part of the venue's own state."""
        return self.world.state()[self.name][what]

    def access(self, **options: Any) -> Access:
        """How to reach the venue, with some options or secrets changed."""
        access = self.world.access(self.name)
        secrets = {k: options.pop(k, v) for k, v in access.secrets.items()}
        return replace(access, options={**access.options, **options}, secrets=secrets)

    def another(self, access: Access | None = None, timeout_s: float = TIMEOUT_S) -> Venue:
        """A second adapter of the same account, as after a restart; not started."""
        name = VenueId(self.name)
        return factory(name).venue(name, access or self.access(), {}, self.world.clock, timeout_s)

    @asynccontextmanager
    async def over_a_cable(self) -> AsyncIterator[tuple[Venue, "Cable"]]:
        """A started adapter whose way to the venue can be cut."""
        option = URL_OPTION[self.name]
        url = str(self.access().options[option])
        async with cable(url) as wire:
            venue = self.another(self.access(**{option: wire.url}))
            await venue.start()
            try:
                yield venue, wire
            finally:
                await venue.close()


class Cable:
    """A relay on a port of its own: when it is cut, connections to that port are refused."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self._to = (host, port)
        self._path = path
        self._server: asyncio.Server
        self._ends: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}{self._path}"

    async def plug_in(self, port: int) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", port)

    async def cut(self) -> None:
        self._server.close()
        for end in self._ends:
            end.close()
        for end in list(self._ends):
            with suppress(ConnectionError):
                await end.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._to)
        self._ends |= {writer, back}
        await asyncio.gather(_copy(reader, back), _copy(there, writer))
        self._ends -= {writer, back}


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()


@asynccontextmanager
async def cable(url: str) -> AsyncIterator[Cable]:
    """A relay to the server of ``url``; its own url has the same path."""
    address, _, path = url.removeprefix("http://").partition("/")
    host, _, port = address.partition(":")
    wire = Cable(host, int(port), f"/{path}" if path else "")
    await wire.plug_in(int(port) + 1000 if int(port) < 60_000 else int(port) - 1000)
    try:
        yield wire
    finally:
        await wire.cut()


def secrets_of(access: Access) -> Mapping[str, str]:
    """Every secret by name, without the prefix that hides it from a plain search."""
    return {name: secret.removeprefix("0x") for name, secret in access.secrets.items()}
