"""What holds for every sequence of orders, fills and reservations."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hedger.domain.hedge import State
from hedger.domain.ids import HedgeId
from hedger.domain.order import Filled, Prepared, Purpose, Side
from hedger.ledger.records import Shortfall
from hedger.ledger.store import Store
from tests.unit.ledger.build import (
    LIGHTER,
    X10,
    a_hedge,
    a_payment,
    a_store,
    an_order,
    filled,
    margin,
)

HEDGE = HedgeId("eth-1")
QUICK = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # every example is a real file with real syncs

amounts = st.decimals("0.000001", "99999.999999", places=6)
fees = st.decimals("-5", "5", places=8)


@st.composite
def outcomes(draw: st.DrawFn) -> list[Filled]:
    """Orders one after the other on both legs, each with what it filled."""
    made = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        prepared = an_order(
            number=number,
            venue=draw(st.sampled_from([X10, LIGHTER])),
            purpose=draw(st.sampled_from(list(Purpose))),
            side=draw(st.sampled_from(list(Side))),
            size="100000000",
        )
        parts = draw(st.lists(st.tuples(amounts, amounts, fees), max_size=4))
        outcome = filled(prepared, *((str(size), str(price)) for size, price, _ in parts))
        paid = [
            replace(fill, fee_usd=fee)
            for fill, (_, _, fee) in zip(outcome.fills, parts, strict=True)
        ]
        made.append(replace(outcome, fills=tuple(paid)))
    return made


@contextmanager
def fresh_store() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder, a_store(Path(folder)) as store:
        yield store


def table(store: Store, name: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(store.path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {name} ORDER BY rowid")]


def snapshot(store: Store) -> dict[str, list[dict[str, Any]]]:
    return {name: table(store, name) for name in ("legs", "days", "fills", "orders", "events")}


@QUICK
@given(outcomes())
def test_totals_equal_the_sum_of_the_fills(made: list[Filled]) -> None:
    with fresh_store() as store:
        store.plan(a_hedge())
        for outcome in made:
            store.intend(outcome.prepared)
            store.settle(outcome)

        for leg in table(store, "legs"):
            for purpose in Purpose:
                fills = [
                    fill
                    for outcome in made
                    for fill in outcome.fills
                    if fill.venue == leg["venue"] and outcome.prepared.order.purpose is purpose
                ]
                size = sum(fill.side.sign * Fraction(fill.size) for fill in fills)
                cash = -sum(
                    fill.side.sign * Fraction(fill.size) * Fraction(fill.price) for fill in fills
                )
                fee = sum(Fraction(fill.fee_usd) for fill in fills)
                assert Fraction(leg[f"{purpose}_size"]) == size
                assert Fraction(leg[f"{purpose}_usd"]) == cash
                assert Fraction(leg[f"{purpose}_fees_usd"]) == fee
            size = sum(
                fill.side.sign * Fraction(fill.size)
                for outcome in made
                for fill in outcome.fills
                if fill.venue == leg["venue"]
            )
            assert Fraction(store.leg_size(HEDGE, leg["venue"])) == size
        everything = [fill for outcome in made for fill in outcome.fills]
        for name, expected in (
            ("fills", len(everything)),
            ("traded_usd", sum(Fraction(f.size) * Fraction(f.price) for f in everything)),
            ("fees_usd", sum(Fraction(f.fee_usd) for f in everything)),
        ):
            assert sum(Fraction(day[name]) for day in table(store, "days")) == expected


@QUICK
@given(outcomes(), st.integers(1, 3))
def test_settling_again_changes_nothing(made: list[Filled], times: int) -> None:
    with fresh_store() as store:
        store.plan(a_hedge())
        for outcome in made:
            store.intend(outcome.prepared)
            store.settle(outcome)
        before = snapshot(store)
        for outcome in made * times:
            store.settle(outcome)
        assert snapshot(store) == before


@QUICK
@given(st.lists(st.integers(0, 12), max_size=12), st.integers(0, 12), st.integers(0, 12))
def test_payments_are_booked_once_however_they_are_read(
    hours: list[int], first: int, last: int
) -> None:
    with fresh_store() as store:
        store.plan(a_hedge(first_settlement_a=a_payment(first).settlement_at))
        store.move(
            a_hedge(), State.REFUSED, "over", last_settlement_a=a_payment(last).settlement_at
        )
        new = sum(store.book_payments([a_payment(hour), a_payment(hour)]) for hour in hours)

        assert new == len(set(hours))
        inside = [hour for hour in set(hours) if first <= hour <= last]
        booked = {leg["venue"]: Decimal(leg["funding_usd"]) for leg in table(store, "legs")}
        assert booked == {"x10": len(inside) * Decimal("0.0125"), "lighter": 0}


@QUICK
@given(
    size=amounts,
    price=amounts,
    payload=st.text(st.characters(codec="utf-8"), max_size=200),
    nonce=st.none() | st.integers(0, 2**63 - 1),
    expires=st.integers(0, 10**12),
)
def test_an_intent_round_trips_exactly(
    size: Decimal, price: Decimal, payload: str, nonce: int | None, expires: int
) -> None:
    plain = an_order(nonce=nonce)
    prepared = replace(
        plain,
        order=replace(plain.order, size=size, limit_price=price),
        payload=payload,
        expires_at=plain.expires_at.fromtimestamp(expires / 1000, plain.expires_at.tzinfo),
    )
    with fresh_store() as store:
        store.plan(a_hedge())
        store.intend(prepared)
        assert store.open_intents() == [prepared]


class Reservations(RuleBasedStateMachine):
    """Whatever hedges come and go, what is promised never exceeds what was free."""

    FREE = Decimal(100)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = a_store(Path(self.folder.name))
        self.started = 0
        self.open: dict[str, Prepared] = {}
        self.promised: dict[str, Decimal] = {}

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(needed=st.decimals("0.01", "100", places=2))
    def begin(self, needed: Decimal) -> None:
        self.started += 1
        name = f"h-{self.started}"
        symbol = f"S{self.started}"
        self.store.plan(a_hedge(name, symbol))
        prepared = an_order(name, symbol=symbol)
        others = sum(self.promised.values(), Decimal(0))
        answer = self.store.intend(
            prepared,
            margins=[margin(str(needed), str(self.FREE))],
            move_to=(State.OPENING_A, "go"),
        )
        assert isinstance(answer, Shortfall) == (others + needed > self.FREE)
        if isinstance(answer, Shortfall):
            assert answer.reserved_usd == others
            assert self.store.orders_of(HedgeId(name)) == []
        else:
            self.open[name] = prepared
            self.promised[name] = needed

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def fill(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.open)))
        self.store.settle(filled(self.open.pop(name), ("0.04", "2500")))
        del self.promised[name]

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.open)))
        self.store.abandon(self.open.pop(name), "too late")
        self.store.move(self.store.hedge(HedgeId(name)), State.CLOSED_FLAT, "nothing sent")
        del self.promised[name]

    @invariant()
    def never_overbooked(self) -> None:
        reserved = self.store.reserved(X10)
        assert reserved == sum(self.promised.values(), Decimal(0))
        assert reserved <= self.FREE


TestReservations = Reservations.TestCase
TestReservations.settings = settings(QUICK, max_examples=15, stateful_step_count=15)
