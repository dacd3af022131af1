"""Lighter's public quotes against the sandbox's Lighter, in virtual time."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hedger.domain.ids import Symbol
from hedger.domain.market import MarketStatus
from hedger.errors import DeniedError, UnavailableError
from tests.world import World

ETH = Symbol("ETH")


async def test_rates_are_lighters_own_per_hour(world: World) -> None:
    quotes = await world.quotes("lighter").funding()
    exchange = world.exchange("lighter")
    assert len(quotes) > 20
    for symbol, quote in quotes.items():
        assert quote.rate_1h == exchange.predicted_rate(symbol)


async def test_marks_and_open_interest_are_those_of_the_venue(world: World) -> None:
    quote = (await world.quotes("lighter").funding())[ETH]
    exchange = world.exchange("lighter")
    tick = exchange.rules_of("ETH").price_tick
    assert abs(quote.mark_price - exchange.mark("ETH")) <= tick
    assert quote.open_interest_usd is not None
    assert abs(quote.open_interest_usd / exchange.open_interest("ETH") - 1) < Decimal("0.01")


async def test_the_next_settlement_is_on_the_venues_market_clock(world: World) -> None:
    source = world.quotes("lighter")
    first = await source.next_settlement()
    exchange = world.exchange("lighter")
    assert first.timestamp() * 1000 == exchange.next_settlement_ms()
    world.advance_market(hours=5)
    assert await source.next_settlement() == first + timedelta(hours=5)


async def test_instruments_are_the_recorded_rules(world: World) -> None:
    instruments = await world.quotes("lighter").instruments()
    eth = instruments[ETH]
    assert (eth.size_step, eth.price_tick) == (Decimal("0.0001"), Decimal("0.01"))
    assert (eth.min_size, eth.status) == (Decimal("0.0050"), MarketStatus.ACTIVE)


async def test_a_book_has_its_best_prices_first(world: World) -> None:
    book = await world.quotes("lighter").book(ETH, depth=10)
    bids, asks = [level.price for level in book.bids], [level.price for level in book.asks]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert 1 <= len(bids) <= 10


async def test_the_book_of_an_unknown_market_is_denied(world: World) -> None:
    with pytest.raises(DeniedError):
        await world.quotes("lighter").book(Symbol("NOSUCH"))


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("rate_limit", {"status": 405, "html": True, "op": "public"}),
        ("rate_limit", {"status": 429, "html": False, "op": "public"}),
        ("server_error", {"status": 503, "when": "before", "html": True, "op": "public"}),
        ("outage", {"seconds": 60}),
    ],
)
async def test_a_venue_that_does_not_answer_is_absent_and_not_zero(
    world: World, kind: str, parameters: dict[str, object]
) -> None:
    source = world.quotes("lighter")
    world.fault("lighter", kind, **parameters)
    with pytest.raises(UnavailableError):
        await source.funding()
