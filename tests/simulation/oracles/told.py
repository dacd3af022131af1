"""
The second half of promise 4, in the time in which a process serves: a person is alerted.

The limit of a leg alone counts while both venues answer (``alarms.py``). A person is to be told
also while one of them does not, wherever the ledger shows that a leg may stand alone: its booked
fills are unequal, the end of an order is unknown, or the hedge is on its way somewhere. And a hedge
that is escalated waits for a person, so one was told, whatever the venues do.
"""

from collections.abc import Callable, Iterable

from tests.simulation.alarms import ALERT_AFTER_S, GRACE_S
from tests.simulation.oracles.parts import ZERO, Broken, Held, Ledger, Stretches

PROMISE = "4 told"
ESCALATED_S = 15.0  # a person is told before a hedge is said to wait for one
CALM = frozenset({"planned", "open"})

_MARK = "SELECT coalesce(max(seq), 0) FROM alerts"
_TOLD = """
    SELECT 1 FROM alerts WHERE seq > :mark AND (
        hedge_id = :hedge
        OR hedge_id IS NULL AND (text LIKE '% ' || :symbol || '%' OR text LIKE '%is in doubt%')
    )
    LIMIT 1
"""
_ESCALATION = """
    WITH waits AS (
        SELECT seq FROM events WHERE hedge_id = :hedge AND to_state = 'escalated'
        ORDER BY seq DESC LIMIT 1
    )
    SELECT 1 FROM events, waits WHERE hedge_id = :hedge AND kind = 'alert' AND events.seq >= (
        SELECT max(before.seq) FROM events AS before
        WHERE before.hedge_id = :hedge AND before.seq < waits.seq
    ) LIMIT 1
"""
"""
An alert is an event, too, and the last one of its hedge before it is escalated. Their numbers tell
which came first, whatever our clock was set to meanwhile.
"""
_TAKEN = """
    SELECT 1 FROM events WHERE hedge_id = :hedge AND kind IN ('forced', 'position_differs') LIMIT 1
"""


class Told:
    """``alone`` says whether a leg stands alone on a market, by the engines."""

    def __init__(self, alone: Callable[[str], bool], ledger: Ledger, broken: Broken) -> None:
        self._alone = alone
        self._ledger = ledger
        self._broken = broken
        self._stretches = Stretches()
        self._marks: dict[str, int] = {}  # the last alert before a hedge came to be exposed
        self._from: int | None = None  # the last alert of a ledger that was put in place just now

    def begin_anew(self) -> None:
        """
        Another ledger is in place, which does not know since when, nor who was told. It may tell
        at once.
        """
        self._stretches = Stretches()
        self._marks = {}
        self._from = self._mark()

    def look(self, hedges: Iterable[Held], now_s: float, *, serves: bool) -> None:
        """Every hedge that is not over; ``serves``: a process runs and can write."""
        before, self._marks = self._marks, {}
        mark, self._from = self._from, None
        hedges = tuple(hedges)
        self._stretches.keep({key for h in hedges for key in (h.id, ("escalated", h.id))})
        for hedge in hedges:
            exposed = hedge.state != "planned" and self._shows(hedge)
            if exposed:
                if hedge.id not in before and mark is None:
                    mark = self._mark()
                self._marks[hedge.id] = before.get(hedge.id, mark or 0)
            self._exposed(hedge, now_s, so=exposed and self._alone(hedge.symbol), serves=serves)
            self._escalated(hedge, now_s, serves=serves)

    def _mark(self) -> int:
        return int(self._ledger.rows(_MARK)[0][0])

    def _shows(self, hedge: Held) -> bool:
        """
        Fills tell no more of an open hedge of which others once took a part, and which matched
        again: what they take next is told by a reading alone.
        """
        if hedge.state not in CALM or hedge.unsettled > 0:
            return True
        return hedge.net != ZERO and not self._ledger.rows(_TAKEN, hedge=hedge.id)

    def _exposed(self, hedge: Held, now_s: float, *, so: bool, serves: bool) -> None:
        alone_s = self._stretches.seconds(hedge.id, now_s, so=so, counts=serves)
        if alone_s <= ALERT_AFTER_S + GRACE_S:
            return
        asked = {"mark": self._marks[hedge.id], "hedge": hedge.id, "symbol": hedge.symbol}
        if not self._ledger.rows(_TOLD, **asked) and not self._was_told(hedge):
            self._broken(
                PROMISE,
                f"{hedge.symbol} stood alone for a minute and {GRACE_S:.0f} s of a process that"
                f" served, hedge {hedge.id} showed it, and nobody was alerted",
            )

    def _escalated(self, hedge: Held, now_s: float, *, serves: bool) -> None:
        key = ("escalated", hedge.id)
        so = hedge.state == "escalated"
        waits_s = self._stretches.seconds(key, now_s, so=so, counts=serves)
        if waits_s > ESCALATED_S and not self._was_told(hedge):
            self._broken(PROMISE, f"hedge {hedge.id} waits for a person whom nobody told")

    def _was_told(self, hedge: Held) -> bool:
        if hedge.state != "escalated":
            return False
        return bool(self._ledger.rows(_ESCALATION, hedge=hedge.id))
