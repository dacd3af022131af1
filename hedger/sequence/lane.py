"""
One sequence lane: its turns, its state, and how it comes back into step.

                 two readings of the venue agree
    SYNCING ────────────────────────────────────► READY ──┐
       ▲                                                  │ a mismatch, a drift, a gap,
       └───────── drained: nothing is in flight ◄─ PAUSED ◄┘ or an order without proof

A lane knows nothing of venues and orders: it is given a reader. ``hedger.sequence.lanes`` makes
it a part of the program, ``hedger.sequence.carrier`` serves families with several values in
flight.
"""

import threading
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import LaneId, VenueId
from hedger.errors import UnavailableError
from hedger.ledger.records import CooledDown, LaneNote, LaneState
from hedger.sequence import owners
from hedger.sequence.cascade import LONGEST_S, QUIET_S, Cascade
from hedger.sequence.turns import Turns
from hedger.sequence.values import Values
from hedger.settings_sequence import Sequence as Rules

Read = Callable[[], Awaitable[int]]

AGREE_AFTER_S: Final = 0.5  # between two readings that have to agree
READINGS_MAX: Final = 12
DRAIN_S: Final = 60.0
DRAIN_LOOK_S: Final = 0.05


class Journal(Protocol):
    """Where a lane records what happens to it; the ledger."""

    @property
    def epoch(self) -> int: ...

    def note_lane(self, note: LaneNote) -> None: ...

    def lane_cooled(self, lane: LaneId, since: datetime) -> CooledDown | None: ...


