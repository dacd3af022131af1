"""
Promise 3 while it goes on: what an order of ours traded is soon a row of the ledger.

At the end of a world everything is compared (``books.py``); here it is when a fill is booked.
"""

from collections.abc import Callable

from tests.simulation.oracles.parts import Broken, Ledger, Stretches

PROMISE = "3 booked"
BOUND_S = 120.0
"""
Seconds in which a process serves, both venues answer and none breaks what it declares. A search
for the end of an order is taken up again after 90 s at most, by a job that runs every 10 s, and
takes 15 s; then a venue's list of trades may be 5 s late.
"""

_BOOKED = "SELECT 1 FROM fills WHERE venue = :venue AND trade_id = :trade"


class Booked:
    """``exists`` says whether a venue still knows a trade: it may have forgotten it."""

    def __init__(self, exists: Callable[[str, int], bool], ledger: Ledger, broken: Broken) -> None:
        self._exists = exists
        self._ledger = ledger
        self._broken = broken
        self._waits: dict[tuple[str, int], str] = {}
        self._stretches = Stretches()
        self.waited_s: list[float] = []  # how long each of them was not booked

    def traded(self, venue: str, trade: int, order: str) -> None:
        """A fill of ours."""
        self._waits[venue, trade] = order

    def look(self, now_s: float, *, counts: bool) -> None:
        """Whether it is booked by now."""
        for (venue, trade), order in tuple(self._waits.items()):
            waits_s = self._stretches.seconds((venue, trade), now_s, so=True, counts=counts)
            if self._ledger.rows(_BOOKED, venue=venue, trade=str(trade)):
                self.waited_s.append(waits_s)
            elif waits_s <= BOUND_S:
                continue
            elif self._exists(venue, trade):
                self._broken(
                    PROMISE, f"trade {trade} of {order} on {venue} is not booked after {BOUND_S} s"
                )
            del self._waits[venue, trade]
            self._stretches.seconds((venue, trade), now_s, so=False)
