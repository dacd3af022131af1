"""A venue that loses a batch of ours, and finds it again: what tests of both begin with."""

from collections.abc import Callable

from hedger.domain.hedge import Hedge, State
from tests.desk import Desk
from tests.scenarios.scenes import reconcile

TURN_S = 15.0
TURNS_MAX = 20


def find_again(desk: Desk, venue: str, symbol: str = "ETH", *, trades: bool = True) -> None:
    """What was lost is there again; without ``trades`` only the position is."""
    desk.world.remember(venue, symbol)
    if not trades:
        desk.world.forget(venue, symbol, what=("orders", "trades"))


async def turn(desk: Desk, times: int = 1) -> None:
    """What the daemon does again and again."""
    for _ in range(times):
        desk.trader.naked.look()
        await desk.trader.late.run()
        for hedge in desk.store.unfinished():
            await desk.trader.executor.resume(hedge)
        await reconcile(desk)
        await desk.world.pass_time(TURN_S)


async def turns_until(desk: Desk, done: Callable[[], bool], what: str) -> None:
    """Turn after turn; a test fails where it does not come to that."""
    for _ in range(TURNS_MAX):
        if done():
            return
        await turn(desk)
    assert done(), f"{what} in {TURNS_MAX * TURN_S:g} s"


def told(desk: Desk) -> list[str]:
    """What a person was told, oldest first."""
    return [alert.text for alert in desk.store.unacknowledged(100)]


def left_open(desk: Desk, hedge: Hedge) -> Callable[[], bool]:
    """Whether a hedge is open no longer."""
    return lambda: desk.store.hedge(hedge.id).state is not State.OPEN
