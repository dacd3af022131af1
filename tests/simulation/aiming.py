"""
Strikes that wait for a moment in the life of a hedge: between its legs, held, half closed.

Read from the engines alone: how a position has just changed, and what the other venue holds.
"""

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from adapters.sandbox.engine.types import PositionChanged
from tests.simulation.exchange import HEDGED

if TYPE_CHECKING:
    from tests.simulation.world import World

VENUES = ("x10", "lighter")
PATIENCE_S = 240.0
ZERO = Decimal(0)

Strike = Callable[[str], bool]
"""Given the market; whether anything happened."""


class Moment(StrEnum):
    """Of a hedge, as the venues hold it."""

    BETWEEN = "between legs"
    HELD = "held"
    CLOSING = "half closed"


class Aims:
    """What waits for a moment; it happens once, as soon as the moment comes."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._waiting: list[tuple[Moment, float, Strike]] = []
        self._held: dict[tuple[str, str], Decimal] = {}
        for venue in VENUES:
            world.venues.exchange(venue).subscribe(self._event, PositionChanged)

    def at(self, moment: Moment, strike: Strike) -> bool:
        """
        Strike at this moment: at once where a hedge is held already, else when it comes, if it
        does so within ``PATIENCE_S``. Whether it struck at once.
        """
        if moment is Moment.HELD:
            held = [symbol for symbol in HEDGED if self._moment(symbol) is Moment.HELD]
            if held and strike(self._world.chance.source.choice(held)):
                return True
        self._waiting.append((moment, self._world.loop.now_s + PATIENCE_S, strike))
        return False

    def _event(self, event: object) -> None:
        if not isinstance(event, PositionChanged):
            return
        symbol = event.position.symbol
        sizes = {venue: self._world.truth.ours(venue, symbol) for venue in VENUES}
        before = {venue: self._held.get((venue, symbol), ZERO) for venue in VENUES}
        self._held |= {(venue, symbol): size for venue, size in sizes.items()}
        if not self._waiting or symbol not in HEDGED or sizes == before:
            return
        found = self._moment(symbol)
        if any(abs(sizes[venue]) < abs(before[venue]) for venue in VENUES):
            found = Moment.CLOSING if any(sizes.values()) else None
        if found is not None:
            # once the venue has finished with what it is doing
            self._world.loop.after(0.0, self._strike, found, symbol)

    def _moment(self, symbol: str) -> Moment | None:
        sizes = [self._world.truth.ours(venue, symbol) for venue in VENUES]
        if all(sizes):
            return Moment.HELD if self._world.truth.naked(symbol) == ZERO else None
        return Moment.BETWEEN if sizes[0] else None

    def _strike(self, moment: Moment, symbol: str) -> None:
        now_s = self._world.loop.now_s
        self._waiting = [one for one in self._waiting if one[1] > now_s]
        if self._world.chance.quiet:
            return
        for one in [one for one in self._waiting if one[0] is moment]:
            self._waiting.remove(one)
            one[2](symbol)
