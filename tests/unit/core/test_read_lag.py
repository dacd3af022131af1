"""What is taken for a venue's read lag, and what is not."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hedger.ledger import migrate
from hedger.ledger.store import open_store
from hedger.ports import Capabilities, Fence
from hedger.readlag import LOOKS_APART_S, ReadLag, Watch
from hedger.settings_recovery import ReadLag as Rules
from tests.clocks import ManualClock
from tests.world import X10

LIMITS = Capabilities(fence=Fence.EXPIRY, order_ttl_s=5, read_lag_s=5, clock_skew_s=2)


class Bench:
    """A fill at the present instant, and looks that begin so many seconds after it."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        path = folder / "ledger.db"
        migrate.upgrade(path, self.clock)
        self.store = open_store(path, self.clock)
        venues: Any = {X10: SimpleNamespace(capabilities=LIMITS)}
        self.lag = ReadLag(venues=venues, store=self.store, clock=self.clock, rules=Rules())

    def measure(self, *missed_s: float, shown_s: float) -> float:
        """The worst lag that is believed after these looks."""
        since, watch = self.clock.now(), Watch()
        for seconds in missed_s:
            watch.missed(since + timedelta(seconds=seconds))
        asked_at = since + timedelta(seconds=shown_s)
        self.lag.shown(X10, "a position", watch, since=since, asked_at=asked_at)
        return self.lag.worst_s(X10)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    found = Bench(tmp_path)
    yield found
    found.store.close()


def test_the_first_look_that_shows_a_fill_after_one_that_did_not_measures_the_lag(
    bench: Bench,
) -> None:
    assert bench.measure(0.2, 1.2, 2.2, shown_s=3.2) == pytest.approx(3.2)


def test_a_look_that_shows_it_at_once_measures_nothing(bench: Bench) -> None:
    assert bench.measure(shown_s=3.2) == 0
    assert bench.measure(-0.5, shown_s=3.2) == 0  # a look before the fill is none after it


def test_a_position_that_somebody_else_changes_long_after_our_fill_is_no_lag(
    bench: Bench,
) -> None:
    """It made a lag of 128 s, and for a day every fence of the venue waited for 30 s."""
    assert bench.measure(127, shown_s=128) == 0


def test_what_we_did_not_see_while_we_looked_away_is_not_held_against_the_venue(
    bench: Bench,
) -> None:
    """The process stood still, or the venue could not be reached, between two looks."""
    assert bench.measure(0.2, shown_s=40) == pytest.approx(0.2 + LOOKS_APART_S)


def test_a_lag_beyond_its_bound_is_still_measured_while_we_go_on_looking(bench: Bench) -> None:
    assert bench.measure(*range(1, 12), shown_s=12) == pytest.approx(12)
