"""
The judge of what the ledger says was read: every position in it was one, and not long before.

A venue that did not answer showed nothing at all, least of all an empty account.

Rows are by name. So nothing is said of worlds in which a market is given another one: what stands
under a name that a venue has just given up says nothing about a market. Nor of those in which
venues answer what is not so.
"""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.simulation.faults import Ill
from tests.simulation.past import KEPT_S, Money, Positions
from tests.simulation.process import now_s
from tests.simulation.sends import lag_s

if TYPE_CHECKING:
    from tests.simulation.world import World

READ = "3 read"
LOOK_S = 10.0
OLD_S = 60.0
"""
As old as a reading may be when it is written down, where our own clock does not tell: it waits for
what was asked beside it.
"""
APART_S = 3.0  # between the clocks of two lives

_NEW = (
    "SELECT seq, venue, symbol, size, read_started_at FROM position_observations"
    " WHERE seq > :mark ORDER BY seq"
)
_LAST = "SELECT coalesce(max(seq), 0) FROM position_observations"


class Readings:
    """Looks every few seconds at what has been written down since."""

    def __init__(self, world: "World", positions: Positions, money: Money) -> None:
        self._world = world
        self._money = money
        self._positions = positions
        ills = world.plan.ills
        self._lag_s = lag_s(ills, Ill.STALE_POSITION)
        self._lag_s += APART_S if Ill.SKEW in ills else 0.0
        self._steady = Ill.CLOCK_BACK not in ills
        self._judged = not world.plan.beyond and not ills & {Ill.HOSTILE, Ill.RENAMED}
        self._mark = 0
        self._ledgers = 1  # that were in use so far

    def watch(self) -> None:
        """Look from now on, until the world is over."""
        if self._judged:
            self._world.loop.after(LOOK_S, self._look)

    def _look(self) -> None:
        if self._world.over:
            return
        self._world.loop.after(LOOK_S, self._look)
        if self._world.poor:  # elsewhere there is always enough
            self._money.look()
        rows = self._world.oracle.rows
        if self._ledgers != self._world.oracle.ledgers:  # what another ledger has is from before
            self._ledgers = self._world.oracle.ledgers
            self._mark = rows(_LAST)[0][0]
        new = rows(_NEW, mark=self._mark)
        for seq, venue, symbol, size, began_at in new:
            self._mark = seq
            self._hold(venue, symbol, Decimal(size), self._began_s(began_at))
        if not new:
            self._mark = min(self._mark, rows(_LAST)[0][0])  # another copy of the ledger

    def _began_s(self, began_at: str) -> float:
        """When the question was asked, on the loop's clock."""
        if not self._steady:
            return now_s() - OLD_S
        since = datetime.fromisoformat(began_at) - self._world.epoch
        return since.total_seconds() - self._world.processes[-1].skew_s

    def _hold(self, venue: str, symbol: str, size: Decimal, began_s: float) -> None:
        if began_s - self._lag_s < now_s() - KEPT_S:
            return  # an old row: it came with another copy of the ledger
        true = self._positions.since(venue, symbol, began_s - self._lag_s)
        if size not in true:
            held = ", ".join(str(one) for one in true)
            self._world.oracle.broken(
                READ, f"{venue} is said to have shown {size} {symbol}; it held {held}"
            )
