"""What the ledger promises to those who write to it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedger.domain.hedge import State, Target
from hedger.domain.ids import HedgeId, Symbol
from hedger.domain.order import Purpose, Reason, Refused, Side, Unresolved
from hedger.errors import IllegalTransitionError, StateError, UsageError
from hedger.ledger import sqlite
from hedger.ledger.records import MarketBusyError, OrderState, Shortfall, taken_key
from hedger.ledger.store import Store, open_store
from tests.unit.ledger.build import (
    ETH,
    LIGHTER,
    START,
    X10,
    StepClock,
    a_hedge,
    a_payment,
    a_position,
    a_store,
    an_order,
    filled,
    margin,
    settlement,
)
from tests.unit.ledger.connections import every_connection_closed


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with a_store(tmp_path) as store:
        yield store


def rows(store: Store, sql: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        return connection.execute(sql).fetchall()


# -- hedges ---------------------------------------------------------------------------------


def test_a_planned_hedge_comes_back_as_it_was(store: Store) -> None:
    hedge = a_hedge(first_settlement_a=settlement(0), first_settlement_b=settlement(0))

    store.plan(hedge)

    assert store.hedge(hedge.id) == hedge
    assert store.live() == [hedge]
    assert store.live_on(ETH) == hedge
    assert store.live_on(Symbol("BTC")) is None


def test_a_market_takes_one_live_hedge_at_a_time(store: Store) -> None:
    store.plan(a_hedge("eth-1"))

    with pytest.raises(MarketBusyError, match="ETH already has the hedge eth-1"):
        store.plan(a_hedge("eth-2"))

    store.move(a_hedge("eth-1"), State.REFUSED, "margin")
    store.plan(a_hedge("eth-2"))
    assert [hedge.id for hedge in store.live()] == ["eth-2"]


def test_the_file_itself_refuses_a_second_live_hedge_on_a_market(store: Store) -> None:
    store.plan(a_hedge("eth-1"))
    columns = "symbol,venue_a,venue_b,side_a,requested_usd,planned_size,state,target,reason"

    with (
        contextlib.closing(sqlite3.connect(store.path)) as connection,
        pytest.raises(sqlite3.IntegrityError, match=r"hedges\.symbol"),
    ):
        connection.execute(
            f"INSERT INTO hedges (id,{columns},created_at,updated_at) "
            f"SELECT 'other',{columns},created_at,updated_at FROM hedges"
        )


def test_a_move_changes_the_row_and_tells_why_in_one_event(store: Store) -> None:
    hedge = a_hedge()
    store.plan(hedge)

    moved = store.move(hedge, State.OPENING_A, "balances suffice", data={"x10": Decimal("1.50")})
    moved = store.move(moved, State.CONVERGING, "leg B refused", target=Target.FLAT)

    assert moved == store.hedge(hedge.id)
    assert (moved.state, moved.target, moved.reason) == (
        State.CONVERGING,
        Target.FLAT,
        "leg B refused",
    )
    steps = rows(store, "SELECT from_state, to_state, text FROM events ORDER BY seq")
    assert steps == [
        (None, "planned", "hedge eth-1 on ETH is planned: rates differ"),
        ("planned", "opening_a", "balances suffice"),
        ("opening_a", "converging", "leg B refused"),
    ]


def test_a_move_from_a_state_the_hedge_has_left_is_refused(store: Store) -> None:
    hedge = a_hedge()
    store.plan(hedge)
    store.move(hedge, State.OPENING_A, "first")

    with pytest.raises(IllegalTransitionError, match="no longer planned"):
        store.move(hedge, State.REFUSED, "second")

    assert store.hedge(hedge.id).state is State.OPENING_A


def test_a_step_the_table_does_not_hold_is_refused(store: Store) -> None:
    hedge = a_hedge()
    store.plan(hedge)
    with pytest.raises(IllegalTransitionError, match="cannot go from planned to open"):
        store.move(hedge, State.OPEN, "no")


def test_an_orphan_is_live_and_unfinished(store: Store) -> None:
    store.adopt(a_hedge("orphan-1", state=State.ORPHAN))
    assert [hedge.id for hedge in store.unfinished()] == ["orphan-1"]


def test_an_open_hedge_is_live_but_finished_for_now(store: Store) -> None:
    hedge = opened(store)
    assert store.live() == [hedge]
    assert store.unfinished() == []


def test_a_hedge_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    store.plan(a_hedge("eth-1", "ETH"))
    store.plan(a_hedge("eth-12", "BTC"))
    store.plan(a_hedge("x%y", "SOL"))

    assert store.find("eth-12").id == "eth-12"
    assert store.find("eth-1").id == "eth-1"
    assert store.find("x%").id == "x%y"
    with pytest.raises(UsageError, match="several hedges begin with 'eth': eth-1, eth-12;"):
        store.find("eth")
    for unknown in ("sol", "%", ""):
        with pytest.raises(UsageError, match="no hedge begins with"):
            store.find(unknown)


def test_f8_of_several_hedges_that_begin_so_the_live_one_is_meant(store: Store) -> None:
    for number in range(1, 9):  # more than are named in the sentence
        over = a_hedge(f"sol-{number}", "SOL")
        store.plan(over)
        store.move(over, State.REFUSED, "no margin")
    store.plan(a_hedge("sol-9", "SOL"))
    store.plan(a_hedge("sui-1", "SUI"))

    assert store.find("sol").id == store.find("SOL").id == "sol-9"
    assert store.find("sol-3").state is State.REFUSED
    with pytest.raises(UsageError, match="several hedges begin with 's': sol-9, sui-1;"):
        store.find("s")


def opened(store: Store, name: str = "eth-1", symbol: str = "ETH") -> object:
    hedge = a_hedge(name, symbol)
    store.plan(hedge)
    hedge = store.move(hedge, State.OPENING_A, "a")
    hedge = store.move(hedge, State.OPENING_B, "b")
    return store.move(hedge, State.OPEN, "equal", opened_at=START)


# -- intents --------------------------------------------------------------------------------


def test_an_intent_comes_back_exactly_as_it_was_committed(store: Store) -> None:
    store.plan(a_hedge())
    prepared = an_order(nonce=7)

    assert store.intend(prepared) is None

    assert store.open_intents() == [prepared]
    assert store.open_intents(HedgeId("eth-1")) == [prepared]
    assert store.open_intents(HedgeId("other")) == []
    record = store.order(prepared)
    assert record.prepared == prepared
    assert (record.state, record.epoch) == (OrderState.PREPARED, store.epoch)


def test_an_intent_may_move_its_hedge_in_the_same_transaction(store: Store) -> None:
    store.plan(a_hedge())
    moved = store.intend(an_order(), move_to=(State.OPENING_A, "leg A"))
    assert moved == store.hedge(HedgeId("eth-1"))
    assert store.hedge(HedgeId("eth-1")).state is State.OPENING_A


def test_nothing_is_written_when_the_move_beside_an_intent_is_impossible(store: Store) -> None:
    store.plan(a_hedge())
    with pytest.raises(IllegalTransitionError):
        store.intend(an_order(), margins=[margin("10")], move_to=(State.OPEN, "too far"))
    assert store.open_intents() == []
    assert store.reserved(X10) == 0


@pytest.mark.parametrize(
    ("second", "hedge"),
    [
        (replace(an_order(number=2, venue=LIGHTER, nonce=8), client_id="lighter/eth-1-1"), "eth-1"),
        (an_order("btc-1", 1, venue=LIGHTER, nonce=7, symbol="BTC"), "btc-1"),
        (an_order(number=2, venue=LIGHTER, nonce=8), "eth-1"),
    ],
    ids=["same client id", "same nonce", "leg still open"],
)
def test_an_intent_that_collides_is_refused_before_it_can_be_sent(
    store: Store, second: object, hedge: str
) -> None:
    store.plan(a_hedge())
    store.plan(a_hedge("btc-1", "BTC"))
    store.intend(an_order(venue=LIGHTER, nonce=7))

    with pytest.raises(StateError, match=f"order {hedge}-. cannot be committed"):
        store.intend(second)  # type: ignore[arg-type]  # a Prepared; parametrize hides it

    assert len(store.open_intents()) == 1


def test_a_refused_order_gives_its_nonce_back_and_a_dead_one_does_not(store: Store) -> None:
    store.plan(a_hedge())
    first = an_order(venue=LIGHTER, nonce=7)
    store.intend(first)
    store.settle(Refused(first, Reason.MARGIN, "21739", "not enough margin"))
    assert store.lane_high(first.lane) is None  # type: ignore[arg-type]  # it has a lane

    second = an_order(number=2, venue=LIGHTER, nonce=7)
    store.intend(second)
    store.settle(Refused(second, Reason.OTHER, "", "its nonce was burnt", dead=True))
    assert store.lane_high(first.lane) == 7  # type: ignore[arg-type]  # it has a lane

    with pytest.raises(StateError):
        store.intend(an_order(number=3, venue=LIGHTER, nonce=7))


def test_a_burn_stands_beside_its_order_and_counts_for_the_lane(store: Store) -> None:
    store.plan(a_hedge())
    original = an_order(venue=LIGHTER, nonce=7)
    burn = replace(original, client_id="burn", payload="cancel", nonce=8, tx_hash="burnt")
    store.intend(original)

    store.intend_burn(original, burn)

    assert store.burns_of(original) == [burn]
    hour_ago = original.order.expires_at - timedelta(hours=1)
    assert store.orders_since(hour_ago)[LIGHTER] == 3  # leg 2 of a planned hedge is to come
    assert store.open_intents() == [original]
    assert store.lane_high(original.lane) == 8  # type: ignore[arg-type]  # it has a lane


def test_a_finished_hedge_takes_no_more_orders(store: Store) -> None:
    store.plan(a_hedge())
    store.move(a_hedge(), State.REFUSED, "margin")
    with pytest.raises(IllegalTransitionError, match="takes no more orders"):
        store.intend(an_order())


# -- reservations ---------------------------------------------------------------------------


def test_margin_promised_to_another_unfinished_hedge_is_not_free(store: Store) -> None:
    store.plan(a_hedge("eth-1", "ETH"))
    store.plan(a_hedge("btc-1", "BTC"))
    store.intend(an_order("eth-1"), margins=[margin("60")])

    short = store.intend(an_order("btc-1"), margins=[margin("40.01")])

    assert short == Shortfall(
        venue=X10,
        available_usd=Decimal(100),
        reserved_usd=Decimal(60),
        needed_usd=Decimal("40.01"),
    )
    assert [prepared.order.hedge for prepared in store.open_intents()] == ["eth-1"]
    assert store.intend(an_order("btc-1"), margins=[margin("40")]) is None
    assert store.reserved(X10) == 100
    assert store.reserved(X10, HedgeId("btc-1")) == 60


def test_a_reservation_ends_with_the_opening_order_it_was_for(store: Store) -> None:
    store.plan(a_hedge())
    prepared = an_order()
    store.intend(prepared, margins=[margin("60"), margin("30", venue=LIGHTER)])

    store.settle(Unresolved(prepared, "no answer"))
    assert store.reserved(X10) == 60
    store.settle(filled(prepared, ("0.04", "2500")))

    assert store.reserved(X10) == 0
    assert store.reserved(LIGHTER) == 30


def test_a_hedge_at_rest_reserves_nothing(store: Store) -> None:
    store.plan(a_hedge())
    prepared = an_order()
    hedge = store.intend(
        prepared, margins=[margin("30", venue=LIGHTER)], move_to=(State.OPENING_A, "a")
    )
    store.settle(filled(prepared))
    assert store.reserved(LIGHTER) == 30

    store.move(hedge, State.CLOSED_FLAT, "nothing filled")  # type: ignore[arg-type]  # it moved

    assert store.reserved(LIGHTER) == 0


# -- outcomes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "state"),
    [
        ([("0.03", "2500"), ("0.01", "2501")], OrderState.FILLED),
        ([("0.03", "2500")], OrderState.PARTIAL),
        ([], OrderState.ZERO),
    ],
)
def test_what_an_order_filled_decides_its_state(
    store: Store, parts: list[tuple[str, str]], state: OrderState
) -> None:
    store.plan(a_hedge())
    prepared = an_order()
    store.intend(prepared)

    store.settle(filled(prepared, *parts))

    record = store.order(prepared)
    assert record.state is state
    assert record.filled_size == sum((Decimal(size) for size, _ in parts), Decimal(0))
    assert record.done_at is not None
    assert store.open_intents() == []
    assert store.leg_size(HedgeId("eth-1"), X10) == record.filled_size


def test_settling_twice_books_nothing_twice(store: Store) -> None:
    store.plan(a_hedge())
    prepared = an_order()
    store.intend(prepared)
    outcome = filled(prepared, ("0.01", "2500"), ("0.03", "2501"))

    store.settle(outcome)
    once = [rows(store, f"SELECT * FROM {name}") for name in ("legs", "days", "fills", "events")]
    store.settle(outcome)

    assert once == [
        rows(store, f"SELECT * FROM {name}") for name in ("legs", "days", "fills", "events")
    ]


def test_the_average_price_is_for_reading_and_the_value_is_exact(store: Store) -> None:
    store.plan(a_hedge())
    prepared = an_order(size="0.03")
    store.intend(prepared)

    store.settle(filled(prepared, ("0.01", "2500"), ("0.02", "2501"), fee="0.0150"))

    record = store.order(prepared)
    assert record.filled_usd == Decimal("75.02")
    assert record.avg_price == Decimal("2500.666666666667")
    assert record.fee_usd == Decimal("0.03")


def test_what_seemed_to_be_taken_by_others_is_forgotten_once_it_was_a_late_fill(
    store: Store,
) -> None:
    store.plan(a_hedge())
    prepared = an_order()
    store.intend(prepared)
    store.settle(Refused(prepared, Reason.OTHER, "", "expired", dead=True))
    key, other = (taken_key(HedgeId("eth-1"), venue) for venue in (X10, LIGHTER))
    for mark in (key, other):
        store.set_meta(mark, "0.04")

    store.settle(filled(prepared, ("0.04", "2500")))

    assert (store.meta(key), store.meta(other)) == ("", "0.04")


def test_fills_of_an_order_believed_dead_are_booked_and_told_as_an_error(store: Store) -> None:
    store.plan(a_hedge())
    prepared = an_order()
    store.intend(prepared)
    store.settle(Refused(prepared, Reason.OTHER, "", "expired", dead=True))

    store.settle(filled(prepared, ("0.04", "2500")))

    assert store.order(prepared).state is OrderState.FILLED
    assert store.leg_size(HedgeId("eth-1"), X10) == Decimal("0.04")
    told = rows(store, "SELECT level, text FROM events ORDER BY seq DESC LIMIT 2")
    assert told == [
        ("error", "order eth-1-1 was believed dead and filled 0.04 ETH late on x10"),
        ("error", "open order eth-1-1 was believed dead, but filled 0.04 of 0.04 at 2500 on x10"),
    ]


def test_an_order_with_fills_cannot_be_said_to_have_had_none(store: Store) -> None:
    store.plan(a_hedge())
    prepared = an_order()
    store.intend(prepared)
    store.settle(filled(prepared, ("0.02", "2500")))

    for outcome in (
        filled(prepared),
        Refused(prepared, Reason.OTHER, "", "gone"),
        Unresolved(prepared, "?"),
    ):
        with pytest.raises(IllegalTransitionError):
            store.settle(outcome)
    with pytest.raises(IllegalTransitionError):
        store.abandon(prepared, "late")


def test_a_trade_that_changes_is_refused(store: Store) -> None:
    store.plan(a_hedge())
    prepared = an_order()
    store.intend(prepared)
    store.settle(filled(prepared, ("0.02", "2500")))
    with pytest.raises(StateError, match="tells trade eth-1-1/1 differently"):
        store.settle(filled(prepared, ("0.02", "2499")))


def test_an_order_that_was_never_committed_cannot_be_settled(store: Store) -> None:
    with pytest.raises(StateError, match="never committed"):
        store.settle(filled(an_order()))


def test_an_abandoned_order_is_not_open(store: Store) -> None:
    store.plan(a_hedge())
    prepared = an_order()
    store.intend(prepared, margins=[margin("10")])
    store.abandon(prepared, "frozen for 3 s")
    store.abandon(prepared, "frozen for 3 s")
    assert store.open_intents() == []
    assert store.reserved(X10) == 0
    (record,) = store.orders_of(HedgeId("eth-1"))
    assert (record.state, record.detail) == (OrderState.ABANDONED, "frozen for 3 s")


def test_a_leg_counts_what_came_off_with_its_sign(store: Store) -> None:
    store.plan(a_hedge())
    first = an_order()
    store.intend(first)
    store.settle(filled(first, ("0.04", "2500")))
    back = an_order(number=2, purpose=Purpose.ROLLBACK, side=Side.SELL, size="0.03")
    store.intend(back)
    store.settle(filled(back, ("0.03", "2499")))

    assert store.leg_size(HedgeId("eth-1"), X10) == Decimal("0.01")
    assert store.leg_size(HedgeId("eth-1"), LIGHTER) == 0


# -- what the venues said -------------------------------------------------------------------


def test_of_readings_that_went_on_at_once_the_one_that_started_last_is_the_last(
    store: Store,
) -> None:
    store.plan(a_hedge())
    late, slow = a_position("0.05", after_s=5), a_position("0.04", after_s=1)
    slow = replace(slow, as_of=late.as_of + timedelta(seconds=2))
    store.observe([late], HedgeId("eth-1"))
    store.observe([slow, a_position("-1", venue=LIGHTER, after_s=9)])

    assert store.last_observation(X10, ETH) == late
    assert store.last_observation(X10, Symbol("BTC")) is None


def test_a_reading_from_before_our_clock_was_set_back_is_not_the_last(store: Store) -> None:
    store.plan(a_hedge())
    before, after = a_position("0.05", after_s=65), a_position("0.04", after_s=5)
    store.observe([before])
    store.observe([after])

    assert store.last_observation(X10, ETH) == after


def test_a_payment_is_booked_once_and_belongs_to_the_hedge_that_held_the_position(
    store: Store,
) -> None:
    hedge = a_hedge(first_settlement_a=settlement(1), first_settlement_b=settlement(1))
    store.plan(hedge)
    payments = [a_payment(0), a_payment(1), a_payment(2, "-0.004")]

    assert store.book_payments(payments) == 3
    assert store.book_payments(payments) == 0

    owned = rows(store, "SELECT payment_id, hedge_id FROM funding_payments ORDER BY seq")
    assert owned == [("payment-0", None), ("payment-1", "eth-1"), ("payment-2", "eth-1")]
    assert rows(store, "SELECT funding_usd FROM legs WHERE venue = 'x10'") == [("0.0085",)]
    assert rows(store, "SELECT day, payments, funding_usd FROM days") == [
        ("2026-01-02", 2, "0.025"),
        ("2026-01-03", 1, "-0.004"),
    ]


def test_a_payment_after_the_last_settlement_of_a_hedge_is_not_its_own(store: Store) -> None:
    hedge = a_hedge(first_settlement_a=settlement(0), first_settlement_b=settlement(0))
    store.plan(hedge)
    store.move(hedge, State.CLOSED_FLAT, "gone", last_settlement_a=settlement(1))

    store.book_payments([a_payment(1), a_payment(2)])

    owned = rows(store, "SELECT payment_id, hedge_id FROM funding_payments ORDER BY seq")
    assert owned == [("payment-1", "eth-1"), ("payment-2", None)]


def test_of_two_hedges_of_an_hour_a_payment_is_of_the_one_whose_fills_made_the_position(
    store: Store,
) -> None:
    """An order of the earlier one filled when the later one was over as well (seed 28351)."""
    end = settlement(0)
    for name, sides in (("eth-1", (Side.BUY,)), ("eth-2", (Side.BUY, Side.SELL))):
        hedge = a_hedge(name, first_settlement_a=settlement(0), first_settlement_b=settlement(0))
        store.plan(hedge)
        for number, side in enumerate(sides, start=1):
            store.intend(order := an_order(name, number, side=side))
            store.settle(filled(order, ("0.04", "2500")))
        store.move(hedge, State.CLOSED_FLAT, "over", last_settlement_a=end, last_settlement_b=end)

    store.book_payments([a_payment(0)])

    assert rows(store, "SELECT hedge_id FROM funding_payments") == [("eth-1",)]


def test_a_payment_read_before_its_hedge_was_known_is_assigned_when_read_again(
    store: Store,
) -> None:
    store.book_payments([a_payment(1)])
    store.plan(a_hedge(first_settlement_a=settlement(0)))

    assert store.book_payments([a_payment(1)]) == 0

    assert rows(store, "SELECT hedge_id FROM funding_payments") == [("eth-1",)]
    assert rows(store, "SELECT funding_usd FROM legs WHERE venue = 'x10'") == [("0.0125",)]


def test_a_hedge_awaits_funding_until_it_is_read_through_its_last_settlement(
    store: Store,
) -> None:
    hedge = a_hedge(first_settlement_a=settlement(0), first_settlement_b=settlement(0))
    store.plan(hedge)
    prepared = an_order()
    store.intend(prepared, move_to=(State.OPENING_A, "a"))
    store.settle(filled(prepared, ("0.04", "2500")))
    hedge = store.move(store.hedge(hedge.id), State.CONVERGING, "leg B refused")
    assert store.awaiting_funding() == [hedge]

    hedge = store.move(hedge, State.CLOSED, "flat")
    hedge = store.note(hedge, last_settlement_a=settlement(1), last_settlement_b=settlement(1))
    store.funding_complete(hedge.id, X10, settlement(0))
    assert store.awaiting_funding() == [hedge]

    store.funding_complete(hedge.id, X10, settlement(1))
    assert store.awaiting_funding() == []  # the other leg never held anything


def test_a_hedge_that_never_held_anything_awaits_nothing(store: Store) -> None:
    store.plan(a_hedge(first_settlement_a=settlement(0), first_settlement_b=settlement(0)))
    store.move(a_hedge(), State.CLOSED_FLAT, "nothing filled")
    assert store.awaiting_funding() == []


def test_how_far_funding_is_known_never_goes_back(store: Store) -> None:
    store.plan(a_hedge())
    store.funding_complete(HedgeId("eth-1"), X10, settlement(5))
    store.funding_complete(HedgeId("eth-1"), X10, settlement(3))
    (known,) = rows(store, "SELECT funding_through FROM legs WHERE venue = 'x10'")
    assert known == ("2026-01-03T03:00:00.000000Z",)


def test_a_note_completes_a_hedge_and_leaves_its_state(store: Store) -> None:
    store.plan(a_hedge())
    noted = store.note(a_hedge(), first_settlement_a=settlement(0))
    assert noted == store.hedge(noted.id)
    assert (noted.state, noted.first_settlement_a) == (State.PLANNED, settlement(0))


def test_a_second_payment_for_one_settlement_is_told_once_and_not_booked(store: Store) -> None:
    store.book_payments([a_payment(1)])
    other = replace(a_payment(1, "0.9"), payment_id="another")

    assert store.book_payments([other, a_payment(2)]) == 1
    assert store.book_payments([other, a_payment(2)]) == 0

    told = rows(store, "SELECT level FROM events WHERE kind = 'payment_conflict'")
    assert told == [("error",)]


# -- what happened --------------------------------------------------------------------------


def test_alerts_stay_until_they_are_acknowledged(store: Store) -> None:
    store.alert("look at this", data={"size": Decimal("0.1")})
    store.alert("and this")

    first, second = store.unacknowledged()
    assert (first.text, first.data) == ("look at this", {"size": "0.1"})
    assert store.acknowledge(first.number, "me")
    assert not store.acknowledge(first.number, "somebody else")
    assert store.unacknowledged() == [second]
    assert store.stats().alerts == 1


def test_small_values_are_kept(store: Store) -> None:
    assert store.meta("lag") is None
    store.set_meta("lag", "1.5")
    store.set_meta("lag", "2.5")
    assert store.meta("lag") == "2.5"


def test_stats_count_what_is_there(store: Store) -> None:
    store.plan(a_hedge())
    store.intend(an_order())
    stats = store.stats()
    assert (stats.hedges, stats.orders, stats.fills) == ({"planned": 1}, {"prepared": 1}, 0)
    assert stats.database_bytes > 0
    assert stats.epoch == store.epoch


# -- the file -------------------------------------------------------------------------------


def test_every_writing_opening_is_an_epoch_and_reading_is_none(tmp_path: Path) -> None:
    a_store(tmp_path).close()
    path = tmp_path / "ledger.db"
    with open_store(path, StepClock(), readonly=True) as reader:
        assert reader.epoch == 1
        with pytest.raises(StateError, match="opened to read only"):
            reader.event("x", "y")
    with a_store(tmp_path) as store:
        assert store.epoch == 2


def test_a_writer_that_was_overtaken_can_write_no_longer(tmp_path: Path) -> None:
    with a_store(tmp_path) as first, a_store(tmp_path) as second:
        with pytest.raises(StateError, match="opened for writing by another process"):
            first.plan(a_hedge())
        second.plan(a_hedge())


@pytest.mark.parametrize("table", ["meta", "alembic_version"])
def test_an_opening_that_fails_gives_the_file_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """Whether it fails in the look at the schema or in the first transaction."""
    a_store(tmp_path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        other.execute(f"DROP TABLE {table}")

    with every_connection_closed(monkeypatch) as made, pytest.raises((StateError, sqlite3.Error)):
        open_store(tmp_path / "ledger.db", StepClock())

    assert len(made) == (2 if table == "meta" else 1)


def test_a_file_that_is_no_ledger_is_not_kept_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is not a database at all" * 200)

    with (
        every_connection_closed(monkeypatch),
        pytest.raises(StateError, match="is not a ledger"),
    ):
        sqlite.connect(path, readonly=False)


def test_a_reader_sees_what_a_writer_has_committed(tmp_path: Path) -> None:
    with a_store(tmp_path) as store:
        store.plan(a_hedge())
        with open_store(tmp_path / "ledger.db", StepClock(), readonly=True) as reader:
            assert reader.live() == store.live()


def test_the_file_and_its_side_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    with a_store(tmp_path) as store:
        store.event("x", "y")
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    names = ["ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db.start"]
    assert modes == dict.fromkeys(names, 0o600)


def test_the_database_is_opened_for_durability(store: Store) -> None:
    with contextlib.closing(sqlite.connect(store.path, readonly=False)) as connection:
        found = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 2, 1, 5000]


def test_a_writer_holds_the_write_lock_from_the_first_statement(store: Store) -> None:
    engine = sqlite.engine(store.path)
    try:
        with (
            contextlib.closing(sqlite3.connect(store.path, timeout=0)) as other,
            engine.begin(),
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("BEGIN IMMEDIATE")
    finally:
        engine.dispose()


def test_an_event_for_a_hedge_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(StateError, match="refers to something that is not in the ledger"):
        store.event("x", "y", hedge=HedgeId("nobody"))


def test_a_transaction_that_fails_leaves_no_trace(store: Store) -> None:
    store.plan(a_hedge())
    prepared = an_order()
    store.intend(prepared)
    before = rows(store, "SELECT * FROM legs")
    twisted = filled(prepared, ("0.01", "2500"), ("0.01", "2500"))
    # the second trade has the id of the first and another price: the first must go too
    bad = replace(
        twisted,
        fills=(
            twisted.fills[0],
            replace(twisted.fills[1], trade_id=twisted.fills[0].trade_id, price=Decimal(1)),
        ),
    )
    with pytest.raises(StateError):
        store.settle(bad)
    assert rows(store, "SELECT * FROM legs") == before
    assert rows(store, "SELECT count(*) FROM fills") == [(0,)]


def test_times_are_text_that_sorts(store: Store) -> None:
    store.plan(a_hedge(created_at=START + timedelta(microseconds=1)))
    assert rows(store, "SELECT created_at FROM hedges") == [("2026-01-02T21:30:00.000001Z",)]
