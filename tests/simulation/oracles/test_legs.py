"""The judges of legs: not broken for nothing, told, and not held back."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from tests.simulation.alarms import ALERT_AFTER_S, GRACE_S
from tests.simulation.oracles import heldback, notbroken
from tests.simulation.oracles.heldback import HeldBack
from tests.simulation.oracles.notbroken import NotBroken
from tests.simulation.oracles.parts import Held, Sent, Stretches
from tests.simulation.oracles.told import Told

ONE, ZERO = Decimal(1), Decimal(0)
HEDGE = Held("eth-1", "ETH", "open", (ONE, -ONE), unsettled=0, orders=2)
CLOSE = Sent("x10", "c", "{}", "eth-1-000001a-3", "eth-1", "ETH", "close", ONE)


@dataclass
class Rows:
    """A ledger that answers every question that names one of its words."""

    answers: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        return next((found for word, found in self.answers.items() if word in query), [])

    def note(self, promise: str, text: str) -> None:
        self.broken.append(promise)


# -- a matching hedge is not broken for nothing ---------------------------------------------------


@pytest.mark.parametrize(
    ("unable_s", "changes", "ledger", "broken"),
    [
        (41.0, {}, {}, True),
        (39.0, {}, {}, False),  # what was proven may have gone since
        (66.0, {"purpose": "rollback"}, {}, False),
        (66.0, {"purpose": "open"}, {}, False),
        (66.0, {}, {"exit_exempt": [(1,)]}, False),  # a person, or a liquidation
        (66.0, {}, {"filled_size": [(1,)]}, False),  # it was broken before
        (66.0, {"venue": "lighter"}, {}, False),  # it is the venue of the order that is unable
    ],
)
def test_a_first_reducing_order_needs_the_other_venue_to_have_been_able(
    unable_s: float, changes: dict[str, Any], ledger: dict[str, Any], *, broken: bool
):
    rows = Rows(ledger)
    able = {"x10": True, "lighter": True}
    judge = NotBroken(lambda venue, _: able[venue], lambda _: True, lambda _: True, rows, rows.note)
    judge.look([HEDGE], 10.0)
    able["lighter"] = False
    judge.look([HEDGE], 15.0)
    judge.sent(replace(CLOSE, **changes), 10.0 + unable_s)
    assert rows.broken == ([notbroken.PROMISE] if broken else [])


@pytest.mark.parametrize(("unable_s", "broken"), [(64.0, False), (66.0, True)])
def test_a_key_that_was_proven_holds_for_a_minute(unable_s: float, *, broken: bool):
    rows = Rows()
    known = {"x10": True, "lighter": True}
    judge = NotBroken(
        lambda venue, _: known[venue], lambda venue: known[venue], lambda _: True, rows, rows.note
    )
    judge.look([HEDGE], 10.0)
    known["lighter"] = False
    judge.look([HEDGE], 15.0)
    judge.sent(CLOSE, 10.0 + unable_s)
    assert rows.broken == ([notbroken.PROMISE] if broken else [])


@pytest.mark.parametrize(("after_s", "broken"), [(39.0, False), (41.0, True)])
def test_a_venue_that_was_able_between_two_looks_could_be_proven(after_s: float, *, broken: bool):
    rows = Rows()
    able = {"x10": True, "lighter": False}
    judge = NotBroken(lambda venue, _: able[venue], lambda _: True, lambda _: True, rows, rows.note)
    judge.look([HEDGE], 10.0)
    judge.look([HEDGE], 510.0)
    able["lighter"] = True
    judge.changed(511.0)
    able["lighter"] = False
    judge.changed(511.2)
    judge.sent(CLOSE, 511.0 + after_s)
    assert rows.broken == ([notbroken.PROMISE] if broken else [])


def test_legs_that_do_not_match_are_never_broken():
    rows = Rows()
    judge = NotBroken(
        lambda venue, _: venue == "x10", lambda _: True, lambda _: False, rows, rows.note
    )
    judge.look([HEDGE], 0.0)
    judge.sent(CLOSE, 100.0)
    assert rows.broken == []


# -- a person is told -----------------------------------------------------------------------------


def told_after(
    seconds: float, hedge: Held, ledger: dict[str, Any], *, alone: bool = True, serves: bool = True
) -> list[str]:
    """Looks every five seconds for so long."""
    rows = Rows({"max(seq)": [(7,)], **ledger})
    judge = Told(lambda _: alone, rows, rows.note)
    for look in range(int(seconds // 5) + 1):
        judge.look([hedge], look * 5.0, serves=serves)
    return rows.broken


LIMIT_S = ALERT_AFTER_S + GRACE_S
OPENING = replace(HEDGE, state="opening_b", booked=(ONE, ZERO), unsettled=1)


def test_a_leg_that_the_ledger_shows_alone_is_told_while_a_process_serves():
    assert told_after(LIMIT_S, OPENING, {}) == []
    assert "4 told" in told_after(LIMIT_S + 5, OPENING, {})
    assert told_after(LIMIT_S + 5, OPENING, {"alerts WHERE seq": [(1,)]}) == []
    assert told_after(200, OPENING, {}, serves=False) == []
    assert told_after(200, OPENING, {}, alone=False) == []


def test_a_leg_of_which_the_ledger_cannot_know_is_not_this_judges():
    assert told_after(200, HEDGE, {}) == []
    assert "4 told" in told_after(200, replace(HEDGE, unsettled=1), {})
    assert "4 told" in told_after(200, replace(HEDGE, state="converging"), {})


def test_whom_a_hedge_waits_for_has_been_told():
    waits = replace(HEDGE, state="escalated")
    assert "4 told" in told_after(25, waits, {}, alone=False)
    assert told_after(25, waits, {"to_state": [(1,)]}, alone=False) == []
    assert told_after(10, waits, {}, alone=False) == []


def test_what_another_ledger_tells_before_it_is_looked_at_is_told():
    rows = Rows({"max(seq)": [(7,)]})
    judge = Told(lambda _: True, rows, rows.note)
    judge.look([OPENING], 0.0, serves=True)
    rows.answers["max(seq)"] = [(3,)]
    judge.begin_anew()
    rows.answers["max(seq)"] = [(4,)]
    asked: list[object] = []

    def answer(query: str, **values: object) -> list[tuple[Any, ...]]:
        asked.append(values.get("mark"))
        return Rows.rows(rows, query, **values)

    rows.rows = answer  # type: ignore[method-assign]
    for look in range(1, 20):
        judge.look([OPENING], look * 5.0, serves=True)
    assert {mark for mark in asked if mark is not None} == {3}


@pytest.mark.parametrize(
    ("events", "broken"),
    [
        (["alert", "outcome", "escalated"], True),  # of something before
        (["outcome", "alert", "escalated"], False),
        (["outcome", "escalated", "alert"], False),
        (["outcome", "alert", "escalated", "outcome", "escalated"], True),
    ],
)
def test_an_alert_about_what_a_hedge_waits_for_is_known_by_its_number(
    events: list[str], *, broken: bool
):
    """Not by its time: our clock may have been set between the two."""
    with closing(sqlite3.connect(":memory:")) as ledger:
        ledger.execute("CREATE TABLE events (seq INTEGER, kind, hedge_id, to_state)")
        ledger.execute("INSERT INTO events VALUES (0, 'alert', 'sol-1', NULL)")
        for seq, kind in enumerate(events):
            to = "escalated" if kind == "escalated" else None
            ledger.execute("INSERT INTO events VALUES (?, ?, 'eth-1', ?)", (seq, kind, to))
        rows = Rows({"max(seq)": [(7,)]})

        def answer(query: str, **values: object) -> list[tuple[Any, ...]]:
            if "FROM events" in query:
                return ledger.execute(query, values).fetchall()
            return Rows.rows(rows, query, **values)

        rows.rows = answer  # type: ignore[method-assign]
        judge = Told(lambda _: False, rows, rows.note)
        for look in range(6):
            judge.look([replace(HEDGE, state="escalated")], look * 5.0, serves=True)
    assert bool(rows.broken) is broken


def test_a_hedge_that_was_over_for_a_while_is_not_counted_meanwhile():
    rows = Rows({"max(seq)": [(7,)]})
    judge = Told(lambda _: True, rows, rows.note)
    for at_s, hedges in ((0.0, [OPENING]), (10.0, []), (500.0, [OPENING]), (505.0, [OPENING])):
        judge.look(hedges, at_s, serves=True)
    assert rows.broken == []


def test_an_alert_before_a_hedge_was_exposed_is_none():
    rows = Rows({"max(seq)": [(7,)]})
    asked: list[object] = []

    def answer(query: str, **values: object) -> list[tuple[Any, ...]]:
        asked.append(values.get("mark"))
        return Rows.rows(rows, query, **values)

    rows.rows = answer  # type: ignore[method-assign]
    judge = Told(lambda _: True, rows, rows.note)
    for at_s in range(0, 100, 5):
        judge.look([OPENING], float(at_s), serves=True)
        rows.answers["max(seq)"] = [(8,)]
    assert {mark for mark in asked if mark is not None} == {7}


# -- nothing of ours holds a reducing order back ---------------------------------------------------


def held_back(
    seconds: float,
    hedge: Held,
    *,
    alone: bool = True,
    down: tuple[str, ...] = (),
    serves: bool = True,
    sent_at_s: float | None = None,
) -> list[str]:
    rows = Rows()
    judge = HeldBack(lambda _: alone, rows.note)
    for look in range(int(seconds // 5) + 1):
        if sent_at_s == look * 5.0:
            judge.sent(CLOSE, sent_at_s)
        judge.look(["ETH"], [hedge], look * 5.0, serves=serves, up=not down, down=down)
    return sorted(set(rows.broken))


ALONE = replace(HEDGE, state="converging", booked=(ONE, ZERO))
PAST_S = heldback.BOUND_S + 5


def test_a_leg_that_could_come_off_gets_an_order_in_time():
    assert held_back(heldback.BOUND_S, ALONE) == []
    assert held_back(PAST_S, ALONE) == ["4 held back"]
    assert held_back(PAST_S, ALONE, sent_at_s=50.0) == []
    assert held_back(PAST_S, ALONE, alone=False) == []
    assert held_back(PAST_S, ALONE, serves=False) == []
    assert held_back(PAST_S, replace(ALONE, unsettled=1)) == []


def test_a_venue_on_which_the_ledger_proves_nothing_is_not_waited_for():
    assert held_back(PAST_S, ALONE, down=("lighter",)) == ["4 held back"]
    assert held_back(PAST_S, replace(ALONE, booked=(ONE, -ONE)), down=("lighter",)) == []
    assert held_back(PAST_S, replace(ALONE, orders=0), down=("lighter",)) == []


def test_a_leg_that_another_ledger_has_to_find_has_the_time_of_that_one():
    rows = Rows()
    judge = HeldBack(lambda _: True, rows.note)
    for look in range(int(heldback.BOUND_S // 5) + 8):
        if look == 8:
            judge.other_ledger()
        judge.look(["ETH"], [ALONE], look * 5.0, serves=True, up=True, down=[])
    assert rows.broken == []


@pytest.mark.parametrize("last", [ALONE, replace(ALONE, unsettled=1)])
def test_an_unknown_end_of_either_of_two_hedges_on_a_market_is_waited_for(last: Held):
    rows = Rows()
    judge = HeldBack(lambda _: True, rows.note)
    first = replace(ALONE, id="eth-0", unsettled=1 - last.unsettled)
    for look in range(int(PAST_S // 5) + 1):
        judge.look(["ETH"], [first, last], look * 5.0, serves=True, up=True, down=[])
    assert rows.broken == []


# -- seconds that count ----------------------------------------------------------------------------


def test_only_time_between_two_looks_that_counted_is_added():
    stretches = Stretches()
    counted = [True, True, False, True, True]
    found = [
        stretches.seconds("a", at_s * 5.0, so=True, counts=counts)
        for at_s, counts in enumerate(counted)
    ]
    assert found == [0.0, 5.0, 5.0, 5.0, 10.0]
    assert stretches.seconds("a", 25.0, so=False) == 0.0
    assert stretches.seconds("a", 30.0, so=True) == 0.0
