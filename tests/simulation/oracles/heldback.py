"""
Promise 4, where it could be kept: nothing of ours holds back an order that takes a lone leg off.

While a leg stands alone, its venue would take an order, a process serves and no order of its hedge
is without an end, only we can be what it waits for: a limit, a budget, a reading, a pause. That
goes for the time in which both venues answer, and for that in which the other one does not where
the ledger proves that nothing of the hedge is there: nobody has to be asked then.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from tests.simulation.oracles.parts import Broken, Held, Sent, Stretches

PROMISE = "4 held back"
BOUND_S = 100.0
"""
The longest of the product's pauses, 90 s between two attempts at a hedge whose leg stands alone,
and 10 s for what an attempt reads first.
"""


class HeldBack:
    """``alone`` says whether a leg stands alone and could be taken off now, by the engines."""

    def __init__(self, alone: Callable[[str], bool], broken: Broken) -> None:
        self._alone = alone
        self._broken = broken
        self._stretches = Stretches()
        self._longest: dict[str, float] = {}
        self.waited_s: list[float] = []  # from each begin, or each order, to the next or the end

    def sent(self, sent: Sent, now_s: float) -> None:
        """An order that reduces leaves: the next one has its own time."""
        if sent.purpose != "open":
            self._end(sent.symbol, now_s)

    def other_ledger(self) -> None:
        """Another one stands in the place of that which knew of the leg: its time begins anew."""
        self._stretches = Stretches()

    def look(
        self, symbols: Iterable[str], hedges: Iterable[Held], now_s: float, *, serves: bool,
        up: bool, down: Sequence[str],
    ) -> None:  # fmt: skip
        """
        Every market; ``serves``: a process runs and can write; ``up``: both venues answer, else
        those of ``down`` do not.
        """
        on: dict[str, list[Held]] = defaultdict(list)  # two, where the ledger was lost
        for hedge in hedges:
            on[hedge.symbol].append(hedge)
        for symbol in symbols:
            here = on.get(symbol, [])
            if not self._alone(symbol) or any(hedge.unsettled for hedge in here):
                self._end(symbol, now_s)
                continue
            empty = all(hedge.proven_empty(venue) for hedge in here for venue in down)
            alone = bool(here) and bool(down) and empty
            counts = serves and (up or alone)
            waits_s = self._stretches.seconds(symbol, now_s, so=True, counts=counts)
            self._longest[symbol] = waits_s
            if waits_s > BOUND_S:
                self._broken(
                    PROMISE,
                    f"{symbol} stands alone, could be taken off and has had no order for"
                    f" {BOUND_S:.0f} s",
                )

    def _end(self, symbol: str, now_s: float) -> None:
        self._stretches.seconds(symbol, now_s, so=False)
        if longest_s := self._longest.pop(symbol, 0.0):
            self.waited_s.append(longest_s)
