"""
A hedge whose legs match is never broken unless both legs can come off.

A halted market and a key that the venue no longer knows are brought about at run time; a bot that
closes all the same is left with one leg that nothing can take off.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hedger.daemon import Daemon
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.money import ZERO, plain
from hedger.domain.order import Purpose
from hedger.errors import UsageError
from hedger.execution import stands
from hedger.execution.closepreview import stays_text
from hedger.execution.returns import POLL_S
from hedger.holding import Action
from hedger.home import Home
from hedger.ledger.records import OrderState
from hedger.owned import untouched
from hedger.standing import standing
from tests.desk import Desk
from tests.scenarios.scenes import FOR_EVER, LAG_PASSED_S, a_pair_at_rest, either_venue
from tests.world import LIGHTER, X10


def daemon_of(desk: Desk, folder: Path) -> Daemon:
    return Daemon(desk.trader, Home(folder))


def halt(desk: Desk, venue: str, *, over: bool = False) -> None:
    desk.world.change_market(venue, "ETH", status="active" if over else "inactive")


def alerts(desk: Desk) -> list[str]:
    return [alert.text for alert in desk.store.unacknowledged(50)]


def assert_both_legs_stand(desk: Desk, hedge: Hedge) -> None:
    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert untouched(desk.store, hedge)
    assert desk.naked() == ZERO
    assert desk.position(X10) != ZERO


@asynccontextmanager
async def at_work(desk: Desk, folder: Path) -> AsyncIterator[Daemon]:
    """The daemon's jobs on their own paces, beside the test."""
    daemon = daemon_of(desk, folder)
    paces: list[tuple[Callable[[], Any], float]] = [
        (daemon.monitor, 10.0),
        (daemon.watch, 5.0),
        (daemon.exits, 10.0),
        (daemon.returns, POLL_S),
        (daemon.lanes, 5.0),
    ]

    async def again(job: Callable[[], Any], pace_s: float) -> None:
        while True:
            await desk.world.clock.sleep(pace_s)
            await job()

    tasks = [asyncio.ensure_future(again(job, pace_s)) for job, pace_s in paces]
    try:
        yield daemon
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [error for error in ended if not isinstance(error, asyncio.CancelledError)] == []


# -- a market that is halted ---------------------------------------------------------------------


@either_venue
async def test_f1_a_halted_market_is_no_reason_to_leave_and_leaves_both_legs_standing(
    desk: Desk, tmp_path: Path, venue: str
) -> None:
    """The daemon sold the other leg at once and was refused twelve times on the halted one."""
    hedge = await a_pair_at_rest(desk)
    await desk.trader.look_around()
    halt(desk, venue)
    await desk.world.pass_time(65)
    await desk.trader.look_around()
    looked = await desk.trader.holdings.look(desk.store.live(), desk.trader.situation.found)
    assert [found.action for _, found in looked] == [Action.HOLD]

    await daemon_of(desk, tmp_path).rates()

    assert_both_legs_stand(desk, hedge)
    assert len([text for text in alerts(desk) if f"ETH is closed on {venue}" in text]) == 1
    assert desk.orders(hedge, Purpose.CLOSE) == []


@either_venue
async def test_f1_closing_by_hand_on_a_halted_market_leaves_both_legs_standing(
    desk: Desk, tmp_path: Path, venue: str
) -> None:
    """The same by `hedger close`; once the market is back, what was asked for is done."""
    hedge = await a_pair_at_rest(desk)
    halt(desk, venue)
    row = await desk.trader.close_hedge(hedge.id, desk.said.append)

    assert_both_legs_stand(desk, hedge)
    assert row["state"] == "open"
    assert f"the ETH market of {venue} is closed" in row["reason"]
    assert f"{venue} holds {plain(desk.position(venue))} ETH" in row["reason"]
    (alert,) = alerts(desk)
    assert "both legs stand" in alert
    assert f"`hedger close {hedge.id} --anyway`" in alert
    (shown,) = standing(desk.store)["exits_standing"]
    assert shown["hedge"] == hedge.id
    async with at_work(desk, tmp_path):
        await desk.world.pass_time(400)
        assert_both_legs_stand(desk, hedge)
        assert alerts(desk) == [alert]
        assert desk.orders(hedge, Purpose.CLOSE) == []
        halt(desk, venue, over=True)
        await desk.world.pass_time(90)

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert standing(desk.store)["exits_standing"] == []
    desk.assert_flat()
    desk.assert_ledger_is_true()


@either_venue
async def test_f1_a_reduce_only_market_may_be_left(desk: Desk, venue: str) -> None:
    """It is on its way out, and takes what takes exposure off."""
    hedge = await a_pair_at_rest(desk)
    desk.world.change_market(venue, "ETH", status="reduce_only")

    hedge = await desk.close(hedge)

    assert hedge.state is State.CLOSED
    desk.assert_flat()


