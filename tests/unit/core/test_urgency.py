"""Questions that overlap: a slow or lost answer holds nothing up."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest

from hedger.domain.ids import VenueId
from hedger.errors import DeniedError, UnavailableError
from hedger.urgency import overlapping, pressed
from tests.clocks import ManualClock
from tests.simulation.loop import SimLoop, SimTask
from tests.unit.ledger.build import START

T = TypeVar("T")
LOST_S = 30.0


def asked(*answers: tuple[float, int | Exception]) -> Callable[[], Awaitable[int]]:
    """A venue that answers so late, one asking after another."""
    left = list(answers)

    async def question() -> int:
        after_s, answer = left.pop(0)
        await asyncio.sleep(after_s)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return question


def timed(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """What came of it, and how long it took on the loop's own clock."""
    loop = SimLoop()
    try:
        return loop.run_until_complete(work), loop.time()
    finally:
        loop.close()


def test_a_lost_answer_costs_no_more_than_until_it_is_asked_again() -> None:
    question = asked((LOST_S, 1), (0.1, 2))
    answer, took_s = timed(overlapping(question, ManualClock(START)))
    assert (answer, round(took_s, 3)) == (2, 1.1)


def test_a_slow_answer_is_taken_when_it_comes_before_the_next_one() -> None:
    question = asked((1.3, 1), (LOST_S, 2))
    answer, took_s = timed(overlapping(question, ManualClock(START)))
    assert (answer, round(took_s, 3)) == (1, 1.3)


def test_a_venue_that_answers_nothing_usable_is_asked_five_times() -> None:
    down = UnavailableError(VenueId("lighter"), "HTTP 503")
    question = asked(*[(0.1, down)] * 5)
    with pytest.raises(UnavailableError, match="HTTP 503"):
        timed(overlapping(question, ManualClock(START)))


def test_a_refusal_ends_it_at_once() -> None:
    question = asked((0.1, DeniedError(VenueId("lighter"), "no such key")))
    with pytest.raises(DeniedError, match="no such key"):
        timed(overlapping(question, ManualClock(START)))


# -- answers that come at one instant -----------------------------------------------------------


class Backwards(SimTask):
    """A task that stands in sets before those that were made before it."""

    def __hash__(self) -> int:
        return 7 - self._number % 8


@pytest.fixture(params=[SimTask, Backwards])
def any_order(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets of tasks come in the order in which they were made, or in the other one."""
    monkeypatch.setattr("tests.simulation.loop.SimTask", request.param)


@pytest.mark.usefixtures("any_order")
def test_of_two_answers_at_one_instant_that_of_the_first_asking_counts() -> None:
    question = asked((2.0, 1), (1.0, 2))
    answer, took_s = timed(overlapping(question, ManualClock(START)))
    assert (answer, round(took_s, 3)) == (1, 2.0)

    question = asked((0.9, 1), (0.4, 2))
    answer, took_s = timed(pressed(question, VenueId("lighter"), ManualClock(START)))
    assert (answer, round(took_s, 3)) == (1, 0.9)


@pytest.mark.usefixtures("any_order")
def test_of_two_failures_at_one_instant_the_first_is_told() -> None:
    first, second = (UnavailableError(VenueId("lighter"), text) for text in ("first", "second"))
    with pytest.raises(UnavailableError, match="first"):
        timed(pressed(asked((0.9, first), (0.4, second)), VenueId("lighter"), ManualClock(START)))
