"""Recording and fetching from the sandbox, through kills, outages and budgets, into a backtest."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.registry import factory, metered
from hedger.backtest import loading, package
from hedger.backtest.series import instant
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import SettledRate
from hedger.errors import UnavailableError
from hedger.ports import History
from hedger.recording.fetching import Fetcher, Gap, missing
from hedger.recording.recorder import MARKETS, Recorder
from tests.world import LIGHTER, TIMEOUT_S, X10, World

VENUES = (X10, LIGHTER)
HOUR = timedelta(hours=1)
DAY = 24 * HOUR
ETH, GRASS, ZORA = Symbol("ETH"), Symbol("GRASS"), Symbol("ZORA")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def the_file(folder: Path, stem: str) -> Path:
    (found,) = folder.glob(f"{stem}-*.csv")
    return found


async def moved(world: World, hours: int) -> None:
    """Hours of settlements, and the moment that a venue takes to list the last of them."""
    world.advance_market(hours=hours)
    await world.pass_time(3)


def a_recorder(world: World, folder: Path, *, books: int = 2) -> Recorder:
    folder.mkdir(exist_ok=True)
    return Recorder(
        folder,
        quotes={venue: world.quotes(venue) for venue in VENUES},
        venues=VENUES,
        clock=world.clock,
        books_per_look=books,
        max_mb=10,
    )


class Watched:
    """A history that is counted, and that may be made to end like a killed process."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.id = history.id
        self.asked: list[tuple[Symbol, datetime, datetime]] = []
        self.dies_after: int | None = None

    async def settled_between(
        self, symbol: Symbol, since: datetime, until: datetime
    ) -> Sequence[SettledRate]:
        if self.dies_after is not None and len(self.asked) >= self.dies_after:
            raise KeyboardInterrupt
        self.asked.append((symbol, since, until))
        return await self._history.settled_between(symbol, since, until)

    async def close(self) -> None:
        await self._history.close()


def histories(world: World, *, budgets: bool = False) -> dict[VenueId, Watched]:
    found = {}
    for venue in VENUES:
        access = world.access(venue)
        access = metered(venue, access, world.clock) if budgets else access
        history = factory(venue).history(venue, access, {}, world.clock, TIMEOUT_S)
        world._stack.push_async_callback(history.close)
        found[venue] = Watched(history)
    return found


def a_fetcher(world: World, folder: Path, by: dict[VenueId, Watched], **how) -> Fetcher:
    folder.mkdir(exist_ok=True)
    return Fetcher(folder, histories=by, clock=world.clock, max_mb=10, **how)


def read(folder: Path) -> loading.Record:
    return loading.load(folder, package.load(VENUES, folder))


async def test_what_was_recorded_is_what_the_backtest_reads(world: World, tmp_path: Path) -> None:
    recorder = a_recorder(world, tmp_path)
    assert await recorder.write_rules() == len(world.exchange(X10).rules)
    truth = []
    for _ in range(3):
        settles = await world.quotes(X10).next_settlement()
        rates = tuple(world.exchange(venue).predicted_rate("GRASS") for venue in VENUES)
        truth.append((settles, *map(float, rates)))
        look = await recorder.look()
        assert look.rates == 2 * len(world.exchange(X10).rules)
        assert look.absent == {}
        await moved(world, 1)

    one = read(tmp_path).series[GRASS]

    assert [(instant(h), one.rate_a[n], one.rate_b[n]) for n, h in enumerate(one.hours)] == truth
    assert one.mark_a[0] == pytest.approx(float(world.exchange(X10).mark("GRASS")), rel=0.2)
    assert one.interest_b[0] > 0


