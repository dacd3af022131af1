"""
``kill -9`` at every boundary: before and after every request, every commit and every wait.

First a story runs to its end and its boundaries are counted. Then it runs again and again, and
dies at the first of them, at the second, and so on; and in pairs, the second death some
boundaries into the recovery from the first (reliability.md §3.4).
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.simulation import report
from tests.simulation.run import simulate
from tests.simulation.scenarios import STORIES, Story
from tests.simulation.setup import Result, Setup
from tests.simulation.walk import walked

SECOND = (1, 2, 3, 5, 8, 13)
LEAST_BOUNDARIES = 60
LEAST_STORIES = 20
CHUNK = 16  # runs that a process takes at once
SHOWN_MAX = 3


def setup(number: int, deaths: frozenset[int] = frozenset()) -> Setup:
    """One run of the story with this number."""
    story = STORIES[number]
    return Setup(
        seed=7,
        hours=story.seconds / 3600,
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


@dataclass
class Walk:
    """What came of one story's deaths."""

    count: int  # of its boundaries
    singles: int = 0
    pairs: int = 0
    failed: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """One more run of it."""
        if len(result.crash_at) == 1:
            self.singles += 1
        else:
            self.pairs += 1
        if result.violations:
            self.failed.append(result)


def main(scenarios: int, *, pairs: bool, workers: int, part: tuple[int, int] = (1, 1)) -> int:
    """Walk them, print the counts, and give the exit status."""
    began = time.monotonic()
    whole = [setup(number) for number in range(len(STORIES[: scenarios or None]))]
    counts = {
        _story(given).name: result.story_boundaries for given, result in walked(whole, workers)
    }
    number, parts = part
    setups = [
        setup(n, at)
        for n, given in enumerate(whole)
        for at in deaths(counts[_story(given).name], pairs=pairs)
    ][number - 1 :: parts]
    walks = {_story(given).name: Walk(counts[_story(given).name]) for given in whole}
    labels, kills, naked = Counter[str](), 0, list[float]()
    for given, result in walked(setups, workers, chunk=CHUNK):
        walks[_story(given).name].add(result)
        kills += result.kills
        labels += result.deaths
        naked += [span.available_s for span in result.spans]
    print("\n".join(_told(walks)))
    _, _, p99, most = report.quantiles(naked)
    singles, doubles = (sum(getattr(w, n) for w in walks.values()) for n in ("singles", "pairs"))
    failed = sum(len(walk.failed) for walk in walks.values())
    print(
        f"part {number} of {parts}: runs {len(setups)} ({singles} single deaths, {doubles} pairs),"
        f" kills {kills}, failed {failed}, {time.monotonic() - began:.0f} s"
    )
    print("kills by boundary: " + ", ".join(f"{k} {n}" for k, n in sorted(labels.items())))
    print(f"naked, available s: p99 {p99:.2f} max {most:.2f}")
    long = sum(walk.count >= LEAST_BOUNDARIES for walk in walks.values())
    print(f"stories of at least {LEAST_BOUNDARIES} boundaries: {long} of {len(walks)}")
    too_few = not scenarios and long < LEAST_STORIES
    return 1 if failed or too_few or most > report.MAX_S else 0


def _story(given: Setup) -> Story:
    assert given.story is not None
    return given.story


def _told(walks: Mapping[str, Walk]) -> Iterator[str]:
    for name, walk in walks.items():
        short = "" if walk.count >= LEAST_BOUNDARIES else f", FEWER THAN {LEAST_BOUNDARIES}"
        yield (
            f"{name}: {walk.count} boundaries{short}, {walk.singles} single deaths,"
            f" {walk.pairs} pairs, {len(walk.failed)} failed"
        )
        for result in walk.failed[:SHOWN_MAX]:
            first = result.violations[0]
            yield f"  dead at {sorted(result.crash_at)}: {first.promise}: {first.text}"
