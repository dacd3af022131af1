"""X10's public quotes by httpx against the sandbox, in virtual time."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hedger.domain.ids import Symbol
from hedger.domain.market import MarketStatus
from hedger.errors import DeniedError, UnavailableError
from tests.world import World

ETH = Symbol("ETH")


async def test_rules_and_funding_of_all_markets_are_read(world: World) -> None:
    quotes = world.quotes("x10")
    rules = await quotes.instruments()
    funding = await quotes.funding()
    assert len(rules) >= 60
    assert set(funding) <= set(rules)
    eth = rules[ETH]
    assert (eth.name, eth.status) == ("ETH-USD", MarketStatus.ACTIVE)
    assert funding[ETH].interval_s == 3600
    assert abs(funding[ETH].rate_1h) < Decimal("0.01")


async def test_the_next_settlement_is_the_venues_own_and_moves_with_its_market_clock(
    world: World,
) -> None:
    quotes = world.quotes("x10")
    first = await quotes.next_settlement()
    assert (first.minute, first.second) == (0, 0)
    world.advance_market(hours=1)
    assert await quotes.next_settlement() == first + timedelta(hours=1)


async def test_a_book_is_sorted_best_first_and_surrounds_the_mark(world: World) -> None:
    quotes = world.quotes("x10")
    book = await quotes.book(ETH, depth=3)
    assert len(book.bids) <= 3
    bids = [level.price for level in book.bids]
    asks = [level.price for level in book.asks]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    mark = (await quotes.funding())[ETH].mark_price
    assert book.mid is not None
    assert abs(book.mid / mark - 1) < Decimal("0.01")


async def test_a_market_that_is_not_listed_is_an_error(world: World) -> None:
    with pytest.raises(DeniedError):
        await world.quotes("x10").book(Symbol("NOPE"))


@pytest.mark.parametrize("kind", ["server_error", "rate_limit", "drop_answer", "outage"])
async def test_a_venue_that_does_not_answer_is_absent_and_never_zero(
    world: World, kind: str
) -> None:
    quotes = world.quotes("x10")
    more = {"seconds": 60} if kind == "outage" else {"op": "public"}
    world.fault("x10", kind, **more)
    with pytest.raises(UnavailableError):
        await quotes.funding()


async def test_a_silent_venue_is_given_up_after_the_time_limit(world: World) -> None:
    quotes = world.quotes("x10", timeout_s=2)
    world.fault("x10", "hang", op="public", seconds=60)
    before = world.clock.monotonic_s()
    with pytest.raises(UnavailableError, match="no answer within 2 s"):
        await quotes.funding()
    assert world.clock.monotonic_s() - before == pytest.approx(2, abs=0.1)
