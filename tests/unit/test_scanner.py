"""The scan against both real quote adapters in virtual time: who is absent, and for how long."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from hedger import decayfile, scanner
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import FundingQuote, Instrument, OrderBook, SettledRate
from hedger.opportunity import Terms
from hedger.ports import QuoteSource
from hedger.scanner import ScanResult, ScanRules
from tests.world import LIGHTER, X10, World

RULES = ScanRules(
    venues=(X10, LIGHTER),
    terms=Terms(
        model=decayfile.shipped(),
        settlements=24,
        size_usd=Decimal(100),
        taker_fees=(Decimal("0.00025"), Decimal("0.00028")),
    ),
    depth_candidates=5,
    deadline_s=3,
    max_price_gap_bps=Decimal(200),
)
PATIENT_S = 60.0
"""The adapters' own limit here, so that it is the scan's deadline that holds."""


class Counted:
    """A quote source that remembers whose books were asked for."""

    def __init__(self, source: QuoteSource) -> None:
        self._source = source
        self.books: list[Symbol] = []

    @property
    def id(self) -> VenueId:
        return self._source.id

    def recognise(self, identities: Mapping[Symbol, str], earlier: Mapping[Symbol, str]) -> None:
        self._source.recognise(identities, earlier)

    async def instruments(self, *, urgent: bool = False) -> Mapping[Symbol, Instrument]:
        return await self._source.instruments(urgent=urgent)

    async def funding(self) -> Mapping[Symbol, FundingQuote]:
        return await self._source.funding()

    async def next_settlement(self) -> datetime:
        return await self._source.next_settlement()

    async def book(self, symbol: Symbol, depth: int = 50, *, urgent: bool = False) -> OrderBook:
        self.books.append(symbol)
        return await self._source.book(symbol, depth, urgent=urgent)

    async def settled_rates(
        self, symbol: Symbol, since: datetime
    ) -> Mapping[datetime, SettledRate]:
        return await self._source.settled_rates(symbol, since)

    async def close(self) -> None:
        await self._source.close()


def sources(world: World) -> dict[VenueId, Counted]:
    return {venue: Counted(world.quotes(venue, timeout_s=PATIENT_S)) for venue in RULES.venues}


async def a_scan(world: World, **changes: Any) -> tuple[ScanResult, float]:
    """One scan and how long it took."""
    began_s = world.clock.monotonic_s()
    result = await scanner.scan(sources(world), replace(RULES, **changes), world.clock)
    return result, world.clock.monotonic_s() - began_s


async def test_both_venues_are_asked_and_every_common_market_is_ranked(world: World) -> None:
    result, _ = await a_scan(world)

    assert result.absent == {}
    assert len(result.opportunities) == 64
    ranked = result.opportunities
    nets = [found.worth.value_usd for found in ranked if found.priced]
    assert nets == sorted(nets, reverse=True)
    assert len(nets) == RULES.depth_candidates
    assert all(not found.priced for found in ranked[len(nets) :])


@pytest.mark.parametrize("silent", RULES.venues)
async def test_a_silent_venue_is_absent_at_its_deadline_and_not_zero(
    world: World, silent: VenueId
) -> None:
    world.fault(silent, "hang", op="public", seconds=40, times=0)

    result, took_s = await a_scan(world)

    assert result.absent == {silent: "no answer within 3 s"}
    assert silent not in result.quotes
    assert len(result.quotes) == 1  # the other one answered
    assert result.opportunities == ()
    assert took_s == pytest.approx(RULES.deadline_s, abs=0.1)


async def test_two_silent_venues_cost_one_deadline_because_they_are_asked_at_once(
    world: World,
) -> None:
    for venue in RULES.venues:
        world.fault(venue, "hang", op="public", seconds=40, times=0)

    result, took_s = await a_scan(world)

    assert set(result.absent) == set(RULES.venues)
    assert took_s == pytest.approx(RULES.deadline_s, abs=0.1)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("server_error", "HTTP 503"),
        ("rate_limit", "HTTP 429"),
        ("drop_answer", "RemoteProtocolError"),
    ],
)
async def test_a_venue_that_fails_is_absent_with_the_reason(
    world: World, kind: str, reason: str
) -> None:
    world.fault(LIGHTER, kind, op="public")

    result, _ = await a_scan(world)

    (why,) = result.absent.values()
    assert reason in why
    assert X10 in result.quotes
    assert result.opportunities == ()


async def test_a_part_of_an_answer_is_no_answer(world: World) -> None:
    """Without Lighter's rates its markets and settlements are worth nothing."""
    world.fault(LIGHTER, "server_error", op="public", skip=1)

    result, _ = await a_scan(world)

    assert set(result.absent) == {LIGHTER}
    assert LIGHTER not in result.quotes


async def test_books_are_read_for_the_best_candidates_only(world: World) -> None:
    asked = sources(world)

    result = await scanner.scan(asked, replace(RULES, depth_candidates=3), world.clock)

    best = {found.pair.symbol for found in result.opportunities if found.priced}
    for source in asked.values():
        assert len(source.books) == 3
        assert set(source.books) == best


async def test_a_book_that_cannot_be_read_leaves_that_net_unknown(world: World) -> None:
    world.fault(X10, "server_error", op="public", skip=1)  # the first book after the markets

    result, _ = await a_scan(world)

    assert result.absent == {}
    assert len([found for found in result.opportunities if not found.priced]) == 60
    assert len(result.opportunities) == 64


async def test_a_venue_that_comes_back_is_there_at_the_next_look(world: World) -> None:
    world.fault(X10, "outage", seconds=5)
    before, _ = await a_scan(world)
    await world.pass_time(5)

    after, _ = await a_scan(world)

    assert set(before.absent) == {X10}
    assert after.absent == {}
    assert len(after.opportunities) == 64
