"""How long a leg stands alone is counted on where processes end and our clock is set back."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.order import Side
from hedger.errors import UnwritableError
from hedger.ledger.store import Store
from hedger.nakedwatch import DOUBT, NakedWatch
from hedger.settings_recovery import Recovery
from tests.clocks import ManualClock
from tests.disk import without_room
from tests.unit.ledger.build import (
    LIGHTER,
    START,
    a_hedge,
    a_position,
    a_store,
    an_order,
    filled,
)

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


def with_both_legs(store: Store) -> Hedge:
    (hedge,) = store.live()
    other = an_order(number=2, venue=LIGHTER, side=Side.SELL)
    store.intend(other)
    store.settle(filled(other, ("0.04", "2500")))
    return hedge


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


def test_what_a_full_disk_could_not_take_is_told_by_the_first_look_with_room(
    store: Store, clock: ManualClock
) -> None:
    """It counted as told, and the next alert was due at twice the span."""
    since = clock.now().isoformat()
    store.set_meta(DOUBT + "lighter", f'{{"since": "{since}", "why": "no answer"}}')
    watch = a_process(store, clock)
    watch.look()
    clock.advance(60)
    for site in ("alert", "set_meta"):
        with (
            without_room(store, after=int(site == "alert"), site=site),
            pytest.raises(UnwritableError),
        ):
            watch.look()
        clock.advance(1)
    watch.look()
    assert sum("exposed for" in text for text in alerts(store)) == 1
    assert sum("lighter is in doubt for 61 s" in text for text in alerts(store)) == 1


def test_a_leg_that_goes_while_the_disk_is_full_stands_alone_since_its_last_reading(
    store: Store, clock: ManualClock
) -> None:
    """The reading in which the legs matched was forgotten by the look that failed."""
    hedge = with_both_legs(store)
    hedge = store.move(hedge, State.OPENING_B, "leg B is being sent")
    store.move(hedge, State.OPEN, "both legs match", opened_at=clock.now())
    matched_at = store.now()
    watch = a_process(store, clock)
    watch.look()
    clock.advance(55)
    store.observe([replace(a_position("0"), read_started_at=clock.now(), as_of=clock.now())])
    with without_room(store), pytest.raises(UnwritableError):
        watch.look()
    clock.advance(5)
    (span_s,) = watch.look().values()
    assert span_s == (clock.now() - matched_at).total_seconds()
    assert any("exposed for 60 s" in text for text in alerts(store))


def test_a_hedge_that_is_brought_to_match_for_a_minute_is_told_whatever_its_legs_show(
    store: Store, clock: ManualClock
) -> None:
    """What one leg holds cannot be told apart while its market has another name (seed 24234)."""
    hedge = with_both_legs(store)
    store.move(hedge, State.CONVERGING, "nothing explains it", target=Target.FLAT)
    watch = a_process(store, clock)
    watch.look()
    clock.advance(1)
    for leg in (a_position(), a_position("-0.04", venue=LIGHTER)):
        store.observe([replace(leg, read_started_at=clock.now(), as_of=clock.now())])
    clock.advance(60)
    watch.look()
    (text,) = alerts(store)
    assert "is converging and exposed for 61 s: it is converging" in text
