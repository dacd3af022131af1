"""
The second source beside a venue's list of positions: the trades of the account.

A hedge is planned on a market where both venues are flat, so its position is what was traded
there since, by us, by a person or by the venue itself.
"""

from datetime import timedelta

from loguru import logger

from hedger.domain.hedge import Hedge
from hedger.domain.market import Traded
from hedger.domain.money import ZERO
from hedger.errors import VenueError
from hedger.ports import Venue

BEFORE = timedelta(seconds=2)
"""Trade stamps come from another clock than our hedge's."""


async def traded_since_planned(venue: Venue, hedge: Hedge) -> Traded | None:
    """
    What was traded on the hedge's market since it was planned.

    None where the venue does not answer, and for a hedge that was not planned (an orphan): the
    market was not flat then.
    """
    if hedge.planned_size == ZERO:
        return None
    try:
        return await venue.traded(hedge.symbol, hedge.created_at - BEFORE)
    except VenueError as error:
        logger.warning("{}: the trades of {} cannot be read: {}", venue.id, hedge.symbol, error)
        return None
