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
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.order import Answer, Prepared, Purpose
from hedger.errors import UsageError
from hedger.ledger.records import OrderState
from hedger.reduction import Legs, Reduction, next_reduction
from tests.builders import an_instrument
from tests.desk import Desk
from tests.world import LIGHTER, X10

RULES = {X10: r"/info/markets(\?|$)", LIGHTER: "/orderBookDetails"}
TENTH, TENFOLD = Decimal("0.1"), Decimal(10)


def coarser(desk: Desk, venue: str = LIGHTER, symbol: str = "ETH") -> None:
    """One decimal of sizes less."""
    now = desk.world.exchange(venue).rules[symbol]
    desk.world.change_market(venue, symbol, size_decimals=now.size_decimals - 1)


def finer(desk: Desk, venue: str = LIGHTER, symbol: str = "ETH") -> None:
    """One decimal of sizes more."""
    now = desk.world.exchange(venue).rules[symbol]
    desk.world.change_market(venue, symbol, size_decimals=now.size_decimals + 1)


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
    assert (
        second.filled_size == second.prepared.order.size == hedge.planned_size - first.filled_size
    )


async def test_f2_more_than_ordered_is_booked_told_and_stops_the_venue(desk: Desk) -> None:
    """No limit of risk and no person had heard of an order that executed tenfold."""
    await desk.close(await desk.open("ETH", 300))
    hedge = await _opened_on_stale_facts(desk)

    orders = lighter_orders(desk, hedge)
    assert orders[0].filled_size == orders[0].prepared.order.size * TENFOLD
    assert hedge.state is State.OPEN  # the rest was bought back on facts that were read anew
    assert desk.naked() == 0
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
    """The venue changes after leg A was sent, and before leg B."""
    venue: Any = desk.trader.venues[VenueId(X10)]
    submit = venue.submit

    async def then_changed(prepared: Prepared) -> Answer:
        answer: Answer = await submit(prepared)
        coarser(desk)
        venue.submit = submit
        return answer

    venue.submit = then_changed
    return await desk.open("ETH", 300)


# -- ticks ------------------------------------------------------------------------------------


async def test_b01_more_price_decimals_before_a_close_cost_one_order(desk: Desk) -> None:
    """A tenth of the price was sent twelve times, and again by every later try."""
    hedge = await desk.open("ETH", 300)
    desk.world.change_market(LIGHTER, "ETH", price_decimals=3)
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
    desk.world.change_market(LIGHTER, "ETH", price_decimals=3)
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
        desk.world.change_market(X10, "SOL", price_tick=Decimal("0.37"))
    else:
        now = desk.world.exchange(LIGHTER).rules["SOL"]
        desk.world.change_market(LIGHTER, "SOL", price_decimals=now.price_decimals - 1)
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


# -- coarser steps ----------------------------------------------------------------------------


async def test_b04_what_is_left_below_a_coarser_step_is_closed_by_clipping(desk: Desk) -> None:
    """1.8 of 1.82 were closed, and the rest stood for ever, with the other venue blamed."""
    hedge = await desk.open("SOL", 300)
    held = desk.position(LIGHTER, "SOL")
    desk.world.change_market(LIGHTER, "SOL", size_decimals=1)
    await desk.restart()

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
    for order in lighter_orders(desk, hedge, Purpose.CLOSE):
        assert order.prepared.order.reduce_only
        assert order.filled_size <= abs(held)


def test_b04_of_a_shared_position_only_whole_steps_are_taken() -> None:
    """Rounded up, the order would take what somebody else holds beside it."""
    legs = Legs(
        a=Decimal(0),
        b=Decimal("-1.82"),
        rules_a=an_instrument(),
        rules_b=an_instrument(VenueId(LIGHTER), size_step=Decimal("0.1"), minima_bind_takers=False),
        clips=frozenset({VenueId(LIGHTER)}),
        beside=frozenset({VenueId(LIGHTER)}),
    )
    shared = next_reduction(legs, Target.FLAT)
    alone = next_reduction(replace(legs, beside=frozenset()), Target.FLAT)
    assert isinstance(shared, Reduction)
    assert isinstance(alone, Reduction)
    assert (shared.size, alone.size) == (Decimal("1.8"), Decimal("1.9"))


# -- what waits for facts, and what does not ---------------------------------------------------


def _markets_are_down(desk: Desk) -> None:
    for venue, path in RULES.items():
        desk.world.rewrite(venue, path, status=503, body="down", times=0)


async def test_nothing_opens_on_facts_that_cannot_be_read(desk: Desk) -> None:
    await desk.close(await desk.open("ETH", 300))
    approved = await desk.trader.opening.approved(Symbol("ETH"), Decimal(300))
    await desk.world.pass_time(3)
    _markets_are_down(desk)

    hedge = await desk.trader.opening.open(approved)

    assert hedge.state is State.REFUSED
    assert desk.orders(hedge) == []


