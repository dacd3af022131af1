"""
What is owed where a venue breaks what it declares: a person is alerted, and it ends in time.

Nobody can hold a hedge together by answers that are not true. So what counts is the time after
the venues have come to be true again: at most ``TRUE_AGAIN_S`` seconds in which a process runs, the
venues answer and what stands alone could be taken off.
"""

from collections.abc import Callable, Container
from typing import Protocol

from hedger.settings import Jobs
from hedger.settings_recovery import Recovery

NAKED_MAX_S = 120.0
LOOK_S = Jobs().reconcile.interval_s
assert LOOK_S is not None
BELIEF_S = Recovery().forgotten_span_s
TRUE_AGAIN_S = BELIEF_S + 2 * LOOK_S + NAKED_MAX_S
"""
A venue that agrees with itself and not with our record is believed after looks that span
``BELIEF_S``; the first of them may come ``LOOK_S`` late, and so may the last. From then on the
other leg comes off as fast as any.
"""

_TOLD = """
    SELECT 1 FROM alerts LEFT JOIN hedges ON hedges.id = alerts.hedge_id
    WHERE alerts.seq > :mark AND (
        hedges.symbol LIKE :symbol || '%'
        OR alerts.hedge_id IS NULL AND (alerts.text LIKE '% ' || :symbol || '%'
            OR alerts.text LIKE 'x10 is in doubt%' OR alerts.text LIKE 'lighter is in doubt%')
    )
    UNION ALL SELECT 1 FROM alerts JOIN hedges ON hedges.id = alerts.hedge_id
    WHERE hedges.symbol LIKE :symbol || '%' AND hedges.state = 'escalated'
    LIMIT 1
"""
_OF_HEDGE = "SELECT 1 FROM alerts WHERE hedge_id = :hedge AND seq > :mark LIMIT 1"

One = Callable[..., int | None]
"""The first column of the first row of a query of the ledger (``oracle.Oracle.one``)."""


class Leg(Protocol):
    """What stood alone (``truth.Span``)."""

    @property
    def symbol(self) -> str: ...
    @property
    def available_s(self) -> float: ...
    @property
    def stuck_s(self) -> float: ...
    @property
    def true_s(self) -> float: ...


class Beyond:
    """The judge of one world in which venues are not always true."""

    def __init__(self, one: One, broken: Callable[[str, str], None]) -> None:
        self._one = one
        self._broken = broken
        self._marks: dict[str, int] = {}
        self._heard: set[str] = set()  # told by a ledger that is no more
        self._odd: dict[tuple[str, str], tuple[str, int]] = {}  # orders, their hedge, a mark

    def began(self, symbol: str) -> None:
        """A leg stands alone from now on: what a person is told of it comes later."""
        self._marks[symbol] = self._mark()
        self._heard.discard(symbol)

    def leave_ledger(self) -> None:
        """Another one is about to be read: what a person was told by this one they were told."""
        self._heard |= {symbol for symbol in self._marks if self._told(symbol)}
        self._odd = {key: odd for key, odd in self._odd.items() if not self._told_of(*odd)}

    def begin_anew(self) -> None:
        """Another ledger is read, whose alerts are counted from its own last one."""
        last = self._mark()
        self._marks = {symbol: min(mark, last) for symbol, mark in self._marks.items()}
        self._odd = {key: (hedge, min(mark, last)) for key, (hedge, mark) in self._odd.items()}

    def ended(self, span: Leg) -> None:
        """It is over, or the world is."""
        if span.available_s - span.stuck_s > NAKED_MAX_S and not self._told(span.symbol):
            self._broken(
                "4 alert",
                f"{span.symbol} stood alone for {span.available_s:.1f} s available, and nobody"
                " was told of it",
            )
        if span.true_s - span.stuck_s > TRUE_AGAIN_S:
            self._broken(
                "4 bounded",
                f"{span.symbol} stood alone for {span.true_s:.1f} s after the venues were true"
                f" again, at most {TRUE_AGAIN_S:g}",
            )

    def odd(self, venue: str, client_id: str, hedge: str) -> None:
        """An order of ours has filled further after its end, or more than was asked."""
        self._odd.setdefault((venue, client_id), (hedge, self._mark()))

    def finish(self, unseen: Container[str]) -> None:
        """
        Whoever was owed an alarm has it; ``unseen`` are orders whose fills and positions their
        venue has lost for ever before anybody had to have read them.
        """
        for (venue, client_id), (hedge, mark) in self._odd.items():
            if client_id not in unseen and not self._told_of(hedge, mark):
                self._broken(
                    "4 alert", f"{venue} {client_id} of {hedge} filled as none may, and nobody was"
                    " told of it"
                )  # fmt: skip

    def _mark(self) -> int:
        return self._one("SELECT max(seq) FROM alerts") or 0

    def _told_of(self, hedge: str, mark: int) -> bool:
        return self._one(_OF_HEDGE, hedge=hedge, mark=mark) is not None

    def _told(self, symbol: str) -> bool:
        if symbol in self._heard:
            return True
        return self._one(_TOLD, mark=self._marks.get(symbol, 0), symbol=symbol) is not None
