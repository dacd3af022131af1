"""
Which way a hedge faces, and on what: units, signs, exchanges, names (S26, S27, S28, S54, S63).

Everything comes over HTTP from the sandbox through the real quote adapters. The truth is the
engine's own hourly rate, and, where a hedge is opened, the cash that the venues pay.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest

from adapters.lighter import units, wire
from adapters.registry import factory
from hedger import scanner
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.order import Side
from hedger.errors import UsageError
from hedger.ledger import migrate
from hedger.opportunity import Opportunity
from hedger.ports import QuoteSource
from hedger.trader import scan_rules
from tests.desk import Desk, configured
from tests.world import LIGHTER, TIMEOUT_S, X10, World

ETH = Symbol("ETH")
RATE_PLACES = Decimal("0.000001")  # what /fundings cuts its rate to, as a fraction


def true_rate(world: World, venue: str, symbol: str) -> Decimal:
    """The engine's own rate: a signed fraction per hour."""
    return world.exchange(venue).predicted_rate(symbol)


async def scanned(desk: Desk) -> dict[Symbol, Opportunity]:
    """What a scan makes of every market, by name."""
    result = await scanner.scan(desk.trader.quotes, scan_rules(desk.config), desk.world.clock)
    assert not result.absent
    return {found.pair.symbol: found for found in result.opportunities}


async def an_hour_is_paid(desk: Desk) -> Decimal:
    """Let one settlement pass; what the venues paid out for it in all, by their own books."""
    desk.world.advance_market(hours=1.1)  # a little more: X10 lists a payment some time later
    await desk.world.pass_time(6)
    await desk.trader.accruals.run()
    state = desk.world.state()
    paid = [Decimal(row["amount"]) for v in (X10, LIGHTER) for row in state[v]["payments"]]
    assert len(paid) == 2
    booked = [Decimal(row["amount_usd"]) for row in desk.rows("funding")]
    assert sorted(booked) == sorted(paid)
    return sum(paid, Decimal(0))


async def lighter_says(world: World, path: str, **params: Any) -> Any:
    """Lighter's own words, parsed without floats."""
    url = world.line["lighter"]["url"]
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        answer = await client.get(f"/api/v1/{path}", params=params)
    return json.loads(answer.text, parse_float=Decimal)


# -- S26: direction -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "side_on_x10"),
    [
        ("PENGU", Side.SELL),  # both positive, X10 higher
        ("ETH", Side.BUY),  # both positive, X10 lower
        ("AVNT", Side.BUY),  # both negative, X10 lower
        ("BTC", Side.BUY),  # X10 negative, Lighter positive
        ("UNI", Side.SELL),  # both negative, X10 higher
        ("CRV", Side.SELL),  # X10 positive, Lighter negative
    ],
)
async def test_s26_the_hedge_faces_the_way_in_which_the_venues_pay_it(
    desk: Desk, symbol: str, side_on_x10: Side
) -> None:
    """The public bot was always long on X10, paid the spread, and showed it with abs()."""
    rates = [true_rate(desk.world, venue, symbol) for venue in (X10, LIGHTER)]

    hedge = await desk.open(symbol, 300)

    assert hedge.state is State.OPEN
    assert hedge.side_a is side_on_x10
    assert desk.position(X10, symbol) * side_on_x10.sign > 0
    assert desk.naked(symbol) == 0
    assert (rates[0] > rates[1]) is (side_on_x10 is Side.SELL)
    assert await an_hour_is_paid(desk) > 0
    await desk.close(hedge)
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_s26_every_market_of_a_scan_is_short_where_the_true_rate_is_higher(
    desk: Desk,
) -> None:
    """The public bot ranked by the absolute spread, whichever way it faced."""
    found = await scanned(desk)

    assert len(found) == 64
    for symbol, opportunity in found.items():
        rate_a, rate_b = (true_rate(desk.world, venue, symbol) for venue in (X10, LIGHTER))
        earned = opportunity.pair.side_a.sign * (rate_b - rate_a)
        assert earned == abs(rate_a - rate_b) == opportunity.pair.spread_1h
        assert opportunity.worth.naive_apy == earned * 24 * 365


# -- S27: units ---------------------------------------------------------------------------------


