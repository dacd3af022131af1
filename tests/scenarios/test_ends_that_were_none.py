"""
Orders that a venue called final, and filled further all the same.

The rest is booked to its order and matched or taken off, on a shared account too: the venue's own
trade carries our order's number, so nobody has to guess whose it is.
"""

from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest

from adapters.sandbox.lighter_face import shapes as lighter_shapes
from adapters.sandbox.x10_face import shapes as x10_shapes
from hedger.domain.hedge import State
from hedger.domain.ids import VenueId
from hedger.domain.money import ZERO
from hedger.domain.order import Prepared, Purpose, Sighting
from hedger.ledger.records import OrderState
from tests.desk import Desk
from tests.scenarios.forgetful import told, turn
from tests.scenarios.scenes import either_account, either_venue
from tests.scenarios.test_reconciling import SHARED, foreign_order
from tests.world import X10

fractions = pytest.mark.parametrize("fraction", ["0.4", "0"], ids=["partial", "zero"])


@fractions
@either_account
@either_venue
async def test_f4_the_rest_of_an_order_that_was_called_final_is_found_and_taken_off(
    desk: Desk, venue: VenueId, dedicated: bool, fraction: str
) -> None:
    assert desk.config.account.dedicated is dedicated
    desk.world.fault(venue, "late_rest", fraction=fraction, seconds=60, reduce_only=False)
    hedge = await desk.open("ETH", 300)
    (short,) = [o for o in desk.orders(hedge, Purpose.OPEN) if o.prepared.order.venue == venue]
    assert short.state is (OrderState.ZERO if fraction == "0" else OrderState.PARTIAL)
    assert desk.naked() == ZERO
    waited_s = 0.0
    while desk.naked() == ZERO:
        assert waited_s < 90
        await desk.world.pass_time(1)
        waited_s += 1
    began_s = desk.world.clock.monotonic_s()

    for _ in range(8):
        if desk.naked() == ZERO:
            break
        await turn(desk)

    assert desk.world.clock.monotonic_s() - began_s < 60
    assert desk.naked() == ZERO
    (full,) = [o for o in desk.orders(hedge, Purpose.OPEN) if o.prepared.order.venue == venue]
    assert (full.state, full.filled_size) == (OrderState.FILLED, full.prepared.order.size)
    assert any(text.endswith(f"late on {venue}") for text in told(desk))
    assert len(desk.rows("hedges")) == 1
    await turn(desk, 2)
    assert desk.naked() == ZERO
    assert desk.store.hedge(hedge.id).state in {State.OPEN, State.CLOSED}
    desk.assert_ledger_is_true()


@either_account
@either_venue
async def test_f4_a_closing_order_that_fills_further_after_its_end_leaves_nothing_alone(
    desk: Desk, venue: VenueId, dedicated: bool
) -> None:
    """The rollback took the same coins off meanwhile, so the late rest turns the leg around."""
    assert desk.config.account.dedicated is dedicated
    hedge = await desk.open("ETH", 300)
    await desk.world.pass_time(11)
    desk.world.fault(venue, "late_rest", fraction="0.4", seconds=40, reduce_only=True)
    await desk.close(hedge)
    desk.assert_flat()
    await desk.world.pass_time(45)
    assert desk.naked() != ZERO
    began_s = desk.world.clock.monotonic_s()

    for _ in range(8):
        if desk.naked() == ZERO:
            break
        await turn(desk)

    assert desk.world.clock.monotonic_s() - began_s < 60
    desk.assert_flat()
    await turn(desk)
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_ledger_is_true()


@SHARED
@either_venue
async def test_f4_what_a_closing_order_fills_late_of_a_leg_that_was_cut_down_is_taken_off(
    desk: Desk, venue: VenueId
) -> None:
    """Our fills still make a leg on the old side; it was taken for somebody else's and stayed."""
    hedge = await desk.open("ETH", 300)
    part = Decimal("0.02").copy_sign(desk.position(venue))
    foreign_order(desk, venue, -part, reduce_only=True)
    await desk.world.pass_time(11)
    await desk.trader.reconcile(desk.said.append)
    assert any("somebody else took" in text for text in told(desk))
    await desk.world.pass_time(11)
    desk.world.fault(venue, "late_rest", fraction="0.4", seconds=40, reduce_only=True)
    await desk.close(hedge)
    desk.assert_flat()
    await desk.world.pass_time(45)
    assert desk.position(venue) * part < ZERO

    for _ in range(8):
        if desk.naked() == ZERO:
            break
        await turn(desk)

    desk.assert_flat()
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert desk.store.leg_size(hedge.id, venue) == part


@either_venue
async def test_f4_trades_are_asked_before_an_order_is_believed_to_have_filled_nothing(
    desk: Desk, venue: VenueId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order's own row says final and nothing; the venue's list of trades knows better."""
    if venue == X10:
        nothing: dict[str, Any] = {"status": "CANCELLED", "filledQty": "0"}
        name = "order"
    else:
        nothing = {"status": "canceled", "filled_base_amount": "0.0000"}
        name = "order_json"
    shapes: ModuleType = x10_shapes if venue == X10 else lighter_shapes
    true_row = getattr(shapes, name)
    monkeypatch.setattr(shapes, name, lambda *args: true_row(*args) | nothing)

    hedge = await desk.open("ETH", 300)

    assert (hedge.state, desk.naked()) == (State.OPEN, ZERO)
    assert {o.state for o in desk.orders(hedge)} == {OrderState.FILLED}
    desk.assert_ledger_is_true()


@either_account
@either_venue
async def test_f4_orders_that_ended_short_are_asked_for_ever_less_often(
    desk: Desk, venue: VenueId, dedicated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dozen looks in the hour of the watch, and none without an order that ended short."""
    assert desk.config.account.dedicated is dedicated
    asked: list[str] = []
    port = desk.trader.venues[venue]
    find = port.find

    async def counted(prepared: Prepared) -> Sighting:
        asked.append(prepared.order.id)
        return await find(prepared)

    desk.world.fault(venue, "no_fill", reduce_only=False)
    await desk.open("ETH", 300)
    monkeypatch.setattr(port, "find", counted)
    for _ in range(36):
        await desk.trader.late.run()
        await desk.world.pass_time(15)
    assert 5 <= len(asked) <= 9
