"""
The judge of legs that stand alone while the other venue is away.

That time does not count as available. But where our own ledger proves that the venue which does not
answer holds nothing of a hedge, nobody has to wait for it: what stands alone on the other one
comes off, by the same limit in time of the process.
"""

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.simulation import ability
from tests.simulation.aiming import VENUES
from tests.simulation.beyond import NAKED_MAX_S
from tests.simulation.exchange import HEDGED

if TYPE_CHECKING:
    from tests.simulation.world import World

LOOK_S = 5.0
ZERO = Decimal(0)

_PROVEN_EMPTY = """
    SELECT id FROM hedges WHERE symbol = :symbol
    AND state NOT IN ('refused', 'closed_flat', 'closed', 'orphan', 'planned')
    AND EXISTS (SELECT 1 FROM orders WHERE hedge_id = hedges.id AND purpose = 'open')
    AND NOT EXISTS (
        SELECT 1 FROM orders WHERE hedge_id = hedges.id AND orders.venue = :venue
        AND (state IN ('prepared', 'unresolved') OR CAST(filled_size AS REAL) <> 0)
    )
"""
"""
Live hedges whose every order on a venue has a proven end and executed nothing: a hedge that was
open may have lost its leg there to somebody else, and that has to be asked for.
"""


class Parked:
    """Looks every few seconds, for as long as a venue is away."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._alone_s: dict[str, float] = defaultdict(float)
        self._looking = False
        self._ledgers = 1  # that were in use so far

    def watch(self) -> None:
        """A venue has just gone away."""
        if not self._looking:
            self._looking = True
            self._world.loop.after(LOOK_S, self._look)

    def _look(self) -> None:
        world = self._world
        away = [v for v in VENUES if v in world.outages or not world.doors.answers(v)]
        if not away or world.chance.quiet:
            self._looking = False
            self._alone_s.clear()
            return
        if self._ledgers != world.oracle.ledgers:  # another one proves for itself what it knows
            self._ledgers = world.oracle.ledgers
            self._alone_s.clear()
        works = world.runs() and world.trouble() is None
        for symbol in HEDGED:
            if len(away) > 1 or not self._stands_alone(symbol, away[0]):
                self._alone_s.pop(symbol, None)
            elif works:
                self._spend(symbol, away[0])
        world.loop.after(LOOK_S, self._look)

    def _stands_alone(self, symbol: str, away: str) -> bool:
        world = self._world
        (there,) = (venue for venue in VENUES if venue != away)
        return (
            world.truth.naked(symbol) != ZERO
            and world.truth.ours(away, symbol) == ZERO
            and not world.truth.stuck(symbol)
            and ability.able(world, there, symbol)
            and world.oracle.one(_PROVEN_EMPTY, symbol=symbol, venue=away) is not None
        )

    def _spend(self, symbol: str, away: str) -> None:
        self._alone_s[symbol] += LOOK_S
        spent_s = self._alone_s[symbol]
        if spent_s > NAKED_MAX_S:
            self._world.oracle.broken(
                "4 parked",
                f"{symbol} stood alone for {spent_s:.0f} s; {away}, which was away, held nothing",
            )
