"""What the venues were a while ago: positions, money, clocks, from the engines alone."""

from collections import defaultdict, deque
from collections.abc import Callable
from decimal import Decimal

from adapters.sandbox.engine.types import PositionChanged
from tests.simulation.exchange import MARKETS, Venues
from tests.simulation.process import now_s

ZERO = Decimal(0)
KEPT_S = 120.0


class Positions:
    """
    Signed sizes of both accounts over the last two minutes, in coins.

    ``changes`` is called after each change.
    """

    def __init__(self, venues: Venues, changes: Callable[[], object]) -> None:
        self._venues = venues
        self._changes = changes
        self._sizes: dict[tuple[str, str], deque[tuple[float, Decimal]]] = defaultdict(deque)
        for venue in ("x10", "lighter"):
            for symbol in MARKETS:
                self._sizes[venue, symbol].append((now_s(), ZERO))
            venues.exchange(venue).subscribe(self._event, PositionChanged)

    def _event(self, event: object) -> None:
        if isinstance(event, PositionChanged):
            self.look(event.position.symbol)

    def look(self, symbol: str) -> None:
        """A position may have changed; an event does not say whose, and there may be none."""
        for venue in ("x10", "lighter"):
            self._note(venue, symbol)

    def _note(self, venue: str, symbol: str) -> None:
        sizes, size = self._sizes[venue, symbol], self._venues.position(venue, symbol)
        if size == sizes[-1][1]:
            return
        sizes.append((now_s(), size))
        self._changes()
        while len(sizes) > 1 and sizes[1][0] < now_s() - KEPT_S:
            sizes.popleft()

    def since(self, venue: str, symbol: str, at_s: float) -> list[Decimal]:
        """Every size from an instant of the loop until now."""
        sizes = self._sizes[venue, symbol]
        return [
            size
            for number, (_, size) in enumerate(sizes)
            if number == len(sizes) - 1 or sizes[number + 1][0] > at_s
        ]


class Money:
    """The most that was free on a venue over the last seconds, in USD; to be looked at often."""

    def __init__(self, venues: Venues) -> None:
        self._venues = venues
        self._free: dict[str, deque[tuple[float, Decimal]]] = defaultdict(deque)

    def look(self) -> None:
        """What is free now."""
        for venue in ("x10", "lighter"):
            free = self._free[venue]
            balance = self._venues.exchange(venue).balance(self._venues.account(venue))
            free.append((now_s(), balance.available))
            while free[0][0] < now_s() - KEPT_S:
                free.popleft()

    def most(self, venue: str, at_s: float) -> Decimal:
        """The most that was seen from an instant of the loop until now."""
        return max((usd for when_s, usd in self._free[venue] if when_s >= at_s), default=ZERO)


class Clocks:
    """How far the venues' clock was ahead of true time; to be told of every change."""

    def __init__(self) -> None:
        self._ahead: deque[tuple[float, float]] = deque([(now_s(), 0.0)])

    def note(self, ahead_s: float) -> None:
        """It is so far ahead from now on."""
        self._ahead.append((now_s(), ahead_s))
        while len(self._ahead) > 1 and self._ahead[1][0] < now_s() - KEPT_S:
            self._ahead.popleft()

    def since(self, at_s: float) -> tuple[float, float]:
        """The least and the most from an instant of the loop until now, in seconds."""
        found = [
            ahead_s
            for number, (_, ahead_s) in enumerate(self._ahead)
            if number == len(self._ahead) - 1 or self._ahead[number + 1][0] > at_s
        ]
        return min(found), max(found)