class Lane:
    """
    The one manager of one sequence. ``take``, ``end`` and ``turns`` are safe from threads.

    Attributes:
        turns: who may be on the lane; ``width`` is how many values may be in flight.
        values: the family of the sequence.
        carries: which orders, in words, for ``hedger status``.
        reason: why it is in its state.
    """

    def __init__(
        self,
        lane: LaneId,
        values: Values,
        *,
        venue: VenueId,
        carries: str,
        journal: Journal,
        clock: Clock,
        rules: Rules,
        width: int = 1,
    ) -> None:
        owners.claim(journal, journal.epoch, lane, self)
        self.id = lane
        self.values = values
        self.venue = venue
        self.carries = carries
        self.turns = Turns(width)
        self.reason = "not asked yet"
        self.resyncs = 0
        self._journal = journal
        self._clock = clock
        self._rules = rules
        self._state = LaneState.SYNCING
        self._mutex = threading.Lock()
        self._in_flight: set[int] = set()
        self._cascade = Cascade(limit=rules.max_consecutive_errors, cool_down_s=rules.cool_down_s)
        self._paused_s: float | None = None  # since when it is out of step
        self._take_up()

    @property
    def state(self) -> LaneState:
        """Whether values are given now."""
        return self._state

    @property
    def in_flight(self) -> frozenset[int]:
        """Values that were taken and have no end yet."""
        with self._mutex:
            return frozenset(self._in_flight)

    # -- values -----------------------------------------------------------------------------

    def take(self) -> int:
        """
        The next value; it is in flight until ``end``.

        Raises:
            UnavailableError: the lane is not ready.
        """
        with self._mutex:
            if self._state is not LaneState.READY:
                raise UnavailableError(
                    self.venue, f"lane {self.id} is {self._state}: {self.reason}"
                )
            value = self.values.following(sorted(self._in_flight))
            self._in_flight.add(value)
            return value

    def end(self, value: int) -> None:
        """What became of the value stands in the ledger; it is no longer in flight."""
        with self._mutex:
            self._in_flight.discard(value)

    # -- trouble ----------------------------------------------------------------------------

    def _take_up(self) -> None:
        """
        Go on with the cool-down in which an earlier process left the lane, if it still runs.

        A clock that was set back meanwhile makes it no longer than it was. How often there was
        one in a row counts on even if it is over; errors since then are not known here.
        """
        now = self._clock.now()
        last = self._journal.lane_cooled(self.id, now - timedelta(seconds=QUIET_S + LONGEST_S))
        if last is None:
            return
        if last.until is None:  # it was over when the lane was heard of last
            left_s = min(0.0, last.seconds - (now - last.at).total_seconds())
        else:
            left_s = (last.until - now).total_seconds()
        left_s = self._cascade.resume(
            self._clock.monotonic_s(), left_s=min(left_s, last.seconds), times=last.times
        )
        if left_s > 0:
            logger.warning("lane {} still opens nothing for {:.0f} s after errors", self.id, left_s)

    def cooling_s(self) -> float:
        """How long openings are still held back."""
        return self._cascade.remaining_s(self._clock.monotonic_s())

    def succeeded(self) -> None:
        """The venue took a value as the right one."""
        self._cascade.succeeded()

    def pause(self, kind: str, text: str, *counted: str, alert: bool = False) -> None:
        """Give no value until the lane is resynchronised."""
        if self._paused_s is None:
            self._paused_s = self._clock.monotonic_s()
        level = "error" if alert else "warning"
        self.tell(kind, text, *counted, state=LaneState.PAUSED, level=level, alert=alert)

    def failed(self, text: str) -> None:
        """Count an error; after several in a row openings are held back for a while."""
        stop = self._cascade.failed(self._clock.monotonic_s())
        if stop is None:
            return
        self.tell(
            "lane_cool_down",
            f"lane {self.id} opens nothing for {stop.seconds:g} s after"
            f" {self._rules.max_consecutive_errors} errors in a row, the last one: {text}",
            "cool_downs",
            state=self._state,
            level="warning",
            alert=stop.escalates,
            cool_down_s=stop.seconds,
            times=stop.times,
        )

    def tell(
        self,
        kind: str,
        text: str,
        *counted: str,
        state: LaneState,
        level: str = "info",
        alert: bool = False,
        **data: object,
    ) -> None:
        """Go to a state, with the event that says why; ``kind`` empty: no event."""
        self._state, self.reason = state, text
        if level != "info":
            logger.log(level.upper(), "{}", text)
        cooling_s = self.cooling_s()
        until = self._clock.now() + timedelta(seconds=cooling_s) if cooling_s > 0 else None
        self._journal.note_lane(
            LaneNote(
                lane=self.id,
                venue=self.venue,
                carries=self.carries,
                state=state,
                reason=text,
                cool_down_until=until,
                counted=counted,
                kind=kind,
                text=text,
                level=level,
                alert=alert,
                data=data,
            )
        )

    # -- back into step ---------------------------------------------------------------------

    async def drain(self) -> None:
        """
        Wait until nothing is in flight.

        Raises:
            UnavailableError: something still is after a minute.
        """
        began_s = self._clock.monotonic_s()
        while self.in_flight:
            if self._clock.monotonic_s() - began_s > DRAIN_S:
                raise UnavailableError(
                    self.venue, f"lane {self.id}: {len(self.in_flight)} values have no end yet"
                )
            await self._clock.sleep(DRAIN_LOOK_S)

    async def agreed(self, read: Read, seen: tuple[int, float] | None = None) -> int:
        """
        What the venue expects next, said by two readings in a row.

        ``seen`` is a reading from before and when it was made; one that is too fresh is none.

        Raises:
            VenueError: it could not be read.
            UnavailableError: its readings do not agree.
        """
        now_s = self._clock.monotonic_s()
        last = seen[0] if seen is not None and now_s - seen[1] >= AGREE_AFTER_S else None
        for _ in range(READINGS_MAX + 1):
            now = await read()
            if now == last:
                return now
            last = now
            await self._clock.sleep(AGREE_AFTER_S)
        raise UnavailableError(
            self.venue, f"lane {self.id}: {READINGS_MAX} readings in a row do not agree"
        )

    def resume(
        self, expected: int | None, why: str, *, since: int | None = None
    ) -> tuple[int, int]:
        """
        Take over what was agreed on and give values again; the next one before and after.

        ``since`` is the value at which it went wrong, where that is known better.
        """
        before, after = self.values.correct(expected)
        if since is not None:
            before = since
        self.resyncs += 1
        now_s = self._clock.monotonic_s()
        took_s = 0.0 if self._paused_s is None else now_s - self._paused_s
        self._paused_s = None
        shown = [self.values.shown(value) for value in (before, after)]
        level = "warning" if before != after else "info"
        self.tell(
            "lane_resync",
            f"sequence {shown[0]} to {shown[1]} of {self.id}: {why}",
            "resyncs",
            state=LaneState.READY,
            level=level,
            # a dense sequence is no secret; of a time-based one only the last digits are shown
            before=shown[0] if self.values.gaps else before,
            after=shown[1] if self.values.gaps else after,
            out_of_step_s=round(took_s, 3),
        )
        return before, after
