"""
The judge of the second half of promise 4: past a minute of a leg alone, a person is alerted.

Only available time counts, as for the limit itself. An alert is a row of the ledger that was
written since the leg was alone and is about this market; a hedge that is escalated has had its
alert, which stands until the hedge is at rest again. What was told in a ledger in the place of
which another one stands was told.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

ALERT_AFTER_S = 60.0
GRACE_S = 10.0
"""
Two turns of the daemon's own watch, which looks every 5 s: between them a process may
die, or its disk may be full, and the clocks of two lives differ by up to 3 s.
"""

TOLD = """
    SELECT 1 FROM alerts LEFT JOIN hedges ON hedges.id = alerts.hedge_id
    WHERE alerts.seq > :mark AND (
        hedges.symbol LIKE :symbol || '%'
        OR alerts.hedge_id IS NULL
        AND (alerts.text LIKE '% ' || :symbol || '%' OR alerts.text LIKE '%is in doubt%')
    )
    UNION ALL SELECT 1 FROM alerts JOIN hedges ON hedges.id = alerts.hedge_id
    WHERE hedges.symbol LIKE :symbol || '%' AND hedges.state = 'escalated'
    LIMIT 1
"""
"""A market that a venue has renamed is hedged under that name by who has lost its ledger."""


class Spans(Protocol):
    """What is naked now (``truth.Truth``)."""

    def open_s(self, symbol: str) -> float | None:
        """Available seconds of the span that goes on; None when there is none."""

    def number(self, symbol: str) -> int:
        """Counts the spans of a market."""


class Ledger(Protocol):
    """The committed rows (``oracle.Oracle``)."""

    def one(self, query: str, **values: object) -> int | None:
        """The first column of the first row."""


@dataclass(frozen=True, slots=True)
class _Watch:
    """
    A leg that stands alone, and of which nobody is known to have been told.

    It is span ``number`` of its market; an alert is owed past ``since_s`` of its available seconds,
    and is one after ``mark``.
    """

    number: int
    mark: int
    since_s: float


class Alarms:
    """Looks at every leg that stands alone, once its minute is over."""

    def __init__(self, spans: Spans, ledger: Ledger, broken: Callable[[str, str], None]) -> None:
        self._spans = spans
        self._ledger = ledger
        self._broken = broken
        self._watches: dict[str, _Watch] = {}

    def began(self, symbol: str) -> None:
        """A leg stands alone from now on."""
        self._watches[symbol] = _Watch(self._spans.number(symbol), self._mark(), 0.0)
        self._later(symbol, ALERT_AFTER_S + GRACE_S)

    def leave_ledger(self) -> None:
        """Another one is about to be read: what a person was told by this one they were told."""
        for symbol, watch in tuple(self._watches.items()):
            if self._open_s(symbol) is None or self._is_told(symbol, watch):
                del self._watches[symbol]

    def begin_anew(self) -> None:
        """
        Another ledger is read, which does not know since when a leg stands alone: it has a minute
        of its own, and its alerts are counted from its own last one.
        """
        for symbol, watch in self._watches.items():
            since_s = self._open_s(symbol) or 0.0
            self._watches[symbol] = replace(watch, mark=self._mark(), since_s=since_s)

    def _later(self, symbol: str, seconds: float) -> None:
        number = self._watches[symbol].number
        asyncio.get_running_loop().call_later(max(seconds, 0.001), self._look, symbol, number)

    def _look(self, symbol: str, number: int) -> None:
        watch = self._watches.get(symbol)
        if watch is None or watch.number != number:
            return  # it was told, or it ended; another one has its own turn
        alone_s = self._open_s(symbol)
        if alone_s is None:
            return
        left_s = ALERT_AFTER_S + GRACE_S - (alone_s - watch.since_s)
        if left_s > 0:
            self._later(symbol, left_s)
        elif not self._is_told(symbol, watch):
            self._broken(
                "4 alert",
                f"{symbol} stood alone for {alone_s:.0f} s available and nobody was alerted",
            )

    def _open_s(self, symbol: str) -> float | None:
        """Available seconds of the span that is watched; None where it is over."""
        is_over = self._spans.number(symbol) != self._watches[symbol].number
        return None if is_over else self._spans.open_s(symbol)

    def _is_told(self, symbol: str, watch: _Watch) -> bool:
        return self._ledger.one(TOLD, mark=watch.mark, symbol=symbol) is not None

    def _mark(self) -> int:
        return self._ledger.one("SELECT max(seq) FROM alerts") or 0
