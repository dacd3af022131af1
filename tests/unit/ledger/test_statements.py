"""Statements: compiled once, and worth what SQLAlchemy's own execution would be."""

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from hedger.domain.ids import HedgeId, LaneId
from hedger.errors import StateError, UnwritableError
from hedger.ledger import events, funding, hedges, intents, lanes, outcomes, sqlite, totals
from hedger.ledger import tables as t
from hedger.ledger.statements import Query, Statement, given, inserting
from hedger.ledger.store import Store
from tests.unit.ledger.build import a_hedge, a_position, a_store, an_order

MODULES = (events, funding, hedges, intents, lanes, outcomes, totals)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
SMALL = {"alerts", "reservations"}  # at most ALERTS_MAX; two for each hedge under way
PARTIAL = ("ix_legs_funding_due", "uq_hedges_live_symbol")  # only what is due, or live
FOR_PEOPLE = {"_FIND", "_COUNTS", "_HEDGES_BY_STATE", "_ORDERS_BY_STATE"}
RARE = {
    "_TOLD",  # a venue contradicts itself
    "_BEFORE",  # once a start, from the newest event back to the first of an earlier start
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with a_store(tmp_path) as store:
        yield store


def declared() -> dict[str, Statement]:
    return {
        name: value
        for module in MODULES
        for name, value in vars(module).items()
        if isinstance(value, Statement)
    }


def test_the_database_knows_every_statement(store: Store) -> None:
    assert len(declared()) > 30
    for statement in declared().values():
        assert plan(store, statement)


def test_no_query_of_the_daemon_reads_a_whole_table_that_grows(store: Store) -> None:
    whole = {
        (name, step)
        for name, statement in declared().items()
        if isinstance(statement, Query) and name not in FOR_PEOPLE | RARE
        for step in plan(store, statement)
        if (scan := re.match(r"SCAN (\w+)", step)) and scan[1] not in SMALL
        if not step.endswith(PARTIAL)
    }
    assert whole == set()


def plan(store: Store, statement: Statement) -> list[str]:
    values = [None] * statement.sql.count("?")
    with store._reading() as conn:
        found = conn.execute(f"EXPLAIN QUERY PLAN {statement.sql}", values).fetchall()
    return [str(row[3]) for row in found] or ["no table"]


def test_a_value_that_stands_in_two_places_is_converted_once(store: Store) -> None:
    c = t.fills.c
    same = Query(sa.select(c.seq).where(c.at >= given("when"), c.at <= given("when")))
    with store._reading() as conn:
        assert same.all(conn, when=NOON) == []


def test_rows_are_read_as_what_their_columns_stand_for(store: Store) -> None:
    store.plan(a_hedge())
    with store._reading() as conn:
        (row, _) = Query(sa.select(t.legs)).all(conn)
    assert row.open_size == Decimal(0)
    assert isinstance(row.open_size, Decimal)
    assert row.funding_through is None
    assert row.funding_due is True


def test_what_may_be_null_need_not_be_told_and_everything_else_must(store: Store) -> None:
    new = inserting(t.events)
    told = {"at": NOON, "epoch": 1, "level": "info", "kind": "x", "text": "y"}
    with store._writing("event") as session:
        number = new.add(session.conn, **told, data="{}")
    with store._writing("event") as session, pytest.raises((KeyError, sqlite3.ProgrammingError)):
        new.add(session.conn, **told)
    assert number > 0


def test_a_float_is_no_amount(store: Store) -> None:
    with store._writing("event") as session, pytest.raises(AssertionError):
        inserting(t.reservations).run(
            session.conn, hedge_id="x", venue="y", amount_usd=1.5, at=NOON
        )


def test_a_type_that_nothing_reads_is_refused_at_once(store: Store) -> None:
    with store._reading() as conn, pytest.raises(AssertionError, match="nothing reads"):
        Query(sa.select(sa.literal_column("1", sa.Float))).all(conn)


def test_prefixes_are_taken_literally(store: Store) -> None:
    for key in ("a:1", "a:%", "ab", "b:1"):
        store.set_meta(key, key)
    assert list(store.metas("a:")) == ["a:%", "a:1"]
    store.plan(a_hedge("eth-1"))
    assert store.find("ETH").id == "eth-1"  # as people type it


def test_a_look_inside_a_transaction_sees_what_it_wrote(store: Store) -> None:
    store.plan(a_hedge())
    order = an_order()
    with store._writing("intend") as session:
        intents.intend(session, order, (), None)
        assert store.open_intents() == [order]
        assert store.lane_high(LaneId(order.lane or "")) == order.nonce


def test_a_commit_that_fails_is_undone_and_the_next_one_works(store: Store) -> None:
    store.plan(a_hedge())

    def lose() -> None:
        with store._writing("x") as session:
            session.conn.execute("PRAGMA defer_foreign_keys = ON")  # only the commit sees it
            events.append(session, "lost", "", hedge=HedgeId("nobody"))

    with pytest.raises(StateError, match="refers to something"):
        lose()
    store.event("kept", "")
    with store._reading() as conn:
        kinds = [row.kind for row in Query(sa.select(t.events.c.kind)).all(conn)]
    assert "kept" in kinds
    assert "lost" not in kinds


def test_counts_are_one_view_and_leave_nothing_open(store: Store) -> None:
    store.stats()
    assert not store._conn.in_transaction


def test_reading_goes_on_while_somebody_else_holds_the_write_lock(store: Store) -> None:
    store.plan(a_hedge())
    store._conn.execute("PRAGMA busy_timeout = 1")
    other = sqlite.connect(store.path, readonly=False)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert len(store.live()) == 1
        with pytest.raises(UnwritableError):
            store.event("x", "y")
        assert store.trouble is not None
    finally:
        other.execute("ROLLBACK")
        other.close()
    store.event("x", "y")
    assert store.trouble is None


def test_every_thousandth_observation_the_oldest_go(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PRUNE_EVERY", 10)
    monkeypatch.setattr(events, "OBSERVATIONS_MAX", 5)
    for _ in range(29):
        store.observe([a_position()])
    with store._reading() as conn:
        left = [row.seq for row in Query(sa.select(t.position_observations.c.seq)).all(conn)]
    assert left == list(range(16, 30))
