"""Scenes that several scenarios begin with."""

from typing import Any, Final

import pytest

from hedger.domain.hedge import Hedge, State
from tests.desk import Desk
from tests.world import LIGHTER, X10

FOR_EVER: Final[dict[str, Any]] = {"times": 0}
LAG_PASSED_S: Final = 11.0
"""Twice the read lag and a second: no reading is older than our own fills any more."""

either_account = pytest.mark.parametrize(
    "dedicated",
    [
        pytest.param(True, marks=pytest.mark.config(account={"dedicated": True}), id="dedicated"),
        pytest.param(False, marks=pytest.mark.config(account={"dedicated": False}), id="shared"),
    ],
)
either_venue = pytest.mark.parametrize("venue", [X10, LIGHTER])


async def reconcile(desk: Desk) -> dict[str, Any]:
    """``hedger reconcile``."""
    return dict(await desk.trader.reconcile(desk.said.append))


async def a_pair_at_rest(desk: Desk) -> Hedge:
    """300 USD of ETH on both venues, opened so long ago that every reading shows them."""
    hedge = await desk.open("ETH", 300)
    assert hedge.state is State.OPEN
    await desk.world.pass_time(LAG_PASSED_S)
    return hedge


def other(venue: str) -> str:
    """The venue of the other leg."""
    return LIGHTER if venue == X10 else X10


async def a_working_order_believed_dead(desk: Desk, **fault: Any) -> Hedge:
    """A hedge that ended flat, because X10 keeps its order working and does not list it."""
    desk.world.fault(X10, "keep_working", reduce_only=False, **fault)
    desk.world.fault(X10, "empty_reads", what=["orders"], **FOR_EVER)
    hedge = await desk.open("ETH", 300)
    assert hedge.state is State.CLOSED_FLAT
    return hedge
