"""What the recording relies on at every venue: settled rates, complete, with their sign."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from adapters.lighter import history as lighter_history
from adapters.registry import factory
from adapters.x10 import history as x10_history
from hedger.domain.ids import Symbol, VenueId
from hedger.errors import DeniedError, UnavailableError
from hedger.ports import History
from tests.contract.account import ETH, VENUES
from tests.world import TIMEOUT_S, World

HOUR = timedelta(hours=1)


@pytest.fixture(params=VENUES)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
async def history(world: World, name: str):
    venue = VenueId(name)
    found = factory(venue).history(venue, world.access(name), {}, world.clock, TIMEOUT_S)
    yield found
    await found.close()


async def moved(world: World, hours: int) -> None:
    """Hours of settlements, and the moment that a venue takes to list the last of them."""
    world.advance_market(hours=hours)
    await world.pass_time(3)


async def next_settlement(world: World, name: str) -> datetime:
    return await world.quotes(name).next_settlement()


async def test_every_settlement_of_the_window_comes_with_the_sign_that_was_charged(
    world: World, name: str, history: History
) -> None:
    start = await next_settlement(world, name)
    await moved(world, 30)
    seen = set()

    for symbol in ("ETH", "GRASS", "ZORA", "KAITO"):
        found = await history.settled_between(Symbol(symbol), start, start + 30 * HOUR)

        truth = world.exchange(name).funding_rows(symbol)
        assert [one.settlement_at for one in found] == [start + n * HOUR for n in range(30)]
        assert [one.rate_1h for one in found] == [row.rate for row in truth[-30:]]
        assert {(one.venue, one.symbol) for one in found} == {(name, symbol)}
        seen |= {one.rate_1h > 0 for one in found}
    assert seen == {True, False}


async def test_the_first_settlement_is_in_the_window_and_the_end_is_not(
    world: World, name: str, history: History
) -> None:
    start = await next_settlement(world, name)
    await moved(world, 10)

    found = await history.settled_between(ETH, start + 2 * HOUR, start + 5 * HOUR)

    assert [one.settlement_at for one in found] == [start + n * HOUR for n in (2, 3, 4)]
    assert await history.settled_between(ETH, start - 9 * HOUR, start - 5 * HOUR) == []


async def test_pages_are_followed_to_their_end(
    world: World, name: str, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(x10_history, "PAGE_ROWS", 7)
    monkeypatch.setattr(lighter_history, "PAGE_ROWS", 25)  # any full answer may be cut
    start = await next_settlement(world, name)
    await moved(world, 40)

    found = await history.settled_between(ETH, start, start + 40 * HOUR)

    assert [one.settlement_at for one in found] == [start + n * HOUR for n in range(40)]


async def test_a_market_that_is_not_listed_is_denied(
    world: World, name: str, history: History
) -> None:
    start = await next_settlement(world, name)
    with pytest.raises(DeniedError):
        await history.settled_between(Symbol("NOSUCH"), start, start + HOUR)


async def test_a_venue_that_does_not_answer_is_unknown_and_not_empty(
    world: World, name: str, history: History
) -> None:
    start = await next_settlement(world, name)
    await moved(world, 3)
    await history.settled_between(ETH, start, start + HOUR)
    for kind in ("server_error", "drop_answer", "rate_limit"):
        world.no_faults()
        world.fault(name, kind, op="public")
        with pytest.raises(UnavailableError):
            await history.settled_between(ETH, start, start + 3 * HOUR)


async def test_a_quote_and_its_settlement_are_in_one_unit(
    world: World, name: str, history: History
) -> None:
    before = await world.quotes(name).funding()
    start = before[ETH].next_settlement_at
    await moved(world, 1)

    for symbol in ("ETH", "GRASS", "MEGA", "XPL"):
        if symbol not in before:
            continue
        (settled,) = await history.settled_between(Symbol(symbol), start, start + HOUR)
        assert settled.rate_1h == before[Symbol(symbol)].rate_1h
        assert abs(settled.rate_1h) < Decimal("0.01")
