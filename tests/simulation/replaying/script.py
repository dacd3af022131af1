"""
What has to happen in a world for a hedge to go through what it went through.

The n-th order meets what the n-th order met, as far as its end and its times tell that; the
process dies where another one took up; and somebody takes off of a leg what was taken off.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from adapters.sandbox.faults import Kind
from hedger.domain.order import Side
from hedger.ledger.lost import FORGOT
from tests.simulation.replaying.met import Met, met_by
from tests.simulation.replaying.recorded import (
    BY_HAND,
    VENUES,
    Mark,
    Recorded,
    amount,
    instant,
)

DOWN_S = (0.5, 60.0)
RACE_S = 0.05  # after an order's arrival; it is matched some tenths later
TAKEN_IN = frozenset({"filled", "partial", "zero", "refused"})
_LESS = re.compile(r"reduce|no.?position", re.IGNORECASE)
_NOT_SENT = re.compile(r"leg B was not sent|leg A was not proven|leg A filled")


@dataclass(frozen=True, slots=True)
class Death:
    """
    Once ``after`` stands in the ledger the process dies; if ``sent``, once the order is.

    ``down_s`` from then on, the next one has begun to write.
    """

    after: Mark
    sent: int  # the order; 0: it is not waited for
    down_s: float


@dataclass(frozen=True, slots=True)
class Blow:
    """
    Once ``after`` stands there, a leg comes to be ``left`` coins (signed).

    ``during``: not before this order is at its venue, and before it is matched; 0: at once.
    """

    after: Mark
    delay_s: float
    venue: str
    left: Decimal
    forced: bool
    during: int = 0


@dataclass(frozen=True, slots=True)
class Silence:
    """Between two marks nobody reaches a venue."""

    after: Mark
    until: Mark
    venue: str


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody asks for (close, rollback) once ``after`` stands there: the hedge is open."""

    what: str
    after: Mark


@dataclass
class Script:
    """Everything that is not the program's doing; ``not_played`` says what is missing."""

    mets: dict[int, Met] = field(default_factory=dict)
    deaths: list[Death] = field(default_factory=list)
    blows: list[Blow] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)  # by hand, each once the hedge is open
    not_played: list[str] = field(default_factory=list)

    @property
    def beyond(self) -> bool:
        """Whether a venue broke what it declares: an end that was none."""
        doors = (met.door for met in self.mets.values() if met.door is not None)
        late = any(door.kind is Kind.LATE_REST for door in doors)
        return late or any(met.late_s for met in self.mets.values())


def script_of(told: Recorded) -> Script:
    """Find out what happened from what was recorded."""
    script = Script()
    script.deaths = list(_deaths(told, script))
    script.blows = list(_blows(told, script))
    raced = {blow.during for blow in script.blows}
    pending = {n for death in script.deaths if (n := _pending(told, death.after.epoch))}
    for order in told.orders:
        met = met_by(order, told, script.not_played, died=order.number in pending)
        if met is not None and order.number not in raced:
            script.mets[order.number] = met
    script.silences = list(_silences(told, script))
    script.acts = list(_acts(told))
    return script


# -- deaths -------------------------------------------------------------------------------------


def _pending(told: Recorded, epoch: int) -> int | None:
    """The order whose end was not known when a process ended."""
    intents = [m.order for m in told.marks if m.what[0] == "intent" and m.epoch <= epoch]
    ended = {m.order for m in told.marks if m.what[0] == "outcome" and m.epoch <= epoch}
    left = [number for number in intents if number not in ended]
    return left[-1] if left else None


def _deaths(told: Recorded, script: Script) -> Iterator[Death]:
    """Where a process ended that had written of this hedge, and another went on."""
    epochs = sorted({mark.epoch for mark in told.marks})
    starts = {row["epoch"]: instant(row["first_at"]) for row in told.raw["epochs"]}
    for epoch, following in pairwise(epochs):
        last = [mark for mark in told.marks if mark.epoch == epoch][-1]
        first = next(mark for mark in told.marks if mark.epoch == following)
        began = min(starts.get(following, first.at), first.at)
        down_s = (began - last.at).total_seconds()
        if down_s > DOWN_S[1]:
            script.not_played.append(
                f"no process ran for {down_s:.0f} s after start {epoch}; here it is {DOWN_S[1]:.0f}"
            )
        pending = _pending(told, epoch)
        order = next((o for o in told.orders if o.number == pending), None)
        taken_in = order is not None and order.state in TAKEN_IN
        yield Death(last, (pending or 0) if taken_in else 0, min(max(down_s, DOWN_S[0]), DOWN_S[1]))


