"""What the ledger remembers of its answers, and when it forgets it."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hedger.clock import SystemClock
from hedger.domain.hedge import State
from hedger.errors import StateError
from hedger.ledger import events, funding, hedges, intents, lanes, outcomes, totals
from hedger.ledger.connection import KEPT_MAX, Connection
from hedger.ledger.statements import Query
from hedger.ledger.store import Store, open_store
from tests.unit.ledger.build import a_hedge, a_store

NAMED = re.compile(r"(?:FROM|JOIN|INTO|UPDATE) (\w+)")
QUERIES = [
    pytest.param(value, id=f"{module.__name__}.{name}")
    for module in (events, funding, hedges, intents, lanes, outcomes, totals)
    for name, value in vars(module).items()
    if isinstance(value, Query)
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with a_store(tmp_path) as store:
        yield store


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_knows_the_tables_that_its_answer_is_from(query: Query) -> None:
    named = set(NAMED.findall(query.sql.replace("\n", " ")))
    named |= set(re.findall(r"FROM \w+, (\w+)", query.sql.replace("\n", " ")))
    assert named
    assert named == set(query._tables)


def test_an_answer_is_remembered_until_a_row_of_its_table_changes(store: Store) -> None:
    asked = counted(store._conn)
    assert store.live() == store.live() == []
    assert asked.count("hedges") == 1
    store.set_meta("other", "table")
    assert store.live() == []
    assert asked.count("hedges") == 1
    store.plan(planned := a_hedge())
    assert [found.id for found in store.live()] == [planned.id]


def test_what_was_rolled_back_is_not_remembered(store: Store) -> None:
    seen: list[int] = []

    def plan_and_fail() -> None:
        with store._writing("plan") as session:
            hedges.insert(session, a_hedge())
            seen.append(len(hedges.live(session.conn)))
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        plan_and_fail()
    assert seen == [1]
    assert store.live() == []


def test_a_reader_sees_what_another_process_has_committed(store: Store) -> None:
    with open_store(store.path, SystemClock(), readonly=True) as reader:
        assert reader.live() == []
        store.plan(a_hedge())
        assert [found.state for found in reader.live()] == [State.PLANNED]


def test_a_writer_sees_in_its_transaction_that_another_one_has_the_ledger(store: Store) -> None:
    store.set_meta("ours", "1")
    with open_store(store.path, SystemClock()), pytest.raises(StateError, match="another process"):
        store.set_meta("ours", "2")


def test_a_change_that_nobody_told_of_is_noticed(store: Store) -> None:
    store.set_meta("a", "1")
    assert store.meta("a") == "1"
    store._conn.execute("UPDATE meta SET value = '2' WHERE key = 'a'")
    assert store.meta("a") == "2"


def test_no_more_than_so_many_answers_are_kept(store: Store) -> None:
    for number in range(KEPT_MAX + 10):
        store.meta(str(number))
    assert len(store._conn.known(("meta",))) <= KEPT_MAX


def test_what_a_caller_does_to_an_answer_harms_nobody(store: Store) -> None:
    store.plan(a_hedge())
    store.live().clear()
    assert len(store.live()) == 1


class counted(list[str]):  # noqa: N801 - reads as what it does
    """The tables that SQLite is asked for from now on."""

    def __init__(self, conn: Connection | sqlite3.Connection) -> None:
        super().__init__()
        conn.set_trace_callback(lambda sql: self.extend(NAMED.findall(sql)))