async def test_a_venue_that_does_not_answer_leaves_a_hole_and_no_row(
    world: World, tmp_path: Path
) -> None:
    recorder = a_recorder(world, tmp_path)
    await recorder.look()
    await moved(world, 1)
    world.fault(LIGHTER, "outage", seconds=60)
    look = await recorder.look()
    assert set(look.absent) == {LIGHTER}
    assert look.books == 0
    await world.pass_time(61)
    await moved(world, 1)
    await recorder.look()

    one = read(tmp_path).series[ETH]

    assert [hour - one.hours[0] for hour in one.hours] == [0, 2]
    assert list(one.runs()) == [(0, 1), (1, 2)]


async def test_books_are_read_in_turn_and_give_the_backtest_its_spreads(
    world: World, tmp_path: Path
) -> None:
    recorder = a_recorder(world, tmp_path, books=2)
    for _ in range(3):
        assert (await recorder.look()).books == 4

    path = the_file(tmp_path, "books")
    markets = [line.split(",")[1] for line in path.read_text().splitlines()[1:]]
    assert markets == [name for name in sorted(world.exchange(X10).rules)[:6] for _ in VENUES]
    known = package.load(VENUES, tmp_path)
    quoted = known.markets[Symbol(markets[0])].b.quoted_spread_bps
    assert quoted is not None
    assert Decimal(1) < quoted < Decimal(8)  # the sandbox quotes 2 bps, on its ticks


@pytest.mark.sandbox(tier="standard")
async def test_recording_stays_within_the_budget_and_the_books_wait(
    world: World, tmp_path: Path
) -> None:
    quotes = {}
    for venue in VENUES:
        access = metered(venue, world.access(venue), world.clock)
        quotes[venue] = factory(venue).quotes(venue, access, {}, world.clock, TIMEOUT_S)
        world._stack.push_async_callback(quotes[venue].close)
    recorder = Recorder(
        tmp_path, quotes=quotes, venues=VENUES, clock=world.clock, books_per_look=64, max_mb=10
    )
    first = await recorder.look()  # 60 requests a minute, and three tenths are kept back

    assert first.absent == {}
    assert 0 < first.books < 2 * 45
    await world.pass_time(61)
    await recorder.look()
    path = the_file(tmp_path, "books")
    markets = {line.split(",")[1] for line in path.read_text().splitlines()[1:]}
    assert len(markets) > first.books / 2  # it went on where it had stopped


async def test_history_is_fetched_for_both_venues_and_agrees_with_what_was_charged(
    world: World, tmp_path: Path
) -> None:
    start = await world.quotes(X10).next_settlement()
    await moved(world, 50)

    found = await a_fetcher(world, tmp_path, histories(world)).fetch(
        [ETH, ZORA], start, start + 50 * HOUR
    )

    assert found.rows == 2 * 2 * 50
    one = read(tmp_path).series[ZORA]
    for rates, venue in ((one.rate_a, X10), (one.rate_b, LIGHTER)):
        truth = [float(row.rate) for row in world.exchange(venue).funding_rows("ZORA")][-50:]
        assert list(rates) == truth
    assert [instant(hour) for hour in one.hours] == [start + n * HOUR for n in range(50)]


