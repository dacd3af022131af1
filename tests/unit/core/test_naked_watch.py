"""How long a leg stands alone is counted on where processes end and our clock is set back."""

from datetime import timedelta
from pathlib import Path

import pytest

from hedger.domain.hedge import State
from hedger.ledger.store import Store
from hedger.nakedwatch import DOUBT, NakedWatch
from hedger.settings_recovery import Recovery
from tests.clocks import ManualClock
from tests.unit.ledger.build import START, a_hedge, a_store, an_order, filled

RULES = Recovery(naked_alert_s=60)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START + timedelta(seconds=10))


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Store:
    """Its only hedge has one leg."""
    store = a_store(tmp_path, clock)
    hedge, order = a_hedge(), an_order()
    store.plan(hedge)
    store.intend(order)
    store.settle(filled(order, ("0.04", "2500")))
    store.move(hedge, State.OPENING_A, "leg A is being sent")
    return store


def a_process(store: Store, clock: ManualClock) -> NakedWatch:
    return NakedWatch(store=store, clock=clock, rules=RULES, dedicated=True)


def alerts(store: Store) -> list[str]:
    return [alert.text for alert in store.unacknowledged()]


def test_a_clock_that_is_set_back_between_two_processes_delays_no_alert(
    store: Store, clock: ManualClock
) -> None:
    a_process(store, clock).look()
    clock.advance(40)
    a_process(store, clock).look()
    clock.set_back(300)
    later = a_process(store, clock)
    later.look()
    assert alerts(store) == []
    clock.advance(20)
    later.look()
    (text,) = alerts(store)
    assert "exposed for 60 s" in text


def test_a_venue_in_doubt_is_told_as_soon_as_without_it(store: Store, clock: ManualClock) -> None:
    since = clock.now().isoformat()
    store.set_meta(DOUBT + "lighter", f'{{"since": "{since}", "why": "no answer"}}')
    a_process(store, clock).look()
    clock.set_back(300)
    a_process(store, clock).look()
    clock.advance(30)
    a_process(store, clock).look()
    clock.advance(31)
    a_process(store, clock).look()
    assert any("lighter is in doubt for 61 s" in text for text in alerts(store))


def test_an_order_of_the_future_counts_from_now(store: Store, clock: ManualClock) -> None:
    """The clock was set back before anybody had looked."""
    clock.set_back(300)
    a_process(store, clock).look()
    clock.advance(60)
    a_process(store, clock).look()
    assert len(alerts(store)) == 1