async def test_s27_a_rate_per_eight_hours_is_not_taken_for_one_per_hour(desk: Desk) -> None:
    """Five public bots read Lighter's 0.000096 per 8 h as hourly and faced the wrong way."""
    found = await scanned(desk)
    turned = []
    for symbol, opportunity in found.items():
        rate_a, rate_b = (true_rate(desk.world, venue, symbol) for venue in (X10, LIGHTER))
        assert opportunity.pair.b.rate_1h == rate_b
        misread = rate_b * 8
        if (rate_a > rate_b) != (rate_a > misread):
            turned.append(symbol)
            assert opportunity.pair.side_a is (Side.SELL if rate_a > rate_b else Side.BUY)
    assert len(turned) >= 20  # half of the recorded markets would be hedged the wrong way


async def test_s27_the_market_that_the_mistake_turns_around_pays_its_hedge(desk: Desk) -> None:
    """Long where it should be short: the public bots paid 15.8 % a year instead of earning it."""
    rate_a, rate_b = (true_rate(desk.world, venue, "PENGU") for venue in (X10, LIGHTER))
    assert rate_b < rate_a < rate_b * 8  # the story of the mistake

    hedge = await desk.open("PENGU", 300)

    value = abs(desk.position(X10, "PENGU")) * desk.world.exchange(X10).mark("PENGU")
    paid = await an_hour_is_paid(desk)
    assert hedge.side_a is Side.SELL
    assert paid == pytest.approx(value * (rate_a - rate_b), rel=Decimal("0.05"))


# -- S28: one quantity, one unit ----------------------------------------------------------------


async def test_s28_every_endpoint_that_tells_a_rate_comes_out_as_the_same_fraction(
    desk: Desk,
) -> None:
    """The public bot read the stream's percent as the REST fraction: 12.5 times the rate."""
    world = desk.world
    quoted = {s: q.rate_1h for s, q in (await desk.trader.quotes[LIGHTER].funding()).items()}
    async with market_stats(world) as streamed:
        for symbol, rules in world.exchange(LIGHTER).rules.items():
            row = streamed[str(rules.market_id)]
            percent = Decimal(row["current_funding_rate"])
            assert units.rate_1h_of_market_stats(percent) == quoted[Symbol(symbol)]

    world.advance_market(hours=1)

    for symbol in ("ETH", "AVNT", "CRV", "APT"):  # of both signs, and zero
        market = world.exchange(LIGHTER).rules_of(symbol).market_id
        said = await lighter_says(
            world,
            "fundings",
            market_id=market,
            resolution="1h",
            start_timestamp=0,
            end_timestamp=5_000_000_000_000,
            count_back=0,
        )
        settled = list(wire.settled_rates(said, LIGHTER, Symbol(symbol)).values())[-1].rate_1h
        assert abs(settled - quoted[Symbol(symbol)]) < RATE_PLACES


@pytest.mark.parametrize("symbol", ["ETH", "PENGU", "AVNT", "UNI"])  # both sides, both signs
async def test_s28_the_rate_of_a_payment_is_the_rate_that_was_quoted(
    desk: Desk, symbol: str
) -> None:
    """The public bot compared a quoted fraction with a settled percentage."""
    quoted = {venue: true_rate(desk.world, venue, symbol) for venue in (X10, LIGHTER)}

    hedge = await desk.open(symbol, 300)
    await an_hour_is_paid(desk)

    booked = {row["venue"]: Decimal(row["rate_1h"]) for row in desk.rows("funding")}
    assert booked == quoted
    assert hedge.state is State.OPEN


async def test_s28_a_rate_stands_still_within_the_hour_and_makes_no_entry(desk: Desk) -> None:
    """The public bot's second message multiplied the rate, and the jump opened a position."""
    first = await scanned(desk)

    for _ in range(3):
        await desk.world.pass_time(5)
        again = await scanned(desk)
        for symbol, opportunity in again.items():
            assert opportunity.pair.b.rate_1h == first[symbol].pair.b.rate_1h
            assert opportunity.pair.a.rate_1h == first[symbol].pair.a.rate_1h
    assert desk.world.orders(X10) == []


@asynccontextmanager
async def market_stats(world: World) -> AsyncIterator[Mapping[str, Any]]:
    """The first message of Lighter's stream about all markets."""
    url = world.line["lighter"]["url"].replace("http", "ws", 1) + "/stream"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as stream:
        await stream.send_json({"type": "subscribe", "channel": "market_stats/all"})
        async for message in stream:
            said = json.loads(message.data)
            if "market_stats" in said:
                yield said["market_stats"]
                return
    raise AssertionError


