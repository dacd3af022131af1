"""What adapters remember of a venue's answers, and for how long."""

import asyncio
from datetime import datetime, timedelta

import pytest

from adapters.lately import Lately
from adapters.upcoming import MARGIN, Upcoming
from tests.clocks import ManualClock

HOUR = timedelta(hours=1)
MINUTE_S = 60.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()  # 21:00


@pytest.fixture
def upcoming(clock: ManualClock) -> Upcoming:
    return Upcoming(clock, HOUR)


def test_a_settlement_is_remembered_until_five_minutes_before_it(
    clock: ManualClock, upcoming: Upcoming
) -> None:
    assert upcoming.known() is None
    at = clock.now() + timedelta(minutes=40)
    upcoming.note(at)
    clock.advance(35 * MINUTE_S - 1)
    assert upcoming.known() == at
    clock.advance(1)
    assert upcoming.known() is None


@pytest.mark.parametrize(
    "ahead",
    [
        timedelta(days=-300),  # a market clock of another year
        timedelta(0),  # it has passed and the next one is not listed yet
        MARGIN,
        HOUR + timedelta(seconds=1),
        timedelta(days=300),
    ],
)
def test_a_settlement_that_is_not_within_the_hour_to_come_is_asked_for_each_time(
    clock: ManualClock, upcoming: Upcoming, ahead: timedelta
) -> None:
    upcoming.note(clock.now() + timedelta(minutes=40))
    upcoming.note(clock.now() + ahead)
    assert upcoming.known() is None


def test_our_clock_may_be_set_meanwhile(clock: ManualClock, upcoming: Upcoming) -> None:
    upcoming.note(clock.now() + timedelta(minutes=40))
    clock._start -= timedelta(hours=2)
    clock.advance(35 * MINUTE_S)
    assert upcoming.known() is None


class Account:
    """Counts how often it is asked; an answer is that number."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate: asyncio.Event | None = None

    async def ask(self) -> int:
        self.asked += 1
        answer = self.asked
        if self.gate is not None:
            await self.gate.wait()
        return answer


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def lately(clock: ManualClock, account: Account) -> Lately[int]:
    return Lately(clock, account.ask)


async def test_an_answer_is_given_again_only_to_whoever_allows_its_age(
    clock: ManualClock, lately: Lately[int]
) -> None:
    first = await lately.get(0)
    clock.advance(2)
    again = await lately.get(3)
    assert again is first
    assert (again.answer, clock.now() - again.asked_at) == (1, timedelta(seconds=2))
    assert (await lately.get(2)).answer == 2
    assert (await lately.get(0)).answer == 3  # at the same instant


async def test_its_age_counts_from_the_question(
    clock: ManualClock, account: Account, lately: Lately[int]
) -> None:
    account.gate = asyncio.Event()
    asking = asyncio.create_task(lately.get(0))
    await asyncio.sleep(0)
    clock.advance(2)
    account.gate.set()
    told = await asking
    assert told.came_at - told.asked_at == timedelta(seconds=2)
    assert lately.known(2) is None
    assert lately.known(2.1) is told


async def test_what_was_asked_before_something_was_sent_is_not_given_again(
    account: Account, lately: Lately[int]
) -> None:
    await lately.get(0)
    lately.forget()
    assert lately.known(60) is None
    account.gate = asyncio.Event()
    asking = asyncio.create_task(lately.get(0))
    await asyncio.sleep(0)
    lately.forget()  # while the answer is on its way
    account.gate.set()
    assert (await asking).answer == 2
    assert lately.known(60) is None


async def test_a_question_without_an_answer_leaves_the_last_one(clock: ManualClock) -> None:
    answers = iter([datetime(2026, 1, 2)])

    async def ask() -> datetime:
        return next(answers)

    lately = Lately(clock, ask)
    told = await lately.get(0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await lately.get(0)
    assert lately.known(1) is told
