"""The venues' own books as rows: once each, growing by parts, never explained away in silence."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedger.domain.account import Entry, EntryKind
from hedger.domain.hedge import State
from hedger.domain.market import Balance
from hedger.ledger.store import Store
from tests.unit.ledger.build import ETH, START, X10, StepClock, a_hedge, a_store, settlement

MARK = ("account_mark:x10:1:trades", "{}")
GIVE_UP_S = 60.0


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
def store(tmp_path: Path, clock: StepClock) -> Iterator[Store]:
    with a_store(tmp_path, clock) as store:
        yield store


def an_entry(ref: str = "7", amount: str = "-0.5", **other: Any) -> Entry:
    values = {"kind": EntryKind.FEE, "symbol": ETH, "at": START, **other}
    return Entry(venue=X10, ref=ref, amount_usd=Decimal(amount), **values)


def rows(store: Store, sql: str) -> list[tuple[Any, ...]]:
    with store._reading() as conn:
        return [tuple(row) for row in conn.execute(sql)]


def read(store: Store, clock: StepClock, cash: str) -> Any:
    started = clock.now()
    balance = Balance(
        venue=X10,
        available_usd=Decimal(cash),
        equity_usd=Decimal(cash),
        cash_usd=Decimal(cash),
        as_of=clock.now(),
    )
    return store.note_reading(balance, "1", started, give_up_s=GIVE_UP_S)


def alerts(store: Store) -> list[str]:
    return [alert.text for alert in store.unacknowledged()]


def test_an_entry_is_booked_once_however_often_it_is_listed(store: Store) -> None:
    assert store.book_entries("1", [an_entry(), an_entry("8")], MARK) == 2
    assert store.book_entries("1", [an_entry("8"), an_entry()], MARK) == 0
    assert store.meta(MARK[0]) == "{}"


def test_the_same_id_of_another_account_or_kind_is_another_entry(store: Store) -> None:
    funding = an_entry(kind=EntryKind.FUNDING)
    assert store.book_entries("1", [an_entry(), funding], MARK) == 2
    assert store.book_entries("2", [an_entry()], MARK) == 1


def test_what_grows_is_booked_by_its_increase(store: Store) -> None:
    for amount in ("0", "1.25", "1.25", "-0.75", "-0.75"):
        position = an_entry("p", amount, kind=EntryKind.REALISED, running=True)
        store.book_entries("1", [position], MARK)
    assert rows(store, "SELECT part, amount_usd FROM account_entries") == [(0, "1.25"), (1, "-2")]


def test_an_entry_that_changes_is_left_and_alerted_once(store: Store) -> None:
    store.book_entries("1", [an_entry(amount="-0.5")], MARK)
    for _ in range(3):
        store.book_entries("1", [an_entry(amount="-0.6")], MARK)
    assert rows(store, "SELECT amount_usd FROM account_entries") == [("-0.5",)]
    (text,) = alerts(store)
    assert text == "x10 now tells fee 7 as -0.6 USD, the ledger has -0.5 USD"


def test_base_and_entries_make_the_cash(store: Store, clock: StepClock) -> None:
    assert read(store, clock, "100").differs_since is None
    store.book_entries("1", [an_entry(amount="-0.5")], MARK)
    assert read(store, clock, "99.5").difference_usd == 0
    store.book_entries("1", [an_entry("8", "0.000001")], MARK)
    assert read(store, clock, "99.500001").difference_usd == 0


def test_entries_from_before_the_first_reading_are_in_its_base(
    store: Store, clock: StepClock
) -> None:
    store.book_entries("1", [an_entry(amount="-0.5")], MARK)
    read(store, clock, "99.5")
    assert rows(store, "SELECT base_usd FROM balance_readings") == [("100",)]


def test_a_difference_is_waited_for_and_then_booked_and_alerted(
    store: Store, clock: StepClock
) -> None:
    read(store, clock, "100")
    assert read(store, clock, "97").difference_usd == -3
    clock.at += timedelta(seconds=GIVE_UP_S - 1)
    assert read(store, clock, "97").differs_since is not None
    assert alerts(store) == []
    clock.at += timedelta(seconds=2)

    assert read(store, clock, "97").difference_usd == 0

    (text,) = alerts(store)
    assert "the cash changed by -3 USD that no list of the venue explains" in text
    assert rows(store, "SELECT kind, amount_usd FROM account_entries") == [("unexplained", "-3")]
    assert read(store, clock, "97").differs_since is None


def test_what_is_listed_late_ends_the_wait(store: Store, clock: StepClock) -> None:
    read(store, clock, "100")
    assert read(store, clock, "99.5").difference_usd == Decimal("-0.5")
    store.book_entries("1", [an_entry(amount="-0.5")], MARK)
    clock.at += timedelta(seconds=2 * GIVE_UP_S)
    assert read(store, clock, "99.5").difference_usd == 0
    assert alerts(store) == []


def test_a_difference_that_changes_is_waited_for_anew(store: Store, clock: StepClock) -> None:
    read(store, clock, "100")
    for cash in ("99", "98", "97"):
        clock.at += timedelta(seconds=GIVE_UP_S - 1)
        assert read(store, clock, cash).differs_since is not None
    assert alerts(store) == []


def test_readings_that_say_the_same_are_one_row(store: Store, clock: StepClock) -> None:
    for _ in range(50):
        clock.at += timedelta(minutes=1)
        read(store, clock, "100")
    ((as_of, until),) = rows(store, "SELECT as_of, until FROM balance_readings")
    assert as_of < until


def test_a_funding_entry_belongs_to_the_hedge_whose_settlements_enclose_it(store: Store) -> None:
    store.plan(a_hedge(first_settlement_a=settlement(0), first_settlement_b=settlement(0)))
    for number in (-1, 0, 1):
        entry = an_entry(str(number), kind=EntryKind.FUNDING, at=settlement(number))
        store.book_entries("1", [entry], MARK)
    assert rows(store, "SELECT ref, hedge_id FROM account_entries") == [
        ("-1", None),
        ("0", "eth-1"),
        ("1", "eth-1"),
    ]


def test_a_position_is_whose_trade_it_began_with(store: Store) -> None:
    """Hedges on one market within seconds: the newest that lived then would be the wrong one."""
    store.plan(a_hedge("eth-1"))
    hedge = store.hedge(a_hedge("eth-1").id)
    for state in (State.OPENING_A, State.CLOSED_FLAT):
        hedge = store.move(hedge, state, "so")
    second = START + timedelta(seconds=3)
    store.plan(a_hedge("eth-2", created_at=second))
    fee = an_entry("7", at=START + timedelta(seconds=1), order_ref="unknown")
    position = an_entry(
        "p", "1", kind=EntryKind.REALISED, running=True, since=START + timedelta(seconds=1)
    )
    with store._writing("set_meta") as session:
        session.conn.execute(
            "INSERT INTO account_entries (venue, account, kind, ref, part, symbol, hedge_id,"
            " amount_usd, at, note, booked_at) SELECT 'x10', '1', 'fee', '7', 0, 'ETH', 'eth-1',"
            " '-0.5', at, '', at FROM (SELECT ? AS at)",
            (fee.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),),
        )
    store.book_entries("1", [position], MARK)
    assert rows(store, "SELECT hedge_id FROM account_entries WHERE ref = 'p'") == [("eth-1",)]


def test_a_hedge_is_compared_again_when_its_books_change(store: Store) -> None:
    store.plan(a_hedge(first_settlement_a=settlement(0)))
    store.note_check(a_hedge().id, "")
    store.book_entries("1", [an_entry(kind=EntryKind.FUNDING, at=settlement(1))], MARK)
    assert rows(store, "SELECT * FROM account_checks") == []


def test_a_difference_between_the_views_is_alerted(store: Store) -> None:
    store.plan(a_hedge())
    store.note_check(a_hedge().id, "x10: fee of trade 7 is -1 USD in our books")
    assert alerts(store) == [
        "the books of hedge eth-1 differ: x10: fee of trade 7 is -1 USD in our books"
    ]
