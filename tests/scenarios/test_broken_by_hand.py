"""
Troubles that come together, or last: what was tried by hand against the promise, and broke it.

Each keeps a leg alone, or says that both stand, in a program that takes one trouble at a time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hedger.daemon import Daemon
from hedger.domain.hedge import State
from hedger.domain.money import ZERO
from hedger.domain.order import Purpose
from hedger.home import Home
from hedger.ledger.records import OrderState
from tests.desk import Desk
from tests.scenarios.scenes import FOR_EVER, a_pair_at_rest, either_account, either_venue, other
from tests.world import LIGHTER, X10

LONG_S = 300.0
AVAILABLE_S = 120.0
"""How long a leg may stand alone while its own venue takes orders."""


@asynccontextmanager
async def at_work(desk: Desk, folder: Path) -> AsyncIterator[None]:
    """The daemon's jobs on their own paces, beside the test."""
    daemon = Daemon(desk.trader, Home(folder))
    paces: list[tuple[Callable[[], Any], float]] = [
        (daemon.monitor, 10.0),
        (daemon.watch, 5.0),
        (daemon.glance, 10.0),
        (daemon.returns, 1.5),
        (daemon.rates, 60.0),
    ]

    async def again(job: Callable[[], Any], pace_s: float) -> None:
        while True:
            await desk.world.clock.sleep(pace_s)
            await job()

    tasks = [asyncio.ensure_future(again(job, pace_s)) for job, pace_s in paces]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [error for error in ended if not isinstance(error, asyncio.CancelledError)] == []


async def equal_within_s(desk: Desk, limit_s: float) -> float:
    """How long until both legs are equal or gone."""
    began_s = desk.world.clock.monotonic_s()
    while desk.naked() != ZERO:
        assert desk.world.clock.monotonic_s() - began_s < limit_s, "a leg stands alone"
        await desk.world.pass_time(0.5)
    return desk.world.clock.monotonic_s() - began_s


async def leg_a_filled(desk: Desk, opening: "asyncio.Task[Any]") -> None:
    while desk.position(X10) == ZERO:
        assert not opening.done()
        await desk.world.pass_time(0.05)


def told(desk: Desk) -> list[str]:
    return [alert.text for alert in desk.store.unacknowledged(100)]


@either_account
async def test_a_leg_whose_partner_is_lost_by_its_venue_in_mid_open_does_not_stay_alone(
    desk: Desk, tmp_path: Path, dedicated: bool
) -> None:
    """Lighter shows the transaction and nothing that it did: the order has no end for ever."""
    async with at_work(desk, tmp_path):
        opening = asyncio.ensure_future(desk.open("ETH", 300))
        while desk.position(LIGHTER) == ZERO:
            await desk.world.pass_time(0.05)
        desk.world.forget(LIGHTER, "ETH")
        await equal_within_s(desk, AVAILABLE_S)
        hedge = await opening
        desk.assert_flat()
        assert desk.store.hedge(hedge.id).state is State.ESCALATED
        assert desk.orders(hedge)[1].state is OrderState.UNRESOLVED
        desk.world.remember(LIGHTER, "ETH")
        await desk.world.pass_time(0.5)
        await equal_within_s(desk, AVAILABLE_S)
        await desk.world.pass_time(5)
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert dedicated == desk.config.account.dedicated
    desk.assert_flat()
    desk.assert_ledger_is_true()


@either_account
async def test_a_leg_whose_partner_cannot_be_looked_up_does_not_stay_alone(
    desk: Desk, tmp_path: Path, dedicated: bool
) -> None:
    """Leg B is lost on its way, and the venue's orders cannot be read for a long time."""
    desk.world.fault(LIGHTER, "drop_answer", when="before", reduce_only=False)
    desk.world.fault(LIGHTER, "bad_reads", what=["orders"], **FOR_EVER)
    async with at_work(desk, tmp_path):
        opening = asyncio.ensure_future(desk.open("ETH", 300))
        await leg_a_filled(desk, opening)
        await equal_within_s(desk, AVAILABLE_S)
        hedge = await opening
        assert desk.store.hedge(hedge.id).state is State.ESCALATED
        desk.world.no_faults()
        await desk.world.pass_time(120)
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert dedicated == desk.config.account.dedicated
    desk.assert_flat()


