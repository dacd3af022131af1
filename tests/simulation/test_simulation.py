"""
The executor in worlds that try to break it. The long run is ``bin/sim --seeds 10000``.

The budget here is a sample: ``HEDGER_SIM_SEEDS`` worlds (150 unless said otherwise) of
``HEDGER_SIM_HOURS`` virtual hours, in chunks that the test runner spreads over its processes.
"""

import asyncio
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing

import pytest

from tests.simulation import matrix, report, store
from tests.simulation.faults import NOTHING, Ill, drawn
from tests.simulation.loop import DeadlockError, SimLoop
from tests.simulation.regressions import REGRESSIONS, Regression
from tests.simulation.run import simulate
from tests.simulation.scenarios import STORIES
from tests.simulation.setup import Result, Setup

SEEDS = int(os.environ.get("HEDGER_SIM_SEEDS", "150"))
HOURS = float(os.environ.get("HEDGER_SIM_HOURS", "0.15"))
CHUNK = 10
EVERY = 5  # boundaries; ``bin/sim --matrix`` takes each of them
WALKED = range(2, len(STORIES), -(-len(STORIES) // 5))  # ``bin/sim --matrix`` walks all of them


def told(results: Iterable[Result]) -> list[str]:
    return [f"{report.command(r)}: {v.promise}: {v.text}" for r in results for v in r.violations]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_no_promise_is_broken_in_sampled_worlds(first: int):
    seeds = range(first, min(first + CHUNK, SEEDS + 1))
    found = [simulate(Setup(seed=seed, hours=HOURS)) for seed in seeds]
    totals = report.Totals()
    for result in found:
        totals.add(result)
    assert told(found) == []
    assert report.quantiles([available for available, _ in totals.spans])[3] <= report.MAX_S
    assert totals.orders > 0


@pytest.mark.timeout(600)
@pytest.mark.parametrize("once", REGRESSIONS, ids=lambda once: once.name)
def test_what_was_broken_once_is_not_broken_again(once: Regression):
    assert told([simulate(once.setup)]) == [], once.name


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("number", WALKED, ids=lambda number: STORIES[number].name)
def test_a_death_at_every_fifth_boundary_of_a_story_breaks_no_promise(number: int):
    count = matrix.boundaries(number)
    deaths = list(matrix.deaths(count, pairs=False))[number % EVERY :: EVERY]
    found = [simulate(matrix.setup(number, at)) for at in deaths]
    assert count >= matrix.LEAST_BOUNDARIES
    assert told(found) == []
    assert all(result.kills >= 1 for result in found)


def test_a_world_without_faults_hedges_and_leaves_nothing_naked():
    result = simulate(Setup(seed=1, hours=0.3, plan=NOTHING))
    assert told([result]) == []
    assert result.hedges >= 5
    assert result.orders == 4 * result.hedges  # two legs opened, two closed
    assert max(span.available_s for span in result.spans) < 5


def test_every_kind_of_fault_is_drawn_by_some_seed():
    import random

    drawn_ills = {ill for seed in range(200) for ill in drawn(random.Random(seed)).ills}
    assert drawn_ills == set(Ill)
    assert len(Ill) >= 30


def test_no_two_stories_are_the_same():
    """Neither by name nor by what is sent, and when."""
    assert len({story.name for story in STORIES}) == len(STORIES)
    told = {simulate(matrix.setup(number)).digest for number in range(len(STORIES))}
    assert len(told) == len(STORIES)


def test_there_are_at_least_twenty_stories_of_sixty_boundaries():
    counts = [matrix.boundaries(number) for number in range(len(STORIES))]
    assert sum(count >= matrix.LEAST_BOUNDARIES for count in counts) >= matrix.LEAST_STORIES


def test_a_power_cut_takes_what_was_not_synced(tmp_path):
    """The disk of the simulation: without a full sync the last commits are lost."""
    kept: dict[str, int] = {}
    for mode in ("FULL", "NORMAL"):
        path = tmp_path / f"{mode}.db"
        with closing(store.writing(path)) as conn:
            conn.execute(f"PRAGMA synchronous = {mode}")
            conn.execute("CREATE TABLE t (a)")
            disk = store.Disk(path, conn)
            for number in range(10):
                conn.execute("INSERT INTO t VALUES (?)", (number,))
                disk.committed()
            store.cut_power(path)
            kept[mode] = conn.execute("SELECT count(*) FROM t").fetchone()[0]
    assert kept["FULL"] == 10
    assert kept["NORMAL"] < 10


def test_what_was_not_committed_is_seen_by_nobody_and_dies_with_its_process(tmp_path):
    path = tmp_path / "x.db"
    count = "SELECT count(*) FROM t"
    with closing(store.reading(path)) as judge, closing(store.writing(path)) as conn:
        judge.execute("PRAGMA busy_timeout = 0")
        conn.execute("CREATE TABLE t (a)")
        conn.execute("BEGIN IMMEDIATE")
        conn.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            judge.execute(count)
        conn.close()
        assert judge.execute(count).fetchone() == (0,)
        with closing(sqlite3.connect(store.laid_down(path))) as file:
            assert file.execute(count).fetchone() == (0,)


def test_time_passes_only_when_nobody_has_anything_to_do():
    loop = SimLoop()

    async def wait() -> float:
        await asyncio.sleep(86_400)
        return loop.time()

    assert loop.run_until_complete(wait()) == pytest.approx(86_400)
    with pytest.raises(DeadlockError):
        loop.run_until_complete(asyncio.Event().wait())
    loop.close()
