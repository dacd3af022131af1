"""The offset of a venue's clock, from the dates of its answers."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from hedger.venueclock import REMEMBERED_S, VenueClock
from tests.clocks import ManualClock

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class Venue:
    """Answers whose date is ``off_s`` ahead of our clock; each takes ``way_s`` there and back."""

    def __init__(self, off_s: float, way_s: float = 0.05) -> None:
        self.clock = ManualClock(NOON)
        self.time = VenueClock(self.clock)
        self.off_s = off_s
        self.way_s = way_s

    def answer(self) -> None:
        sent_s = self.clock.monotonic_s()
        self.clock.advance(self.way_s)
        made_at = self.clock.now() + timedelta(seconds=self.off_s)
        self.clock.advance(self.way_s)
        self.time.answered(format_datetime(made_at, usegmt=True), sent_s)


def test_before_the_first_date_nothing_is_known() -> None:
    venue = Venue(0)
    venue.time.answered(None, 0.0)
    venue.time.answered("yesterday, about noon", 0.0)

    assert venue.time.offset is None


@pytest.mark.parametrize("off_s", [-40.0, -2.3, 0.0, 0.4, 2.7, 40.0])
def test_one_answer_bounds_the_difference_to_its_second_and_its_way(off_s: float) -> None:
    venue = Venue(off_s)
    venue.answer()
    found = venue.time.offset

    assert found is not None
    assert found.low_s <= off_s <= found.high_s
    assert found.high_s - found.low_s == pytest.approx(1.1)


def test_several_answers_bound_it_further() -> None:
    venue = Venue(2.7)
    for _ in range(20):
        venue.answer()
        venue.clock.advance(0.37)
    found = venue.time.offset

    assert found is not None
    assert found.low_s <= 2.7 <= found.high_s
    assert found.high_s - found.low_s < 0.3


def test_a_difference_is_assumed_only_as_far_as_it_was_seen() -> None:
    near, fast, slow = Venue(0.3), Venue(12), Venue(-12)
    for venue in (near, fast, slow):
        venue.answer()
    assumed = [v.time.offset.assumed_s for v in (near, fast, slow) if v.time.offset is not None]

    assert assumed[0] == 0
    assert 10.9 < assumed[1] <= 12
    assert -12 <= assumed[2] < -10.9


def test_a_clock_that_was_set_is_seen_at_the_next_answer() -> None:
    venue = Venue(0)
    for _ in range(5):
        venue.answer()
    venue.off_s = 7
    venue.answer()
    found = venue.time.offset

    assert found is not None
    assert found.low_s <= 7 <= found.high_s


def test_what_clocks_said_a_while_ago_does_not_count_any_more() -> None:
    """A clock that runs off slowly never contradicts the last answer, only older ones."""
    venue = Venue(0)
    for _ in range(40):
        venue.answer()
        venue.off_s += 0.1
        venue.clock.advance(REMEMBERED_S / 3)
    found = venue.time.offset

    assert found is not None
    assert found.low_s - 0.4 <= venue.off_s <= found.high_s + 0.4


@pytest.mark.parametrize("by_s", [-384.0, 384.0])
def test_our_own_clock_that_is_set_is_seen_without_another_answer(by_s: float) -> None:
    """An order that is signed at that moment would have lived minutes too long (seed 16021)."""
    venue = Venue(0)
    venue.answer()
    venue.clock.set_back(by_s)
    found = venue.time.offset

    assert found is not None
    assert found.low_s <= by_s <= found.high_s