@either_account
async def test_legs_that_may_match_are_not_broken_beside_an_order_that_is_unknown(
    desk: Desk, tmp_path: Path, dedicated: bool
) -> None:
    """Leg B did fill; nothing of it can be looked up. What a shared account holds may be ours."""
    desk.world.fault(LIGHTER, "bad_reads", what=["orders"], **FOR_EVER)
    async with at_work(desk, tmp_path):
        hedge = await desk.open("ETH", 300)
        assert hedge.state is State.ESCALATED
        await desk.world.pass_time(LONG_S)
        assert desk.naked() == ZERO
        assert desk.position(X10) != ZERO
        desk.world.no_faults()
        await desk.world.pass_time(120)
    assert desk.store.hedge(hedge.id).state is State.OPEN
    assert desk.naked() == ZERO
    assert dedicated == desk.config.account.dedicated


@either_account
async def test_a_leg_whose_position_cannot_be_read_comes_off_by_its_trades(
    desk: Desk, tmp_path: Path, dedicated: bool
) -> None:
    """Orders, trades and sending work; only the list of positions does not, in mid-open."""
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)
    async with at_work(desk, tmp_path):
        opening = asyncio.ensure_future(desk.open("ETH", 300))
        await leg_a_filled(desk, opening)
        desk.world.fault(X10, "bad_reads", what=["positions"], **FOR_EVER)
        await equal_within_s(desk, 30)
        hedge = await opening
        assert desk.store.hedge(hedge.id).state is State.ESCALATED  # until it has been read
        desk.world.no_faults()
        await desk.world.pass_time(120)
    assert desk.store.hedge(hedge.id).state is State.CLOSED
    assert [order.prepared.order.reduce_only for order in desk.orders(hedge, Purpose.ROLLBACK)]
    assert dedicated == desk.config.account.dedicated
    desk.assert_flat()
    desk.assert_ledger_is_true()


@either_venue
async def test_a_leg_that_was_taken_is_seen_though_the_other_venue_cannot_be_read(
    desk: Desk, tmp_path: Path, venue: str
) -> None:
    """The other leg stands alone on a venue that takes orders and shows no positions."""
    hedge = await a_pair_at_rest(desk)
    async with at_work(desk, tmp_path):
        desk.world.fault(venue, "bad_reads", what=["positions"], **FOR_EVER)
        desk.world.fault(other(venue), "liquidate", market="ETH")
        await equal_within_s(desk, 30)
        desk.assert_flat()
        await desk.world.pass_time(90)
        assert desk.store.hedge(hedge.id).state is State.ESCALATED
        desk.world.no_faults()
        await desk.world.pass_time(120)
    assert desk.store.hedge(hedge.id).state is State.CLOSED


@either_venue
async def test_a_hedge_is_not_called_open_while_its_other_leg_is_alone_on_a_silent_venue(
    desk: Desk, tmp_path: Path, venue: str
) -> None:
    """One leg is gone, and the venue of the other is away for long: a person is told which."""
    hedge = await a_pair_at_rest(desk)
    async with at_work(desk, tmp_path):
        desk.world.fault(other(venue), "liquidate", market="ETH")
        desk.world.fault(venue, "outage", seconds=LONG_S)
        await desk.world.pass_time(LONG_S)
        assert desk.store.hedge(hedge.id).state is State.ESCALATED
        (alert,) = [text for text in told(desk) if "could not be brought" in text]
        assert "unhedged" in alert
        assert await equal_within_s(desk, 10) <= 5
        await desk.world.pass_time(3)
    assert desk.store.hedge(hedge.id).state is State.CLOSED


async def test_what_is_left_of_a_lone_leg_below_a_coarser_step_is_no_open_hedge(
    desk: Desk, tmp_path: Path
) -> None:
    """X10 clips nothing: 0.005 ETH stay, and "both legs match" is wrong of them."""
    hedge = await a_pair_at_rest(desk)
    async with at_work(desk, tmp_path):
        desk.world.change_market(X10, "ETH", size_step="0.01")
        desk.world.fault(LIGHTER, "liquidate", market="ETH")
        await desk.world.pass_time(90)
        found = desk.store.hedge(hedge.id)
        assert found.state is State.ESCALATED
        assert "below what an order may be" in found.reason
        assert "unhedged: 0.005 ETH" in " ".join(told(desk))
        desk.world.change_market(X10, "ETH", size_step="0.001")
        await desk.world.pass_time(120)
    desk.assert_flat()