@either_venue
async def test_f1_a_venue_without_liquidity_leaves_both_legs_standing(
    desk: Desk, venue: str
) -> None:
    """The other leg came off, and for this one nobody was there to trade with."""
    hedge = await a_pair_at_rest(desk)
    desk.world.change_market(venue, "ETH", liquidity={"depth_usd": 0})

    hedge = await desk.close(hedge)

    assert_both_legs_stand(desk, hedge)
    assert f"the ETH book of {venue} takes 0 of 0.095 coins" in alerts(desk)[0]
    desk.world.change_market(venue, "ETH", liquidity=None)
    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()


async def test_a_liquidation_never_asks(desk: Desk) -> None:
    """What is about to be liquidated is taken off as far as it goes."""
    hedge = await a_pair_at_rest(desk)
    halt(desk, LIGHTER)

    hedge = await desk.trader.executor.close(
        hedge, "too near to liquidation", hurry=True, unproven="too near to liquidation"
    )

    assert desk.position(X10) == ZERO
    assert hedge.state is State.ESCALATED


# -- a key that is gone --------------------------------------------------------------------------


@either_venue
async def test_b20_a_key_that_the_venue_no_longer_knows_leaves_both_legs_standing(
    desk: Desk, tmp_path: Path, venue: str
) -> None:
    """The other leg came off, and twelve orders were refused with the key that was gone."""
    hedge = await a_pair_at_rest(desk)
    desk.world.revoke_key(venue)

    row = await desk.trader.close_hedge(hedge.id, desk.said.append)

    assert_both_legs_stand(desk, hedge)
    (alert,) = alerts(desk)
    assert "restart hedger" in alert
    assert "key" in alert
    assert row["state"] == "open"
    assert desk.orders(hedge, Purpose.CLOSE) == []
    async with at_work(desk, tmp_path):
        await desk.world.pass_time(120)
        assert_both_legs_stand(desk, hedge)
        desk.world.register_key(venue)
        await desk.world.pass_time(90)

    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_b20_only_the_key_for_reducing_orders_is_named_in_the_remedy(desk: Desk) -> None:
    """An opening key that works proves nothing about the other one."""
    hedge = await a_pair_at_rest(desk)
    key = int((desk.trader.venues[LIGHTER].lane(Purpose.CLOSE) or "").rpartition(":")[2])
    desk.world.revoke_key(LIGHTER, api_key_index=key)

    await desk.close(hedge)

    assert_both_legs_stand(desk, hedge)
    assert f"register API key index {key} at lighter again" in alerts(desk)[0]


async def test_b20_a_key_whose_tokens_are_read_and_whose_transactions_are_refused(
    desk: Desk, tmp_path: Path
) -> None:
    """Reads prove nothing about sending: the harmless cancel is refused, and no leg comes off."""
    hedge = await a_pair_at_rest(desk)
    for op in ("order", "cancel"):
        desk.world.fault(LIGHTER, "refuse", code=21109, op=op, **FOR_EVER)

    await desk.close(hedge)

    assert_both_legs_stand(desk, hedge)
    assert "refuses the key of lane" in alerts(desk)[0]
    async with at_work(desk, tmp_path):
        await desk.world.pass_time(60)
        desk.world.no_faults()
        await desk.world.pass_time(90)
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_another_market_that_is_closed_keeps_no_leg_from_coming_off(desk: Desk) -> None:
    """The harmless cancel is of some market: of one that trades."""
    hedge = await desk.open("SOL", 300)
    await desk.world.pass_time(LAG_PASSED_S)
    halt(desk, LIGHTER)
    desk.world.rewrite(
        LIGHTER,
        "/sendTx",
        method="POST",
        request_body='"MarketIndex":0,',
        status=400,
        body=json.dumps({"code": 21605, "message": "invalid market status"}),
        times=0,
    )
    await desk.world.pass_time(65)
    await desk.trader.facts.look()

    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()


