"""
What the program cannot bring right by itself: it measures, tells a person, and goes on trying.

Issue B, section 3: escalated hedges, their way out by hand, legs alone, measured read lag.
"""

import asyncio
import itertools
from decimal import Decimal
from pathlib import Path

import pytest

from hedger.daemon import ALONE_MAX_S, Daemon
from hedger.domain.hedge import State
from hedger.domain.ids import Symbol
from hedger.errors import UsageError
from hedger.home import Home
from hedger.settling import left_key
from hedger.standing import standing
from tests.desk import Desk
from tests.scenarios.scenes import (
    FOR_EVER,
    LAG_PASSED_S,
    a_pair_at_rest,
    either_venue,
    reconcile,
)
from tests.scenarios.test_reconciling import foreign_order
from tests.world import LIGHTER, X10


async def escalated(desk: Desk) -> str:
    """A hedge whose first leg no order can take off: every reducing order is refused."""
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)
    desk.world.fault(X10, "refuse", code=1140, reduce_only=True, **FOR_EVER)
    hedge = await desk.open("ETH", 300)
    assert hedge.state is State.ESCALATED
    return hedge.id


# -- settled by hand (S57) ----------------------------------------------------------------------


async def test_s57_a_market_that_takes_no_orders_is_settled_by_hand_and_left_alone(
    desk: Desk,
) -> None:
    """A delisted market kept the bot in a loop on one symbol; the others wait for nothing."""
    name = await escalated(desk)
    assert (await desk.open("BTC", 300)).state is State.OPEN

    with pytest.raises(UsageError, match=r"x10 holds .* --force"):
        await settle(desk, name)
    await settle(desk, name, force=True)
    orders = len(desk.rows("orders"))
    row = await reconcile(desk)

    assert (row["differences"], row["blocked"]) == ([], ["x10:ETH"])
    assert len(desk.rows("orders")) == orders
    assert desk.store.meta(left_key(X10, Symbol("ETH"))) is not None
    hedge = desk.store.hedge(desk.store.find(name).id)
    assert (hedge.state, hedge.reason) == (
        State.CLOSED,
        "settled by hand by ann: the market is delisted",
    )
    (event,) = desk.events("settled_by_hand")
    assert (event["data"]["who"], event["data"]["force"]) == ("ann", True)


async def settle(desk: Desk, name: str, *, force: bool = False) -> None:
    await desk.trader.settle_hedge(
        name, who="ann", reason="the market is delisted", force=force, progress=desk.said.append
    )


async def test_what_a_person_took_over_is_ours_again_when_it_changes(desk: Desk) -> None:
    """Only the very position that was looked at is left alone."""
    await settle(desk, await escalated(desk), force=True)
    desk.world.no_faults()
    foreign_order(desk, X10, Decimal("0.1") * (1 if desk.position(X10) > 0 else -1))
    await desk.world.pass_time(LAG_PASSED_S)

    await reconcile(desk)

    desk.assert_flat()


async def test_only_an_escalated_hedge_is_settled_by_hand(desk: Desk) -> None:
    hedge = await desk.open("ETH", 300)

    with pytest.raises(UsageError, match="only an escalated one"):
        await settle(desk, hedge.id)

    assert desk.store.hedge(hedge.id).state is State.OPEN


async def test_a_hedge_is_not_settled_in_the_middle_of_an_attempt(desk: Desk) -> None:
    """Two who close the same hedge: the second finds that it is over."""
    name = await escalated(desk)
    desk.world.no_faults()
    attempt = asyncio.ensure_future(desk.trader.executor.resume(desk.store.find(name)))
    await desk.world.pass_time(0.2)

    with pytest.raises(UsageError, match="is closed already"):
        await settle(desk, name, force=True)

    assert (await attempt).state is State.CLOSED
    desk.assert_flat()


# -- telling a person ----------------------------------------------------------------------------


