"""
Promise 3, where a venue does more than it was asked: a person is told, and its openings end.

What an order of ours traded is held against the size that its intent asked for, in coins, as
the engine has it: so it does not matter whether the venue filled too much or we signed too much.

It is told as it is booked, so the bound and the seconds that count are those of a fill
(``booked.py``).

A venue may forget a trade before anybody could read it. Nobody can be told of what is not there to
be seen: the time goes on once the venue shows it again.
"""

from collections.abc import Callable
from decimal import Decimal

from tests.simulation.oracles.booked import bound_s
from tests.simulation.oracles.parts import ZERO, Broken, Ledger, Sent, Stretches

PROMISE = "3 more than asked"
_TOLD = "SELECT 1 FROM alerts WHERE hedge_id = :hedge AND text LIKE '%' || :order || '%' LIMIT 1"
_OFF = "SELECT 1 FROM meta WHERE key = 'switch:venue:' || :venue AND value <> ''"
_RESUMED = """
    SELECT 1 FROM events WHERE kind = 'switched_on' AND text LIKE 'venue:' || :venue || ' %'
    AND seq > (SELECT max(seq) FROM events WHERE kind = 'drift' AND hedge_id = :hedge
        AND text LIKE '%' || :order || ':%')
    LIMIT 1
"""
_KNOWN = "SELECT id FROM hedges"
_DRIFT = """
    SELECT 1 FROM events WHERE kind = 'drift' AND hedge_id = :hedge
    AND text LIKE '%' || :order || '%' LIMIT 1
"""
_ORDER = "SELECT 1 FROM orders WHERE venue = :venue AND client_id = :client_id"


class Overfilled:
    """
    Watches the trades of every order that was sent; ``shown`` is how much of an order the trades
    make that its venue has not forgotten, ``untrue`` as in ``booked.Booked``.
    """

    def __init__(
        self,
        shown: Callable[[str, str], Decimal],
        untrue: Callable[[float], bool],
        ledger: Ledger,
        broken: Broken,
    ) -> None:
        self._shown = shown
        self._untrue = untrue
        self._ledger = ledger
        self._broken = broken
        self._sent: dict[tuple[str, str], Sent] = {}
        self._traded: dict[tuple[str, str], Decimal] = {}
        self._traded_at: dict[tuple[str, str], float] = {}  # for the last time
        self._untold: dict[tuple[str, str], Sent] = {}
        self._told: dict[str, tuple[Sent, frozenset[str]]] = {}  # and the hedges of that moment
        self._stretches = Stretches()

    def sent(self, sent: Sent) -> None:
        """An order leaves: on a venue of which that was told, none that opens a new hedge."""
        self._sent[sent.venue, sent.client_id] = sent
        if sent.purpose != "open" or sent.venue not in self._told:
            return
        over, known = self._told[sent.venue]
        if sent.hedge in known:
            return  # it had been begun before
        if self._ledger.rows(_RESUMED, venue=sent.venue, hedge=over.hedge, order=over.order):
            del self._told[sent.venue]
            return
        self._broken(
            PROMISE, f"{sent.order} opens on {sent.venue}, which executed too much of {over.order}"
        )

    def traded(self, venue: str, client_id: str, size: Decimal, available_s: float) -> None:
        """An order of ours traded so much."""
        key = (venue, client_id)
        if key not in self._sent:
            return
        self._traded[key] = self._traded.get(key, ZERO) + size
        self._traded_at[key] = available_s
        if self._traded[key] > self._sent[key].size:
            self._untold.setdefault(key, self._sent[key])

    def look(self, now_s: float, *, counts: bool) -> None:
        """Whether it was told by now."""
        for key in tuple(self._untold):
            over = self._untold[key]
            if self._is_told(over):
                known = frozenset(str(id_) for (id_,) in self._ledger.rows(_KNOWN))
                self._told.setdefault(over.venue, (over, known))
            elif not self._is_due(over, now_s, counts=counts):
                continue
            else:
                self._broken(PROMISE, self._text(over))
            del self._untold[key]
            self._stretches.seconds(key, now_s, so=False)

    def other_ledger(self) -> None:
        """
        Another ledger stands in the place of the one that it was told in. The switch went with
        that one, as everything in it, and nothing could know of it. Who has the order's row
        learns its end anew and tells of it anew; where the row is gone, too, nobody knows what
        was asked.
        """
        self._stretches = Stretches()
        for venue, (over, _) in tuple(self._told.items()):
            if not self._ledger.rows(_DRIFT, hedge=over.hedge, order=over.order):
                del self._told[venue]
                self._untold[over.venue, over.client_id] = over
        for key, over in tuple(self._untold.items()):
            if not self._ledger.rows(_ORDER, venue=over.venue, client_id=over.client_id):
                del self._untold[key]

    def owes(self) -> bool:
        """Whether something may still come to be told in time."""
        return any(self._is_shown(over) for over in self._untold.values())

    def finish(self) -> None:
        """At the end everything was told."""
        for over in self._untold.values():
            if self._is_shown(over) and not self._is_told(over):
                self._broken(PROMISE, self._text(over))

    def _is_due(self, over: Sent, now_s: float, *, counts: bool) -> bool:
        counts = counts and self._is_shown(over)
        key = over.venue, over.client_id
        waits_s = self._stretches.seconds(key, now_s, so=True, counts=counts)
        untrue = self._untrue(self._traded_at[key])
        return waits_s > bound_s(over.order, self._ledger, untrue=untrue)

    def _is_shown(self, over: Sent) -> bool:
        return self._shown(over.venue, over.client_id) > over.size

    def _is_told(self, over: Sent) -> bool:
        alert = self._ledger.rows(_TOLD, hedge=over.hedge, order=over.order)
        return bool(alert) and (
            bool(self._ledger.rows(_OFF, venue=over.venue))
            or bool(
                self._ledger.rows(_RESUMED, venue=over.venue, hedge=over.hedge, order=over.order)
            )
        )

    def _text(self, over: Sent) -> str:
        traded = self._traded[over.venue, over.client_id]
        return (
            f"{over.order} was to be {over.size} {over.symbol} on {over.venue}, {traded} were"
            " traded, and no alert says so, or the venue is still opened on"
        )
