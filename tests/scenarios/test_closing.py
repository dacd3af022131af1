"""
Taking a hedge off: closing and rolling back, whatever the venues make of the orders.

The public bots believed their own intentions here: a leg was "closed" because the call
returned, a rollback had "succeeded" because nothing was raised. What counts is what the venues
hold afterwards, and what they filled.
"""

import json
from decimal import Decimal
from typing import Any

import pytest

from hedger.domain.hedge import State
from hedger.domain.money import ZERO
from hedger.domain.order import Purpose
from hedger.ledger.records import OrderRecord, OrderState
from tests.desk import Desk
from tests.world import LIGHTER, X10

LAG_PASSED_S = 12.0  # later than any reading may be, also against our own fills

# -- what a close believes ----------------------------------------------------------------------


@pytest.mark.parametrize("venue", [X10, LIGHTER])
@pytest.mark.parametrize("reason", ["no_liquidity", "slippage", "margin"])
async def test_s22_a_cancelled_close_is_not_a_closed_leg(
    desk: Desk, venue: str, reason: str
) -> None:
    """The bot counted a leg that came back CANCELLED as filled and wrote "closed"."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(venue, "reject", reason=reason, reduce_only=True)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
    first, second = [o for o in desk.orders(hedge, Purpose.CLOSE) if _venue(o) == venue]
    assert (first.state, first.filled_size) == (OrderState.ZERO, ZERO)
    assert (second.state, second.filled_size) == (OrderState.FILLED, hedge.planned_size)
    _assert_closed_after_its_fills(desk, hedge.id)


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_s22_a_close_without_an_answer_is_not_a_closed_leg(desk: Desk, venue: str) -> None:
    """The bot counted a leg that came back as None as filled and wrote "closed"."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(venue, "drop_answer", when="before", reduce_only=True, times=2)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
    _assert_closed_after_its_fills(desk, hedge.id)


async def test_s23_a_close_that_lighter_accepts_and_ignores_is_repeated_at_worse_prices(
    desk: Desk,
) -> None:
    """The bot took the 200 of sendTx for the close itself and believed the leg was gone."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(LIGHTER, "no_fill", reduce_only=True, times=2)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
    closes = [o for o in desk.orders(hedge, Purpose.CLOSE) if _venue(o) == LIGHTER]
    assert [o.state for o in closes] == [OrderState.ZERO] * 2 + [OrderState.FILLED]
    worse = [o.prepared.order.limit_price * o.prepared.order.side.sign for o in closes]
    assert worse == sorted(set(worse))


async def test_s23_a_close_that_never_does_anything_is_escalated_and_not_called_closed(
    desk: Desk,
) -> None:
    """The bot believed the leg was gone and forgot it."""
    hedge = await desk.open("ETH", 300)
    held = desk.position(LIGHTER)
    desk.world.fault(LIGHTER, "no_fill", reduce_only=True, times=0)

    hedge = await desk.close(hedge)

    assert hedge.state is State.ESCALATED
    assert desk.position(LIGHTER) == held
    (alert,) = desk.store.unacknowledged()
    assert alert.hedge == hedge.id
    assert "12 attempts" in alert.text
    desk.world.no_faults()
    hedge = await desk.close(hedge)
    assert hedge.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()


@pytest.mark.parametrize(
    ("venue", "code"),
    [
        (X10, 1136),
        (X10, 1137),
        (X10, 1138),
        (X10, 1140),
        (LIGHTER, 21739),
        (LIGHTER, 21740),
        (LIGHTER, 21614),
    ],
)
async def test_s24_a_refused_close_is_never_tried_again_without_reduce_only(
    desk: Desk, venue: str, code: int
) -> None:
    """
    The bot tried its refused close again as an ordinary order and opened the opposite side.

    The fault is for reduce-only orders alone: an ordinary one would be taken, and show.
    """
    hedge = await desk.open("ETH", 300)
    desk.world.fault(venue, "refuse", code=code, reduce_only=True, times=5)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
    taken = desk.world.orders(X10) + desk.world.orders(LIGHTER)
    assert [order["reduce_only"] for order in taken] == [False, True, False, True]
    closes = [o for o in desk.orders(hedge, Purpose.CLOSE) if _venue(o) == venue]
    assert [o.state for o in closes] == [OrderState.REFUSED] * 5 + [OrderState.FILLED]
    assert all(_signed_reduce_only(o) for o in closes)


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_s24_a_leg_that_is_gone_is_not_closed_into_the_other_side(
    desk: Desk, venue: str
) -> None:
    """The same mistake when the leg had been liquidated: the refusal was the truth."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(venue, "liquidate", market="ETH")
    await desk.world.pass_time(1)  # older than what reads lag by

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    assert [o for o in desk.orders(hedge, Purpose.CLOSE) if _venue(o) == venue] == []


