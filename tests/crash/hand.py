"""Somebody else who uses our X10 account, past the ledger."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

from adapters import registry
from hedger.clock import SystemClock
from hedger.domain.ids import HedgeId, OrderId, Symbol, VenueId
from hedger.domain.money import floor_to_step
from hedger.domain.order import Order, Purpose, Side
from hedger.ports import Venue
from tests.crash.rig import Rig

X10 = VenueId("x10")


@asynccontextmanager
async def _account(rig: Rig) -> AsyncIterator[Venue]:
    access = registry.factory(X10).sandbox(rig.line(), "none")
    venue = registry.factory(X10).venue(X10, access, {}, SystemClock(), 10.0)
    await venue.start()
    try:
        yield venue
    finally:
        await venue.close()


async def change_leverage(rig: Rig, symbols: Iterable[str]) -> None:
    """Set another leverage than the configured one."""
    async with _account(rig) as venue:
        for symbol in symbols:
            await venue.set_leverage(Symbol(symbol), Decimal(2))


async def buy(rig: Rig, symbol: str, name: str) -> None:
    """Buy the least there is of ``symbol``, twice; ``name`` is the order's id."""
    clock = SystemClock()
    access = registry.factory(X10).sandbox(rig.line(), "none")
    quotes = registry.factory(X10).quotes(X10, access, {}, clock, 10.0)
    async with _account(rig) as venue:
        rules = await venue.instrument(Symbol(symbol))
        best = (await quotes.book(Symbol(symbol))).asks[0].price
        order = Order(
            id=OrderId(name),
            hedge=HedgeId(name),
            venue=X10,
            symbol=Symbol(symbol),
            purpose=Purpose.OPEN,
            attempt=1,
            side=Side.BUY,
            size=rules.min_size * 2,
            limit_price=floor_to_step(best * Decimal("1.01"), rules.price_tick),
            expires_at=clock.now() + timedelta(seconds=venue.capabilities.order_ttl_s),
        )
        prepared = await venue.prepare(order, None)
        rig.foreign.add(prepared.client_id)
        await venue.submit(prepared)
    await quotes.close()
