"""What the ledger remembers of its answers, and when it forgets it."""

import contextlib
import random
import re
import sqlite3
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from hedger.clock import SystemClock
from hedger.domain.hedge import FOLLOWS, State
from hedger.domain.ids import HedgeId, LaneId
from hedger.errors import IllegalTransitionError, StateError
from hedger.ledger import events, funding, hedges, intents, lanes, outcomes, totals
from hedger.ledger.connection import KEPT_MAX, PARTS_MAX, Connection
from hedger.ledger.reader import Reader
from hedger.ledger.statements import Query
from hedger.ledger.store import Store, open_store
from tests.unit.ledger.build import (
    ETH,
    LIGHTER,
    X10,
    a_hedge,
    a_position,
    a_store,
    an_order,
    filled,
)

ONE = Decimal("0.01")
NAMED = re.compile(r"(?:FROM|JOIN|INTO|UPDATE) (\w+)")
LANE = LaneId("x10:1:2")
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


def test_what_a_function_read_is_kept_until_one_of_its_answers_ends(store: Store) -> None:
    store.plan(planned := a_hedge())
    asked = counted(store._conn)
    for _ in range(2):
        assert store.leg_size(planned.id, X10) == 0
        assert len(store.orders_of(planned.id)) == 0
    assert asked.count("legs") == asked.count("orders") == 1
    store.intend(an_order())
    assert len(store.orders_of(planned.id)) == 1
    assert store.leg_size(planned.id, X10) == 0
    assert asked.count("legs") == 1  # no order changes a leg before it fills


def test_what_a_function_read_inside_another_ends_both(store: Store) -> None:
    def inner(conn: Connection) -> str | None:
        return events.meta(conn, "a")

    def outer(conn: Connection) -> str:
        return f"{conn.concluded(inner, ())}!"

    store.set_meta("a", "1")
    for told in ("1", "2"):
        store.set_meta("a", told)
        assert store._ask(inner) == told
        assert store._ask(outer) == f"{told}!"  # the inner one was known already


def test_a_part_that_was_forgotten_with_others_is_asked_for_anew(store: Store) -> None:
    def both(conn: Connection) -> tuple[str | None, str | None]:
        found = events.meta(conn, "a")
        for number in range(PARTS_MAX):
            events.meta(conn, f"kind {number}")
        return found, events.meta(conn, "b")

    store.set_meta("a", "1")
    assert store._ask(both) == ("1", None)
    store.set_meta("a", "2")
    assert store._ask(both) == ("2", None)


def test_a_value_of_one_kind_does_not_make_others_forgotten(store: Store) -> None:
    store.set_meta("naked:x", "1")
    store.set_meta("doubt:x", "1")
    assert list(store.metas("naked:")) == ["naked:x"]
    asked = counted(store._conn)
    store.set_meta("doubt:y", "2")
    asked.clear()
    assert list(store.metas("naked:")) == ["naked:x"]
    assert asked == []
    assert list(store.metas("doubt:")) == ["doubt:x", "doubt:y"]
    assert sorted(store.metas("d")) == ["doubt:x", "doubt:y"]  # of no one kind
    store.set_meta("doubt:z", "3")
    assert len(store.metas("d")) == 3


def test_every_answer_is_what_a_fresh_reader_finds(tmp_path: Path) -> None:
    """Whatever was asked before, and however changes are spread over hedges and values."""
    chance = random.Random(7)
    ids = ["eth-1", "sol-1", "btc-1"]
    with a_store(tmp_path) as store:
        for name in ids:
            store.plan(a_hedge(name, symbol=name[:3].upper()))
        for step in range(120):
            change = chance.choice((tell, observe, trade, move, fail))
            with contextlib.suppress(StateError, IllegalTransitionError):
                change(store, chance.choice(ids), step)
            with open_store(store.path, SystemClock(), readonly=True) as reader:
                assert everything(store, ids) == everything(reader, ids), change
        assert len(store.orders_of(HedgeId(ids[0]))) > 1


def everything(reader: Reader, ids: Iterable[str]) -> list[object]:
    """What the daemon asks again and again."""
    found: list[object] = [reader.live(), reader.open_intents(), reader.lane_high(LANE)]
    found += [reader.metas(kind) for kind in ("naked:", "doubt:", "d")]
    found += [reader.last_observation(venue, ETH) for venue in (X10, LIGHTER)]
    for name in map(HedgeId, ids):
        found += [reader.hedge(name), reader.orders_of(name), reader.open_intents(name)]
        found += [reader.leg_cash(name)]
        found += [reader.leg_size(name, venue) for venue in (X10, LIGHTER)]
        found += [reader.meta(f"{kind}:{name}") for kind in ("naked", "doubt")]
    return found


def tell(store: Store, name: str, step: int) -> None:
    store.set_meta(f"{('naked', 'doubt')[step % 2]}:{name}", str(step % 5))


def observe(store: Store, name: str, step: int) -> None:
    reading = a_position(str(step), venue=(X10, LIGHTER)[step % 2], after_s=step)
    store.observe([reading], HedgeId(name))


def trade(store: Store, name: str, step: int) -> None:
    hedge = HedgeId(name)
    if left := store.open_intents(hedge):
        store.settle(filled(left[0], (f"{ONE}", "2500")))
    else:
        number = len(store.orders_of(hedge)) + 1
        store.intend(an_order(name, number, venue=(X10, LIGHTER)[step % 2], nonce=step))


def move(store: Store, name: str, step: int) -> None:
    hedge = store.hedge(HedgeId(name))
    if steps := sorted(FOLLOWS[hedge.state]):
        store.move(hedge, steps[step % len(steps)], f"step {step}")
    elif orders := store.orders_of(hedge.id):
        one_more = int(orders[-1].filled_size / ONE) + 1
        late = filled(orders[-1].prepared, *[(f"{ONE}", "2500")] * one_more)
        assert store.settle(late) is not None  # it takes the hedge up again


def fail(store: Store, name: str, step: int) -> None:
    """Something is written, read and then undone."""
    with contextlib.suppress(ArithmeticError), store._writing("set_meta") as session:
        events.set_meta(session, f"naked:{name}", f"undone {step}")
        store.meta(f"naked:{name}")
        store.metas("naked:")
        raise ArithmeticError


class counted(list[str]):  # noqa: N801 - reads as what it does
    """The tables that SQLite is asked for from now on."""

    def __init__(self, conn: Connection | sqlite3.Connection) -> None:
        super().__init__()
        conn.set_trace_callback(lambda sql: self.extend(NAMED.findall(sql)))