async def test_s24_a_refusal_for_want_of_a_position_leads_to_a_fresh_look(desk: Desk) -> None:
    """
    The same in the moment of the liquidation: our reading is old, and X10 says 1137.

    A refused order changes no position, so nothing is waited for on its account: the other leg
    is alone for two looks and no longer.
    """
    hedge = await desk.open("ETH", 300)
    await desk.world.pass_time(LAG_PASSED_S)
    desk.world.fault(X10, "lag", what=["positions"], seconds=3)
    desk.world.fault(X10, "liquidate", market="ETH")
    began_s = desk.world.clock.monotonic_s()

    hedge = await desk.close(hedge)

    assert desk.world.clock.monotonic_s() - began_s < 5

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    on_x10, on_lighter = desk.orders(hedge, Purpose.CLOSE)
    assert (on_x10.state, on_x10.status) == (OrderState.REFUSED, "1137")
    assert on_lighter.filled_size == hedge.planned_size


# -- balances -----------------------------------------------------------------------------------


async def test_s51_no_balance_stands_before_a_close(desk: Desk) -> None:
    """
    A stale or false "insufficient balance" stopped the bot's close, and the leg stayed open.

    Here X10 cannot say what its balance is, and Lighter has nothing free.
    """
    hedge = await desk.open("ETH", 300)
    desk.world.fault(X10, "bad_reads", what=["balance"], times=0)
    _leave_nothing_free(desk, LIGHTER)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
    assert len(desk.events("balances")) == 2  # before leg 1 and before leg 2, never after


async def test_s51_no_balance_stands_before_a_rollback(desk: Desk) -> None:
    """The hedge was refused for its balance, and then so was the way back."""
    desk.world.fault(X10, "bad_reads", what=["balance"], times=0, skip=1)
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    assert desk.orders(hedge)[1].state is OrderState.REFUSED
    assert desk.orders(hedge, Purpose.ROLLBACK)[0].filled_size == hedge.planned_size
    desk.assert_flat()
    desk.assert_ledger_is_true()


# -- dust ---------------------------------------------------------------------------------------


