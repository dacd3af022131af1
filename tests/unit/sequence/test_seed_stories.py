"""The seeds' own stories, replayed on intents in the real ledger."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hedger.domain.ids import LaneId
from hedger.errors import StateError
from hedger.ledger.records import LaneState
from hedger.sequence import Carrier, Increasing, Lane, NotLandedError
from hedger.settings_sequence import Sequence as Rules
from tests.clocks import ManualClock
from tests.unit.ledger.build import START
from tests.unit.sequence.chain import CHAIN, Account, Books, Chain


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def books(tmp_path: Path, clock: ManualClock) -> Iterator[Books]:
    books = Books(tmp_path, clock)
    yield books
    books.store.close()


def events(books: Books, kind: str) -> list[str]:
    with contextlib.closing(sqlite3.connect(books.store.path)) as connection:
        found = connection.execute("SELECT text FROM events WHERE kind = ? ORDER BY seq", [kind])
        return [text for (text,) in found]


async def batch(account: Account, number: int) -> list[int | BaseException]:
    """Orders sent together; values or refusals, in the order of sending."""
    return await asyncio.gather(
        *(account.carrier.carry(account.send) for _ in range(number)), return_exceptions=True
    )


async def test_of_33_orders_the_last_13_are_refused_and_the_next_value_is_the_21st(
    books: Books, clock: ManualClock
) -> None:
    """Seed 001, scenario 1: "sequences for those 13 are consumed in our cache but not on-chain"."""
    full = Chain(10, lambda number, _value: "telINSUF_FEE_P" if number > 20 else "")
    account = Account(books, clock, full)
    await account.carrier.start()

    results = await batch(account, 33)

    assert results[:20] == list(range(10, 30))
    assert all(isinstance(result, NotLandedError) for result in results[20:])
    full._refuse = lambda _number, _value: ""
    assert await account.carrier.carry(account.send) == 30
    assert full.landed == list(range(10, 31))


async def test_of_71_in_flight_some_fail_locally_and_the_rest_land_without_a_gap(
    books: Books, clock: ManualClock
) -> None:
    """Seed 001, scenario 2: one hole, and "all subsequent transactions fail"."""
    local = {5, 17, 40}
    chain = Chain(100, lambda number, _value: "telLOCAL_ERROR" if number in local else "")
    account = Account(books, clock, chain)
    await account.carrier.start()

    results = await batch(account, 71)

    failed = [result for result in results if isinstance(result, BaseException)]
    assert [type(failure) for failure in failed] == [NotLandedError] * 3
    assert all("telLOCAL_ERROR" in str(failure) for failure in failed)
    assert chain.landed == list(range(100, 168))
    assert sorted(value for value in results if isinstance(value, int)) == chain.landed
    assert books.store.lane_high(account.id) == 167
    assert account.lane.state is LaneState.READY


async def test_nothing_new_is_sent_between_a_mismatch_and_the_resynchronisation(
    books: Books, clock: ManualClock
) -> None:
    """Seed 001, option A: pause, re-sync, resume, retry."""
    chain = Chain(1234)
    account = Account(books, clock, chain)
    await account.carrier.start()
    chain.expected = 1236  # somebody else has used the key

    assert await account.carrier.carry(account.send) == 1236

    assert chain.seen == [1234, 1236]
    assert events(books, "lane_resync")[-1].startswith("sequence 1234 to 1236 of chain:a:0")


async def test_what_is_in_flight_comes_to_its_end_before_the_resynchronisation(
    books: Books, clock: ManualClock
) -> None:
    chain = Chain(5)
    account = Account(books, clock, chain)
    await account.carrier.start()
    landed, resyncs = asyncio.Event(), account.lane.resyncs

    async def slow(value: int) -> str:
        await landed.wait()
        return await account.send(value)

    async with asyncio.TaskGroup() as group:
        first = group.create_task(account.carrier.carry(slow))
        await asyncio.sleep(0)
        later = group.create_task(account.carrier.carry(account.send))  # 6 comes before 5
        for _ in range(100):
            await asyncio.sleep(0)
        assert account.lane.state is LaneState.PAUSED
        assert sorted(account.lane.in_flight) == [5]
        assert account.lane.resyncs == resyncs
        landed.set()

    assert (first.result(), later.result()) == (5, 6)
    assert chain.seen == [6, 5, 6]


async def test_a_reading_counts_when_the_next_one_says_the_same(
    books: Books, clock: ManualClock
) -> None:
    account = Account(books, clock, Chain(0))
    answers = iter([4, 6, 7, 7, 9])

    async def read() -> int:
        return next(answers)

    assert await account.lane.agreed(read) == 7


async def test_several_accounts_out_of_step_are_all_read_again(
    books: Books, clock: ManualClock
) -> None:
    """Seed 001, "global re-sync": one account's error puts the others in question."""
    hole = {"a": 2, "b": 1}
    accounts = [
        Account(
            books,
            clock,
            Chain(50, lambda n, _v, name=name: "telLOCAL" if n == hole[name] else ""),  # type: ignore[misc]
            name=name,
        )
        for name in hole
    ]
    first, second = accounts
    first.carrier = Carrier(
        lane=first.lane, read=first.chain.next_value, clock=clock, others=[second.carrier]
    )
    for account in accounts:
        await account.carrier.start()

    await asyncio.gather(*(batch(account, 10) for account in accounts))

    assert [account.chain.landed for account in accounts] == [list(range(50, 59))] * 2
    assert [account.lane.state for account in accounts] == [LaneState.READY] * 2


