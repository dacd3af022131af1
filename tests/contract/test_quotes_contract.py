"""What a scan relies on at every venue: public data, without a key, complete or an exception."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.registry import Access, factory
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import MarketStatus
from hedger.errors import DeniedError, UnavailableError
from hedger.ports import QuoteSource
from tests.contract.account import ETH, URL_OPTION, VENUES, cable
from tests.world import World

BROKEN: Mapping[str, Mapping[str, Any]] = {
    "503": {"kind": "server_error", "op": "public"},
    "502 page": {"kind": "server_error", "op": "public", "status": 502, "html": True},
    "429": {"kind": "rate_limit", "op": "public"},
    "405 page": {"kind": "rate_limit", "op": "public", "status": 405, "html": True},
    "dropped": {"kind": "drop_answer", "op": "public"},
    "outage": {"kind": "outage", "seconds": 60},
}
"""Ways in which a question has no usable answer."""


@pytest.fixture(params=VENUES)
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def quotes(world: World, name: str) -> QuoteSource:
    return world.quotes(name)


def questions(quotes: QuoteSource) -> dict[str, Callable[[], Awaitable[object]]]:
    """Every method of the port."""
    return {
        "instruments": quotes.instruments,
        "funding": quotes.funding,
        "next_settlement": quotes.next_settlement,
        "book": lambda: quotes.book(ETH),
    }


async def test_the_rules_of_every_market_are_the_venues_own(
    world: World, name: str, quotes: QuoteSource
) -> None:
    truth = world.exchange(name).rules

    found = await quotes.instruments()

    assert found.keys() == truth.keys()
    for symbol, rules in found.items():
        true = truth[symbol]
        assert (rules.venue, rules.symbol, rules.status) == (name, symbol, MarketStatus.ACTIVE)
        assert (rules.size_step, rules.price_tick) == (true.size_step, true.price_tick)
        assert rules.min_size == true.min_size


async def test_every_rate_is_the_venues_own_as_a_signed_fraction_per_hour(
    world: World, name: str, quotes: QuoteSource
) -> None:
    exchange = world.exchange(name)

    found = await quotes.funding()

    assert found.keys() == exchange.rules.keys()
    for symbol, quote in found.items():
        assert quote.rate_1h == exchange.predicted_rate(symbol)
        assert quote.interval_s == 3600
        tick = exchange.rules_of(symbol).price_tick
        assert abs(quote.mark_price - exchange.mark(symbol)) <= tick
    assert {quote.rate_1h > 0 for quote in found.values()} == {True, False}  # signs are there


async def test_the_next_settlement_is_on_the_venues_market_clock_and_moves_with_it(
    world: World, name: str, quotes: QuoteSource
) -> None:
    first = await quotes.next_settlement()
    assert first.timestamp() * 1000 == world.exchange(name).next_settlement_ms()
    assert abs(first - world.clock.now()) > timedelta(days=1)  # nothing to do with our clock

    for passed, more in ((1, 1), (5, 4)):
        world.advance_market(hours=more)
        assert await quotes.next_settlement() == first + timedelta(hours=passed)

    later = first + timedelta(hours=5)
    assert later.timestamp() * 1000 == world.exchange(name).next_settlement_ms()
    assert {q.next_settlement_at for q in (await quotes.funding()).values()} == {later}


async def test_what_is_quoted_is_what_is_settled(
    world: World, name: str, quotes: QuoteSource
) -> None:
    """The rate before the hour and the rate that was charged are in one unit, with one sign."""
    before = await quotes.funding()

    world.advance_market(hours=1)

    for symbol, quote in before.items():
        assert world.exchange(name).funding_rows(symbol)[-1].rate == quote.rate_1h


async def test_a_book_has_its_best_prices_first_around_the_mark(
    world: World, name: str, quotes: QuoteSource
) -> None:
    book = await quotes.book(ETH, depth=5)

    bids, asks = [level.price for level in book.bids], [level.price for level in book.asks]
    assert 1 <= len(bids) <= 5
    assert 1 <= len(asks) <= 5
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert book.mid is not None
    assert abs(book.mid / world.exchange(name).mark("ETH") - 1) < Decimal("0.001")
    truth = world.exchange(name).book("ETH", 5)
    assert [(level.price, level.size) for level in book.bids] == [
        (level.price, level.size) for level in truth.bids
    ]


async def test_the_book_of_a_market_that_is_not_listed_is_denied(quotes: QuoteSource) -> None:
    with pytest.raises(DeniedError):
        await quotes.book(Symbol("NOSUCH"))


@pytest.mark.parametrize("way", BROKEN)
async def test_a_venue_that_does_not_answer_is_absent_and_never_zero(
    world: World, name: str, quotes: QuoteSource, way: str
) -> None:
    """One failure per question: an adapter that asked again by itself would get an answer."""
    await quotes.funding()  # what is remembered must not stand in for an answer

    for ask in questions(quotes).values():
        world.no_faults()
        world.fault(name, **BROKEN[way])
        with pytest.raises(UnavailableError):
            await ask()


async def test_a_silent_venue_is_given_up_at_the_deadline(world: World, name: str) -> None:
    quotes = world.quotes(name, timeout_s=2)

    for ask in questions(quotes).values():
        world.no_faults()
        world.fault(name, "hang", op="public", seconds=60)
        began_s = world.clock.monotonic_s()
        with pytest.raises(UnavailableError, match="no answer within 2 s"):
            await ask()
        assert 1.9 <= world.clock.monotonic_s() - began_s <= 2.5


async def test_a_venue_that_cannot_be_connected_to_is_absent(world: World, name: str) -> None:
    option = URL_OPTION[name]
    access = world.access(name)
    async with cable(str(access.options[option])) as wire:
        there = Access(options={**access.options, option: wire.url}, secrets={})
        venue = VenueId(name)
        quotes = factory(venue).quotes(venue, there, {}, world.clock, 5)
        assert await quotes.funding()  # without any key
        await wire.cut()

        for ask in questions(quotes).values():
            with pytest.raises(UnavailableError):
                await ask()
        await quotes.close()
