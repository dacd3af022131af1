"""What the tests of the X10 adapter share: orders that cross the book, and other accesses."""

from datetime import timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from adapters.registry import Access, factory
from hedger.domain.ids import HedgeId, OrderId, Symbol, VenueId
from hedger.domain.money import to_step
from hedger.domain.order import (
    Accepted,
    Found,
    Order,
    Prepared,
    Purpose,
    Side,
)
from hedger.ports import Venue
from tests.world import World

X10 = VenueId("x10")
ETH = Symbol("ETH")
SIZE = Decimal("0.1")
LATER_S = 1.0
"""Longer than the venue takes to match, and than its reads lag."""


async def order(
    world: World,
    number: int = 1,
    *,
    side: Side = Side.BUY,
    size: Decimal = SIZE,
    purpose: Purpose = Purpose.OPEN,
) -> Order:
    """An order that crosses the book by one percent."""
    book = await world.quotes("x10").book(ETH)
    rules = (await world.quotes("x10").instruments())[ETH]
    assert book.mid is not None
    edge, rounding = ("1.01", ROUND_CEILING) if side is Side.BUY else ("0.99", ROUND_FLOOR)
    return Order(
        id=OrderId(f"eth-260102213000-k3f9-{number}"),
        hedge=HedgeId("eth-260102213000-k3f9"),
        venue=X10,
        symbol=ETH,
        purpose=purpose,
        attempt=1,
        side=side,
        size=size,
        limit_price=to_step(book.mid * Decimal(edge), rules.price_tick, rounding),
        expires_at=world.clock.now() + timedelta(seconds=10),
    )


async def prepared(world: World, venue: Venue, number: int = 1, **changes: Any) -> Prepared:
    return await venue.prepare(await order(world, number, **changes), None)


async def found(world: World, venue: Venue, sent: Prepared) -> Found:
    await world.pass_time(LATER_S)
    sighting = await venue.find(sent)
    assert isinstance(sighting, Found)
    return sighting


async def filled(world: World, venue: Venue, number: int = 1, **changes: Any) -> Found:
    sent = await prepared(world, venue, number, **changes)
    assert isinstance(await venue.submit(sent), Accepted)
    return await found(world, venue, sent)


def with_access(world: World, **changes: Any) -> Venue:
    access = world.access("x10")
    secrets = dict(access.secrets) | {k: v for k, v in changes.items() if k in access.secrets}
    options = dict(access.options) | {k: v for k, v in changes.items() if k not in secrets}
    altered = Access(options=options, secrets=secrets)
    return factory(X10).venue(X10, altered, {}, world.clock, 5.0)
