"""
What is asked before an order, what an order may be, and what holds the next one back.

The public bots checked balances once and long before, counted no hedge that was under way,
left expiries to the venue, and let two tasks take the same nonce.
"""

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from hedger.domain.hedge import State
from hedger.domain.ids import Symbol
from hedger.domain.money import ZERO
from hedger.domain.order import Purpose
from hedger.errors import UnavailableError, UsageError
from hedger.ledger.records import OrderState
from hedger.position_cache import PositionCache
from tests.desk import Desk
from tests.world import LIGHTER, X10

ETH = Symbol("ETH")

# -- balances and reservations ------------------------------------------------------------------


@pytest.mark.sandbox(balance_usd=Decimal(100))
@pytest.mark.parametrize("first_on", [X10, LIGHTER])
async def test_margin_that_an_unfinished_hedge_reserved_is_not_given_twice(
    desk: Desk, first_on: str
) -> None:
    """
    Two tasks of the bot saw the same free balance, and the second hedge had one leg.

    The first order is taken in and not matched for a while: the venue calls everything free.
    """
    desk.world.fault(first_on, "slow_match", seconds=3, market="ETH")
    first = asyncio.create_task(desk.open("ETH", 300))
    await desk.world.pass_time(2)
    assert desk.store.unfinished()[0].symbol == "ETH"

    second = await desk.open("BTC", 300)

    assert second.state is State.REFUSED
    assert "reserved by unfinished hedges" in second.reason
    assert desk.position(X10, "BTC") == desk.position(LIGHTER, "BTC") == ZERO
    assert (await first).state is State.OPEN
    desk.assert_ledger_is_true()


@pytest.mark.sandbox(balance_usd=Decimal(150))
async def test_margin_is_free_again_once_a_hedge_is_at_rest(desk: Desk) -> None:
    """A reservation that outlives its hedge would stop everything after it."""
    assert (await desk.open("ETH", 300)).state is State.OPEN
    for venue in (X10, LIGHTER):
        assert desk.store.reserved(venue) == ZERO

    assert (await desk.open("BTC", 300)).state is State.OPEN
    desk.assert_ledger_is_true()


@pytest.mark.sandbox(balance_usd=Decimal(50))
async def test_a_hedge_that_the_balance_does_not_carry_is_refused_before_anything_is_sent(
    desk: Desk,
) -> None:
    """The bot sent leg 1 and learnt from leg 2 that there was not enough."""
    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.REFUSED
    assert "x10 has 50.00 USD free" in hedge.reason
    (event,) = desk.events("balances")
    assert "x10=50.00" in event["text"]
    assert "lighter=50.00" in event["text"]
    assert desk.rows("orders") == desk.world.orders(X10) == desk.world.orders(LIGHTER) == []


@pytest.mark.parametrize("venue", [X10, LIGHTER])
async def test_a_balance_that_cannot_be_read_before_leg_1_refuses_the_hedge(
    desk: Desk, venue: str
) -> None:
    """The bot took a failed read for a balance of nothing, or for enough."""
    desk.world.fault(venue, "bad_reads", what=["balance"], times=0)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.REFUSED
    assert venue in hedge.reason
    assert desk.rows("orders") == desk.world.orders(X10) == desk.world.orders(LIGHTER) == []


async def test_a_balance_that_cannot_be_read_before_leg_2_goes_to_rollback(desk: Desk) -> None:
    """The bot sent leg 2 without knowing whether it could be carried."""
    reads_before_leg_2 = 1  # the balance and the free market before leg 1: one answer
    desk.world.fault(LIGHTER, "bad_reads", what=["balance"], skip=reads_before_leg_2, times=2)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    assert any("leg B was not sent: lighter" in text for text in reasons(desk))
    assert desk.world.orders(LIGHTER) == []
    assert desk.orders(hedge, Purpose.ROLLBACK)[0].filled_size == hedge.planned_size
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_a_shortfall_before_leg_2_goes_to_rollback(desk: Desk) -> None:
    """The money went away while leg 1 was under way."""
    desk.world.fault(X10, "slow_match", seconds=2)
    opening = asyncio.create_task(desk.open("ETH", 300))
    await desk.world.pass_time(1)
    desk.world.exchange(LIGHTER).deposit(desk.world.account(LIGHTER), Decimal(-9950))

    hedge = await opening

    assert hedge.state is State.CLOSED
    assert any("lighter has 50.00 USD free" in text for text in reasons(desk))
    assert desk.world.orders(LIGHTER) == []
    desk.assert_flat()
    desk.assert_ledger_is_true()


