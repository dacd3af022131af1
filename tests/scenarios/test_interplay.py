"""What several parts bring about together: exits that wait, proofs, lanes, and legs that stand."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hedger.daemon import Daemon
from hedger.domain.hedge import Hedge, State
from hedger.domain.money import ZERO
from hedger.domain.order import Purpose
from hedger.execution import stands
from hedger.home import Home
from hedger.standing import standing
from tests.desk import Desk
from tests.scenarios.facts import longest_naked_s
from tests.scenarios.scenes import FOR_EVER, a_pair_at_rest, either_venue
from tests.world import LIGHTER, X10

LIGHTER_FIRST: dict[str, Any] = {"order": ["lighter", "x10"]}


def alerts(desk: Desk) -> list[str]:
    return [alert.text for alert in desk.store.unacknowledged(100)]


async def alone_on(desk: Desk, venue: str) -> Hedge:
    """A hedge on its way to equal legs, of which one was liquidated."""
    hedge = await a_pair_at_rest(desk)
    moved = desk.store.move(hedge, State.CONVERGING, "a leg differs")
    desk.world.fault(X10 if venue == LIGHTER else LIGHTER, "liquidate", market="ETH")
    await desk.world.pass_time(12)
    return moved


@either_venue
async def test_a_leg_that_is_in_doubt_keeps_an_exit_from_beginning(desk: Desk, venue: str) -> None:
    """Its venue shows no position; the other leg came off, and this one stood alone."""
    hedge = await a_pair_at_rest(desk)
    desk.world.fault(venue, "empty_reads", what=["positions"], **FOR_EVER)

    hedge = await desk.close(hedge)

    assert hedge.state is State.OPEN
    assert desk.naked() == ZERO
    assert desk.position(X10) != ZERO
    assert desk.orders(hedge, Purpose.CLOSE) == []
    (alert,) = alerts(desk)
    assert f"{venue}: it shows 0 ETH" in alert
    desk.world.no_faults()
    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()


@either_venue
async def test_a_leg_alone_goes_by_the_mark_while_its_book_is_unreadable(
    desk: Desk, venue: str
) -> None:
    """An answer that is none stopped the order, twelve times, though its price was known."""
    moved = await alone_on(desk, venue)
    path = "/orderBookOrders" if venue == LIGHTER else "/orderbook"
    desk.world.rewrite(venue, path, body="[" * 100_000, times=0)

    hedge = await desk.trader.executor.resume(moved)

    assert hedge.state is State.CLOSED
    desk.assert_flat()


@pytest.mark.config(venues=LIGHTER_FIRST)
async def test_a_proof_of_a_key_holds_up_no_other_hedge(desk: Desk) -> None:
    """The answer to the harmless cancel was waited for on the lane that a rollback needed."""
    sol = await desk.open("SOL", 300)
    await desk.world.pass_time(70)
    desk.world.fault(LIGHTER, "hang", op="cancel", seconds=9, **FOR_EVER)
    desk.world.fault(X10, "refuse", code=1140, reduce_only=False)
    closing = asyncio.ensure_future(desk.close(sol))
    await desk.world.pass_time(0.2)

    eth = await desk.open("ETH", 300)

    assert eth.state is State.CLOSED
    assert longest_naked_s(desk, eth) < 3
    await closing
    desk.world.no_faults()
    assert (await desk.close(sol)).state is State.CLOSED
    desk.assert_flat()


async def test_a_lane_whose_key_is_refused_is_looked_after_less_and_less_often(
    desk: Desk, tmp_path: Path
) -> None:
    """Every five seconds the gap was read and filled again: twice the limit of requests."""
    hedge = await a_pair_at_rest(desk)
    for op in ("order", "cancel"):
        desk.world.fault(LIGHTER, "refuse", code=21109, op=op, **FOR_EVER)
    await desk.close(hedge)
    desk.world.requests(LIGHTER, reset=True)
    daemon = Daemon(desk.trader, Home(tmp_path))

    for _ in range(60):
        await desk.world.pass_time(5)
        await daemon.lanes()

    assert desk.world.requests(LIGHTER)["count"] < 260  # one question a lane between two tries
    await desk.close(hedge)
    (alert,) = alerts(desk)
    assert "refuses the key of lane" in alert
    shown = stands.read(desk.store, hedge.id)
    assert shown is not None
    assert "refuses the key of lane" in shown.why
    desk.world.no_faults()
    await desk.world.pass_time(65)
    await daemon.lanes()
    assert (await desk.close(hedge)).state is State.CLOSED
    desk.assert_flat()


async def test_an_exit_that_stands_is_forgotten_when_a_person_settles_its_hedge(
    desk: Desk, tmp_path: Path
) -> None:
    """`hedger status` told of it for ever."""
    hedge = await a_pair_at_rest(desk)
    desk.world.change_market(LIGHTER, "ETH", status="inactive")
    await desk.close(hedge)
    moved = desk.store.move(desk.store.hedge(hedge.id), State.CONVERGING, "a leg differs")
    desk.world.fault(X10, "liquidate", market="ETH")
    await desk.world.pass_time(12)
    escalated = await desk.trader.executor.resume(moved)
    assert escalated.state is State.ESCALATED
    assert stands.bars(desk.store, hedge.id)
    await desk.trader.settle_hedge(
        hedge.id, who="me", reason="it is gone", force=True, progress=desk.said.append
    )

    await Daemon(desk.trader, Home(tmp_path)).exits()

    assert standing(desk.store)["exits_standing"] == []
    assert stands.bars(desk.store, hedge.id) == {}


async def test_an_urgent_exit_that_stood_is_urgent_when_it_is_tried_again(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited for the books like any other then."""
    hedge = await a_pair_at_rest(desk)
    desk.world.change_market(LIGHTER, "ETH", status="inactive")
    await desk.trader.executor.close(hedge, "the market is leaving", hurry=True)
    desk.world.change_market(LIGHTER, "ETH", status="active")
    await desk.restart()
    await desk.world.pass_time(15)
    asked: list[dict[str, Any]] = []
    close = desk.trader.executor.close

    async def closed(*args: Any, **words: Any) -> Hedge:
        asked.append(words)
        return await close(*args, **words)

    monkeypatch.setattr(desk.trader.executor, "close", closed)
    await Daemon(desk.trader, Home(tmp_path)).exits()

    assert [words["hurry"] for words in asked] == [True]
    assert desk.store.hedge(hedge.id).state is State.CLOSED


