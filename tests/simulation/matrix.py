"""
``kill -9`` at every boundary: before and after every request, every commit and every wait.

First a story runs to its end and its boundaries are counted. Then it runs again and again, and
dies at the first of them, at the second, and so on; and in pairs, the second death some
boundaries into the recovery from the first (reliability.md §3.4).
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.simulation import report
from tests.simulation.run import simulate
from tests.simulation.scenarios import STORIES
from tests.simulation.setup import Result, Setup

SECOND = (1, 2, 3, 5, 8, 13)
LEAST_BOUNDARIES = 60
STORY_HOURS = 45 / 3600


def setup(number: int, deaths: frozenset[int] = frozenset()) -> Setup:
    """One run of the story with this number."""
    story = STORIES[number]
    return Setup(
        seed=7,
        hours=STORY_HOURS,
        plan=story.plan,
        dedicated=story.dedicated,
        story=story,
        crash_at=deaths,
    )


def boundaries(number: int) -> int:
    """How many boundaries a story has until it is over."""
    return simulate(setup(number)).story_boundaries


def deaths(count: int, *, pairs: bool) -> Iterator[frozenset[int]]:
    """Every boundary alone, and every pair."""
    for at in range(1, count + 1):
        yield frozenset({at})
        if pairs:
            for later in SECOND:
                yield frozenset({at, at + later})


def main(scenarios: int, *, pairs: bool, workers: int) -> int:
    """Walk them, print the counts, and give the exit status."""
    from tests.simulation.__main__ import results

    began, failed, labels, kills = time.monotonic(), 0, Counter[str](), 0
    naked: list[float] = []
    numbers = range(len(STORIES[: scenarios or None]))
    setups = [setup(n, at) for n in numbers for at in deaths(boundaries(n), pairs=pairs)]
    outcomes: dict[str, list[Result]] = defaultdict(list)
    for result, given in zip(results(setups, workers), setups, strict=True):
        assert given.story is not None
        outcomes[given.story.name].append(result)
        kills += result.kills
        labels += result.deaths
        naked += [span.available_s for span in result.spans]
    for name, found in outcomes.items():
        broken = [result for result in found if result.violations]
        failed += len(broken)
        count = max(min(result.crash_at) for result in found)
        short = "" if count >= LEAST_BOUNDARIES else f", fewer than {LEAST_BOUNDARIES}"
        print(f"{name}: {count} boundaries{short}, {len(found)} runs, {len(broken)} failed")
        for result in broken[:3]:
            print(f"  dead at {sorted(result.crash_at)}: {result.violations[0].text}")
    _, _, p99, most = report.quantiles(naked)
    print(f"runs {len(setups)}, kills {kills}, failed {failed}, {time.monotonic() - began:.0f} s")
    print("kills by boundary: " + ", ".join(f"{k} {n}" for k, n in sorted(labels.items())))
    print(f"naked, available s: p99 {p99:.2f} max {most:.2f}")
    return 1 if failed or most > report.MAX_S else 0