# -- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "slow_match", "seconds": 4.8},  # and shown later still; at 5 s it has expired
        {"kind": "bad_reads", "what": ["orders"], "times": 20},
        {"kind": "bad_reads", "what": ["positions"], "skip": 1, "times": 22},
    ],
)
async def test_leg_2_is_not_sent_once_the_time_for_a_proof_has_passed(
    desk: Desk, fault: dict[str, object]
) -> None:
    """The bot hedged a fill of half a minute ago at whatever the price had become."""
    desk.world.fault(X10, **fault)  # type: ignore[arg-type]  # the parameters of a fault

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED
    assert any("leg A was not proven within 5 s" in text for text in reasons(desk))
    assert desk.world.orders(LIGHTER) == []
    assert desk.orders(hedge, Purpose.ROLLBACK)[0].filled_size == hedge.planned_size
    desk.assert_flat()
    desk.assert_ledger_is_true()


@pytest.mark.config(execution={"min_leg_delay_s": 2.0})
async def test_a_configured_delay_between_the_legs_is_kept_and_does_not_use_up_the_time(
    desk: Desk,
) -> None:
    """The seed waited two seconds between the legs; a venue may need it."""
    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.OPEN
    (leg_1,), (leg_2,) = desk.world.orders(X10), desk.world.orders(LIGHTER)
    assert leg_2["arrived_ms"] - leg_1["arrived_ms"] >= 2000
    desk.assert_ledger_is_true()


async def test_s36_every_order_carries_an_expiry_of_seconds(desk: Desk) -> None:
    """The bot left the expiry to the venue's SDK: an hour, in which the order came and went."""
    hedge = await desk.open("ETH", 300)
    await desk.close(hedge)

    rows = desk.rows("orders", venue=X10)
    payloads = [json.loads(o.prepared.payload) for o in desk.orders(hedge)]
    bodies = [body for body in payloads if "expiryEpochMillis" in body]
    assert len(bodies) == len(rows) == 2
    for row, body in zip(rows, bodies, strict=True):
        prepared_ms = datetime.fromisoformat(row["prepared_at"]).timestamp() * 1000
        assert 0 < body["expiryEpochMillis"] - prepared_ms <= 12_000