@pytest.mark.parametrize("dies_after", range(6))
async def test_a_killed_fetch_goes_on_where_it_was_and_leaves_no_hole(
    world: World, tmp_path: Path, dies_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedger.recording.fetching.WINDOW", 10 * HOUR)
    start = await world.quotes(X10).next_settlement()
    await moved(world, 35)
    by = histories(world)
    by[LIGHTER].dies_after = dies_after
    with pytest.raises(KeyboardInterrupt):
        await a_fetcher(world, tmp_path, by).fetch([ETH, ZORA], start, start + 35 * HOUR)
    path = the_file(tmp_path, "funding_x10")
    with path.open("a") as file:
        file.write("x10,ETH,2026-01-")  # what a kill in the middle of a write leaves

    by[LIGHTER].dies_after = None
    again = histories(world)
    await a_fetcher(world, tmp_path, again).fetch([ETH, ZORA], start, start + 35 * HOUR)

    assert again[X10].asked == []  # all of it was there
    assert len(again[LIGHTER].asked) == 8 - dies_after
    for one in read(tmp_path).series.values():
        assert [instant(hour) for hour in one.hours] == [start + n * HOUR for n in range(35)]


async def test_an_earlier_start_and_a_later_end_fetch_only_what_is_missing(
    world: World, tmp_path: Path
) -> None:
    start = await world.quotes(X10).next_settlement()
    await moved(world, 60)
    await a_fetcher(world, tmp_path, histories(world)).fetch(
        [ETH], start + 20 * HOUR, start + 40 * HOUR
    )
    by = histories(world)

    await a_fetcher(world, tmp_path, by).fetch([ETH], start, start + 60 * HOUR)

    assert [(a - start, b - start) for _, a, b in by[X10].asked] == [
        (0 * HOUR, 20 * HOUR),
        (40 * HOUR, 60 * HOUR),
    ]
    assert len(read(tmp_path).series[ETH]) == 60


@pytest.mark.sandbox(tier="standard")
async def test_a_used_up_budget_is_waited_for(world: World, tmp_path: Path) -> None:
    start = await world.quotes(X10).next_settlement()
    await moved(world, 3)
    symbols = [Symbol(name) for name in sorted(world.exchange(X10).rules)]
    began_s = world.clock.monotonic_s()

    found = await a_fetcher(world, tmp_path, histories(world, budgets=True)).fetch(
        symbols, start, start + 3 * HOUR
    )

    assert found.rows == 2 * 3 * len(symbols)
    assert found.refused == []
    assert world.clock.monotonic_s() - began_s > 55  # 64 requests at 42 a minute


async def test_a_market_that_a_venue_does_not_list_is_told_and_the_rest_is_fetched(
    world: World, tmp_path: Path
) -> None:
    start = await world.quotes(X10).next_settlement()
    await moved(world, 2)
    found = await a_fetcher(world, tmp_path, histories(world)).fetch(
        [Symbol("NOSUCH"), ETH], start, start + 2 * HOUR
    )
    assert sorted(found.refused) == ["lighter NOSUCH", "x10 NOSUCH"]
    assert found.rows == 4


async def test_a_venue_that_stays_silent_ends_the_fetch_after_its_patience(
    world: World, tmp_path: Path
) -> None:
    start = await world.quotes(X10).next_settlement()
    await moved(world, 2)
    by = histories(world)
    world.fault(X10, "outage", seconds=500)
    with pytest.raises(UnavailableError):
        await a_fetcher(world, tmp_path, by, patience_s=30).fetch([ETH], start, start + 2 * HOUR)
    assert files(tmp_path) == []


def test_windows_grow_what_is_there_at_one_of_its_ends() -> None:
    day = datetime.fromisoformat("2026-01-01T00:00:00Z")
    there = (day + 40 * DAY, day + 50 * DAY)

    gaps = list(missing(there, day, day + 60 * DAY))

    assert gaps == [
        Gap(day + 30 * DAY, day + 40 * DAY, before=True),
        Gap(day, day + 30 * DAY, before=True),
        Gap(day + 50 * DAY + HOUR, day + 60 * DAY),
    ]
    assert list(missing(there, day + 41 * DAY, day + 45 * DAY)) == []


async def test_the_rules_of_the_markets_are_written_in_one_step(
    world: World, tmp_path: Path
) -> None:
    recorder = a_recorder(world, tmp_path)
    (tmp_path / MARKETS).write_text("an older file\n")
    await recorder.write_rules()

    known = package.load(VENUES, tmp_path)
    truth = world.exchange(X10).rules["GRASS"]
    assert known.markets[GRASS].a.size_step == truth.size_step
    assert known.markets[GRASS].a.quoted_spread_bps == Decimal("3.09")  # stays as packaged
    assert files(tmp_path) == [MARKETS]
