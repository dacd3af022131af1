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

import base64
from collections.abc import AsyncIterator, Sequence
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

    def change_market(self, venue: str, symbol: str, **changes: Any) -> dict[str, Any]:
        """Change a market at run time (``POST /market``): rules, status, name, price, liquidity."""
        return self.sandbox.controls.change_market(
            {"venue": venue, "symbol": symbol, **{k: _jsonable(v) for k, v in changes.items()}}
        )

    def forget(
        self, venue: str, symbol: str, what: Sequence[str] = ("positions", "orders", "trades")
    ) -> dict[str, int]:
        """Let a venue lose a batch (``POST /forget``)."""
        return self.sandbox.controls.forget({"venue": venue, "symbol": symbol, "what": list(what)})

    def remember(self, venue: str, symbol: str) -> dict[str, int]:
        """Let it find the batch again (``POST /remember``)."""
        return self.sandbox.controls.remember({"venue": venue, "symbol": symbol})

    def set_next_nonce(self, venue: str, api_key_index: int, value: int) -> dict[str, int]:
        """Let Lighter expect another nonce (``POST /nonce``)."""
        return self.sandbox.controls.set_next_nonce(
            {"venue": venue, "api_key_index": api_key_index, "nonce": value}
        )

    def pay_otherwise(self, venue: str, **how: Any) -> None:
        """Stop its settlements, or list their payments late or twice (``POST /payments``)."""
        self.sandbox.controls.pay_otherwise({"venue": venue, **how})

    def revoke_key(self, venue: str, **which: Any) -> None:
        """Take a venue's key away, all of Lighter's unless ``api_key_index`` names one."""
        self.sandbox.controls.revoke_key({"venue": venue, **which})

    def register_key(self, venue: str, **which: Any) -> None:
        """Give it back, or another one (``POST /keys/register``)."""
        self.sandbox.controls.register_key({"venue": venue, **which})

    def rewrite(self, venue: str, path: str, **fields: Any) -> str:
        """
        Put another answer in the place of a venue's (``POST /rewrites``).

        A ``body`` of bytes goes as it is, so that it can be packed or broken.
        """
        if isinstance(fields.get("body"), bytes):
            fields["body_base64"] = base64.b64encode(fields.pop("body")).decode()
        return self.sandbox.controls.rewrites.add({"venue": venue, "path": path, **fields})

    def no_rewrites(self) -> None:
        self.sandbox.controls.rewrites.clear()

    def requests(self, venue: str, *, reset: bool = False) -> dict[str, Any]:
        """Requests since the last reset: ``count``, ``weight`` and ``paths``."""
        found: dict[str, Any] = self.sandbox.controls.requests()[venue]
        if reset:
            self.sandbox.controls.reset_requests()
        return found

    def latency(self, venue: str, **seconds: float) -> None:
        """Set ``match_s`` (X10), ``taker_s`` (Lighter), ``request_s`` or ``read_lag_s``."""
        self.sandbox.controls.set_latency({"venue": venue, **seconds})

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


def _jsonable(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


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
