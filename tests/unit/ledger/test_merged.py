"""What earlier hedges left whose orders are booked into one (``reconciliation/merged.py``)."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from hedger.domain.hedge import State
from hedger.domain.ids import HedgeId, OrderId, Sent, order_id
from hedger.domain.order import Purpose, Side
from hedger.ledger.records import earlier_key
from hedger.ledger.store import Store
from hedger.owned import own_size
from hedger.reconciliation.merged import gone_before
from tests.unit.ledger.build import LIGHTER, X10, a_hedge, a_store, an_order, filled

ORPHAN = HedgeId("eth-260102210000-aaaa")
NEXT = HedgeId("eth-260102220000-bbbb")
START = 7


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An orphan that the orders of two hedges are booked to: one sold, the next one bought."""
    store = a_store(tmp_path)
    store.adopt(a_hedge(ORPHAN, state=State.ORPHAN, planned_size=Decimal(0)))
    return store


def book(
    store: Store, number: int, size: str, *, named: str | None, side: Side, opens: bool
) -> None:
    """An order that fills; ``named``: the hedge that its id at the venue names."""
    prepared = an_order(
        ORPHAN,
        venue=LIGHTER if named is None else X10,
        purpose=Purpose.OPEN if opens else Purpose.CLOSE,
        side=side,
        size=size,
    )
    id_ = order_id(ORPHAN if named is None else HedgeId(named), Sent(START, number))
    prepared = replace(
        prepared,
        order=replace(prepared.order, id=OrderId(id_)),
        client_id=str(1000 + number) if named is None else id_,
    )
    store.book_past(prepared, filled(prepared, (size, "2500")))


def book_both(store: Store) -> None:
    """X10 took 0.06 of the first hedge by force; the other 0.04 was closed."""
    book(store, 1, "0.1", named=ORPHAN, side=Side.SELL, opens=True)
    book(store, 2, "0.1", named=None, side=Side.BUY, opens=True)
    book(store, 3, "0.04", named=ORPHAN, side=Side.BUY, opens=False)
    book(store, 4, "0.1", named=None, side=Side.SELL, opens=False)
    book(store, 5, "0.05", named=NEXT, side=Side.BUY, opens=True)
    book(store, 6, "0.05", named=None, side=Side.SELL, opens=True)


def test_what_the_earlier_hedge_did_not_take_off_itself_is_gone(store: Store) -> None:
    book_both(store)
    gone = gone_before(store.orders_of(ORPHAN), X10)
    assert gone == {X10: Decimal("-0.06"), LIGHTER: 0}


def test_the_leg_of_the_last_hedge_is_what_is_left_of_the_fills(store: Store) -> None:
    book_both(store)
    assert store.leg_size(ORPHAN, X10) == Decimal("-0.01")
    store.set_meta(earlier_key(ORPHAN, X10), "-0.06")
    assert own_size(store, ORPHAN, X10) == Decimal("0.05")
    assert own_size(store, ORPHAN, LIGHTER) == Decimal("-0.05")


def test_a_single_hedge_has_nothing_before_it(store: Store) -> None:
    book(store, 1, "0.1", named=ORPHAN, side=Side.SELL, opens=True)
    book(store, 2, "0.04", named=ORPHAN, side=Side.BUY, opens=False)
    assert gone_before(store.orders_of(ORPHAN), X10) == {}


def test_what_comes_before_the_first_opening_is_of_an_earlier_hedge(store: Store) -> None:
    """The rest of that one is booked elsewhere."""
    book(store, 1, "0.1", named=None, side=Side.BUY, opens=True)
    book(store, 2, "0.04", named=ORPHAN, side=Side.BUY, opens=False)
    book(store, 3, "0.05", named=NEXT, side=Side.SELL, opens=True)
    gone = gone_before(store.orders_of(ORPHAN), X10)
    assert gone == {LIGHTER: Decimal("0.1"), X10: Decimal("0.04")}


def test_where_the_venue_that_hedges_open_on_names_none_nothing_is_known(store: Store) -> None:
    book_both(store)
    assert gone_before(store.orders_of(ORPHAN), LIGHTER) == {}
