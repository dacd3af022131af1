"""What a leg is shown to hold, by readings and by our own fills."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedger import standing
from hedger.domain.hedge import Hedge, State
from hedger.domain.market import Position
from hedger.domain.order import Purpose, Side
from hedger.ledger.store import Store
from hedger.owned import known_at, seen_size
from tests.clocks import ManualClock
from tests.unit.ledger.build import START, X10, a_hedge, a_position, a_store, an_order, filled

LONG = Decimal("0.04")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START + timedelta(seconds=10))


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    with a_store(tmp_path, clock) as opened:
        yield opened


@pytest.fixture
def hedge(store: Store) -> Hedge:
    """Its first leg is filled at second 10."""
    hedge = a_hedge()
    store.plan(hedge)
    order = an_order()
    store.intend(order)
    store.settle(filled(order, (str(LONG), "2500")))
    return hedge


def shown(store: Store, hedge: Hedge) -> Decimal:
    return seen_size(store, hedge, X10, dedicated=True)


def read(size: str, at: datetime) -> Position:
    return a_position(size, after_s=int((at - START).total_seconds()))


async def test_an_order_that_filled_nothing_leaves_the_reading_before_it_the_latest_word(
    store: Store, hedge: Hedge, clock: ManualClock
) -> None:
    """The venue took a part of the leg; then our order to close it found nobody."""
    clock.advance(5)
    store.observe([read("0.03", clock.now())])
    clock.advance(5)
    back = an_order(number=2, purpose=Purpose.CLOSE, side=Side.SELL, size="0.03")
    store.intend(back)
    assert shown(store, hedge) == LONG  # it may have filled
    store.settle(filled(back))
    assert shown(store, hedge) == Decimal("0.03")


async def test_a_reading_from_before_our_clock_was_set_back_tells_nothing_of_later_fills(
    store: Store, hedge: Hedge, clock: ManualClock
) -> None:
    store.observe([read("0", clock.now() + timedelta(seconds=50))])
    assert shown(store, hedge) == LONG
    clock.advance(60)  # as late as it was then
    store.observe([read(str(LONG), clock.now() - timedelta(seconds=20))])
    assert shown(store, hedge) == LONG


async def test_a_reading_made_after_our_clock_was_set_back_is_younger_than_our_fills(
    store: Store, hedge: Hedge, clock: ManualClock
) -> None:
    """A person closed the leg since; what is shown does not wait until the clock has caught up."""
    clock.set_back(300)
    assert shown(store, hedge) == LONG
    store.observe([read("0", clock.now())])
    assert shown(store, hedge) == 0
    assert known_at(store, hedge, X10) == clock.now()


async def test_what_was_found_is_unread_until_it_was_read_since_its_last_order(
    store: Store, clock: ManualClock
) -> None:
    found = a_hedge(state=State.ORPHAN, planned_size=Decimal(0))
    store.adopt(found)
    clock.advance(1)
    held = standing.held(store, clock.now(), dedicated=True)["eth-1"]
    assert "on x10 was not read since its last order" in held["unread"]
    store.observe([read("0", clock.now())])
    held = standing.held(store, clock.now(), dedicated=True)["eth-1"]
    assert "on x10" not in held["unread"]


async def test_a_reading_from_before_our_clock_was_set_back_does_not_say_how_old_it_is(
    store: Store, hedge: Hedge, clock: ManualClock
) -> None:
    """Its venue may be silent since: until it is read again nobody knows what the leg holds."""
    store.observe([read(str(LONG), clock.now())])
    clock.set_back(300)
    clock.advance(standing.UNREAD_S + 1)
    held = standing.held(store, clock.now(), dedicated=True)[hedge.id]
    assert "on x10 was last read at" in held["unread"]

    store.observe([read(str(LONG), clock.now())])
    held = standing.held(store, clock.now(), dedicated=True)[hedge.id]
    assert "on x10 was last read at" not in (held["unread"] or "")
