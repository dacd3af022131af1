"""Exact values survive the database."""

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, Inexact
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from hedger.ledger.columns import Exact, Instant
from hedger.ledger.text import EXACT, decimal_text, instant_text, parse_instant, sum_texts

decimals = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent, EXACT),
    st.integers(-(10**40), 10**40),
    st.integers(-40, 40),
)
zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
instants = st.datetimes(
    min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=zones
)


@pytest.fixture(scope="module")
def table() -> Iterator[tuple[sa.Connection, sa.Table]]:
    engine = sa.create_engine("sqlite://")
    values = sa.Table("v", sa.MetaData(), sa.Column("amount", Exact), sa.Column("instant", Instant))
    with engine.connect() as connection:
        values.create(connection)
        yield connection, values
    engine.dispose()


@given(amount=decimals, instant=instants)
def test_decimals_and_instants_come_back_from_the_database_as_they_were(
    table: tuple[sa.Connection, sa.Table], amount: Decimal, instant: datetime
) -> None:
    connection, values = table
    connection.execute(values.delete())
    connection.execute(values.insert().values(amount=amount, instant=instant))

    row = connection.execute(sa.select(values)).one()

    assert row.amount == amount
    assert row.instant == instant
    assert row.instant.utcoffset() == timedelta(0)
    kinds = "SELECT typeof(amount), typeof(instant) FROM v"
    assert tuple(connection.exec_driver_sql(kinds).one()) == ("text", "text")


@given(first=instants, second=instants)
def test_instants_sort_as_text_as_they_do_in_time(first: datetime, second: datetime) -> None:
    assert (instant_text(first) < instant_text(second)) == (first < second)
    assert len(instant_text(first)) == 27


@given(instants)
def test_an_instant_is_read_back_as_utc(instant: datetime) -> None:
    back = parse_instant(instant_text(instant))
    assert back == instant
    assert back.tzinfo == UTC


@given(st.lists(decimals, max_size=20))
def test_sums_are_exact_or_raise(values: list[Decimal]) -> None:
    total = sum_texts(decimal_text(value) for value in values)
    scaled = sum(int(value.scaleb(110, EXACT)) for value in values)
    assert total is not None
    assert int(Decimal(total).scaleb(110, EXACT)) == scaled


def test_a_sum_that_does_not_fit_raises_instead_of_rounding() -> None:
    with pytest.raises(Inexact):
        EXACT.add(Decimal("1e100"), Decimal("1e-100"))


def test_the_sum_of_an_unknown_is_unknown() -> None:
    assert sum_texts(["1", None]) is None


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e300", "1e-300"])
def test_what_is_no_amount_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"is not an amount|digits"):
        decimal_text(Decimal(value))


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        instant_text(datetime(2026, 1, 1))


def test_the_sum_of_sqlite_is_the_float_that_the_totals_are_for(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "sum.db")) as connection:
        connection.execute("CREATE TABLE v (x TEXT)")
        connection.executemany("INSERT INTO v VALUES (?)", [("0.1",), ("0.2",)])
        (total,) = connection.execute("SELECT sum(x) FROM v").fetchone()
    assert total == 0.1 + 0.2 != 0.3
    assert sum_texts(["0.1", "0.2"]) == "0.3"