async def test_s36_a_first_leg_that_expired_is_a_proven_nothing(desk: Desk) -> None:
    """The order was gone without a word, and the bot waited for it or sent leg 2."""
    desk.world.fault(X10, "slow_match", seconds=30)

    hedge = await desk.open("ETH", 300)

    assert hedge.state is State.CLOSED_FLAT
    (order,) = desk.orders(hedge)
    assert order.state is OrderState.ZERO
    assert str(order.status).startswith("EXPIRED")
    assert desk.world.orders(X10)[0]["status"] == "expired"
    assert desk.world.orders(LIGHTER) == []
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_s36_a_close_that_expired_is_sent_again(desk: Desk) -> None:
    """The same on the way out: an order that silently went away closed nothing."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(X10, "slow_match", seconds=30, reduce_only=True)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    closes = [o for o in desk.orders(hedge, Purpose.CLOSE) if o.prepared.order.venue == X10]
    assert [o.state for o in closes] == [OrderState.ZERO, OrderState.FILLED]
    desk.assert_flat()
    desk.assert_ledger_is_true()


# -- sizes --------------------------------------------------------------------------------------


async def test_a_hedge_below_the_minimum_of_a_venue_is_refused_with_the_least_amount(
    desk: Desk,
) -> None:
    """The bot learnt the minimum from a refusal of leg 2."""
    with pytest.raises(UsageError, match=r"below the minimum of 0\.01; at least [0-9.]+ USD"):
        await desk.open("ETH", 20)

    assert desk.rows("hedges") == desk.rows("orders") == []


@pytest.mark.parametrize(("symbol", "coarser"), [("ETH", X10), ("TRUMP", X10), ("BNB", LIGHTER)])
async def test_both_legs_are_whole_steps_of_the_coarser_venue(
    desk: Desk, symbol: str, coarser: str
) -> None:
    """Each leg was rounded on its own venue, and the difference stayed unhedged."""
    rules = [await desk.trader.venues[v].instrument(Symbol(symbol)) for v in (X10, LIGHTER)]
    coarse = max(rules, key=lambda one: one.size_step)
    assert coarse.venue == coarser

    hedge = await desk.open(symbol, 333)

    assert hedge.state is State.OPEN
    assert abs(desk.position(X10, symbol)) % coarse.size_step == ZERO
    assert desk.naked(symbol) == ZERO
    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_a_first_leg_between_two_steps_of_the_second_venue_leaves_nothing_naked(
    desk: Desk,
) -> None:
    """
    X10 fills on 0.001 BNB, Lighter trades 0.01: what Lighter could not take stayed for ever.

    It is also less than X10 takes back alone, so the whole hedge goes.
    """
    desk.world.fault(X10, "partial_fill", fraction="0.7", reduce_only=False)

    hedge = await desk.open("BNB", 333)

    filled, coarse = desk.orders(hedge)[0].filled_size, Decimal("0.01")
    assert filled % coarse != ZERO
    assert desk.orders(hedge)[1].filled_size == filled // coarse * coarse
    assert hedge.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()


# -- the circuit breaker ------------------------------------------------------------------------


async def test_three_failures_in_a_row_stop_new_hedges_for_a_while_and_no_exit(
    desk: Desk,
) -> None:
    """Leg 2 failed every time, and the bot's open and unwind loop burnt fees unseen (S42)."""
    kept = await desk.open("LINK", 300)
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False, times=3)
    for symbol in ("ETH", "BTC", "SOL"):
        assert (await desk.open(symbol, 300)).state is State.CLOSED

    with pytest.raises(UsageError, match="no new hedges: 3 hedges failed in a row"):
        await desk.open("ETH", 300)
    assert len(desk.rows("hedges")) == 4
    assert (await desk.close(kept)).state is State.CLOSED
    desk.assert_flat()

    await desk.world.pass_time(60)
    assert (await desk.open("ETH", 300)).state is State.OPEN
    assert desk.trader.opening.breaker.reason == ""
    desk.assert_ledger_is_true()


async def test_failures_are_counted_in_a_row_and_a_refusal_is_none(desk: Desk) -> None:
    """A hedge that opened starts the count again; one that was never sent does not count."""
    for symbol in ("ETH", "BTC"):
        desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)
        assert (await desk.open(symbol, 300)).state is State.CLOSED
    assert (await desk.open("SOL", 300)).state is State.OPEN
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)
    assert (await desk.open("ETH", 300)).state is State.CLOSED
    desk.world.fault(X10, "bad_reads", what=["balance"], times=2)
    for symbol in ("BTC", "LINK"):
        assert (await desk.open(symbol, 300)).state is State.REFUSED

    assert desk.trader.opening.breaker.reason == ""
    assert (await desk.open("ETH", 300)).state is State.OPEN


# -- the position cache -------------------------------------------------------------------------