# -- by hand, and by others ---------------------------------------------------------------------


def _acts(told: Recorded) -> Iterator[Act]:
    """What somebody or a rule asked for once the hedge was open."""
    opened: Mark | None = None
    for mark in told.marks:
        if mark.what[0] == "state" and mark.what[2] == "open":
            opened = mark
        if opened is None or mark.what[:2] != ("state", "open"):
            continue
        if mark.what[2] == "closing":
            yield Act("close", opened)
        elif mark.what[2] == "converging" and mark.text.startswith(BY_HAND):
            yield Act("rollback", opened)


def _silences(told: Recorded, script: Script) -> Iterator[Silence]:
    """Where leg B was not sent, or nothing taken off, because a venue could not be read."""
    for before, mark in pairwise(told.marks):
        if mark.what == ("state", "closing", "open"):
            script.not_played.append(f"it was not closed then: {mark.text}")
        opening = mark.what[1] in {"opening_a", "opening_b"} and mark.what[2] == "converging"
        if mark.what[0] != "state" or not opening or not _NOT_SENT.match(mark.text):
            continue
        named = next((v for v in VENUES if f": {v}:" in mark.text), None)
        if named is None and ("not proven" in mark.text or "too long" in mark.text):
            named = str(told.hedge["venue_a" if "not proven" in mark.text else "venue_b"])
        if named is not None:
            yield Silence(before, mark, named)
        elif "too little for leg B" not in mark.text:
            script.not_played.append(f"why leg B was not sent: {mark.text}")


def _blows(told: Recorded, script: Script) -> Iterator[Blow]:
    """Where a venue held another size than our fills made, and that was believed."""
    forced = {
        row["text"].partition(" ")[0] for row in told.raw["events"] if row["kind"] == "forced"
    }
    gone: dict[str, Decimal] = {}
    for row in told.raw["events"]:
        if not row["about_hedge"]:
            continue
        if row["kind"] == FORGOT:
            script.not_played.append("a venue forgot what it had executed")
        if row["kind"] != "position_differs":
            continue
        venue, left = row["data"]["venue"], amount(row["data"]["read"])
        if (less := amount(row["data"]["booked"]) - left) == gone.get(venue):
            continue  # the same is still gone
        gone[venue] = less
        raced = _raced(told, venue, instant(row["at"]))
        if raced is not None:
            number = raced.order or 0
            left -= _traded(told, venue, number, instant(row["at"]))
            yield Blow(raced, RACE_S, venue, left, venue in forced, during=number)
            continue
        steps = [m for m in told.marks if m.what[0] == "state" and m.at <= instant(row["at"])]
        opened = [mark for mark in steps if mark.what[2] == "open"]
        since = steps[steps.index(opened[-1]) + 1 :] if opened else steps
        by_hand = [mark for mark in since if mark.what[2] == "closing" or BY_HAND in mark.text]
        if opened and not by_hand:
            yield Blow(opened[-1], 2.0, venue, left, venue in forced)
        elif steps:
            yield Blow((by_hand or steps)[-1], 0.05, venue, left, venue in forced)


def _raced(told: Recorded, venue: str, until: datetime) -> Mark | None:
    """
    The intent of the last reducing order that found less to reduce than it was made for.

    Those before it are rejected for that, though here there is still enough.
    """
    cut = [o.number for o in told.orders if o.venue == venue and _LESS.search(o.status)]
    found = None
    for mark in told.marks:
        if mark.at <= until and mark.what[0] == "intent" and mark.order in cut:
            found = mark
    return found


def _traded(told: Recorded, venue: str, since: int, until: datetime) -> Decimal:
    """What orders from ``since`` on had executed on a venue by then, in signed coins."""
    ended = {mark.order for mark in told.marks if mark.what[0] == "outcome" and mark.at <= until}
    return sum(
        (
            Side(order.side).sign * order.filled
            for order in told.orders
            if order.venue == venue and order.number >= since and order.number in ended
        ),
        Decimal(0),
    )