# -- S54: names ---------------------------------------------------------------------------------

Names = Mapping[VenueId, Mapping[Symbol, str]]


@asynccontextmanager
async def desk_that_calls(world: World, folder: Path, names: Names) -> AsyncIterator[Desk]:
    """A desk whose configuration spells some markets in another way (``symbols.names``)."""
    path = folder / "ledger.db"
    migrate.upgrade(path, world.clock)
    quotes: dict[VenueId, QuoteSource] = {}
    venues = {}
    for venue in (X10, LIGHTER):
        made, access, own = factory(venue), world.access(venue), names.get(venue, {})
        quotes[venue] = made.quotes(venue, access, own, world.clock, TIMEOUT_S)
        venues[venue] = made.venue(venue, access, own, world.clock, TIMEOUT_S)
        await venues[venue].start()
    desk = Desk(world, path, configured(), venues, quotes)
    try:
        yield desk
    finally:
        desk.store.close()
        for venue in (X10, LIGHTER):
            await quotes[venue].close()
            await venues[venue].close()


async def test_s54_markets_whose_prices_differ_are_not_one_asset_whatever_they_are_called(
    world: World, tmp_path: Path
) -> None:
    """The public bot hedged a token with a basket whose name merely began with it."""
    wrong: Names = {LIGHTER: {ETH: "BTC"}}
    async with desk_that_calls(world, tmp_path, wrong) as desk:
        result = await scanner.scan(desk.trader.quotes, scan_rules(desk.config), world.clock)
        with pytest.raises(UsageError, match="prices differ"):
            await desk.open("ETH", 300)

        assert [pair.symbol for pair in result.disagreeing] == [ETH]
        assert ETH not in {found.pair.symbol for found in result.opportunities}
        assert world.orders(X10) == world.orders(LIGHTER) == []
        assert desk.rows("orders") == []


async def test_s54_a_thousand_of_a_coin_is_not_that_coin(world: World, tmp_path: Path) -> None:
    """The public bot stripped the 1000 of 1000PEPE and hedged a thousandth of it."""
    pepe = Symbol("PEPE")
    half: Names = {LIGHTER: {pepe: "1000PEPE"}}
    async with desk_that_calls(world, tmp_path, half) as desk:
        found = await scanned(desk)
        with pytest.raises(UsageError, match="PEPE has no active market on x10"):
            await desk.open("PEPE", 300)

    assert pepe not in found
    assert Symbol("1000PEPE") not in found  # given away on Lighter, so there on X10 alone
    assert len(found) == 63


async def test_s54_a_market_that_is_mapped_on_both_venues_is_hedged_coin_for_coin(
    world: World, tmp_path: Path
) -> None:
    """The explicit map is the one way to pair markets that are spelt differently."""
    kpepe = Symbol("KPEPE")
    both: Names = {X10: {kpepe: "1000PEPE-USD"}, LIGHTER: {kpepe: "1000PEPE"}}
    async with desk_that_calls(world, tmp_path, both) as desk:
        hedge = await desk.open("KPEPE", 300)

        assert hedge.state is State.OPEN
        assert desk.position(X10, "1000PEPE") == -desk.position(LIGHTER, "1000PEPE") != 0
        assert {row["symbol"] for row in desk.rows("fills")} == {"KPEPE"}
        await assert_closes(desk, hedge)


async def assert_closes(desk: Desk, hedge: Hedge) -> None:
    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()


# -- S63: whose rate ----------------------------------------------------------------------------


async def test_s63_of_the_exchanges_in_one_answer_only_lighters_own_rate_is_taken(
    desk: Desk,
) -> None:
    """The public bot took the first row of a market, which was Binance's."""
    rows = (await lighter_says(desk.world, "funding-rates", market_id=0))["funding_rates"]
    of_eth = [row for row in rows if row["market_id"] == 0]
    exchanges = [row["exchange"] for row in of_eth]
    assert exchanges[0] != "lighter"
    assert exchanges[-1] == "lighter"
    assert len({row["rate"] for row in of_eth}) == len(of_eth) > 1

    found = await scanned(desk)

    for symbol, opportunity in found.items():
        assert opportunity.pair.b.rate_1h == true_rate(desk.world, LIGHTER, symbol)
    lighter = next(row for row in of_eth if row["exchange"] == "lighter")
    assert found[ETH].pair.b.rate_1h == lighter["rate"] / 8