async def test_a_position_is_remembered_for_its_time_and_read_again_after_it(desk: Desk) -> None:
    """The bot kept positions without an age, and closed by what had been there."""
    cache = cache_of(desk)
    hedge = await desk.open("ETH", 300)
    await desk.world.pass_time(1)
    held = desk.position(X10)
    assert (await cache.get(X10, ETH)).size == held
    await desk.close(hedge)  # by other hands: this cache is not told
    await desk.world.pass_time(1)

    assert (await cache.get(X10, ETH)).size == held
    assert (await cache.get(X10, ETH, max_age_s=0)).size == ZERO
    cache = cache_of(desk)
    reads = len(desk.rows("positions"))
    await cache.get(X10, ETH)
    await desk.world.pass_time(4.9)
    await cache.get(X10, ETH)
    assert len(desk.rows("positions")) == reads + 1
    await desk.world.pass_time(0.2)
    await cache.get(X10, ETH)
    assert len(desk.rows("positions")) == reads + 2


async def test_a_position_is_forgotten_with_an_order_on_its_market_and_no_other(
    desk: Desk,
) -> None:
    """A reading from before the order said that nothing was there."""
    cache = cache_of(desk)
    for venue, symbol in ((X10, "ETH"), (LIGHTER, "ETH"), (X10, "BTC")):
        assert (await cache.get(venue, Symbol(symbol))).size == ZERO
    await desk.open("ETH", 300)
    await desk.world.pass_time(1)

    cache.forget(X10, ETH)
    reads = len(desk.rows("positions"))

    assert (await cache.get(X10, ETH)).size == desk.position(X10) != ZERO
    assert (await cache.get(LIGHTER, ETH)).size == ZERO
    await cache.get(X10, Symbol("BTC"))
    assert len(desk.rows("positions")) == reads + 1


async def test_a_reading_that_an_order_overtook_is_not_remembered(desk: Desk) -> None:
    """The read began before the order and came back after it."""
    cache = cache_of(desk)
    desk.world.fault(X10, "hang", op="positions", seconds=2)
    reading = asyncio.create_task(cache.get(X10, ETH))
    await desk.world.pass_time(1)
    cache.forget(X10, ETH)
    await reading
    reads = len(desk.rows("positions"))

    await cache.get(X10, ETH)

    assert len(desk.rows("positions")) == reads + 1


async def test_every_reading_is_kept_with_its_time_and_source(desk: Desk) -> None:
    """What a decision had been made on could not be found out afterwards."""
    hedge = await desk.open("ETH", 300)
    await desk.restart()

    rows = desk.rows("positions", hedge=hedge.id)

    assert [(r["venue"], Decimal(r["size"])) for r in rows] == [
        (X10, ZERO),
        (LIGHTER, ZERO),
        (X10, desk.position(X10)),
    ]
    for row in rows:
        assert row["read_started_at"] <= row["as_of"]
        assert row["source"]
    assert desk.store.last_observation(X10, ETH) is not None


async def test_a_failed_read_is_neither_remembered_nor_kept(desk: Desk) -> None:
    """A failed read became a position of nothing."""
    cache = cache_of(desk)
    desk.world.fault(X10, "bad_reads", what=["positions"])

    with pytest.raises(UnavailableError):
        await cache.get(X10, ETH)

    assert desk.rows("positions") == []


# -- nonces and API keys ------------------------------------------------------------------------


async def test_a_stolen_nonce_costs_the_order_and_neither_the_hedge_nor_the_lane(
    desk: Desk,
) -> None:
    """Another program took the nonce; every later order of the bot was refused with 21104."""
    desk.world.fault(LIGHTER, "steal_nonce")

    first = await desk.open("ETH", 300)
    second = await desk.open("BTC", 300)

    dead, *filled = [row for row in desk.rows("orders", venue=LIGHTER) if row["purpose"] == "open"]
    assert dead["state"] == OrderState.DEAD
    assert [row["state"] for row in filled] == [OrderState.FILLED] * 2
    assert (first.state, second.state) == (State.OPEN, State.OPEN)
    assert [row["nonce"] for row in filled] == [dead["nonce"] + 1, dead["nonce"] + 2]
    assert desk.naked() == desk.naked("BTC") == ZERO
    desk.assert_ledger_is_true()


