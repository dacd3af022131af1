"""Our own machine is in the way: a long silence, and a person whose command comes in between."""

import asyncio
from dataclasses import replace

import pytest

from hedger.domain.hedge import State
from hedger.domain.order import Prepared
from hedger.ledger.records import OrderState
from tests.desk import Desk
from tests.scenarios.test_restarting import only_hedge, stopped_after
from tests.world import LIGHTER


async def test_a_burn_that_has_expired_is_made_anew(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed before a long outage, or by a clock that was behind: it is refused for ever."""
    venue = desk.trader.venues[LIGHTER]
    prepare = venue.prepare_burn

    async def long_ago(prepared: Prepared) -> Prepared:
        return replace(await prepare(prepared), expires_at=desk.world.clock.now())

    for op in ("order", "cancel"):
        desk.world.fault(LIGHTER, "drop_answer", when="before", op=op, times=0)
    with monkeypatch.context() as patched:
        patched.setattr(venue, "prepare_burn", long_ago)
        await stopped_after(desk.open("ETH", 300), 4)
    made = len(desk.events("burn"))
    assert made > 0
    desk.world.no_faults()
    await desk.restart()

    assert len(desk.events("burn")) == made + 1
    assert only_hedge(desk).state is State.CLOSED
    assert [r["state"] for r in desk.rows("orders", venue=LIGHTER)] == [OrderState.DEAD]
    desk.assert_flat()
    desk.assert_ledger_is_true()


async def test_a_rollback_of_everything_waits_for_an_opening_that_has_just_begun(
    desk: Desk,
) -> None:
    """Nothing is sent yet, and whoever opens it goes on: two would have moved the same hedge."""
    opening = asyncio.ensure_future(desk.open("ETH", 300))
    while not desk.rows("hedges"):
        await desk.world.pass_time(0.001)
    assert only_hedge(desk).state is State.PLANNED

    (row,) = await desk.trader.rollback(
        hedge=None, market=None, everything=True, progress=desk.said.append
    )

    assert (await opening).state in {State.OPEN, State.CLOSED}
    assert row["state"] is State.CLOSED
    assert only_hedge(desk).state is State.CLOSED
    desk.assert_flat()
    desk.assert_ledger_is_true()
