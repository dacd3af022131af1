"""
The judge of the second half of promise 4: past a minute of a leg alone, a person is alerted.

Only available time counts, as for the limit itself. An alert is a row of the ledger that was
written since the leg was alone and is about this market; a hedge that is escalated has had its
alert, which stands until the hedge is at rest again.
"""

import asyncio
from collections.abc import Callable
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
        hedges.symbol = :symbol
        OR alerts.hedge_id IS NULL
        AND (alerts.text LIKE '% ' || :symbol || '%' OR alerts.text LIKE '%is in doubt%')
    )
    UNION ALL SELECT 1 FROM alerts JOIN hedges ON hedges.id = alerts.hedge_id
    WHERE hedges.symbol = :symbol AND hedges.state = 'escalated'
    LIMIT 1
"""


class Spans(Protocol):
    """What is naked now (``truth.Truth``)."""

    def open_s(self, symbol: str) -> float | None:
        """Available seconds of the span that goes on; None when there is none."""

    def number(self, symbol: str) -> int:
        """Counts the spans of a market."""


class Ledger(Protocol):
    """The committed rows (``oracle.Oracle``); ``ledgers`` counts those that were in use so far."""

    ledgers: int

    def one(self, query: str, **values: object) -> int | None:
        """The first column of the first row."""


class Alarms:
    """Looks at every leg that stands alone, once its minute is over."""

    def __init__(self, spans: Spans, ledger: Ledger, broken: Callable[[str, str], None]) -> None:
        self._spans = spans
        self._ledger = ledger
        self._broken = broken

    def began(self, symbol: str, since_s: float = 0.0) -> None:
        """A leg stands alone from now on, or has for so long: available seconds of its span."""
        mark = self._ledger.one("SELECT max(seq) FROM alerts") or 0
        number = self._spans.number(symbol)
        self._later(symbol, number, (self._ledger.ledgers, mark), since_s, ALERT_AFTER_S + GRACE_S)

    def _later(
        self, symbol: str, number: int, mark: tuple[int, int], since_s: float, seconds: float
    ) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(max(seconds, 0.001), self._look, symbol, number, mark, since_s)

    def _look(self, symbol: str, number: int, mark: tuple[int, int], since_s: float) -> None:
        alone_s = self._spans.open_s(symbol)
        if alone_s is None or self._spans.number(symbol) != number:
            return  # it ended; another one has its own turn
        if self._ledger.ledgers != mark[0]:
            self.began(symbol, alone_s)  # another ledger does not know since when: anew
            return
        left_s = ALERT_AFTER_S + GRACE_S - (alone_s - since_s)
        if left_s > 0:
            self._later(symbol, number, mark, since_s, left_s)
        elif self._ledger.one(TOLD, mark=mark[1], symbol=symbol) is None:
            self._broken(
                "4 alert",
                f"{symbol} stood alone for {alone_s:.0f} s available and nobody was alerted",
            )
