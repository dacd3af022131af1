"""Keys that come back, answers about another account or market, and more filled than asked."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from hedger import switches
from hedger.domain.hedge import State
from hedger.domain.ids import VenueId
from hedger.domain.money import ZERO
from hedger.domain.order import Purpose
from hedger.errors import DriftError
from hedger.monitoring import drift
from hedger.sequence.gaps import FILL_MAX
from tests.desk import Desk
from tests.scenarios.forgetful import told, turn
from tests.scenarios.scenes import a_pair_at_rest, either_venue
from tests.world import LIGHTER, X10, World

USED = FILL_MAX + 40
OTHER = 4_711
SETTLED_S = 6.0  # funding.payment_lag_s of the sandbox's configuration is 5


def keys_of(desk: Desk) -> list[int]:
    """The indexes of Lighter's keys that hedger uses."""
    return sorted({int(row["lane"].rpartition(":")[2]) for row in desk.rows("lanes")})


async def test_a_key_that_is_registered_anew_after_many_nonces_sends_orders_again(
    desk: Desk,
) -> None:
    """Its lane stayed out of step for ever: more nonces were to be used up than it would."""
    await desk.trader.lanes.check(now=True)
    for key in keys_of(desk):
        desk.world.set_next_nonce(LIGHTER, key, USED)
    await desk.world.pass_time(60)
    await desk.trader.lanes.check(now=True)
    hedge = await a_pair_at_rest(desk)
    desk.world.revoke_key(LIGHTER)
    await desk.world.pass_time(30)
    desk.world.register_key(LIGHTER)
    for key in keys_of(desk):
        desk.world.set_next_nonce(LIGHTER, key, 0)
    await desk.world.pass_time(60)
    await desk.trader.lanes.check(now=True)

    closed = await desk.close(hedge)

    assert closed.state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
    assert any("skips" in text for text in told(desk))
    used = [r.prepared.nonce for r in desk.orders(hedge) if r.prepared.lane is not None]
    assert len(used) == len(set(used))


async def test_a_key_that_is_registered_anew_after_some_nonces_is_usable_within_ten_seconds(
    desk: Desk,
) -> None:
    """The leg that waits for the lane stands alone meanwhile."""
    desk.world.latency(LIGHTER, request_s=0.3)
    began_s = 0.0
    for nonce in (0, 40, 0):
        for key in keys_of(desk):
            desk.world.set_next_nonce(LIGHTER, key, nonce)
        await desk.world.pass_time(60)
        began_s = desk.world.clock.monotonic_s()
        await desk.trader.lanes.check(now=True)

    assert desk.world.clock.monotonic_s() - began_s < 10
    assert {row["state"] for row in desk.rows("lanes")} == {"ready"}


async def test_a_hedge_is_closed_while_the_key_for_opens_alone_is_revoked(desk: Desk) -> None:
    """What became of the closing order is read with the other key."""
    hedge = await a_pair_at_rest(desk)
    port = desk.trader.venues[LIGHTER]
    lane = port.lane(Purpose.OPEN)
    assert lane is not None
    assert lane != port.lane(Purpose.CLOSE)
    desk.world.revoke_key(LIGHTER, api_key_index=int(lane.rpartition(":")[2]))

    closed = await desk.close(hedge)

    assert closed.state is State.CLOSED
    desk.assert_flat()


async def test_an_answer_of_x10_about_another_account_is_no_answer(desk: Desk) -> None:
    await a_pair_at_rest(desk)
    port = desk.trader.venues[X10]
    desk.world.rewrite(
        X10,
        "/user/positions",
        replace=[{"find": f'"accountId": {port.account}', "with": f'"accountId": {OTHER}'}],
    )

    with pytest.raises(DriftError, match=f"about account {OTHER}"):
        await port.positions(max_age_s=0)


@pytest.mark.parametrize(
    "start",
    [
        {"status": 503, "body": "<html>unavailable</html>"},
        {"status": 200, "body": json.dumps({"status": "OK", "data": {"l2Vault": "1"}})},
        {"status": 200, "body": json.dumps({"status": "OK", "data": {"accountId": OTHER}})},
    ],
    ids=["none", "without its number", "without its vault"],
)
async def test_an_account_that_x10_did_not_name_at_the_start_is_asked_for_before_positions(
    world: World, start: dict[str, Any]
) -> None:
    """Positions of another account were taken for ours until the process ended."""
    world.rewrite(X10, "/user/account/info", times=1, **start)
    port = await world.x10()
    row = {"id": 1, "accountId": OTHER, "market": "ETH-USD", "side": "LONG", "size": "1"}
    body = json.dumps({"status": "OK", "data": [row]})
    world.rewrite(X10, "/user/positions", status=200, body=body, times=0)

    with pytest.raises(DriftError, match=f"about account {OTHER}"):
        await port.positions()

    world.no_rewrites()
    assert await port.positions() == {}


async def test_what_x10_said_of_the_account_to_an_earlier_process_tells_those_of_another(
    desk: Desk,
) -> None:
    """The page that names the account was out, and positions of another one were observed."""
    await a_pair_at_rest(desk)
    desk.world.rewrite(X10, "/user/account/info", status=500, body="<html>", times=0)
    await desk.reborn()
    port = desk.trader.venues[X10]
    assert set(await port.positions()) == {"ETH"}
    row = {"id": 1, "accountId": OTHER, "market": "SOL-USD", "side": "LONG", "size": "18.84"}
    body = json.dumps({"status": "OK", "data": [row]})
    desk.world.rewrite(X10, "/user/positions", status=200, body=body, times=0)

    with pytest.raises(DriftError, match=f"about account {OTHER}"):
        await port.positions()


