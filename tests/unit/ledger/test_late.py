"""Fills that come after the end: booked, told and taken up again in one transaction, or not."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import HedgeId
from hedger.domain.money import ZERO
from hedger.domain.order import Filled, Prepared, Purpose, Reason, Refused, Side, Unresolved
from hedger.ledger import hedges
from hedger.ledger.records import OrderState, taken_key
from hedger.ledger.store import Store, open_store
from hedger.owned import own_size, taken
from tests.unit.ledger.build import (
    LIGHTER,
    START,
    X10,
    StepClock,
    a_hedge,
    a_store,
    an_order,
    filled,
)

LATE = "order eth-1-1 was believed dead and filled 0.04 ETH late on x10"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with a_store(tmp_path) as store:
        yield store


def believed_dead(store: Store) -> tuple[Hedge, Prepared]:
    """A hedge that was opened for the sake of one order, which is dead behind its fence."""
    hedge = a_hedge()
    store.plan(hedge)
    prepared = an_order()
    moved = store.intend(prepared, move_to=(State.OPENING_A, "leg A is being sent"))
    assert isinstance(moved, Hedge)
    store.settle(Refused(prepared, Reason.OTHER, "", "expired", dead=True))
    return moved, prepared


def over(store: Store) -> tuple[Hedge, Prepared]:
    """The same, and so the hedge is over."""
    hedge, prepared = believed_dead(store)
    return store.move(hedge, State.CLOSED_FLAT, "leg A filled nothing"), prepared


def settled_by_hand(store: Store) -> tuple[Hedge, Prepared]:
    """A hedge that a person closed while nobody knew what became of its order."""
    prepared = an_order()
    store.plan(a_hedge())
    moved = store.intend(prepared, move_to=(State.OPENING_A, "leg A is being sent"))
    assert isinstance(moved, Hedge)
    store.settle(Unresolved(prepared, "no answer"))
    escalated = store.move(moved, State.ESCALATED, "no answer")
    return store.move(escalated, State.CLOSED, "settled by hand"), prepared


def whole(prepared: Prepared) -> Filled:
    return filled(prepared, (f"{prepared.order.size:f}", "2500"))


def told(store: Store) -> list[str]:
    return [alert.text for alert in store.unacknowledged()]


def test_an_order_that_the_ledger_had_forgotten_is_nothing_that_somebody_else_took(
    store: Store,
) -> None:
    """What was missing of its leg was noted before the order was booked."""
    store.plan(a_hedge())
    store.intend(opened := an_order())
    store.settle(filled(opened, ("0.04", "2500")))
    store.set_meta(taken_key(HedgeId("eth-1"), X10), "0.03")
    closed = an_order(number=2, purpose=Purpose.CLOSE, side=Side.SELL, size="0.03")

    store.book_past(closed, filled(closed, ("0.03", "2500")))

    assert own_size(store, HedgeId("eth-1"), X10) == Decimal("0.01")


def close_told_short(store: Store, number: int) -> Prepared:
    """An order that closes 0.02, and of which the venue says that it ended with nothing."""
    closing = an_order(number=number, purpose=Purpose.CLOSE, side=Side.SELL, size="0.02")
    store.intend(closing)
    store.settle(filled(closing))
    return closing


def test_what_was_taken_before_an_order_was_intended_is_no_late_fill_of_it(store: Store) -> None:
    """Its rest fills beyond what was left of the leg, and is ours to take off."""
    hedge = HedgeId("eth-1")
    store.plan(a_hedge())
    store.intend(opened := an_order())
    store.settle(filled(opened, ("0.04", "2500")))
    store.note_taken(hedge, X10, Decimal("0.03"))
    short = close_told_short(store, 2)
    again = an_order(number=3, purpose=Purpose.CLOSE, side=Side.SELL, size="0.01")
    store.intend(again)
    store.settle(filled(again, ("0.01", "2500")))
    assert own_size(store, hedge, X10) == ZERO

    store.settle(filled(short, ("0.02", "2500")))

    assert own_size(store, hedge, X10) == Decimal("-0.02")


def test_only_what_seemed_to_be_taken_since_an_order_may_have_been_its_late_fill(
    store: Store,
) -> None:
    hedge = HedgeId("eth-1")
    store.plan(a_hedge())
    store.intend(opened := an_order())
    store.settle(filled(opened, ("0.04", "2500")))
    store.note_taken(hedge, X10, Decimal("0.01"))
    short = close_told_short(store, 2)
    store.note_taken(hedge, X10, Decimal("0.02"))

    store.settle(filled(short, ("0.02", "2500")))

    assert taken(store, hedge, X10) == Decimal("0.01")
    assert own_size(store, hedge, X10) == Decimal("0.01")


def test_what_was_taken_before_a_late_fill_was_made_is_none_of_it(store: Store) -> None:
    """The rest of an order filled after somebody else had cut the leg down (seed 26040)."""
    hedge = HedgeId("eth-1")
    store.plan(a_hedge())
    store.intend(opened := an_order())
    store.settle(filled(opened, ("0.04", "2500")))
    short = close_told_short(store, 2)
    store.note_taken(hedge, X10, Decimal("0.03"))
    late = filled(short, ("0.02", "2500"))
    minute_later = tuple(replace(one, at=one.at + timedelta(seconds=60)) for one in late.fills)

    store.settle(replace(late, fills=minute_later))

    assert taken(store, hedge, X10) == Decimal("0.03")
    assert own_size(store, hedge, X10) == Decimal("-0.01")


# -- what is taken up again ----------------------------------------------------------------------


def test_a_late_fill_takes_up_its_hedge_that_was_over(store: Store) -> None:
    hedge, prepared = over(store)

    found = store.settle(whole(prepared))

    assert found is not None
    assert found == store.hedge(hedge.id)
    assert (found.state, found.target, found.reason) == (State.CONVERGING, Target.FLAT, LATE)
    assert store.unfinished() == [found]  # so that the next start drives it, too
    assert told(store) == [LATE]


def test_a_hedge_that_is_taken_up_has_not_ended_and_waits_for_its_funding(store: Store) -> None:
    hedge, prepared = believed_dead(store)
    hedge = store.move(hedge, State.CONVERGING, "rolled back")
    ends = {"closed_at": START, "last_settlement_a": START, "last_settlement_b": START}
    store.move(hedge, State.CLOSED, "both flat", **ends)  # type: ignore[arg-type]

    found = store.settle(whole(prepared))

    assert found is not None
    assert {getattr(found, name) for name in ends} == {None}


def test_neither_the_fill_nor_anything_else_is_booked_if_the_hedge_cannot_be_taken_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between booking and taking up: all of it is found again by the next look."""
    hedge, prepared = over(store)

    with monkeypatch.context() as patched:
        patched.setattr(hedges, "reopen", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.settle(whole(prepared))

    with contextlib.closing(open_store(store.path, StepClock(), readonly=True)) as reader:
        assert reader.order(prepared).state is OrderState.DEAD
        assert reader.leg_size(hedge.id, X10) == 0
        assert reader.hedge(hedge.id) == hedge
        assert told(reader) == []
    assert store.settle(whole(prepared)) is not None


def test_the_fill_of_an_unknown_order_takes_up_a_hedge_that_a_person_settled(store: Store) -> None:
    _, prepared = settled_by_hand(store)

    found = store.settle(whole(prepared))

    assert found is not None
    assert (found.state, found.target) == (State.CONVERGING, Target.FLAT)
    assert told(store) == ["order eth-1-1 of a hedge that was over filled 0.04 ETH late on x10"]


def test_a_late_fill_of_an_open_hedge_has_it_matched_again(store: Store) -> None:
    hedge, prepared = believed_dead(store)
    hedge = store.move(hedge, State.CONVERGING, "leg A again", target=Target.FLAT)
    store.move(hedge, State.OPEN, "both legs match", opened_at=START)

    found = store.settle(whole(prepared))

    assert found is not None
    assert (found.state, found.target, found.opened_at) == (State.CONVERGING, Target.MATCH, START)
    assert told(store) == [LATE]


def test_what_a_reducing_order_filled_late_takes_up_its_hedge_all_the_same(store: Store) -> None:
    """On a shared account it may have taken what is not ours: both venues are read again."""
    hedge, _ = believed_dead(store)
    back = an_order(number=2, venue=LIGHTER, purpose=Purpose.ROLLBACK, side=Side.SELL)
    store.intend(back)
    store.settle(Refused(back, Reason.OTHER, "", "expired", dead=True))
    store.move(hedge, State.CLOSED_FLAT, "nothing was there")

    found = store.settle(whole(back))

    assert found is not None
    assert (found.id, found.state) == (hedge.id, State.CONVERGING)


# -- what is not -----------------------------------------------------------------------------------


def test_a_fill_that_was_booked_already_takes_nothing_up(store: Store) -> None:
    _, prepared = over(store)
    found = store.settle(whole(prepared))
    assert found is not None
    ended = store.move(found, State.CLOSED, "rolled back")

    assert store.settle(whole(prepared)) is None

    assert store.hedge(ended.id) == ended
    assert told(store) == [LATE]


@pytest.mark.parametrize("ended", [over, settled_by_hand])
def test_an_order_that_filled_nothing_takes_nothing_up(
    store: Store, ended: Callable[[Store], tuple[Hedge, Prepared]]
) -> None:
    hedge, prepared = ended(store)
    assert store.settle(filled(prepared)) is None
    assert (store.hedge(hedge.id), told(store)) == (hedge, [])


def test_a_late_fill_of_a_hedge_on_its_way_is_told_and_left_to_those_who_drive_it(
    store: Store,
) -> None:
    hedge, prepared = believed_dead(store)
    assert store.settle(whole(prepared)) is None
    assert (store.hedge(hedge.id), told(store)) == (hedge, [LATE])


def test_the_usual_fill_of_a_hedge_on_its_way_tells_nobody(store: Store) -> None:
    store.plan(a_hedge())
    prepared = an_order()
    store.intend(prepared, move_to=(State.OPENING_A, "leg A is being sent"))
    assert store.settle(whole(prepared)) is None
    assert told(store) == []


def test_a_hedge_whose_market_has_another_one_is_taken_up_when_that_one_is_over(
    store: Store,
) -> None:
    """One hedge per market: the fill is booked all the same, and is not forgotten."""
    hedge, prepared = over(store)
    other = a_hedge("eth-2")
    store.plan(other)
    store.plan(a_hedge("sol-1", symbol="SOL"))

    assert store.settle(whole(prepared)) is None

    assert store.hedge(hedge.id) == hedge
    assert store.leg_size(hedge.id, X10) == Decimal("0.04")
    assert told(store) == [
        f"{LATE}; hedge eth-1 is taken up when eth-2, which has its market, is over"
    ]
    store.move(store.hedge(HedgeId("sol-1")), State.REFUSED, "too little margin")
    assert store.hedge(hedge.id) == hedge

    store.move(other, State.REFUSED, "too little margin")

    found = store.hedge(hedge.id)
    assert (found.state, found.target, found.reason) == (State.CONVERGING, Target.FLAT, LATE)
    assert store.unfinished() == [found]
    store.move(found, State.CLOSED, "rolled back")
    assert store.live() == []  # once for each late fill


def test_an_order_that_ended_with_less_or_more_than_was_asked_for_stays_watched(
    store: Store,
) -> None:
    """What executed beyond its order may go on (seed 24097)."""
    store.plan(a_hedge())
    for number, size in enumerate(("0.04", "0.02", "0.05"), start=1):
        prepared = an_order(number=number)
        store.intend(prepared)
        store.settle(filled(prepared, (size, "2500")))
    watched = store.uneven_since(START)
    assert {record.filled_size for record in watched} == {Decimal("0.02"), Decimal("0.05")}
