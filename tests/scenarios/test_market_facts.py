"""
A venue changes what orders are scaled by, while a hedge is open or about to be.

Other programs read steps and ticks once, at their start, and sent a tenth or the tenfold of what
was meant from the day of the change on.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hedger import switches
from hedger.domain.hedge import Hedge, State
from hedger.domain.order import Purpose
from hedger.errors import UsageError
from hedger.ledger.records import OrderState
from tests.desk import Desk
from tests.world import LIGHTER, X10

TENTH, TENFOLD = Decimal("0.1"), Decimal(10)


def change(desk: Desk, venue: str, symbol: str = "ETH", **changes: Any) -> None:
    """Change a market's rules on the spot."""
    exchange = desk.world.exchange(venue)
    rules = dict(exchange._state.rules)
    rules[symbol] = replace(rules[symbol], **changes)
    exchange._state.rules = rules
    exchange._state._ladders.pop(symbol, None)


def coarser(desk: Desk, venue: str = LIGHTER, symbol: str = "ETH") -> None:
    """One decimal of sizes less."""
    now = desk.world.exchange(venue).rules[symbol]
    step, decimals = now.size_step * TENFOLD, now.size_decimals - 1
    change(desk, venue, symbol, size_step=step, size_decimals=decimals)


def finer(desk: Desk, venue: str = LIGHTER, symbol: str = "ETH") -> None:
    """One decimal of sizes more."""
    now = desk.world.exchange(venue).rules[symbol]
    step, decimals = now.size_step * TENTH, now.size_decimals + 1
    change(desk, venue, symbol, size_step=step, size_decimals=decimals)


def lighter_orders(desk: Desk, hedge: Hedge, purpose: Purpose | None = None) -> list[Any]:
    return [o for o in desk.orders(hedge, purpose) if o.prepared.order.venue == LIGHTER]


def alerts(desk: Desk) -> str:
    return "; ".join(alert.text for alert in desk.store.alerts_after(0))


# -- decimals of sizes ------------------------------------------------------------------------


async def test_f2_fewer_size_decimals_before_an_open_send_the_size_that_was_meant(
    desk: Desk,
) -> None:
    """0.095 was asked for and 0.95 executed, on rules that were read before the last hedge."""
    await desk.close(await desk.open("ETH", 300))
    coarser(desk)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    (opened,) = lighter_orders(desk, hedge)
    assert opened.filled_size == opened.prepared.order.size == hedge.planned_size
    assert "size step 0.0001 to 0.001" in alerts(desk)
    assert [e["level"] for e in desk.events("market_changed")] == ["warning"]
    desk.assert_ledger_is_true()


async def test_f2_more_size_decimals_before_a_close_cost_one_short_order(desk: Desk) -> None:
    """Every order was a tenth of what was meant; twelve of them left a third of the leg alone."""
    hedge = await desk.open("ETH", 300)
    finer(desk)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
    first, second = lighter_orders(desk, hedge, Purpose.CLOSE)
    assert first.filled_size == hedge.planned_size * TENTH
    assert second.filled_size == second.prepared.order.size == hedge.planned_size - first.filled_size


async def test_f2_more_than_ordered_is_booked_told_and_stops_the_venue(desk: Desk) -> None:
    """No limit of risk and no person had heard of an order that executed tenfold."""
    await desk.close(await desk.open("ETH", 300))
    hedge = await _opened_on_stale_facts(desk)

    orders = lighter_orders(desk, hedge)
    assert orders[0].filled_size == orders[0].prepared.order.size * TENFOLD
    desk.assert_flat()
    desk.assert_ledger_is_true()
    (off,) = switches.active(desk.store)
    assert off.scope == "venue:lighter"
    assert off.who == "hedger"
    assert "were executed" in alerts(desk)
    assert len(desk.events("drift")) >= 1
    with pytest.raises(UsageError, match="lighter is switched off since"):
        await desk.open("SOL", 300)
    await desk.trader.resume("venue:lighter", losses=False, who="me", progress=desk.said.append)
    assert (await desk.open("SOL", 300)).state is State.OPEN


async def _opened_on_stale_facts(desk: Desk) -> Hedge:
    """The venue changes after its rules were read for leg A, and before leg B."""
    before = desk.trader.facts.before

    async def then_changed(hedge: Hedge) -> Any:
        found = await before(hedge)
        coarser(desk)
        return found

    object.__setattr__(desk.trader.facts, "before", then_changed)
    return await desk.open("ETH", 300)


# -- ticks ------------------------------------------------------------------------------------


async def test_b01_more_price_decimals_before_a_close_cost_one_order(desk: Desk) -> None:
    """A tenth of the price was sent twelve times, and again by every later try."""
    hedge = await desk.open("ETH", 300)
    change(desk, LIGHTER, price_decimals=3, price_tick=Decimal("0.001"))
    began = desk.world.clock.now()

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
    first, second = lighter_orders(desk, hedge, Purpose.CLOSE)
    assert (first.state, second.state) == (OrderState.ZERO, OrderState.FILLED)
    assert (desk.world.clock.now() - began).total_seconds() < 8


async def test_b01_at_rest_the_change_is_known_before_the_close(desk: Desk) -> None:
    hedge = await desk.open("ETH", 300)
    change(desk, LIGHTER, price_decimals=3, price_tick=Decimal("0.001"))
    await desk.world.pass_time(50)
    await desk.trader.facts.look()
    assert "lighter changed ETH: price tick 0.01 to 0.001" in alerts(desk)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    assert [o.state for o in lighter_orders(desk, hedge, Purpose.CLOSE)] == [OrderState.FILLED]
    assert len(desk.events("market_changed")) == 1


@pytest.mark.parametrize("gone", [LIGHTER, X10])
async def test_b02_a_new_tick_delays_the_leg_that_was_left_alone_by_one_refusal(
    desk: Desk, gone: str
) -> None:
    """X10 refused for 15 minutes what was off its new tick, while the leg stood alone."""
    hedge = await desk.open("SOL", 300)
    left = X10 if gone == LIGHTER else LIGHTER
    if left == X10:
        change(desk, X10, "SOL", price_tick=Decimal("0.37"))
    else:
        now = desk.world.exchange(LIGHTER).rules["SOL"]
        tick, decimals = now.price_tick * TENFOLD, now.price_decimals - 1
        change(desk, LIGHTER, "SOL", price_tick=tick, price_decimals=decimals)
    desk.world.fault(gone, "liquidate", market="SOL")
    await desk.world.pass_time(3)
    began = desk.world.clock.now()

    await desk.trader.hold_against_accounts()
    await desk.trader.hold_against_accounts()

    assert desk.store.hedge(hedge.id).state.terminal
    assert desk.position(left, "SOL") == 0
    orders = [o for o in desk.orders(hedge) if o.prepared.order.purpose.reduces]
    assert len(orders) <= 2
    assert (desk.world.clock.now() - began).total_seconds() < 30