async def test_what_x10_says_of_the_account_first_at_the_margin_check_is_kept_before_an_order(
    desk: Desk,
) -> None:
    """The markets had been kept by then: the next process would have known no account."""
    desk.world.rewrite(X10, "/user/account/info", status=500, body="<html>", times=0)
    await desk.reborn()
    desk.world.no_rewrites()
    await a_pair_at_rest(desk)
    desk.world.rewrite(X10, "/user/account/info", status=500, body="<html>", times=0)

    await desk.reborn()

    assert set(await desk.trader.venues[X10].positions()) == {"ETH"}


async def test_no_order_is_priced_by_the_book_of_another_market(desk: Desk) -> None:
    """Lighter's answer names no market: an order that sells at a price of DOGE has no limit."""
    hedge = await a_pair_at_rest(desk)
    level = {"price": "0.1415", "remaining_base_amount": "50000"}
    body = json.dumps({"code": 200, "total_asks": 1, "asks": [level], "bids": [level]})
    desk.world.rewrite(LIGHTER, "/orderBookOrders", times=0, body=body)

    await desk.close(hedge)

    prices = [
        record.prepared.order.limit_price
        for record in desk.orders(hedge)
        if record.prepared.order.venue == LIGHTER
    ]
    assert all(price > Decimal(1_000) for price in prices)
    assert desk.naked() == ZERO


@either_venue
async def test_what_a_venue_fills_beyond_the_order_is_booked_told_and_taken_off(
    desk: Desk, venue: VenueId
) -> None:
    desk.world.fault(venue, "overfill", fraction="0.2", reduce_only=False)

    hedge = await desk.open("ETH", 300)
    for _ in range(8):
        if desk.naked() == ZERO:
            break
        await turn(desk)

    assert desk.naked() == ZERO
    over = [o for o in desk.orders(hedge, Purpose.OPEN) if o.filled_size > o.prepared.order.size]
    assert [o.prepared.order.venue for o in over] == [venue]
    assert any("does not do what was ordered" in text for text in told(desk))
    desk.assert_ledger_is_true()


@either_venue
async def test_what_was_filled_beyond_an_order_is_told_after_a_death_that_came_before(
    desk: Desk, venue: VenueId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order was booked, nobody was told, and the venue was opened on again."""
    desk.world.fault(venue, "overfill", fraction="0.2", reduce_only=False)
    with monkeypatch.context() as patched:
        patched.setattr(drift, "stop", lambda *_: None)  # the process ends before it
        await desk.open("ETH", 300)
    assert not any("does not do what was ordered" in text for text in told(desk))
    await desk.restart()

    for _ in range(2):
        await desk.trader.facts.look()

    assert sum("does not do what was ordered" in text for text in told(desk)) == 1
    assert [off.scope for off in switches.active(desk.store)] == [f"venue:{venue}"]


def ours(desk: Desk) -> list[tuple[str, str]]:
    """Venue and hedge of the payments that ours has."""
    return sorted((row["venue"], row["hedge_id"]) for row in desk.rows("funding"))


def the_venues(desk: Desk) -> list[tuple[str, str]]:
    """The same of what is kept of the venues' own books."""
    query = "SELECT venue, hedge_id FROM account_entries WHERE kind = 'funding'"
    with desk.store._reading() as conn:
        return sorted((venue, hedge) for venue, hedge in conn.execute(query))


async def read_both(desk: Desk) -> None:
    """Whoever reads a list of payments."""
    await desk.trader.accruals.run()
    await desk.trader.accounts.run()


in_each_book = pytest.mark.parametrize("booked", [ours, the_venues])
Booked = Callable[[Desk], list[tuple[str, str]]]


@in_each_book
async def test_a_list_of_payments_of_another_account_is_not_booked(
    desk: Desk, booked: Booked
) -> None:
    """A row of it names no account: it was booked, and to a hedge that held no such position."""
    theirs = {
        "timestamp": int(desk.world.sandbox.market.now_ms() // 1000) + 3600,
        "market_id": 0,
        "funding_id": OTHER,
        "change": "-1.5",
        "rate": "0.00001",
        "position_size": "47.11",
        "position_side": "long",
    }
    await read_both(desk)
    hedge = await desk.open("ETH", 300)
    await read_both(desk)
    desk.world.rewrite(
        LIGHTER,
        "/api/v1/positionFunding",
        body=json.dumps({"code": 200, "position_fundings": [theirs]}),
        times=0,
    )
    desk.world.advance_market(hours=1.05)
    for _ in range(2):
        await desk.world.pass_time(SETTLED_S)
        await read_both(desk)
    assert booked(desk) == [(X10, hedge.id)]

    desk.world.no_rewrites()
    await read_both(desk)

    assert booked(desk) == sorted([(X10, hedge.id), (LIGHTER, hedge.id)])
    desk.assert_ledger_is_true()


@in_each_book
async def test_a_list_of_payments_that_stays_strange_is_booked_after_minutes(
    desk: Desk, booked: Booked
) -> None:
    """A position that was never read between two of our orders is paid for as well."""
    await read_both(desk)
    await desk.open("ETH", 300)
    await read_both(desk)
    desk.world.rewrite(
        LIGHTER,
        "/api/v1/positionFunding",
        replace=[{"find": '"position_size": "', "with": '"position_size": "1'}],
        times=0,
    )
    desk.world.advance_market(hours=1.05)
    await desk.world.pass_time(SETTLED_S)
    await read_both(desk)
    assert [venue for venue, _ in booked(desk)] == [X10]

    for _ in range(3):
        await desk.world.pass_time(120)
        await read_both(desk)

    assert [venue for venue, _ in booked(desk)] == sorted([X10, LIGHTER])
