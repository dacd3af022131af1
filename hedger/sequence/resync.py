"""
One lane and what its venue says: compared between orders, and brought back into step.

What the venue says is judged as follows (reliability.md §2.6):

* as we: in step;
* behind, within the read lag of our last use: normal;
* behind, for longer: a gap. Fillers use up the nonces that it waits for;
* ahead: someone else uses the key. Alarm, pause, and on from where two readings agree.
"""

from collections.abc import Callable

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import VenueId
from hedger.errors import VenueError
from hedger.ledger.records import LaneState
from hedger.ledger.store import Store
from hedger.sequence.gaps import UnheardError, fill, waited_for
from hedger.sequence.held import Held
from hedger.settings_sequence import Sequence as Rules
from hedger.urgency import overlapping


class Resync:
    """Asks the venue about one lane at a time; its caller has the lane's turn."""

    def __init__(
        self, store: Store, *, clock: Clock, rules: Rules, lag_s: Callable[[VenueId], float]
    ) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._lag_s = lag_s

    # -- between orders ---------------------------------------------------------------------

    async def asked(self, held: Held) -> int | None:
        """
        One reading; None where none is needed, or where the lane cannot be read.

        That is left for the next time: it holds nothing else up.
        """
        if held.troubled:
            return None
        try:
            return await self._read(held)
        except VenueError as error:
            logger.warning("lane {} cannot be checked: {}", held.lane.id, error)
            return None

    def out_of_step(self, held: Held, remote: int | None) -> bool:
        """
        Whether a lane has to be resynchronised; it is paused from here on if the venue says so.

        ``remote`` is what ``asked`` heard since the lane was last used.
        """
        if held.troubled:
            return True
        if remote is None:
            return False
        held.used = False
        ours = held.values.following()
        quiet_s = self._clock.monotonic_s() - held.last_use_s
        if remote == ours:
            held.checked_s = self._clock.monotonic_s()
        out = remote > ours or (remote < ours and quiet_s > self._lag_s(held.venue.id))
        if out:
            self._differs(held, remote, ours)
        return out

    async def _read(self, held: Held) -> int:
        """What the venue expects next."""
        return await overlapping(lambda: held.venue.next_nonce(held.lane.id), self._clock)

    def _differs(self, held: Held, remote: int, ours: int) -> None:
        """The first sign that a lane is out of step; what it is about is told when it is known."""
        text = f"{held.venue.id} waits for nonce {remote} of lane {held.lane.id}, ours is {ours}"
        held.lane.pause("", text)

    # -- back into step ---------------------------------------------------------------------

    async def recover(self, held: Held, why: str) -> None:
        """
        Resynchronise a lane that is ours and on which nothing is in flight.

        Raises:
            VenueError: the venue cannot be asked, or its readings do not agree.
        """
        lane, fresh = held.lane, held.values.fresh
        held.doubt = held.doubt or why
        try:
            remote = await lane.agreed(lambda: self._read(held), held.seen)
            ours = held.values.following()
            if remote < ours:
                remote = await self._catch_up(held, remote, ours)
        except VenueError as error:
            if lane.state is LaneState.READY:
                lane.pause("lane_paused", f"lane {lane.id} is paused: {why}, and {error.detail}")
            raise
        expected = ours if held.refused is None else min(ours, held.refused)
        taken = remote - expected
        if taken > 0 and not fresh:
            self._drifted(held, expected, remote, taken)
        lane.resume(remote, why, since=expected)
        held.doubt, held.refused, held.seen, held.used = "", None, None, False
        held.unheard = None
        held.checked_s = self._clock.monotonic_s()

    async def _catch_up(self, held: Held, remote: int, ours: int) -> int:
        """The venue is behind: wait out its read lag, then use up what it waits for."""
        id_ = held.lane.id
        until_s = held.last_use_s + self._lag_s(held.venue.id)
        remote = await waited_for(held.venue, id_, ours, until_s, self._clock)
        return remote if remote >= ours else await self._fill(held, remote, ours)

    async def fill_below(self, held: Held, nonce: int) -> None:
        """
        Use up what the venue waits for before ``nonce``, whose order has no proof.

        Raises:
            VenueError: the venue cannot be asked, or still waits after the read lag.
        """
        remote = await self._read(held)
        if remote < nonce:
            await self._fill(held, remote, nonce)

    async def _fill(self, held: Held, remote: int, ours: int) -> int:
        """Use up what the venue waits for, up to what is ours."""
        id_, lag_s = held.lane.id, self._lag_s(held.venue.id)
        text = f"{held.venue.id} waits for nonce {remote} of lane {id_}, our next is {ours}"
        held.lane.pause("lane_gap", text, "gaps")
        gap, held.unheard = range(remote, ours), None
        try:
            return await fill(self._store, held.venue, id_, gap, clock=self._clock, lag_s=lag_s)
        except UnheardError as error:
            held.unheard = error.filler
            raise

    def _drifted(self, held: Held, expected: int, remote: int, taken: int) -> None:
        """Somebody else uses the key, or the ledger is older than the lane."""
        if self._store.overtaken and held.lane.resyncs == 0:
            text = (
                f"{taken} nonces of lane {held.lane.id} were used by what the ledger did not know:"
                f" its next was {expected}, {held.venue.id} says {remote}"
            )
            held.lane.pause("lane_behind", text)
            return
        text = (
            f"{taken} nonces of lane {held.lane.id} were used by somebody else: our next was"
            f" {expected}, {held.venue.id} says {remote}; give hedger an API key of its own"
        )
        alert = taken > self._rules.drift_tolerance
        held.lane.pause("lane_drift", text, "drifts", alert=alert)
