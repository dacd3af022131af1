"""Who opens the hedge of a replay, and asks for what was asked for then."""

from hedger.domain.hedge import State
from hedger.domain.ids import Symbol
from hedger.errors import UsageError
from hedger.trader import Trader
from tests.simulation.process import SimClock
from tests.simulation.replaying.world import ReplayWorld
from tests.simulation.scenarios import Story

HELD_S = 2.0


async def step(world: ReplayWorld, trader: Trader, clock: SimClock, _story: Story) -> None:
    """Open the hedge once, then do to it what was done by hand."""
    symbol = Symbol(world.stage.symbol)
    if not world.hedge:
        try:
            await trader.open_hedge(symbol, world.stage.usd, _unheard)
        except UsageError as error:
            world.refusal = str(error)
            raise
        return
    hedge = trader.store.live_on(symbol)
    if hedge is None or hedge.state is not State.OPEN:
        return
    what = "close" if world.closing else world.due()
    if not what:
        return
    await clock.sleep(HELD_S)
    world.stage.set_prices(world.venues, world.stage.later)
    hedge = trader.store.live_on(symbol)
    if hedge is None or hedge.state is not State.OPEN:
        return
    if what == "close":
        await trader.close_hedge(hedge.id, _unheard)
    else:
        await trader.rollback(hedge=hedge.id, market=None, everything=False, progress=_unheard)


def _unheard(_text: str) -> None:
    """Progress that nobody reads."""
