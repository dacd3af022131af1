"""The judges of the record: ids, fills, what was executed beyond an order, and what is shown."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from tests.simulation.oracles import booked, shown
from tests.simulation.oracles.booked import BOUND_S, ENDED_S, Booked
from tests.simulation.oracles.ids import Ids
from tests.simulation.oracles.overfilled import Overfilled
from tests.simulation.oracles.parts import Sent
from tests.simulation.oracles.shown import Shown, Status
from tests.simulation.oracles.test_legs import Rows

ONE, ZERO = Decimal(1), Decimal(0)
START = int("000001a", 36)
X10 = Sent("x10", "eth-1-000001a-3", "a", "eth-1-000001a-3", "eth-1", "ETH", "open", ONE)
LIGHTER = replace(
    X10, venue="lighter", client_id=str(START << 12 | 4), payload="b", order="eth-1-000001a-4"
)

# -- ids -------------------------------------------------------------------------------------------


def ids(*sent: Sent, begun: tuple[str, ...] = ()) -> list[str]:
    rows = Rows()
    judge = Ids(rows, rows.note)
    for number, one in enumerate(sent):
        rows.answers = {"created_at": [(begun[number] if begun else "21:00",)]}
        judge.sent(one)
    return sorted(set(rows.broken))


def test_one_id_is_one_order():
    assert ids(X10, LIGHTER, X10, LIGHTER) == []  # the identical bytes again
    assert ids(X10, replace(X10, payload="c")) == ["2 ids"]
    assert ids(LIGHTER, replace(LIGHTER, payload="c")) == ["2 ids"]


def test_a_number_of_a_start_is_in_one_order_whatever_its_hedge_and_venue_are():
    other = replace(X10, client_id="sol-1-000001a-3", order="sol-1-000001a-3", hedge="sol-1")
    assert ids(X10, other) == ["2 ids"]
    index = replace(LIGHTER, client_id=str(START << 12 | 3))
    assert ids(X10, index) == ["2 ids"]


def test_an_id_of_a_hedge_is_that_of_one_hedge():
    assert ids(X10, LIGHTER, begun=("21:00", "21:00")) == []
    assert ids(X10, LIGHTER, begun=("21:00", "22:00")) == ["2 ids"]


# -- fills -----------------------------------------------------------------------------------------


def unbooked(
    seconds: float, *, row: bool = False, exists: bool = True, counts: bool = True,
    untrue: bool = False, ended: bool = False,
) -> Any:  # fmt: skip
    rows = Rows({"fills": [(1,)] if row else [], "state IN": [(1,)] if ended else []})
    judge = Booked(lambda _venue, _trade: exists, lambda _since: untrue, rows, rows.note)
    judge.traded("x10", 5, "eth-1-000001a-3", 0.0)
    for look in range(int(seconds // 5) + 1):
        judge.look(look * 5.0, counts=counts)
    return rows.broken


def test_a_fill_is_booked_in_time():
    assert unbooked(booked.BOUND_S) == []
    assert unbooked(booked.BOUND_S + 5) == ["3 booked"]
    assert unbooked(booked.BOUND_S + 5, row=True) == []
    assert unbooked(booked.BOUND_S + 5, counts=False) == []
    assert unbooked(booked.BOUND_S + 5, exists=False) == []  # the venue has forgotten it


def test_a_fill_of_an_order_whose_end_was_told_falsely_is_booked_at_its_next_look():
    assert unbooked(booked.ENDED_S, untrue=True, ended=True) == []
    assert unbooked(booked.ENDED_S + 5, untrue=True, ended=True) == ["3 booked"]
    assert unbooked(booked.BOUND_S + 5, untrue=True) == ["3 booked"]
    assert unbooked(booked.BOUND_S + 5, ended=True) == ["3 booked"]


def test_a_world_goes_on_while_a_fill_may_still_be_booked_in_time():
    rows = Rows()
    exists = True
    judge = Booked(lambda *_: exists, lambda _: False, rows, rows.note)
    assert not judge.owes()
    judge.traded("x10", 5, "eth-1-000001a-3", 0.0)
    assert judge.owes()

    exists = False  # its venue has forgotten it
    assert not judge.owes()

    exists = True
    for look in range(int(booked.BOUND_S // 5) + 2):
        judge.look(look * 5.0, counts=True)
    assert rows.broken == ["3 booked"]
    assert not judge.owes()


def test_a_fill_that_another_ledger_has_to_find_has_the_time_of_that_one():
    rows = Rows()
    judge = Booked(lambda *_: True, lambda _: False, rows, rows.note)
    judge.traded("x10", 5, "eth-1-000001a-3", 0.0)
    looks = [look * 5.0 for look in range(int(booked.BOUND_S // 5) + 1)]
    for at_s in looks:
        judge.look(at_s, counts=True)
    judge.other_ledger()
    for at_s in looks:
        judge.look(looks[-1] + 5 + at_s, counts=True)
    assert rows.broken == []

    judge.look(2 * looks[-1] + 10, counts=True)
    assert rows.broken == ["3 booked"]


# -- more than asked -------------------------------------------------------------------------------

TOLD: dict[str, Any] = {
    "FROM alerts": [(1,)],
    "switch:venue": [(1,)],
    "SELECT id FROM hedges": [("eth-1",)],
}


def overfilled(seconds: float, traded: str, ledger: dict[str, Any]) -> list[str]:
    rows = Rows(ledger)
    judge = Overfilled(lambda *_: Decimal(9), lambda _: False, rows, rows.note)
    judge.sent(X10)
    judge.traded("x10", X10.client_id, Decimal(traded), 0.0)
    judge.traded("x10", "somebody else's", Decimal(9), 0.0)
    for look in range(int(seconds // 5) + 1):
        judge.look(look * 5.0, counts=True)
    return rows.broken


def test_what_was_executed_beyond_an_order_is_told_and_stops_openings():
    past_s = BOUND_S + 5
    assert overfilled(past_s, "1", {}) == []
    assert overfilled(past_s, "1.1", {}) == ["3 more than asked"]
    assert overfilled(BOUND_S, "1.1", {}) == []
    assert overfilled(past_s, "1.1", TOLD) == []
    assert overfilled(past_s, "1.1", {"FROM alerts": [(1,)]}) == ["3 more than asked"]


@pytest.mark.parametrize(
    ("seconds", "untrue", "ended", "broken"),
    [
        (BOUND_S + 5, False, True, True),
        (BOUND_S + 5, True, False, True),
        (ENDED_S, True, True, False),
        (ENDED_S + 5, True, True, True),
    ],
)
def test_an_order_whose_end_was_told_falsely_is_looked_up_later(
    seconds: float, *, untrue: bool, ended: bool, broken: bool
):
    rows = Rows({"state IN": [(1,)] if ended else []})
    judge = Overfilled(lambda *_: Decimal(9), lambda _: untrue, rows, rows.note)
    judge.sent(X10)
    judge.traded("x10", X10.client_id, Decimal("1.1"), 0.0)
    for look in range(int(seconds // 5) + 1):
        judge.look(look * 5.0, counts=True)
    assert rows.broken == (["3 more than asked"] if broken else [])


def test_what_a_venue_forgot_is_owed_once_it_is_shown_again():
    """It was executed and forgotten before its venue listed it: nobody could know of it."""
    rows = Rows({})
    shown = Decimal(0)
    judge = Overfilled(lambda *_: shown, lambda _: False, rows, rows.note)
    judge.sent(X10)
    judge.traded("x10", X10.client_id, Decimal("1.1"), 0.0)
    for look in range(100):
        judge.look(look * 5.0, counts=True)
    judge.finish()
    assert rows.broken == []

    shown = Decimal("1.1")
    for look in range(100, 100 + int(BOUND_S // 5) + 2):
        judge.look(look * 5.0, counts=True)
    assert rows.broken == ["3 more than asked"]


@pytest.mark.parametrize(
    ("sent", "ledger", "broken"),
    [
        (replace(X10, client_id="n", order="sol-1-000001a-5", hedge="sol-1"), {}, True),
        (replace(X10, client_id="n", order="eth-1-000001a-5"), {}, False),  # begun before
        (replace(X10, client_id="n", hedge="sol-1", purpose="rollback"), {}, False),
        (replace(LIGHTER, client_id="1", hedge="sol-1"), {}, False),  # on the other venue
        (replace(X10, client_id="n", hedge="sol-1"), {"switched_on": [(1,)]}, False),
    ],
)
def test_nothing_new_is_opened_there_until_a_person_resumes_it(
    sent: Sent, ledger: dict[str, Any], *, broken: bool
):
    rows = Rows(dict(TOLD))
    judge = Overfilled(lambda *_: Decimal(9), lambda _: False, rows, rows.note)
    judge.sent(X10)
    judge.traded("x10", X10.client_id, Decimal("1.1"), 0.0)
    judge.look(5.0, counts=True)
    rows.answers = {**TOLD, **ledger}
    judge.sent(sent)
    assert rows.broken == (["3 more than asked"] if broken else [])


@pytest.mark.parametrize(
    ("here", "broken"),
    [
        (
            {"SELECT 1 FROM events WHERE kind = 'drift'": [(1,)], "FROM orders": [(1,)]},
            True,
        ),  # told here, and still off
        ({"FROM orders": [(1,)], "FROM alerts": []}, True),  # known here, and to be told anew
        ({"FROM orders": [(1,)]}, True),  # as above: told anew, and then no more openings
        ({}, False),  # nobody knows here what was asked
    ],
)
def test_what_another_ledger_said_is_told_anew_where_its_order_is_known(
    here: dict[str, Any], *, broken: bool
):
    rows = Rows(dict(TOLD))
    judge = Overfilled(lambda *_: Decimal(9), lambda _: False, rows, rows.note)
    judge.sent(X10)
    judge.traded("x10", X10.client_id, Decimal("1.1"), 0.0)
    judge.look(5.0, counts=True)
    rows.answers = {**TOLD, **here}
    judge.other_ledger()
    for look in range(2, int(BOUND_S // 5) + 4):
        judge.look(look * 5.0, counts=True)
    judge.sent(replace(X10, client_id="n", hedge="sol-1"))
    assert rows.broken == (["3 more than asked"] if broken else [])


# -- what is shown ---------------------------------------------------------------------------------

ROW = {"id": "eth-1", "symbol": "ETH", "state": "open", "size_a": "1", "size_b": "-1", "unread": ""}


@dataclass
class Truth:
    """What is held of ETH, and what is shown of it."""

    held: tuple[str, str] = ("1", "-1")
    row: dict[str, Any] | None = field(default_factory=lambda: dict(ROW))
    in_doubt: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    behind: bool = False
    down: tuple[str, ...] = ()
    told_again_s: float = 0.0
    answered_s: float | None = None  # when a venue that is down at every look answers once
    ledger: dict[str, Any] = field(default_factory=dict)

    def watched_for(self, seconds: float) -> list[str]:
        rows = Rows({"max(seq)": [(7,)], **self.ledger})
        legs = Decimal(self.held[0]), Decimal(self.held[1])
        now_s = 0.0
        judge = Shown(
            lambda _: legs,
            lambda _: sum(legs, ZERO),
            self.status,
            rows,
            rows.note,
            told=lambda _: now_s >= self.told_again_s,
        )
        for look in range(int(seconds // 5) + 1):
            now_s = look * 5.0
            if self.answered_s is not None and now_s - 5.0 < self.answered_s <= now_s:
                judge.answered("x10")
            judge.look(["ETH"], now_s, readable=not self.down, down=self.down, serves=True)
        return sorted(set(rows.broken))

    def status(self) -> Status:
        rows = [] if self.row is None else [self.row]
        return Status(rows, self.in_doubt, self.blocked, behind=self.behind)


LONG_S = shown.STABLE_S + 10
PAST_S = shown.DOWN_S + 10


def test_legs_shown_are_legs_held():
    assert Truth().watched_for(LONG_S) == []
    assert Truth(held=("0.4", "-0.4")).watched_for(LONG_S) == ["7 shown"]
    assert Truth(held=("0.4", "-0.4")).watched_for(shown.STABLE_S) == []
    assert Truth(row=None).watched_for(LONG_S) == ["7 shown"]
    assert Truth(held=("0", "0"), row=None).watched_for(LONG_S) == []


def test_a_market_that_no_venue_tells_is_said_to_be_unread():
    untold = Truth(held=("0.4", "-0.4"), told_again_s=1e9)
    assert untold.watched_for(shown.UNTOLD_S) == []
    assert untold.watched_for(shown.UNTOLD_S + 5) == ["7 shown"]
    unread = {**ROW, "unread": "the leg on x10 was last read at 21:00"}
    assert replace(untold, row=unread).watched_for(shown.UNTOLD_S + 5) == []


def test_a_market_that_is_told_again_is_read_anew():
    again = Truth(held=("0.4", "-0.4"), told_again_s=30.0)
    assert again.watched_for(30.0 + shown.STABLE_S) == []
    assert again.watched_for(30.0 + shown.STABLE_S + 5) == ["7 shown"]


def test_an_unhedged_leg_is_shown_as_such():
    assert Truth(held=("1", "0")).watched_for(LONG_S) == ["7 shown"]
    alone = {**ROW, "size_b": "0", "state": "converging"}
    assert Truth(held=("1", "0"), row=alone).watched_for(LONG_S) == []


@pytest.mark.parametrize(
    "doubt",
    [
        {"in_doubt": frozenset({"x10"})},
        {"blocked": frozenset({"x10:ETH"})},
        {"behind": True},
        {"row": {**ROW, "state": "escalated"}},
        {"row": {**ROW, "unread": "the leg on x10 was last read at 21:00"}},
        {"ledger": {"FROM alerts LEFT JOIN": [(1,)]}},
    ],
)
def test_a_doubt_that_is_said_is_no_lie(doubt: dict[str, Any]):
    assert Truth(held=("0.4", "-0.4"), **doubt).watched_for(LONG_S) == []


@pytest.mark.parametrize(("after", "broken"), [((ONE, -ONE), False), ((ONE, -2 * ONE), True)])
def test_what_was_said_of_a_position_holds_until_it_changes(
    after: tuple[Decimal, Decimal], *, broken: bool
):
    """A payment for it is no change of it."""
    last = 7

    class Alerts(Rows):
        def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
            if "max(seq)" in query:
                return [(last,)]
            return [(1,)] if values.get("mark") == 7 else []

    rows = Alerts()
    judge = Shown(lambda _: (ONE, -ONE), lambda _: ZERO, Truth(row=None).status, rows, rows.note)
    judge.changed("ETH", (ONE, -ONE))
    last = 8
    judge.changed("ETH", after)
    for look in range(20):
        judge.look(["ETH"], look * 5.0, readable=True, down=(), serves=True)
    assert bool(rows.broken) is broken


def test_another_ledger_has_all_to_read_anew():
    rows = Rows({"max(seq)": [(7,)]})
    judge = Shown(lambda _: (ONE, -ONE), lambda _: ZERO, Truth(row=None).status, rows, rows.note)
    for look in range(20):
        if look == 6:
            judge.other_ledger()
        judge.look(["ETH"], look * 5.0, readable=True, down=(), serves=True)
        expected = ["7 shown"] if look > 6 + shown.STABLE_S // 5 else []
        assert sorted(set(rows.broken)) == expected


def test_a_venue_that_is_silent_is_not_called_agreeing():
    assert Truth(down=("x10",)).watched_for(PAST_S) == ["7 shown"]
    assert Truth(down=("x10",), in_doubt=frozenset({"x10"})).watched_for(PAST_S) == []
    unread = {**ROW, "unread": "the leg on x10 was last read at 21:00"}
    assert Truth(down=("x10",), row=unread).watched_for(PAST_S) == []
    assert Truth(down=("x10",), row={**ROW, "state": "closing"}).watched_for(PAST_S) == []
    assert Truth(down=("x10",)).watched_for(shown.DOWN_S) == []


def test_a_venue_that_answers_between_two_looks_was_not_silent():
    assert Truth(down=("x10",), answered_s=33.0).watched_for(PAST_S) == []
    assert Truth(down=("x10",), answered_s=33.0).watched_for(33.0 + PAST_S) == ["7 shown"]