async def test_five_managers_on_one_key_are_one(books: Books, clock: ManualClock) -> None:
    """Seed 003: five nonce systems, each with a counter of its own."""
    account = Account(books, clock, Chain(0))

    for _ in range(4):
        with pytest.raises(StateError, match="has a manager already"):
            Account(books, clock, Chain(0))

    await account.carrier.start()
    users = [account.carrier.carry(account.send) for _ in range(5)]
    assert sorted(await asyncio.gather(*users)) == [0, 1, 2, 3, 4]


async def test_a_later_process_takes_the_lane_over(tmp_path: Path, clock: ManualClock) -> None:
    before = Account(Books(tmp_path, clock), clock, Chain(3))
    await before.carrier.start()
    await before.carrier.carry(before.send)

    after = Account(Books(tmp_path, clock), clock, before.chain)
    await after.carrier.start()

    assert await after.carrier.carry(after.send) == 4
    with pytest.raises(StateError, match="opened for writing by another process"):
        await before.carrier.carry(before.send)


async def test_a_value_that_may_have_been_sent_is_not_given_again_after_a_crash(
    tmp_path: Path, clock: ManualClock
) -> None:
    """The intent is on the disk, the process dies before the answer: the value is taken."""
    books = Books(tmp_path, clock)
    account = Account(books, clock, Chain(8))
    await account.carrier.start()
    books.commit(account.id, account.lane.take())
    account.chain.submit(8)
    books.store.close()

    later = Account(Books(tmp_path, clock), clock, account.chain)
    await later.carrier.start()

    assert await later.carrier.carry(later.send) == 9


async def test_an_expired_transaction_goes_on_as_a_fresh_intent_after_the_fence(
    books: Books, clock: ManualClock
) -> None:
    """Seed 000, "timeout height exceeded": wait, then retry with a fresh sequence."""
    chain = Chain(5, lambda n, _v: "tx timeout height exceeded" if n == 1 else "")
    account = Account(books, clock, chain)
    await account.carrier.start()
    began_s = clock.monotonic_s()

    assert await account.carrier.carry(account.send) == 5

    assert chain.seen == [5, 5]
    assert clock.monotonic_s() - began_s >= account.carrier.fence_s