async def test_an_exit_goes_on_what_is_known_while_rules_cannot_be_read(desk: Desk) -> None:
    hedge = await desk.open("ETH", 300)
    await desk.world.pass_time(70)
    _markets_are_down(desk)
    began = desk.world.clock.now()

    hedge = await _roll_back(desk, hedge)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    assert (desk.world.clock.now() - began).total_seconds() < 8


async def _roll_back(desk: Desk, hedge: Hedge) -> Hedge:
    """What takes exposure off without asking first whether both legs can come off."""
    await desk.trader.rollback(
        hedge=hedge.id, market=None, everything=False, progress=desk.said.append
    )
    return desk.store.hedge(hedge.id)


async def test_a_refusal_for_the_rules_waits_a_second_at_most_for_a_reading_that_hangs(
    desk: Desk,
) -> None:
    hedge = await desk.open("ETH", 300)
    desk.world.fault(LIGHTER, "refuse", code=21702, reduce_only=True, times=1)
    desk.world.rewrite(LIGHTER, RULES[LIGHTER], forward=True, status=200, delay_s=4, times=0)
    began = desk.world.clock.now()

    assert (await _roll_back(desk, hedge)).state is State.CLOSED

    desk.assert_flat()
    assert (desk.world.clock.now() - began).total_seconds() < 6


async def test_at_rest_a_venue_is_asked_for_its_rules_once_a_minute(desk: Desk) -> None:
    await desk.open("ETH", 300)
    await desk.open("SOL", 300)
    for venue in (X10, LIGHTER):
        desk.world.requests(venue, reset=True)
    for _ in range(30):
        await desk.world.pass_time(10)
        await desk.trader.facts.look()
    for venue in (X10, LIGHTER):
        asked = [
            found["count"]
            for path, found in desk.world.requests(venue)["paths"].items()
            if path.endswith(("/info/markets", "/orderBookDetails"))
        ]
        assert 5 <= sum(asked) <= 7


# -- margin ------------------------------------------------------------------------------------


@pytest.mark.config(trading={"manage_leverage": True})
async def test_b23_a_market_on_isolated_margin_is_not_opened(desk: Desk) -> None:
    """Only the leverage was compared, and every distance from liquidation assumes cross margin."""
    await desk.close(await desk.open("ETH", 300))
    find = {"find": '"margin_mode": 0', "with": '"margin_mode": 1'}
    desk.world.rewrite(LIGHTER, "/account", times=0, replace=[find])
    await desk.world.pass_time(301)

    with pytest.raises(UsageError, match="nothing, or that its margin is isolated"):
        await desk.open("ETH", 300)


# -- what the venue says it did ----------------------------------------------------------------


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_an_order_of_another_market_is_told_and_stops_the_venue(
    desk: Desk, venue: str
) -> None:
    """The order is ours by its id, and is said to be on a market that was never signed."""
    path, find, put = {
        X10: ("/user/orders", '"market": "ETH-USD"', '"market": "BTC-USD"'),
        LIGHTER: ("/accountOrders", '"market_index": 0', '"market_index": 1'),
    }[VenueId(venue)]
    desk.world.rewrite(venue, path, times=0, replace=[{"find": find, "with": put}])

    await desk.open("ETH", 300)

    (off,) = switches.active(desk.store)
    assert off.scope == f"venue:{venue}"
    assert alerts(desk).count("does not do what was ordered") == 1
    desk.world.no_rewrites()
    await desk.world.pass_time(60)
    for hedge in desk.store.live():
        await desk.trader.executor.resume(hedge)
    assert desk.naked() == 0
    desk.assert_ledger_is_true()


async def test_an_order_that_is_executed_on_the_other_side_is_booked_as_it_was_and_told(
    desk: Desk,
) -> None:
    desk.world.rewrite(
        X10,
        "/user/trades",
        times=1,
        replace=[{"find": '"side": "BUY"', "with": '"side": "SELL"'}],
    )
    hedge = await desk.open("ETH", 300)
    (off,) = switches.active(desk.store)
    assert off.scope == "venue:x10"
    assert "it was executed as a sell, a buy was ordered" in alerts(desk)
    (leg_a, *_) = desk.orders(hedge)
    assert leg_a.filled_size == hedge.planned_size


async def test_rules_are_not_read_between_the_legs_though_leg_a_filled_in_part(desk: Desk) -> None:
    """A part is a reason to doubt the rules, and leg A stands alone until leg B is sent."""
    desk.world.fault(X10, "partial_fill", fraction="0.5")
    venues = [desk.trader.venues[VenueId(v)] for v in (X10, LIGHTER)]
    submit: Any = venues[0].submit

    async def then_slow(prepared: Prepared) -> Answer:
        for venue, path in RULES.items():
            desk.world.rewrite(venue, path, forward=True, status=200, delay_s=4, times=0)
        answer: Answer = await submit(prepared)
        return answer

    venues[0].submit = then_slow  # type: ignore[method-assign]
    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    assert desk.naked() == 0
    a, b = desk.orders(hedge)
    assert (b.prepared_at - a.prepared_at).total_seconds() < 3