async def test_a_leg_that_is_alone_for_60_s_is_alerted_and_again_when_that_doubles(
    desk: Desk,
) -> None:
    """Promise 4; counted from the first order, through a restart."""
    name = await escalated(desk)
    spoken: list[int] = []
    for minute in range(5):
        desk.trader.naked.look()
        spoken += [minute] * (len(exposed_alerts(desk)) - len(spoken))
        await desk.world.pass_time(60)

    assert len(spoken) == 3  # past 60, 120 and 240 s
    assert f"hedge {name} is escalated and exposed for" in exposed_alerts(desk)[0]
    desk.world.no_faults()
    await desk.restart()
    desk.trader.naked.look()
    assert desk.store.metas("naked:") == {}


@either_venue
async def test_a_venue_in_doubt_beside_an_open_hedge_is_alerted_and_named(
    desk: Desk, venue: str
) -> None:
    """New hedges wait, exits go on, and a person hears of it when it lasts."""
    hedge = await a_pair_at_rest(desk)
    desk.world.fault(venue, "bad_reads", what=["positions"], **FOR_EVER)
    for _ in range(3):
        await reconcile(desk)
        desk.trader.naked.look()
        await desk.world.pass_time(50)

    (alert,) = desk.store.unacknowledged()
    assert alert.text.startswith(f"{venue} is in doubt for")
    assert standing(desk.store)["in_doubt"][0]["venue"] == venue
    desk.world.no_faults()
    await reconcile(desk)
    assert standing(desk.store)["in_doubt"] == []
    assert desk.store.hedge(hedge.id).state is State.OPEN


def exposed_alerts(desk: Desk) -> list[str]:
    return [a.text for a in desk.store.unacknowledged(50) if "and exposed for" in a.text]


# -- measured read lag ---------------------------------------------------------------------------


async def test_read_lag_is_measured_from_our_fills_and_survives_a_restart(desk: Desk) -> None:
    """Twice the worst that was seen, so a venue that is slow today is waited for longer."""
    desk.world.fault(X10, "lag", what=["positions", "orders"], seconds=4, **FOR_EVER)
    desk.world.fault(LIGHTER, "refuse", code=21739, reduce_only=False)
    hedge = await desk.open("ETH", 300)
    assert hedge.state is State.CLOSED
    bound_s = desk.trader.executor._proof._lag.bound_s(X10)
    assert 8 <= bound_s <= 12
    assert desk.events("read_lag")

    await desk.restart()

    assert desk.trader.executor._proof._lag.bound_s(X10) == pytest.approx(bound_s, abs=0.01)
    assert desk.trader.executor._proof._lag.bound_s(LIGHTER) == 5


@pytest.mark.config(read_lag={"cap_s": 6})
async def test_read_lag_beyond_the_cap_is_capped_and_a_person_is_told(desk: Desk) -> None:
    desk.world.fault(X10, "lag", what=["orders", "positions"], seconds=4, **FOR_EVER)

    await desk.open("ETH", 300)

    assert desk.trader.executor._proof._lag.bound_s(X10) == 6
    assert any("read_lag.cap_s" in alert.text for alert in desk.store.unacknowledged())


# -- never giving up -----------------------------------------------------------------------------


async def test_an_escalated_hedge_is_tried_again_ever_less_often_and_never_dropped(
    desk: Desk, tmp_path: Path
) -> None:
    """The monitor's looks are as frequent as ever; its attempts are not."""
    name = await escalated(desk)
    daemon = Daemon(desk.trader, Home(tmp_path / "home"))
    began_s, tried_s = desk.world.clock.monotonic_s(), []
    while desk.world.clock.monotonic_s() - began_s < 420:
        before = len(desk.rows("orders"))
        at_s = desk.world.clock.monotonic_s()
        await daemon.monitor()
        if len(desk.rows("orders")) > before:
            tried_s.append(at_s)
        await desk.world.pass_time(10)

    gaps = [round(later - earlier) for earlier, later in itertools.pairwise(tried_s)]
    assert len(gaps) >= 2
    assert gaps == sorted(gaps)
    assert gaps[0] < gaps[-1] <= ALONE_MAX_S + 10
    desk.world.no_faults()
    while desk.store.find(name).state is not State.CLOSED:
        await desk.world.pass_time(10)
        await daemon.monitor()
    desk.assert_flat()