async def test_what_was_told_of_a_hedge_is_not_told_again_while_its_exit_is_tried(
    desk: Desk, tmp_path: Path
) -> None:
    """A look that came while the exit was being proven forgot what it had told."""
    hedge, _ = await a_pair_at_rest(desk), await desk.open("SOL", 300)
    await desk.trader.look_around()
    desk.world.change_market(LIGHTER, "ETH", status="inactive")
    await desk.close(hedge)
    await desk.world.pass_time(65)
    daemon = Daemon(desk.trader, Home(tmp_path))

    for _ in range(5):
        await desk.trader.look_around()
        await asyncio.gather(daemon.exits(), daemon.rates())
        await daemon.rates()
        await desk.world.pass_time(60)

    told = [text for text in alerts(desk) if "that is no reason to close" in text]
    assert len(told) == 1


async def test_obstacles_that_come_and_go_are_told_once_each(desk: Desk) -> None:
    """A person was told anew at every change."""
    hedge = await a_pair_at_rest(desk)
    for _ in range(4):
        desk.world.change_market(LIGHTER, "ETH", liquidity={"depth_usd": 0})
        await desk.close(hedge)
        desk.world.change_market(LIGHTER, "ETH", liquidity=None)
        desk.world.change_market(X10, "ETH", liquidity={"depth_usd": 0})
        await desk.close(hedge)
        desk.world.change_market(X10, "ETH", liquidity=None)
    assert len(alerts(desk)) == 2


@pytest.mark.parametrize("why", ["key", "book"])
async def test_a_venue_that_is_away_is_asked_one_question_at_a_time(
    desk: Desk, tmp_path: Path, why: str
) -> None:
    """Three requests every 1.5 s were twice what a standard account may ask for in all."""
    moved = await alone_on(desk, LIGHTER)
    if why == "key":
        desk.world.revoke_key(LIGHTER)
    else:
        desk.world.change_market(LIGHTER, "ETH", liquidity={"depth_usd": 0})
    hedge = await desk.trader.executor.resume(moved)
    assert hedge.state is State.ESCALATED
    daemon = Daemon(desk.trader, Home(tmp_path))
    await daemon.returns()
    desk.world.requests(LIGHTER, reset=True)

    for _ in range(40):
        await desk.world.pass_time(1.5)
        await daemon.returns()

    assert desk.world.requests(LIGHTER)["count"] <= 42
    desk.world.register_key(LIGHTER)
    desk.world.change_market(LIGHTER, "ETH", liquidity=None)
    await desk.world.pass_time(1.5)
    await daemon.returns()
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    desk.assert_flat()
