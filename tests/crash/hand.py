"""Somebody else who trades on our X10 account, past the ledger."""

from datetime import timedelta
from decimal import Decimal

from adapters import registry
from hedger.clock import SystemClock
from hedger.domain.ids import HedgeId, OrderId, Symbol, VenueId
from hedger.domain.money import floor_to_step
from hedger.domain.order import Order, Purpose, Side
from tests.crash.rig import Rig


async def buy(rig: Rig, symbol: str, name: str) -> None:
    """Buy the least there is of ``symbol``, twice; ``name`` is the order's id."""
    x10, clock = VenueId("x10"), SystemClock()
    access = registry.factory(x10).sandbox(rig.line(), "none")
    quotes = registry.factory(x10).quotes(x10, access, {}, clock, 10.0)
    venue = registry.factory(x10).venue(x10, access, {}, clock, 10.0)
    await venue.start()
    try:
        rules = await venue.instrument(Symbol(symbol))
        best = (await quotes.book(Symbol(symbol))).asks[0].price
        order = Order(
            id=OrderId(name),
            hedge=HedgeId(name),
            venue=x10,
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
    finally:
        await venue.close()
        await quotes.close()
