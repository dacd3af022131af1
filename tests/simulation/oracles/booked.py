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
ENDED_S = 330.0
"""
The same for an order whose end a venue has told falsely: it is over for the ledger, and looked up
again after 300 s at most, by a job that runs every 10 s.
"""

_ENDED = """
    SELECT 1 FROM orders
    WHERE id = :order AND state IN ('dead', 'refused', 'zero', 'partial') LIMIT 1
"""
_BOOKED = "SELECT 1 FROM fills WHERE venue = :venue AND trade_id = :trade"


def bound_s(order: str, ledger: Ledger, *, untrue: bool) -> float:
    """By when a fill of an order is a row; ``untrue``: its end may have been told falsely."""
    return ENDED_S if untrue and ledger.rows(_ENDED, order=order) else BOUND_S


class Booked:
    """
    ``exists`` says whether a venue still knows a trade: it may have forgotten it; ``untrue``
    whether a venue has broken what it declares since a moment, or shortly before, which is told in
    available seconds.
    """

    def __init__(
        self,
        exists: Callable[[str, int], bool],
        untrue: Callable[[float], bool],
        ledger: Ledger,
        broken: Broken,
    ) -> None:
        self._exists = exists
        self._untrue = untrue
        self._ledger = ledger
        self._broken = broken
        self._waits: dict[tuple[str, int], tuple[str, float]] = {}
        self._stretches = Stretches()
        self.waited_s: list[float] = []  # how long each of them was not booked

    def traded(self, venue: str, trade: int, order: str, available_s: float) -> None:
        """A fill of ours."""
        self._waits[venue, trade] = (order, available_s)

    def other_ledger(self) -> None:
        """
        Another one stands in the place of that which had the order and its search: both are to
        be found by what the venue knows, and the time begins anew.
        """
        self._stretches = Stretches()

    def look(self, now_s: float, *, counts: bool) -> None:
        """Whether it is booked by now."""
        for (venue, trade), (order, traded_at) in tuple(self._waits.items()):
            waits_s = self._stretches.seconds((venue, trade), now_s, so=True, counts=counts)
            if self._ledger.rows(_BOOKED, venue=venue, trade=str(trade)):
                self.waited_s.append(waits_s)
            elif waits_s <= BOUND_S or waits_s <= self._bound_s(order, traded_at):
                continue
            elif self._exists(venue, trade):
                after = f"{self._bound_s(order, traded_at)} s"
                self._broken(
                    PROMISE, f"trade {trade} of {order} on {venue} is not booked after {after}"
                )
            del self._waits[venue, trade]
            self._stretches.seconds((venue, trade), now_s, so=False)

    def owes(self) -> bool:
        """Whether a fill that its venue knows may still come to be booked in time."""
        return any(self._exists(*trade) for trade in self._waits)

    def _bound_s(self, order: str, traded_at: float) -> float:
        return bound_s(order, self._ledger, untrue=self._untrue(traded_at))