async def test_a_key_is_proven_once_a_minute_at_most(desk: Desk) -> None:
    """A harmless transaction uses a nonce: two exits within a minute need one proof."""
    first, second = await desk.open("ETH", 300), await desk.open("SOL", 300)

    await desk.close(first)
    await desk.close(second)

    fillers = [e for e in desk.rows("events") if "proves before an exit" in e["text"]]
    assert len(fillers) == 1
    await desk.restart()
    third = await desk.open("ETH", 300)
    assert (await desk.close(third)).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_a_proof_that_was_committed_and_never_sent_leaves_no_gap(desk: Desk) -> None:
    """As after a crash between the commit of the harmless transaction and its sending."""
    hedge = await a_pair_at_rest(desk)
    venue = desk.trader.venues[LIGHTER]
    lane = venue.lane(Purpose.CLOSE)
    assert lane is not None
    desk.store.intend_filler(await venue.prepare_filler(lane, await venue.next_nonce(lane)))
    await desk.restart()

    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_a_closing_that_was_cut_off_before_its_first_order_asks_again(desk: Desk) -> None:
    """The market was open when the closing was decided, and closed when the process came back."""
    hedge = await a_pair_at_rest(desk)
    desk.store.move(hedge, State.CLOSING, "held long enough", target=Target.FLAT)
    halt(desk, LIGHTER)

    await desk.restart()

    assert_both_legs_stand(desk, hedge)
    assert desk.orders(hedge, Purpose.CLOSE) == []
    halt(desk, LIGHTER, over=True)
    assert (await desk.close(hedge)).state is State.CLOSED


# -- not knowing ---------------------------------------------------------------------------------


@either_venue
async def test_what_is_unknown_is_told_in_the_first_minute_and_decided_by_a_person_after_300_s(
    desk: Desk, tmp_path: Path, venue: str
) -> None:
    """A venue that does not answer is neither able nor unable."""
    hedge = await a_pair_at_rest(desk)
    path = "/user/account" if venue == X10 else "/api/v1/accountLimits"
    desk.world.rewrite(venue, path, status=503, times=0)
    async with at_work(desk, tmp_path):
        await desk.close(hedge)
        assert alerts(desk) == []
        await desk.world.pass_time(60)
        (first,) = alerts(desk)
        assert "it is not known whether both legs can come off" in first
        await desk.world.pass_time(235)
        assert alerts(desk) == [first]
        await desk.world.pass_time(75)
        assert len(alerts(desk)) == 2
        assert any("waits for a person's decision" in text for text in alerts(desk))
        await desk.world.pass_time(30)
        assert len(alerts(desk)) == 2
        assert_both_legs_stand(desk, hedge)
        desk.world.no_rewrites()
        await desk.world.pass_time(90)
    assert desk.store.hedge(hedge.id).state is State.CLOSED


# -- a person's decision -------------------------------------------------------------------------


@either_venue
async def test_close_anyway_shows_which_leg_stays_and_takes_the_other_one_off(
    desk: Desk, tmp_path: Path, venue: str
) -> None:
    hedge = await a_pair_at_rest(desk)
    halt(desk, venue)
    other = LIGHTER if venue == X10 else X10
    stays = desk.position(venue)

    rows = await desk.trader.preview_close(hedge.id)

    assert {row["venue"]: row["leg"] for row in rows} == {venue: "stays", other: "goes"}
    assert f"{plain(stays)} ETH on {venue} stays, unhedged" in stays_text(rows)
    assert_both_legs_stand(desk, hedge)
    row = await desk.trader.close_hedge(hedge.id, desk.said.append, anyway=True)
    assert row["state"] == "escalated"
    assert (desk.position(other), desk.position(venue)) == (ZERO, stays)
    refused = [o for o in desk.orders(hedge) if o.state is OrderState.REFUSED]
    assert [o.prepared.order.venue for o in refused] == [venue]
    async with at_work(desk, tmp_path):
        await desk.world.pass_time(60)
        halt(desk, venue, over=True)
        await desk.world.pass_time(5)
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_a_preview_needs_a_hedge(desk: Desk) -> None:
    with pytest.raises(UsageError):
        await desk.trader.preview_close("eth")


# -- a leg that stands alone ---------------------------------------------------------------------


async def alone_against(desk: Desk, venue: str) -> Hedge:
    """A leg on a venue whose market closes between the two reducing orders."""
    hedge = await a_pair_at_rest(desk)
    other = LIGHTER if venue == X10 else X10
    stands.exempt(desk.store, hedge.id, "")
    moved = desk.store.move(hedge, State.CONVERGING, "a leg differs")
    desk.world.fault(other, "liquidate", market="ETH")
    await desk.world.pass_time(12)
    halt(desk, venue)
    return await desk.trader.executor.resume(moved)


@either_venue
async def test_f1_a_leg_alone_against_a_halted_market_goes_within_5_s_of_its_return(
    desk: Desk, tmp_path: Path, venue: str
) -> None:
    """It waited for up to 300 s more, and every refused try cost an order and a nonce."""
    hedge = await alone_against(desk, venue)
    assert hedge.state is State.ESCALATED
    (alert,) = [text for text in alerts(desk) if "could not be brought" in text]
    assert f"the ETH market of {venue} is closed" in alert
    assert f"{venue} {plain(desk.position(venue))}" in alert
    async with at_work(desk, tmp_path):
        await desk.world.pass_time(400)
        assert len([o for o in desk.orders(hedge) if o.state is OrderState.REFUSED]) <= 2
        halt(desk, venue, over=True)
        await desk.world.pass_time(5)
        desk.assert_flat()
    assert desk.store.hedge(hedge.id).state is State.CLOSED


