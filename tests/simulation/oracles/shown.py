"""
What a person is shown is so, or its doubt is said: `hedger status` against the engines.

The command's own code reads the ledger (``statusread.py``); it tells of moments past, so it is
asked only about markets on which nothing has changed for longer than the product may take to read
and to believe what it reads.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.simulation.oracles.parts import VENUES, ZERO, Broken, Ledger, Stretches

PROMISE = "7 shown"
STABLE_S = 35.0
"""
Seconds in which a process serves, both venues can be read and a market stays as it is: a regular
reconciliation, of which one begins every 30 s, and 5 s by which what it reads may be late.
"""
DOWN_S = 60.0
"""
A venue that has not answered for so long is said to be in doubt, or its legs to be unread: two
regular reconciliations.
"""
UNTOLD_S = DOWN_S + 5.0
"""
The same for a market that no venue tells under its own number: no reading of it is believed, and
its legs are said to be unread two regular reconciliations after the last one, which may be late.
"""
AGAIN_S = 60.0
AT_REST = frozenset({"open"})

_MARK = "SELECT coalesce(max(seq), 0) FROM alerts"
_SAID = """
    SELECT 1 FROM alerts LEFT JOIN hedges ON hedges.id = alerts.hedge_id
    WHERE alerts.seq > :mark
    AND (hedges.symbol = :symbol OR alerts.text LIKE '% ' || :symbol || '%')
    LIMIT 1
"""
_UNSETTLED = (
    "SELECT 1 FROM orders WHERE symbol = :symbol AND state IN ('prepared', 'unresolved') LIMIT 1"
)

Legs = tuple[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class Status:
    """
    What the command shows: rows of hedges, venues in doubt, markets it opens nothing on, and
    whether the ledger is said to be behind the venues, so that no hedge is known to be whole.
    """

    hedges: Iterable[Mapping[str, Any]]
    in_doubt: frozenset[str]
    blocked: frozenset[str]
    behind: bool = False

    def rows(self, symbol: str) -> Sequence[Mapping[str, Any]]:
        """
        The hedges that it shows on a market: more than one where the ledger was lost, and the
        market has another name on one venue by now.
        """
        return [row for row in self.hedges if row["symbol"] == symbol]


class Shown:
    """
    ``legs`` are what we hold of a market on both venues, ``naked`` how much of that has no second
    leg, by the engines; ``told`` says whether both venues tell what is held of it; ``status`` asks
    the product.
    """

    def __init__(
        self,
        legs: Callable[[str], Legs],
        naked: Callable[[str], Decimal],
        status: Callable[[], Status],
        ledger: Ledger,
        broken: Broken,
        *,
        told: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._legs = legs
        self._naked = naked
        self._told = told
        self._status = status
        self._ledger = ledger
        self._broken = broken
        self._stretches = Stretches()
        self._held: dict[str, Legs] = {}
        self._was: dict[str, tuple[Legs, bool]] = {}
        self._marks: dict[str, int] = {}  # the last alert before a market became as it is
        self._due: dict[str, float] = {}
        self.asked = 0

    def look(
        self, symbols: Iterable[str], now_s: float, *, readable: bool, down: Iterable[str],
        serves: bool,
    ) -> None:  # fmt: skip
        """
        Every market; ``readable``: a process serves, and both venues answer as they should.

        ``down`` are venues that do not answer while hedges live.
        """
        due = [symbol for symbol in symbols if self._is_due(symbol, now_s, readable=readable)]
        silent = [
            venue
            for venue in VENUES
            if self._stretches.seconds(("down", venue), now_s, so=venue in down, counts=serves)
            > DOWN_S
        ]
        silent = [venue for venue in silent if self._turn(f"down {venue}", now_s)]
        if due or silent:
            self.asked += 1
            shown = self._status()
            for symbol in due:
                self._judge(symbol, shown)
            for venue in silent:
                self._judge_silence(venue, shown)

    def answered(self, venue: str) -> None:
        """
        An answer has reached the program: also between two looks at which the venue is down, it
        has not been silent for all that time.
        """
        self._stretches.seconds(("down", venue), 0.0, so=False)

    def changed(self, symbol: str, held: Legs) -> None:
        """
        Where both accounts hold something else on a market, what was said of it before is no word
        about it. A payment for a position, or another account's order, changes nothing.
        """
        if self._held.get(symbol) != held:
            self._held[symbol] = held
            self._begin_anew(symbol)

    def _begin_anew(self, symbol: str) -> None:
        self._marks[symbol] = int(self._ledger.rows(_MARK)[0][0])
        self._was.pop(symbol, None)  # also where it is soon as it was

    def other_ledger(self) -> None:
        """Another ledger is read from now on: it was told nothing, and has all to read anew."""
        for symbol in tuple(self._marks):
            self._begin_anew(symbol)
        self._was.clear()

    def _is_due(self, symbol: str, now_s: float, *, readable: bool) -> bool:
        told = self._told(symbol)
        now = self._legs(symbol), told
        if self._was.get(symbol) != now:
            self._was[symbol] = now
            self._stretches.seconds(symbol, now_s, so=False)
            self._due.pop(symbol, None)
        stable_s = self._stretches.seconds(symbol, now_s, so=True, counts=readable)
        bound_s = STABLE_S if told else UNTOLD_S
        return readable and stable_s > bound_s and self._turn(symbol, now_s)

    def _turn(self, key: str, now_s: float) -> bool:
        if now_s < self._due.get(key, 0.0):
            return False
        self._due[key] = now_s + AGAIN_S
        return True

    def _judge_silence(self, venue: str, shown: Status) -> None:
        """A hedge that is shown at rest is said to agree with what its venues hold."""
        at_rest = [
            str(row["id"])
            for row in shown.hedges
            if row["state"] in AT_REST and venue not in (row["unread"] or "")
        ]
        if at_rest and venue not in shown.in_doubt:
            self._broken(
                PROMISE,
                f"{venue} has not answered for {DOWN_S:.0f} s and is in no doubt, though"
                f" {at_rest[0]} is shown open",
            )

    def _judge(self, symbol: str, shown: Status) -> None:
        rows = shown.rows(symbol)
        held = self._legs(symbol)
        a, b = (sum((Decimal(row[f"size_{leg}"]) for row in rows), ZERO) for leg in "ab")
        listed = a, b
        state = " and ".join(str(row["state"]) for row in rows) or "no hedge"
        if self._is_doubted(symbol, state, shown):
            return
        text = f"{symbol} is shown as {listed[0]} and {listed[1]}, {state}; the venues hold {held}"
        if listed != held:
            self._broken(PROMISE, text)
        elif state in AT_REST and self._naked(symbol) != ZERO and sum(listed) == ZERO:
            self._broken(PROMISE, f"{text}: it is not hedged")

    def _is_doubted(self, symbol: str, state: str, shown: Status) -> bool:
        """Whether it is said of this market, as it is now, that it is not as it should be."""
        if any(row["unread"] for row in shown.rows(symbol)):
            return True
        if shown.in_doubt or shown.behind or "escalated" in state:
            return True
        if any(f"{venue}:{symbol}" in shown.blocked for venue in VENUES):
            return True
        if self._ledger.rows(_UNSETTLED, symbol=symbol) and state not in AT_REST:
            return True
        return bool(self._ledger.rows(_SAID, mark=self._marks.get(symbol, 0), symbol=symbol))
