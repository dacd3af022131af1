"""One queue for tasks and threads, and unique values whoever asks."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hedger.sequence.turns import Turns
from tests.clocks import ManualClock
from tests.unit.sequence.chain import Account, Books, Chain

WAIT_S = 10.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def books(tmp_path: Path, clock: ManualClock) -> Iterator[Books]:
    books = Books(tmp_path, clock)
    yield books
    books.store.close()


async def test_first_come_first_served_and_urgent_ones_before_them() -> None:
    turns, order = Turns(), list[str]()

    async def go(name: str, *, urgent: bool = False) -> None:
        async with turns.task(urgent=urgent):
            order.append(name)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group, turns.task():
        for name in ("open-1", "open-2"):
            group.create_task(go(name))
        await asyncio.sleep(0)
        group.create_task(go("rollback", urgent=True))
        await asyncio.sleep(0)
        assert order == []

    assert order == ["rollback", "open-1", "open-2"]


async def test_a_task_that_is_cancelled_while_it_waits_leaves_the_queue() -> None:
    turns = Turns()
    entered = list[str]()

    async def go(name: str) -> None:
        async with turns.task():
            entered.append(name)

    async with turns.task():
        gone, stays = [asyncio.get_running_loop().create_task(go(n)) for n in ("gone", "stays")]
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
    await stays

    assert entered == ["stays"]
    assert turns.try_acquire()


async def test_a_turn_that_was_just_given_to_a_cancelled_task_is_passed_on() -> None:
    turns = Turns()

    async def go() -> None:
        async with turns.task():
            pass

    async with turns.task():
        waiting = asyncio.get_running_loop().create_task(go())
        await asyncio.sleep(0)
    waiting.cancel()  # the turn is its own by now, but it has not run yet
    await asyncio.gather(waiting, return_exceptions=True)

    assert turns.try_acquire()


def test_a_thread_does_not_wait_for_ever() -> None:
    turns = Turns()
    assert turns.try_acquire()

    with pytest.raises(TimeoutError, match="not our turn within"), turns.thread(timeout_s=0.01):
        pass

    turns.release()
    assert turns.try_acquire()


async def test_tasks_and_threads_take_turns_in_one_queue() -> None:
    turns, inside, most = Turns(), list[int](), list[int]()

    def work() -> None:
        inside.append(1)
        most.append(len(inside))
        inside.pop()

    def thread() -> None:
        for _ in range(100):
            with turns.thread(timeout_s=WAIT_S):
                work()

    async def task() -> None:
        for _ in range(20):
            async with turns.task():
                work()
                await asyncio.sleep(0)

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(4) as pool:
        threads = [loop.run_in_executor(pool, thread) for _ in range(4)]
        await asyncio.gather(*threads, *(task() for _ in range(20)))

    assert max(most) == 1
    assert len(most) == 800


async def test_two_hundred_tasks_take_unique_consecutive_values(
    books: Books, clock: ManualClock
) -> None:
    account = Account(books, clock, Chain(7), width=1)
    await account.carrier.start()

    values = await asyncio.gather(*(account.carrier.carry(account.send) for _ in range(200)))

    assert sorted(values) == list(range(7, 207))
    assert account.chain.landed == list(range(7, 207))


async def test_eight_threads_take_unique_consecutive_values(
    books: Books, clock: ManualClock
) -> None:
    """Each commits its intent before the next value is taken: the ledger is the counter."""
    account = Account(books, clock, Chain(0), width=1)
    await account.carrier.start()
    together = threading.Barrier(8)

    def work() -> list[int]:
        together.wait()
        taken = []
        for _ in range(25):
            with account.lane.turns.thread(timeout_s=WAIT_S):
                value = account.lane.take()
                books.landed(books.commit(account.id, value))
                account.lane.end(value)
                taken.append(value)
        return taken

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(8) as pool:
        parts = await asyncio.gather(*(loop.run_in_executor(pool, work) for _ in range(8)))

    assert sorted(value for part in parts for value in part) == list(range(200))
