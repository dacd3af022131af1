"""Pure rules: classes of refusals, cascade stop, families of values."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedger.domain.ids import LaneId
from hedger.sequence import Dense, Increasing
from hedger.sequence.cascade import LONGEST_S, Cascade
from hedger.sequence.trouble import Trouble, classify, expected
from tests.clocks import ManualClock
from tests.unit.ledger.build import START
from tests.unit.sequence.chain import Books

KRAKEN = LaneId("kraken:1:key")


@pytest.mark.parametrize(
    ("text", "trouble", "value"),
    [
        (
            "account sequence mismatch, expected 10, got 9: incorrect account sequence",
            "mismatch",
            10,
        ),
        ("account sequence mismatch, expected 10, got 14", "ahead", 10),
        ("terPRE_SEQ", "ahead", None),
        ("Sequence too high", "ahead", None),
        ("tefPAST_SEQ", "mismatch", None),
        ("HTTP 400 code 21104: invalid nonce", "mismatch", None),
        ("EAPI:Invalid nonce", "mismatch", None),
        ("nonce too low: next nonce 42, tx nonce 41", "mismatch", 42),
        ("tx timeout height exceeded", "expired", None),
        ("tefMAX_LEDGER", "expired", None),
        ("telINSUF_FEE_P", "other", None),
        ("insufficient funds", "other", None),
    ],
)
def test_a_refusal_belongs_to_one_of_four_classes(
    text: str, trouble: str, value: int | None
) -> None:
    assert classify(text) is Trouble(trouble)
    assert expected(text) == value


def test_three_errors_within_a_minute_are_a_cool_down_and_the_second_one_escalates() -> None:
    cascade = Cascade(limit=3, cool_down_s=10)

    assert [cascade.failed(at) for at in (0, 1)] == [None, None]
    first = cascade.failed(2)
    assert first is not None
    assert (first.seconds, first.escalates) == (10, False)
    assert cascade.remaining_s(5) == 7
    assert [cascade.failed(at) for at in (20, 21)] == [None, None]
    second = cascade.failed(22)
    assert second is not None
    assert (second.seconds, second.escalates) == (20, True)


def test_errors_far_apart_or_between_successes_are_not_in_a_row() -> None:
    cascade = Cascade(limit=3, cool_down_s=10)

    assert [cascade.failed(at) for at in (0, 40, 80, 120)] == [None] * 4
    cascade.succeeded()
    assert [cascade.failed(at) for at in (121, 122)] == [None, None]


def test_ten_quiet_minutes_make_the_next_cool_down_a_first_one() -> None:
    cascade = Cascade(limit=1, cool_down_s=10)
    cascade.failed(0)

    again = cascade.failed(700)

    assert again is not None
    assert (again.seconds, again.escalates) == (10, False)


def test_the_longest_cool_down_is_no_quiet_time() -> None:
    cascade = Cascade(limit=1, cool_down_s=LONGEST_S)
    cascade.failed(0)

    again = cascade.failed(LONGEST_S + 1)

    assert again is not None
    assert again.escalates


def test_a_cool_down_that_is_taken_up_runs_to_its_end_and_the_next_one_is_longer() -> None:
    cascade = Cascade(limit=1, cool_down_s=10)

    assert cascade.resume(1000, left_s=7, times=1) == 7

    assert cascade.remaining_s(1002) == 5
    again = cascade.failed(1100)
    assert again is not None
    assert (again.seconds, again.escalates) == (20, True)


def test_the_quiet_before_a_restart_and_after_it_count_together() -> None:
    cascade = Cascade(limit=1, cool_down_s=10)
    cascade.resume(0, left_s=-400, times=3)

    again = cascade.failed(201)

    assert again is not None
    assert (again.seconds, again.escalates) == (10, False)


def test_what_is_left_of_a_cool_down_is_never_longer_than_one_can_be() -> None:
    cascade = Cascade(limit=1, cool_down_s=10)

    assert cascade.resume(0, left_s=3_600, times=1) == LONGEST_S
    assert cascade.resume(0, left_s=-3_600, times=1) == 0


@given(high=st.none() | st.integers(0, 10**6), in_flight=st.sets(st.integers(0, 10**6)))
def test_a_dense_value_is_above_everything_that_may_be_used(
    high: int | None, in_flight: set[int]
) -> None:
    values = Dense(lambda: high)
    following = values.following(in_flight)

    assert following > (-1 if high is None else high)
    assert all(following > value for value in in_flight)
    assert following in {0, (high or 0) + 1, *(value + 1 for value in in_flight)}


def test_a_dense_sequence_goes_up_on_the_venues_word_and_never_down() -> None:
    values = Dense(lambda: 1233)

    assert values.correct(1236) == (1234, 1236)
    assert values.correct(1230) == (1236, 1234)  # our own intents still count


def kraken(books: Books, clock: ManualClock, block: int = 1_000) -> Increasing:
    return Increasing(KRAKEN, books.store, clock, block=block)


def test_a_time_based_nonce_survives_a_restart_with_the_clock_set_back(tmp_path: Path) -> None:
    """Seed 003, "persistent state": the venue refuses whatever is not above the last one."""
    clock = ManualClock(START)
    books = Books(tmp_path, clock)
    before = [kraken(books, clock).following() for _ in range(5)]
    books.store.close()

    slow = ManualClock(START.replace(year=START.year - 1))
    values = kraken(Books(tmp_path, slow), slow)
    after = [values.following() for _ in range(5)]

    assert sorted(set(before + after)) == before + after


def test_an_invalid_nonce_makes_it_jump_sixty_seconds_ahead(tmp_path: Path) -> None:
    """Seed 003, "60-second buffer jumps"."""
    clock = ManualClock(START)
    values = kraken(Books(tmp_path, clock), clock, block=10)
    used = values.following()

    before, after = values.correct(None)

    assert before == used + 1
    assert 60_000_000 <= after - used <= 60_000_100
    assert values.following() == after


def test_a_time_based_nonce_is_shown_by_its_last_four_digits(tmp_path: Path) -> None:
    clock = ManualClock(START)
    values = kraken(Books(tmp_path, clock), clock)
    assert values.shown(1767389400123456) == "…3456"


def test_a_crash_loses_less_than_a_block_and_repeats_nothing(tmp_path: Path) -> None:
    clock = ManualClock(START)
    books = Books(tmp_path, clock)
    values = kraken(books, clock)
    last = [values.following() for _ in range(10)][-1]
    books.store.close()

    first = kraken(Books(tmp_path, clock), clock).following()

    assert first - last - 1 == 990


def test_eight_threads_take_unique_values_from_blocks(tmp_path: Path) -> None:
    clock = ManualClock(START)
    values = kraken(Books(tmp_path, clock), clock, block=100)
    together = threading.Barrier(8)

    def take() -> list[int]:
        together.wait()
        return [values.following() for _ in range(500)]

    with ThreadPoolExecutor(8) as pool:
        taken = [value for part in [pool.submit(take) for _ in range(8)] for value in part.result()]

    assert len(set(taken)) == len(taken) == 4_000
