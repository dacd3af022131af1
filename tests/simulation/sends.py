"""
The judge of the moment at which an order leaves: its age, its size, and the clock it is signed by.

It reads the committed intent and what the engines were a while ago (``past.py``).
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.simulation.faults import STALE_S, Ill
from tests.simulation.past import Clocks, Money, Positions
from tests.simulation.process import Process, now_s

if TYPE_CHECKING:
    from tests.simulation.world import World

IN_TIME = "1 in time"
"""An order leaves soon after its intent, or not at all: what it was decided by is old then."""
IN_TIME_S = 2.0

YOUNG = "2 young"
"""
The same bytes leave once more only while they are young: an old order that still executes is not
wanted any more. The answer is waited for before, which counts.
"""
YOUNG_S = 2.0 + 1.5

FRESH = "6 fresh"
"""
What reduces a leg is sized by a reading that began after the last order of its hedge had ended: it
never asks for more than the leg has been since then, but for what a reading may be late by, and
for less than a step (that of a minute ago, if it was coarser): what is no whole number of steps is
rounded up where the venue cuts an order down to the position.
"""

BY_CLOCK = "3 clock"
"""
An expiry is signed by what the venue's clock is: by answers of the last quarter of a minute. It is
never further from ours than that clock was meanwhile, or what is proven by it is not.
"""
REMEMBERED_S = 15.0
ASKED_S = 5.0  # before an order its venue was asked for something

RESERVED = "1 reserved"
"""
With the intent of an order that opens, its margin is set aside: all that unfinished hedges have set
aside on a venue is free there, by the latest reading of the balance that may count.
"""
BALANCE_S = 15.0  # between that reading and the order, with what it may be late by
FREE_SHARE = Decimal("1.02")  # prices move meanwhile

USUAL_LAG_S = 0.3
SLACK_S = 0.1
CLOCK_SLACK_S = 0.02

_ROW = (
    "SELECT seq, hedge_id, symbol, purpose, size, prepared_at, expires_at, order_expires_at, epoch"
    " FROM orders WHERE venue = :venue AND client_id = :client_id"
)
_RESERVED = "SELECT amount_usd FROM reservations WHERE venue = :venue"
_BEFORE = (
    "SELECT done_at, epoch FROM orders WHERE hedge_id = :hedge AND seq < :seq"
    " ORDER BY seq DESC LIMIT 1"
)
Rows = Callable[..., list[tuple[Any, ...]]]


def lag_s(ills: frozenset[Ill], *kinds: Ill) -> float:
    """By how much a reading may be late in a world with these kinds, in seconds."""
    return (STALE_S[1] if ills & frozenset(kinds) else USUAL_LAG_S) + SLACK_S


class Sends:
    """Is shown every order of ours as it leaves."""

    def __init__(self, world: "World", positions: Positions, money: Money, clocks: Clocks) -> None:
        self._world = world
        self._money = money
        self._positions = positions
        self._clocks = clocks
        self._first_s: dict[tuple[str, str], float] = {}
        ills = world.plan.ills
        self._lag_s = lag_s(ills, Ill.STALE_POSITION, Ill.STALE_ORDER)
        self._reads_true = not world.plan.beyond and Ill.HOSTILE not in ills
        self._steady = Ill.CLOCK_BACK not in ills  # our own clock, that is

    def sent(self, process: Process, venue: str, client_id: str) -> None:
        """An order leaves a process."""
        before_s = self._first_s.get((venue, client_id))
        if before_s is not None:
            if (age_s := now_s() - before_s) > YOUNG_S + SLACK_S:
                self._broken(YOUNG, f"{venue} {client_id} left again after {age_s:.1f} s")
            return
        self._first_s[venue, client_id] = now_s()
        rows = self._world.oracle.rows(_ROW, venue=venue, client_id=client_id)
        if not rows:
            return  # nothing leaves without an intent: told elsewhere
        seq, hedge, symbol, purpose, size, prepared_at, signed, meant, epoch = rows[0]
        if purpose == "open" and self._reads_true and self._world.poor:
            self._money.look()
            for one in ("x10", "lighter"):
                self._reserved(f"{venue} {client_id}", one)
        if self._steady:
            self._in_time(process, f"{venue} {client_id}", prepared_at)
            if venue == "x10" and self._reads_true:
                self._by_clock(process, f"{venue} {client_id}", signed, meant)
            if purpose != "open" and self._reads_true:
                market = self._world.market_aims.meant(symbol)
                order = (venue, client_id, market, Decimal(size))
                self._fresh(process, order, self._ended_at(hedge, seq, epoch))

    def _broken(self, promise: str, text: str) -> None:
        self._world.oracle.broken(promise, text)

    def _reserved(self, name: str, venue: str) -> None:
        amounts = self._world.oracle.rows(_RESERVED, venue=venue)
        reserved_usd = sum((Decimal(amount) for (amount,) in amounts), Decimal(0))
        free_usd = self._money.most(venue, now_s() - BALANCE_S)
        if reserved_usd > free_usd * FREE_SHARE:
            self._broken(
                RESERVED,
                f"{name} leaves with {reserved_usd:.2f} USD set aside on {venue}, of"
                f" {free_usd:.2f} that were free",
            )

    def _in_time(self, process: Process, name: str, prepared_at: str) -> None:
        age_s = now_s() - self._seconds(process, prepared_at)
        if age_s > IN_TIME_S + SLACK_S:
            self._broken(IN_TIME, f"{name} left {age_s:.1f} s after its intent")

    def _by_clock(self, process: Process, name: str, signed: str, meant: str) -> None:
        assumed_s = (datetime.fromisoformat(signed) - datetime.fromisoformat(meant)).total_seconds()
        since_s = now_s() - REMEMBERED_S - ASKED_S
        least_s, most_s = (ahead - process.skew_s for ahead in self._clocks.since(since_s))
        if min(0.0, least_s) - CLOCK_SLACK_S <= assumed_s <= max(0.0, most_s) + CLOCK_SLACK_S:
            return
        self._broken(
            BY_CLOCK,
            f"{name} was signed for a clock {assumed_s:.2f} s ahead, which was {least_s:.2f} to"
            f" {most_s:.2f} s ahead",
        )

    def _ended_at(self, hedge: str, seq: int, epoch: int) -> str | None:
        """When the order before it ended; None where this life does not know it."""
        rows = self._world.oracle.rows(_BEFORE, hedge=hedge, seq=seq)
        return rows[0][0] if rows and rows[0][1] == epoch else None

    def _fresh(
        self, process: Process, order: tuple[str, str, str, Decimal], ended_at: str | None
    ) -> None:
        venue, client_id, symbol, size = order
        if ended_at is None or self._world.truth.foreign.get((venue, symbol)):
            return
        since_s = self._seconds(process, ended_at) - self._lag_s
        most = max(abs(held) for held in self._positions.since(venue, symbol, since_s))
        if size >= most + self._world.truth.step(venue, symbol):
            self._broken(
                FRESH, f"{venue} {client_id} asks for {size} {symbol}, of which {most} were left"
            )

    def _seconds(self, process: Process, instant: str) -> float:
        """An instant of a process's clock on that of the loop."""
        since = datetime.fromisoformat(instant) - self._world.epoch
        return since.total_seconds() - process.skew_s