async def test_a_nonce_that_was_used_while_we_were_away_is_noticed_at_the_start(
    desk: Desk,
) -> None:
    """The bot went on counting from what it had written down."""
    hedge = await desk.open("ETH", 300)
    venue, ours = desk.trader.venues[LIGHTER], desk.orders(hedge)[1].prepared
    assert ours.nonce is not None
    await venue.submit(await venue.prepare_burn(replace(ours, nonce=ours.nonce + 1)))
    await desk.world.pass_time(1)

    await desk.restart()
    hedge = await desk.open("BTC", 300)

    assert hedge.state is State.OPEN
    assert desk.orders(hedge)[1].prepared.nonce == ours.nonce + 2
    (event,) = [e for e in desk.events("lane_resync") if e["level"] == "warning"]
    assert event["data"]["before"] == ours.nonce + 1
    desk.assert_ledger_is_true()


async def test_a_nonce_stolen_from_a_close_does_not_stop_the_close(desk: Desk) -> None:
    """The same on the key of the exits."""
    hedge = await desk.open("ETH", 300)
    desk.world.fault(LIGHTER, "steal_nonce", reduce_only=True)

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    dead, filled = [o for o in desk.orders(hedge, Purpose.CLOSE) if o.prepared.order.venue != X10]
    assert (dead.state, filled.state) == (OrderState.DEAD, OrderState.FILLED)
    assert filled.prepared.nonce == (dead.prepared.nonce or 0) + 1
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_hedges_at_the_same_time_take_the_nonces_one_after_another(desk: Desk) -> None:
    """Two tasks of the bot took the same nonce, and one of the orders was lost (S33)."""
    hedges = await asyncio.gather(*(desk.open(s, 200) for s in ("ETH", "BTC", "SOL", "LINK")))

    assert [hedge.state for hedge in hedges] == [State.OPEN] * 4
    nonces = [row["nonce"] for row in desk.rows("orders", venue=LIGHTER)]
    assert nonces == list(range(nonces[0], nonces[0] + 4))
    desk.assert_ledger_is_true()


async def test_opening_and_reducing_orders_use_different_api_keys(desk: Desk) -> None:
    """One key for both: an unknown opening order held up the way out."""
    first = await desk.open("ETH", 300)
    await desk.close(first)
    desk.world.fault(LIGHTER, "partial_fill", fraction="0.3", reduce_only=False)
    desk.world.fault(X10, "refuse", code=1145, reduce_only=True, times=0)
    await desk.open("BTC", 300)  # rolled back on X10, in vain
    desk.world.no_faults()
    await desk.restart()

    keys: dict[str, set[int]] = {"open": set(), "close": set(), "rollback": set()}
    for row in desk.rows("orders", venue=LIGHTER):
        sent = next(o for o in desk.world.orders(LIGHTER) if o["client_id"] == row["client_id"])
        assert row["lane"] == f"{LIGHTER}:{row['account']}:{sent['api_key_index']}"
        keys[row["purpose"]].add(int(sent["api_key_index"]))
    (open_key,), (close_key,) = keys["open"], keys["close"]
    assert open_key != close_key
    assert keys["rollback"] <= {close_key}
    desk.assert_ledger_is_true()


def reasons(desk: Desk) -> list[str]:
    """Why the hedges went from state to state, oldest first."""
    return [event["data"]["reason"] for event in desk.events("transition") if event["data"]]


def cache_of(desk: Desk) -> PositionCache:
    """A position cache of its own over the desk's venues and ledger, with the shipped time."""
    return PositionCache(
        venues=desk.trader.venues,
        store=desk.store,
        clock=desk.world.clock,
        ttl_s=desk.config.position_cache.ttl_s,
    )
