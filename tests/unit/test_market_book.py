"""The memory of markets that both adapters share: ages, gaps, and one reading for many."""

import asyncio
from collections.abc import Mapping

import pytest

from adapters.common.identities import Identities, Listing
from adapters.common.marketbook import MarketBook
from hedger.domain.ids import Symbol, VenueId
from hedger.errors import DeniedError, DriftError, UnavailableError
from tests.clocks import ManualClock

VENUE = VenueId("venue")
ETH, BTC = Symbol("ETH"), Symbol("BTC")


class Lists:
    """A venue whose list of markets a test decides."""

    def __init__(self) -> None:
        self.rows: Mapping[Symbol, str] = {ETH: "first", BTC: "other"}
        self.drift: Mapping[Symbol, str] = {}
        self.asked = 0
        self.down = False

    async def read(self) -> Listing[str]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise UnavailableError(VENUE, "down")
        return Listing(self.rows, self.drift)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def lists() -> Lists:
    return Lists()


@pytest.fixture
def book(lists: Lists, clock: ManualClock) -> MarketBook[str]:
    return MarketBook(VENUE, clock, lists.read)


async def test_what_is_young_enough_is_not_asked_for_again(
    book: MarketBook[str], lists: Lists, clock: ManualClock
) -> None:
    assert await book.get(ETH) == "first"
    lists.rows = {ETH: "second"}
    clock.advance(59)
    assert await book.get(ETH, 60) == "first"
    clock.advance(1)
    assert await book.get(ETH, 60) == "second"
    assert lists.asked == 2
    assert await book.get(ETH, 0) == "second"
    assert lists.asked == 3


async def test_without_an_age_what_is_known_holds_while_nothing_can_be_read(
    book: MarketBook[str], lists: Lists, clock: ManualClock
) -> None:
    await book.get(ETH)
    lists.down = True
    clock.advance(1_000)
    assert await book.get(ETH) == "first"
    with pytest.raises(UnavailableError):
        await book.get(ETH, 60)


async def test_a_market_that_has_gone_from_the_list_is_known_and_not_fresh(
    book: MarketBook[str], lists: Lists
) -> None:
    await book.get(ETH)
    lists.rows = {BTC: "other"}
    with pytest.raises(DeniedError, match="market ETH is not listed"):
        await book.get(ETH, 0)
    assert await book.get(ETH) == "first"


async def test_a_market_in_drift_keeps_its_last_clear_row(
    book: MarketBook[str], lists: Lists
) -> None:
    await book.get(ETH)
    lists.rows, lists.drift = {ETH: "which?"}, {ETH: "two of them"}
    with pytest.raises(DriftError, match="two of them"):
        await book.get(ETH, 0)
    assert await book.get(ETH) == "first"


async def test_who_asks_together_is_answered_by_one_reading(
    book: MarketBook[str], lists: Lists
) -> None:
    found = await asyncio.gather(*(book.get(ETH, 0) for _ in range(5)))
    assert found == ["first"] * 5
    assert lists.asked <= 2  # one that had begun before it was asked for counts for nobody else


def test_a_number_keeps_its_symbol_under_any_name() -> None:
    markets = Identities()
    assert dict(markets.listing([("0", ETH, "a"), ("1", BTC, "b")]).rows) == {ETH: "a", BTC: "b"}
    found = markets.listing([("0", Symbol("WETH"), "a"), ("7", ETH, "new")])
    assert dict(found.rows) == {ETH: "a"}
    assert "has the number 7, and ETH is number 0" in found.drift[ETH]


def test_a_number_that_is_there_twice_is_drift_and_what_nobody_knows_is_left_out() -> None:
    found = Identities().listing([("0", ETH, "a"), ("0", ETH, "b"), ("5", None, "c")])
    assert dict(found.rows) == {ETH: "a"}
    assert set(found.drift) == {ETH}


def test_what_a_market_was_once_counts_until_another_one_has_its_name() -> None:
    renamed = [("0", Symbol("WETH"), "a"), ("1", BTC, "b")]
    markets = Identities()
    assert not markets.take_up({}, {ETH: "0"})
    assert markets.owner("0") == ETH
    assert dict(markets.listing(renamed).rows) == {ETH: "a", BTC: "b"}
    assert markets.known() == {ETH: "0", BTC: "1"}

    markets = Identities()
    markets.take_up({}, {ETH: "0"})
    found = markets.listing([*renamed, ("7", ETH, "new")])
    assert (dict(found.rows), found.drift) == ({Symbol("WETH"): "a", BTC: "b", ETH: "new"}, {})


def test_a_symbol_that_nothing_of_ours_holds_follows_its_name_where_its_number_is_gone() -> None:
    """A new ledger met it under a number that did not last (seed 22041)."""
    markets = Identities()
    markets.listing([("1000", ETH, "a"), ("1", BTC, "b")])
    assert markets.listing([("1000", ETH, "a"), ("0", ETH, "b")]).drift
    found = markets.listing([("0", ETH, "a"), ("1", BTC, "b")])
    assert (dict(found.rows), found.drift) == ({ETH: "a", BTC: "b"}, {})

    markets.take_up({ETH: "0"}, {})
    found = markets.listing([("1000", ETH, "a"), ("7", BTC, "b")])
    assert "has the number 1000, and ETH is number 0" in found.drift[ETH]
    assert dict(found.rows) == {BTC: "b"}


def test_what_the_configuration_names_is_not_recalled() -> None:
    for configured in (ETH, Symbol("WETH")):
        markets = Identities(frozenset({configured}))
        markets.take_up({}, {ETH: "0"})
        assert dict(markets.listing([("0", Symbol("WETH"), "a")]).rows) == {Symbol("WETH"): "a"}


@pytest.mark.parametrize(("live", "earlier"), [({ETH: "0"}, {}), ({}, {ETH: "0"})])
async def test_what_names_alone_have_told_gives_way_to_what_was_known(
    live: dict[Symbol, str], earlier: dict[Symbol, str]
) -> None:
    markets = Identities()
    markets.listing([("0", Symbol("WETH"), "a")])
    assert markets.take_up(live, earlier)
    assert markets.owner("0") == ETH
    assert dict(markets.listing([("0", Symbol("WETH"), "a")]).rows) == {ETH: "a"}