async def test_s52_a_first_leg_too_small_for_the_second_venue_is_taken_back(desk: Desk) -> None:
    """
    A partial fill below the taker's minimum could be neither hedged nor closed.

    4 % of the order is below the minimum of Lighter, and of X10 as well: what closes a whole
    position may be as small as it is.
    """
    desk.world.fault(X10, "partial_fill", fraction="0.04", reduce_only=False)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    (opened, taken_back) = desk.orders(hedge)
    rules = await desk.trader.venues[X10].instrument(hedge.symbol)
    assert ZERO < opened.filled_size < rules.min_size
    assert taken_back.prepared.order.purpose is Purpose.ROLLBACK
    assert taken_back.filled_size == opened.filled_size
    assert desk.world.orders(LIGHTER) == []
    desk.assert_flat()
    desk.assert_ledger_is_true()


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_s52_the_dust_a_partial_close_leaves_is_closed_as_well(
    desk: Desk, venue: str
) -> None:
    """What a partial close left was below the minimum and stayed for ever."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(venue, "partial_fill", fraction="0.97", reduce_only=True)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    rules = await desk.trader.venues[hedge.venue_a].instrument(hedge.symbol)
    dust = [o for o in desk.orders(hedge, Purpose.CLOSE) if _venue(o) == venue][-1]
    assert ZERO < dust.filled_size < rules.min_size
    desk.assert_flat()
    desk.assert_ledger_is_true()


# -- what a rollback believes -------------------------------------------------------------------


async def test_s46_a_rollback_is_counted_by_its_fills(desk: Desk) -> None:
    """
    The bot's rollback "succeeded" eleven times and closed nothing: it counted intentions.

    Two rollback orders are accepted and fill nothing, the third takes back what is there.
    """
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)
    desk.world.fault(X10, "no_fill", reduce_only=True, times=2)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    back = desk.orders(hedge, Purpose.ROLLBACK)
    assert [o.state for o in back] == [OrderState.ZERO, OrderState.ZERO, OrderState.FILLED]
    bought, sold = desk.world.state()[X10]["trades"]
    (pnl,) = desk.rows("pnl", hedge=hedge.id)
    assert Decimal(pnl["rollback_cost_usd"]) == _cash(bought) + _cash(sold)
    assert Decimal(pnl["rollback_cost_usd"]) < 0
    _assert_closed_after_its_fills(desk, hedge.id)
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_s46_hedges_that_fail_stop_the_next_one_by_what_they_did(desk: Desk) -> None:
    """Eleven "successful" cycles in a row lost money, because none counted as a failure."""
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False, times=0)
    for symbol in ("ETH", "BTC", "SOL"):
        hedge = await desk.open(symbol, 300)
        assert hedge.state is State.CLOSED

    assert "3 hedges failed in a row" in desk.trader.opening.breaker.reason


@pytest.mark.parametrize("refuse", [{"code": 1145}, {"code": 1136}])
async def test_s62_a_rollback_that_did_nothing_is_not_written_as_one(
    desk: Desk, refuse: dict[str, Any]
) -> None:
    """The bot wrote "rollback" into its database although the execution had returned False."""
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)
    desk.world.fault(X10, "refuse", reduce_only=True, times=0, **refuse)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.ESCALATED
    (row,) = desk.rows("hedges")
    assert row["state"] == "escalated"
    assert row["closed_at"] is None
    assert Decimal(row["size_a"]) == desk.position(X10) != ZERO
    (alert,) = desk.store.unacknowledged()
    assert str(refuse["code"]) in alert.text
    desk.assert_ledger_is_true()


async def test_s62_an_escalated_hedge_is_written_closed_once_the_venue_says_flat(
    desk: Desk,
) -> None:
    """The same hedge later: the status follows the proof."""
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)
    desk.world.fault(X10, "refuse", code=1145, reduce_only=True, times=0)
    hedge = await desk.open("ETH", 300)
    desk.world.no_faults()

    await desk.restart()

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_the_audit_shows_exactly_the_size_a_rollback_saw(desk: Desk) -> None:
    """The bot rolled back what it had asked for; what it had really held was not kept."""
    desk.world.fault(X10, "partial_fill", fraction="0.62", reduce_only=False)
    desk.world.fault(X10, "partial_fill", fraction="0.5", reduce_only=True)
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    seen = desk.rows("positions", hedge=hedge.id, venue=X10)
    first, second = desk.rows("orders", hedge=hedge.id, venue=X10)[1:]
    for order in (first, second):
        looks = [row for row in seen if row["as_of"] <= order["prepared_at"]]
        assert order["purpose"] == "rollback"
        assert Decimal(order["size"]) == abs(Decimal(looks[-1]["size"]))
    assert Decimal(first["size"]) < hedge.planned_size
    assert Decimal(second["size"]) == Decimal(first["size"]) - Decimal(first["filled_size"])
    assert Decimal(seen[-1]["size"]) == ZERO  # and the look that called it flat
    desk.assert_flat()
    desk.assert_ledger_is_true()


def _venue(record: OrderRecord) -> str:
    return record.prepared.order.venue


def _cash(trade: dict[str, Any]) -> Decimal:
    """What one trade brought, after its fee; negative when it took."""
    sign = 1 if trade["side"] == "sell" else -1
    return sign * Decimal(trade["price"]) * Decimal(trade["size"]) - Decimal(trade["fee"])


def _signed_reduce_only(record: OrderRecord) -> bool:
    """What the bytes say that went on the wire."""
    body = json.loads(record.prepared.payload)
    if "tx_info" in body:
        return bool(json.loads(body["tx_info"])["ReduceOnly"])
    return bool(body["reduceOnly"])


def _leave_nothing_free(desk: Desk, venue: str) -> None:
    """Take the money away until nothing is free for a new order."""
    exchange, account = desk.world.exchange(venue), desk.world.account(venue)
    exchange.deposit(account, -exchange.balance(account).available)
    assert exchange.balance(account).available <= ZERO


def _assert_closed_after_its_fills(desk: Desk, hedge: str) -> None:
    """The ledger said "closed" only when every coin had been proven gone."""
    (row,) = desk.rows("hedges", hedge=hedge)
    assert Decimal(row["size_a"]) == Decimal(row["size_b"]) == ZERO
    fills = desk.rows("fills", hedge=hedge)
    assert row["closed_at"] >= max(fill["at"] for fill in fills)


@pytest.mark.config(rollback={"max_attempts": 2})
async def test_the_last_attempt_that_is_allowed_is_looked_at_before_a_person_is_called(
    desk: Desk,
) -> None:
    """The twelfth order had closed the leg, and the hedge was escalated all the same."""
    hedge = await desk.open("ETH", 300)

    hedge = await desk.close(hedge)

    assert len(desk.orders(hedge, Purpose.CLOSE)) == 2
    assert hedge.state is State.CLOSED
    assert desk.store.unacknowledged() == []
