"""
The whole program over the sandbox's venues, in one virtual-time loop.

A test that takes the fixture ``desk`` trades exactly as the daemon does: the real executor,
rollback engine, resolver, lanes, ledger and reconciler, through the official SDKs and real HTTP
requests, in milliseconds::

    async def test_a_refused_second_leg_is_taken_back(desk):
        desk.world.fault("lighter", "refuse", code=21739, reduce_only=False)

        hedge = await desk.open("ETH", 300)

        assert hedge.state is State.CLOSED
        desk.assert_flat()
        desk.assert_ledger_is_true()
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from adapters.sandbox import verify
from hedger import audit, resources, settings
from hedger.compose import compose
from hedger.domain.hedge import Hedge
from hedger.domain.ids import Symbol
from hedger.domain.order import Purpose
from hedger.ledger import migrate
from hedger.ledger.records import OrderRecord
from hedger.ledger.store import Store, open_store
from hedger.ports import QuoteSource, Venue
from hedger.trader import Trader
from tests.clocks import ManualClock
from tests.world import LIGHTER, X10, World

OWN: Mapping[str, Mapping[str, Any]] = {
    "trading": {"manage_leverage": False},
    "risk": {"rollback_cooldown_s_per_usd": 0},
}
"""
What tests have otherwise than the shipped configuration: no transaction and no wait beside what
they are about. Tests of leverage (S47) and of cool-downs (S42) set it themselves.
"""


class Desk:
    """One trader with its ledger, and the world it trades in."""

    def __init__(
        self,
        world: World,
        path: Path,
        config: settings.Settings,
        venues: Mapping[Any, Venue],
        quotes: Mapping[Any, QuoteSource],
    ) -> None:
        self.world = world
        self.path = path
        self.config = config
        self._venues = venues
        self._quotes = quotes
        self.said: list[str] = []
        self.store: Store
        self.trader: Trader
        self._boot()

    def _boot(self) -> None:
        self.store = open_store(self.path, self.world.clock)
        self.trader = compose(
            self.config,
            venues=self._venues,
            quotes=self._quotes,
            store=self.store,
            clock=self.world.clock,
            chance=Random(7),
        )

    async def restart(self) -> None:
        """As after a crash: everything in memory is gone, then the ledger is taken up."""
        await self.reboot().recover(self.said.append)

    def reboot(self) -> Trader:
        """As after a crash: everything in memory is gone, and nothing is taken up yet."""
        self.store.close()
        self._boot()
        return self.trader

    async def reborn(self) -> None:
        """As ``restart``, in a new process: what the adapters knew is gone as well."""
        self._venues = {X10: await self.world.x10(), LIGHTER: await self.world.lighter()}
        self._quotes = {name: self.world.quotes(name) for name in (X10, LIGHTER)}
        await self.restart()

    async def open(self, symbol: str, usd: int | str) -> Hedge:
        """``hedger open``; comes back at rest or escalated."""
        row = await self.trader.open_hedge(Symbol(symbol), Decimal(usd), self.said.append)
        return self.store.find(row["hedge"])

    async def close(self, hedge: Hedge) -> Hedge:
        """``hedger close``."""
        row = await self.trader.close_hedge(hedge.id, self.said.append)
        return self.store.find(row["hedge"])

    def orders(self, hedge: Hedge, purpose: Purpose | None = None) -> list[OrderRecord]:
        """The ledger's orders of a hedge, oldest first."""
        return [
            record
            for record in self.store.orders_of(hedge.id)
            if purpose in (None, record.prepared.order.purpose)
        ]

    def rows(self, kind: str, **filters: Any) -> list[dict[str, Any]]:
        """``hedger audit``."""
        return list(audit.rows(self.path, kind, audit.Filters(limit=0, **filters)))

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The events of one kind, oldest first."""
        return [row for row in self.rows("events") if row["kind"] == kind]

    def position(self, venue: str, symbol: str = "ETH") -> Decimal:
        """The venue's truth."""
        return self.world.position(venue, symbol)

    def naked(self, symbol: str = "ETH") -> Decimal:
        """The venues' true net exposure."""
        return self.position(X10, symbol) + self.position(LIGHTER, symbol)

    def assert_flat(self) -> None:
        """Nothing is open anywhere, by the venues' own word."""
        assert verify.exposed(self.world.state()) == []

    def assert_ledger_is_true(self) -> None:
        """The ledger equals the venues, order by order, to the last decimal."""
        found = verify.differences(
            self.rows("orders"), self.rows("fills"), self.rows("funding"), self.world.state()
        )
        assert found == []


def configured(**sections: Mapping[str, Any]) -> settings.Settings:
    """The shipped sandbox configuration with some keys changed, section by section."""
    path = resources.config() / "sandbox.yaml"
    data: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for changed in (OWN, sections):
        for name, changes in changed.items():
            data[name] = {**data.get(name, {}), **changes}
    return settings.parse(data, str(path))


@cache
def empty_ledger() -> bytes:
    """A new ledger, migrated once a process."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        migrate.upgrade(path, ManualClock(datetime(2026, 1, 1, tzinfo=UTC)))
        return path.read_bytes()


@asynccontextmanager
async def at_desk(world: World, folder: Path, **sections: Mapping[str, Any]) -> AsyncIterator[Desk]:
    """A desk on a new ledger in ``folder``; ``sections`` change the configuration."""
    config = configured(**sections)
    path = folder / "ledger.db"
    path.write_bytes(empty_ledger())
    path.chmod(0o600)
    venues = {X10: await world.x10(), LIGHTER: await world.lighter()}
    quotes = {name: world.quotes(name) for name in (X10, LIGHTER)}
    desk = Desk(world, path, config, venues, quotes)
    try:
        yield desk
    finally:
        desk.store.close()
