"""
Both sandbox venues and the real clients in one loop of virtual time.

A test that takes the fixture ``world`` runs in that loop; hours pass in milliseconds::

    async def test_an_order_fills(world):
        world.fault("lighter", "refuse", code=21739)
        venue = await world.lighter()          # the real adapter, started
        ...
        await world.pass_time(5)               # wire time
        world.advance_market(hours=2)          # market time: settlements
        assert world.position("x10", "ETH") == Decimal("0.5")

``@pytest.mark.sandbox(tier="premium", lag_s=4)`` gives options of ``SandboxOptions`` (defaults
here: no rate limits, lag 0.3 s). Stay below 599 virtual seconds: the ExpiredAt of a Lighter
transaction is the signer's real time.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any, Final

from adapters.registry import Access, factory
from adapters.sandbox import credentials
from adapters.sandbox.clock import HOUR_MS
from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.limits import Tier
from adapters.sandbox.options import SandboxOptions
from adapters.sandbox.server import Sandbox
from hedger.clock import Clock
from hedger.domain.ids import VenueId
from hedger.ports import QuoteSource, Venue

KEYS_SEED: Final = 1
TICK_S: Final = 1.0
TIMEOUT_S: Final = 5.0
X10: Final = VenueId("x10")
LIGHTER: Final = VenueId("lighter")


class World:
    """
    A running sandbox and what talks to it.

    Attributes:
        sandbox: the venues; ``sandbox.x10`` and ``sandbox.lighter`` are the exchanges.
        clock: wire time, for everything that takes a clock.
        line: what ``hedger sandbox`` would print: urls and keys.
    """

    def __init__(self, sandbox: Sandbox, line: dict[str, Any], stack: AsyncExitStack) -> None:
        self.sandbox = sandbox
        self.clock: Clock = sandbox.clock
        self.line = line
        self._stack = stack

    @property
    def control_url(self) -> str:
        return str(self.line["control_url"])

    def exchange(self, venue: str) -> Exchange:
        return self.sandbox.x10 if venue == X10 else self.sandbox.lighter

    def account(self, venue: str) -> int:
        return self.sandbox.accounts[venue]

    def access(self, venue: str) -> Access:
        """Options and secrets as the composition root would make them."""
        return factory(VenueId(venue)).sandbox(self.line, self.sandbox.options.tier)

    async def venue(self, name: str, *, timeout_s: float = TIMEOUT_S) -> Venue:
        """A started adapter over the real SDK; closed with the world."""
        venue_id = VenueId(name)
        access = self.access(name)
        venue = factory(venue_id).venue(venue_id, access, {}, self.clock, timeout_s)
        self._stack.push_async_callback(venue.close)
        await venue.start()
        return venue

    async def x10(self) -> Venue:
        return await self.venue(X10)

    async def lighter(self) -> Venue:
        return await self.venue(LIGHTER)

    def quotes(self, name: str, *, timeout_s: float = TIMEOUT_S) -> QuoteSource:
        """The public quotes of a venue; closed with the world."""
        venue_id = VenueId(name)
        quotes = factory(venue_id).quotes(venue_id, self.access(name), {}, self.clock, timeout_s)
        self._stack.push_async_callback(quotes.close)
        return quotes

    def fault(self, venue: str, kind: str, **parameters: Any) -> str:
        """Post one fault (``POST /faults``) and give back its id."""
        (name,) = self.sandbox.faults.add({"venue": venue, "kind": kind, **parameters})
        return name

    def no_faults(self) -> None:
        self.sandbox.faults.clear()

    def state(self) -> dict[str, Any]:
        """``GET /state``: the truth, decimals as texts."""
        return self.sandbox.state()

    def position(self, venue: str, symbol: str) -> Decimal:
        """The true signed size, zero when flat."""
        position = self.exchange(venue).position(self.account(venue), symbol)
        return Decimal(0) if position is None else position.size

    def orders(self, venue: str) -> list[dict[str, Any]]:
        """Every order the venue ever took, oldest first."""
        orders: list[dict[str, Any]] = self.state()[venue]["orders"]
        return orders

    async def pass_time(self, seconds: float) -> None:
        """Let wire time pass; everything that is due happens."""
        await self.clock.sleep(seconds)

    def advance_market(self, hours: float) -> None:
        """Move market time; every hour that is crossed is settled (``POST /clock/advance``)."""
        self.sandbox.advance(round(hours * HOUR_MS))


def options_of(**changes: Any) -> SandboxOptions:
    """Sandbox options for tests."""
    if "tier" in changes:
        changes["tier"] = Tier(changes["tier"])
    return SandboxOptions(**{"tier": Tier.NONE, **changes})


@asynccontextmanager
async def opened(clock: Clock, **options: Any) -> AsyncIterator[World]:
    """
    A world in the running loop.

    With a loop of virtual time its ports are in memory (``virtual_network.installed`` must be
    held); in an ordinary loop the same world has real sockets.
    """
    keys = credentials.generate(KEYS_SEED)
    sandbox = Sandbox(options_of(**options), clock, credentials=keys, tick_s=TICK_S)
    async with sandbox.listening() as line, AsyncExitStack() as stack:
        yield World(sandbox, line, stack)
