"""
The judge of legs that stand alone while the other venue is away.

That time does not count as available. But where our own ledger proves that the venue which does not
answer holds nothing of a hedge, nobody has to wait for it: what stands alone on the other one
comes off, by the same limit in time of the process. And wherever our own ledger knows of a leg that
stands alone, a person is alerted within the minute, whichever venue is away.
"""

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.simulation import ability
from tests.simulation.aiming import VENUES
from tests.simulation.alarms import ALERT_AFTER_S, GRACE_S, TOLD
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


_KNOWN_ALONE = """
    SELECT id FROM hedges WHERE symbol = :symbol
    AND state NOT IN ('refused', 'closed_flat', 'closed', 'planned')
    AND (
        EXISTS (
            SELECT 1 FROM orders WHERE hedge_id = hedges.id AND state IN ('prepared', 'unresolved')
        )
        OR ABS((
            SELECT SUM(CAST(open_size AS REAL) + CAST(close_size AS REAL)
                + CAST(rollback_size AS REAL)) FROM legs WHERE hedge_id = hedges.id
        )) > 1e-9
    )
"""
"""Live hedges that by our own fills are not hedged, or have an order of unknown end."""


class Parked:
    """Looks every few seconds, for as long as a venue is away."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._alone_s: dict[str, float] = defaultdict(float)
        self._known_s: dict[str, float] = defaultdict(float)
        self._marks: dict[str, int] = {}
        self._looking = False

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
            self._known_s.clear()
            return
        works = world.runs() and world.trouble() is None
        for symbol in HEDGED:
            if len(away) > 1 or not self._stands_alone(symbol, away[0]):
                self._alone_s.pop(symbol, None)
            elif works:
                self._spend(symbol, away[0])
            if not self._is_known_alone(symbol):
                self._known_s.pop(symbol, None)
            elif works:
                self._want_alert(symbol)
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

    def _is_known_alone(self, symbol: str) -> bool:
        naked = self._world.truth.naked(symbol) != ZERO
        return naked and self._world.oracle.one(_KNOWN_ALONE, symbol=symbol) is not None

    def _want_alert(self, symbol: str) -> None:
        oracle = self._world.oracle
        if symbol not in self._known_s:
            self._marks[symbol] = oracle.one("SELECT max(seq) FROM alerts") or 0
        self._known_s[symbol] += LOOK_S
        known_s = self._known_s[symbol]
        if known_s <= ALERT_AFTER_S + GRACE_S + LOOK_S:
            return
        if oracle.one(TOLD, mark=self._marks[symbol], symbol=symbol) is None:
            oracle.broken(
                "4 alert",
                f"{symbol} stood alone for {known_s:.0f} s while a venue was away, our ledger knew"
                " it, and nobody was alerted",
            )