@either_venue
async def test_a_venue_that_takes_the_leg_it_kept_alone_keeps_no_other_leg_alone(
    desk: Desk, tmp_path: Path, venue: str
) -> None:
    """Its book is empty, and the return of that book was waited for though its leg was gone."""
    other = LIGHTER if venue == X10 else X10
    hedge = await a_pair_at_rest(desk)
    moved = desk.store.move(hedge, State.CONVERGING, "a leg differs")
    desk.world.fault(other, "liquidate", market="ETH", fraction="0.5")
    await desk.world.pass_time(12)
    desk.world.change_market(venue, "ETH", liquidity={"depth_usd": 0})
    assert (await desk.trader.executor.resume(moved)).state is State.ESCALATED
    async with at_work(desk, tmp_path) as daemon:
        await desk.world.pass_time(120)
        assert desk.position(other) != ZERO
        desk.world.fault(venue, "liquidate", market="ETH")
        await desk.world.pass_time(12)
        await daemon.reconcile()
        await desk.world.pass_time(POLL_S + 5)
        desk.assert_flat()
    assert desk.store.hedge(hedge.id).state is State.CLOSED


@pytest.mark.parametrize(
    ("venue", "code"), [(X10, 1014), (X10, 1101), (LIGHTER, 21605), (LIGHTER, 21109)]
)
async def test_b20_a_refusal_for_key_or_market_is_not_repeated_twelve_times(
    desk: Desk, tmp_path: Path, venue: str, code: int
) -> None:
    """Only orders are refused, and the venue says nothing of it; still it goes when it can."""
    hedge = await a_pair_at_rest(desk)
    other = LIGHTER if venue == X10 else X10
    moved = desk.store.move(hedge, State.CONVERGING, "a leg differs")
    desk.world.fault(other, "liquidate", market="ETH")
    await desk.world.pass_time(12)
    desk.world.fault(venue, "refuse", code=code, reduce_only=True, **FOR_EVER)
    began_s = desk.world.clock.monotonic_s()

    hedge = await desk.trader.executor.resume(moved)

    assert hedge.state is State.ESCALATED
    assert len([o for o in desk.orders(hedge) if o.state is OrderState.REFUSED]) == 4
    assert desk.world.clock.monotonic_s() - began_s > 8
    async with at_work(desk, tmp_path):
        await desk.world.pass_time(60)
        desk.world.no_faults()
        await desk.world.pass_time(5)
        desk.assert_flat()
    assert desk.store.hedge(hedge.id).state is State.CLOSED


async def test_a_first_order_that_is_refused_leaves_both_legs_standing(
    desk: Desk, tmp_path: Path
) -> None:
    """The proof was right a moment ago. Leg A goes first, so nothing is broken by its refusal."""
    hedge = await a_pair_at_rest(desk)
    desk.world.fault(X10, "refuse", code=1014, reduce_only=True, **FOR_EVER)

    hedge = await desk.close(hedge)

    assert_both_legs_stand(desk, hedge)
    (refused,) = desk.orders(hedge, Purpose.CLOSE)
    assert refused.state is OrderState.REFUSED
    (alert,) = alerts(desk)
    assert "the first try took nothing off" in alert
    async with at_work(desk, tmp_path):
        await desk.world.pass_time(240)
        assert len(desk.orders(hedge, Purpose.CLOSE)) <= 7  # at a falling pace
        assert alerts(desk) == [alert]
        assert_both_legs_stand(desk, hedge)
        desk.world.no_faults()
        await desk.world.pass_time(90)
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()


@pytest.mark.parametrize("obstacle", ["market", "key"])
async def test_waiting_for_a_venue_leaves_most_of_its_limit_of_requests_to_the_exit(
    desk: Desk, tmp_path: Path, obstacle: str
) -> None:
    """Whoever asks more than 24,000 weights a minute is shut out when the market opens again."""
    hedge = await a_pair_at_rest(desk)
    if obstacle == "market":
        halt(desk, LIGHTER)
    else:
        desk.world.revoke_key(LIGHTER)
    await desk.trader.close_hedge(hedge.id, desk.said.append, anyway=True)
    assert desk.naked() != ZERO
    async with at_work(desk, tmp_path):
        await desk.world.pass_time(60)
        desk.world.requests(LIGHTER, reset=True)
        await desk.world.pass_time(60)
        asked = desk.world.requests(LIGHTER)

    assert asked["weight"] <= 12_000
    reads = {path: told["count"] for path, told in asked["paths"].items()}
    assert sum(reads.values()) - reads.get("GET /api/v1/nextNonce", 0) <= 36