async def test_three_refusals_in_a_row_hold_back_openings_and_not_exits(
    books: Books, clock: ManualClock
) -> None:
    """Seed 000, "error cascade prevention"."""
    chain = Chain(0, lambda n, v: f"sequence mismatch, expected {v}" if n <= 3 else "")
    account = Account(books, clock, chain)
    await account.carrier.start()

    await account.carrier.carry(account.send, reducing=True)

    assert account.lane.cooling_s() > 0
    (told,) = events(books, "lane_cool_down")
    assert "opens nothing for 10 s after 3 errors in a row" in told
    began_s = clock.monotonic_s()
    await account.carrier.carry(account.send, reducing=True)
    assert clock.monotonic_s() == began_s
    await account.carrier.carry(account.send)
    assert clock.monotonic_s() >= began_s + 7


async def cooled_down(tmp_path: Path, clock: ManualClock) -> Account:
    """An account whose lane has just met three errors, in a process that has ended."""
    books = Books(tmp_path, clock)
    chain = Chain(0, lambda n, v: f"sequence mismatch, expected {v}" if n <= 3 else "")
    account = Account(books, clock, chain)
    await account.carrier.start()
    await account.carrier.carry(account.send, reducing=True)
    assert account.lane.cooling_s() > 0
    books.store.close()
    return account


async def test_a_later_process_goes_on_with_a_cool_down(tmp_path: Path, clock: ManualClock) -> None:
    before = await cooled_down(tmp_path, clock)
    left_s = before.lane.cooling_s()
    clock.advance(2)

    after = Account(Books(tmp_path, clock), clock, before.chain)

    assert after.lane.cooling_s() == pytest.approx(left_s - 2, abs=0.001)
    await after.carrier.start()
    began_s = clock.monotonic_s()
    await after.carrier.carry(after.send)
    assert clock.monotonic_s() >= began_s + left_s - 4


async def test_a_clock_that_was_set_back_makes_a_cool_down_no_longer_than_it_was(
    tmp_path: Path, clock: ManualClock
) -> None:
    before = await cooled_down(tmp_path, clock)
    slow = ManualClock(START - timedelta(hours=1))

    books = Books(tmp_path, slow)
    after = Account(books, slow, before.chain)

    assert after.lane.cooling_s() == Rules().cool_down_s
    await after.carrier.start()
    slow.advance(Rules().cool_down_s)
    books.store.close()
    last = Account(Books(tmp_path, slow), slow, before.chain)  # and does not begin it anew
    assert last.lane.cooling_s() == 0


async def test_the_cool_down_of_one_lane_is_not_that_of_another(
    tmp_path: Path, clock: ManualClock
) -> None:
    before = await cooled_down(tmp_path, clock)

    books = Books(tmp_path, clock)
    other = Account(books, clock, before.chain, name="b")

    assert other.lane.cooling_s() == 0
    for _ in range(3):
        other.lane.failed("refused")
    assert "opens nothing for 10 s" in events(books, "lane_cool_down")[-1]


class Kraken:
    """Takes any nonce above the last one (seed 003)."""

    def __init__(self, last: int) -> None:
        self.last = last

    async def send(self, nonce: int) -> str:
        if nonce <= self.last:
            return "EAPI:Invalid nonce"
        self.last = nonce
        return ""


async def test_an_invalid_time_based_nonce_is_repaired_by_one_jump(
    books: Books, clock: ManualClock
) -> None:
    """Seed 003: "60-second buffer jumps for invalid nonce errors", its digits hidden in the log."""
    lane_id = LaneId("kraken:1:key")
    values = Increasing(lane_id, books.store, clock)
    kraken = Kraken(values.following() + 30_000_000)  # half a minute ahead of us
    lane = Lane(
        lane_id,
        values,
        venue=CHAIN,
        carries="everything",
        journal=books.store,
        clock=clock,
        rules=Rules(),
        width=10,
    )
    carrier = Carrier(lane=lane, read=None, clock=clock)
    await carrier.start()
    kraken.last += 60_000_000  # and another program was faster

    value = await carrier.carry(kraken.send)

    assert value == kraken.last
    text = events(books, "lane_resync")[-1]
    assert str(value) not in text
    assert f"…{str(value)[-4:]}" in text
