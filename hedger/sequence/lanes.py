"""
The lanes of the program: which nonce an order may carry, one order at a time per API key.

A lane is (venue, account, API key), and is kept from the allocation of a nonce until the end
of its order is known. Between orders the venue is asked: after every transaction, and at least
every ``refresh_interval_s``. What it says is judged as follows (reliability.md §2.6):

* as we: in step;
* behind, within the read lag of our last use: normal;
* behind, for longer: a gap. Fillers use up the nonces that it waits for;
* ahead: someone else uses the key. Alarm, pause, and on from where two readings agree.

A refused nonce (21104) pauses the lane; its order is followed to its proof first, and then the
lane is resynchronised, with the account's others that are out of step too (seed 001). After
several errors in a row openings are held back; a reduce-only order waits for no more than the
resynchronisation.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import LaneId, VenueId
from hedger.domain.order import Accepted, Answer, Filled, NoProof, Outcome, Purpose, Reason, Refused
from hedger.errors import UnavailableError, VenueError
from hedger.ledger.records import LaneState
from hedger.ledger.store import Store
from hedger.ports import Venue
from hedger.sequence.gaps import fill, use_up, waited_for
from hedger.sequence.lane import Lane
from hedger.sequence.slots import overlapping
from hedger.sequence.values import Dense
from hedger.sequence.words import ALL, CLOSES, OPENS, one_key_text
from hedger.settings_sequence import Sequence as Rules
from hedger.together import together

LONG_AGO_S: Final = float("-inf")


class LaneBusyError(UnavailableError):
    """Nothing was taken and nothing was sent: others were on the lane."""


@dataclass(slots=True)
class _Held:
    """A lane of the program, and what happened on it since the venue was last asked."""

    lane: Lane
    venue: Venue
    values: Dense
    last_use_s: float  # when a nonce may last have been used
    checked_s: float = LONG_AGO_S
    used: bool = False
    doubt: str = ""  # why it has to be resynchronised
    refused: int | None = None  # the nonce that the venue would not have
    seen: tuple[int, float] | None = None  # a reading while an order's end was sought, and when

    @property
    def account(self) -> tuple[VenueId, str]:
        return self.venue.id, self.venue.account


def _reason(held: _Held, why: str) -> str:
    """Why a lane is resynchronised: its own reason, if it has one."""
    first = held.lane.state is LaneState.SYNCING
    return held.doubt or ("first reading" if first else why)


class Lanes:
    """The one owner of every lane, in this process and (by the state lock) on this machine."""

    def __init__(
        self,
        store: Store,
        *,
        venues: Mapping[VenueId, Venue],
        clock: Clock,
        rules: Rules,
        lag_s: Callable[[VenueId], float],
    ) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._lag_s = lag_s
        self._held: dict[LaneId, _Held] = {}
        self._one_key: list[Venue] = []
        for venue in venues.values():
            self._add(venue)

    def _add(self, venue: Venue) -> None:
        opens, closes = venue.lane(Purpose.OPEN), venue.lane(Purpose.ROLLBACK)
        if opens is not None and opens == closes:
            self._one_key.append(venue)
            found = {opens: ALL}
        else:
            found = {lane: word for lane, word in ((opens, OPENS), (closes, CLOSES)) if lane}
        for id_, carries in found.items():
            values = Dense(lambda id_=id_: self._store.lane_high(id_))  # type: ignore[misc]  # bound now
            lane = Lane(
                id_,
                values,
                venue=venue.id,
                carries=carries,
                journal=self._store,
                clock=self._clock,
                rules=self._rules,
            )
            self._held[id_] = _Held(lane, venue, values, self._clock.monotonic_s())

    def announce(self) -> None:
        """Record every lane at the start of a process, and what one key for everything costs."""
        for held in self._held.values():
            text = "the venue is asked before the first order"
            held.lane.tell("", text, state=LaneState.SYNCING)
        for venue in self._one_key:
            text = one_key_text(venue.id)
            logger.warning("{}", text)
            self._store.event("one_key", text, level="warning", data={"venue": venue.id})

    # -- an order ---------------------------------------------------------------------------

    @asynccontextmanager
    async def hold(
        self, lane: LaneId | None, *, urgent: bool = False, patience_s: float | None = None
    ) -> AsyncIterator[None]:
        """
        Keep a lane to ourselves from allocation until the order's end is known.

        ``urgent`` goes before everything else that waits: what takes exposure off. At the end
        the venue is asked where the lane stands.

        Raises:
            LaneBusyError: it was not our turn within ``patience_s`` (None: wait for ever).
        """
        if lane is None:
            yield
            return
        held = self._held[lane]
        try:
            async with asyncio.timeout(patience_s):
                await held.lane.turns.acquire(urgent=urgent)
        except TimeoutError:
            raise LaneBusyError(held.venue.id, f"lane {lane} was busy for too long") from None
        try:
            try:
                yield
            finally:
                for value in held.lane.in_flight:
                    held.lane.end(value)
            await self._afterwards(held)
        finally:
            held.lane.turns.release()

    async def next_value(self, lane: LaneId | None, *, urgent: bool = False) -> int | None:
        """
        The nonce for the next order; call it inside ``hold``.

        Raises:
            UnavailableError: the lane holds openings back; never for an ``urgent`` order.
            VenueError: the venue had to be asked and did not answer.
        """
        if lane is None:
            return None
        held = self._held[lane]
        unknown = self._unknown(lane)
        if not urgent and (why := self._why_held(held, unknown)):
            raise UnavailableError(held.venue.id, why)
        if unknown or held.doubt or held.lane.state is not LaneState.READY:
            why = held.doubt or (f"order {unknown[0]} is unknown" if unknown else "first reading")
            await self._recover(held, why)
        held.used, held.seen = True, None
        await self._use_up_refused(held)
        return held.lane.take()

    async def _use_up_refused(self, held: _Held) -> None:
        """
        Let something harmless have the nonce of an order that the venue refused at the door.

        The refusal did not consume it. Were a copy of those bytes to come later (a proxy may
        deliver one twice), it would still be valid and might be taken then.

        Raises:
            VenueError: it is not known where the lane stands now.
        """
        lane = held.lane.id
        nonce = self._store.lane_refused(lane)
        if nonce is None or nonce != held.values.following():
            return
        answer = await use_up(self._store, held.venue, lane, nonce, clock=self._clock)
        if not isinstance(answer, Accepted):
            await self._recover(held, f"nonce {nonce}, which was refused, may be used or not")

    def answered(self, lane: LaneId | None, nonce: int | None, answer: Answer) -> None:
        """Take note of what the venue said to a send; its word about the nonce pauses the lane."""
        if lane is None or not isinstance(answer, NoProof) or answer.reason is not Reason.NONCE:
            return
        held = self._held[lane]
        held.refused, held.doubt = nonce, f"{held.venue.id} refused nonce {nonce}"
        text = f"lane {lane} is paused: {held.doubt}"
        held.lane.pause("lane_paused", text, "mismatches")
        held.lane.failed(answer.detail)

    def ended(self, outcome: Outcome) -> None:
        """Take note of the end of an order; one without proof pauses its lane."""
        lane = outcome.prepared.lane
        if lane is None:
            return
        held = self._held[lane]
        held.used, held.last_use_s = True, self._clock.monotonic_s()
        match outcome:
            case Filled():
                held.lane.succeeded()
            case Refused(dead=dead):
                if dead and not held.doubt:
                    held.doubt = f"order {outcome.prepared.order.id} is dead"
            case _:
                text = f"lane {lane} is paused: order {outcome.prepared.order.id} is unknown"
                held.lane.pause("lane_paused", text)

    def doubt(self, lane: LaneId | None) -> None:
        """It is unknown whether a cancel used its nonce: ask the venue first."""
        if lane is not None:
            held = self._held[lane]
            held.last_use_s = self._clock.monotonic_s()
            held.doubt = held.doubt or "a cancel was sent"

    def missed(self, lane: LaneId, why: str) -> None:
        """A committed transaction that is no order may not have used its nonce: ask the venue."""
        held = self._held[lane]
        held.last_use_s = self._clock.monotonic_s()
        held.doubt = held.doubt or why

    async def fill_below(self, lane: LaneId, nonce: int) -> None:
        """
        Use up what the venue waits for before ``nonce``, whose order has no proof.

        Nothing with that nonce can be executed before, neither the order nor its burn. Call it
        inside ``hold``.

        Raises:
            VenueError: the venue cannot be asked, or still waits after the read lag.
        """
        held = self._held[lane]
        remote = await self._read(held)
        if remote < nonce:
            await self._fill(held, remote, nonce)

    def seen(self, lane: LaneId, expected: int) -> None:
        """What the venue expected while an order's end was sought: a reading like any other."""
        self._held[lane].seen = expected, self._clock.monotonic_s()

    # -- between orders ---------------------------------------------------------------------

    def held_back(self) -> list[str]:
        """Why lanes take no opening order now, one sentence each."""
        reasons = []
        for held in self._held.values():
            if held.lane.carries == CLOSES:
                continue
            at_work = held.lane.turns.busy  # its order will have an end in a moment
            unknown = [] if at_work else self._unknown(held.lane.id)
            why = self._why_held(held, unknown)
            if not why and held.lane.state is LaneState.PAUSED:
                why = held.lane.reason
            if why:
                reasons.append(why)
        return reasons

    async def check(self, *, now: bool = False) -> None:
        """
        Ask the venues where the idle lanes stand, and bring back what is out of step.

        Only what was not asked for ``refresh_interval_s``, unless ``now``. A venue that does
        not answer is left for the next time.
        """
        for account in sorted({held.account for held in self._held.values()}):
            due = [
                held
                for held in self._held.values()
                if held.account == account and (now or self._due(held))
            ]
            try:
                await self._check(due)
            except VenueError as error:
                logger.warning("lanes of {} cannot be checked: {}", account[0], error)

    def _due(self, held: _Held) -> bool:
        age_s = self._clock.monotonic_s() - held.checked_s
        return held.lane.state is not LaneState.READY or age_s >= self._rules.refresh_interval_s

    async def _check(self, due: Sequence[_Held]) -> None:
        mine = [held for held in due if held.lane.turns.try_acquire()]
        try:
            idle = [held for held in mine if not self._unknown(held.lane.id)]
            await self._recover_all(await self._astray(idle), "found by the regular check")
        finally:
            for held in mine:
                held.lane.turns.release()

    async def _afterwards(self, held: _Held) -> None:
        """After a transaction: one reading, or the whole recovery where there was trouble."""
        used, held.used = held.used, False
        if self._unknown(held.lane.id):
            return  # its own order comes first
        try:
            if held.doubt or held.lane.state is LaneState.PAUSED:
                await self._recover_account(held)
            elif used and await self._ahead(held):
                await self._recover_all([held], "the venue is ahead of us", patient=False)
        except VenueError as error:
            logger.warning("lane {} is asked again later: {}", held.lane.id, error)

    async def _recover_account(self, held: _Held) -> None:
        """Resynchronise the lane, and those of its account that are out of step as well."""
        others = [
            other
            for other in self._held.values()
            if other is not held and other.account == held.account
        ]
        mine = [other for other in others if other.lane.turns.try_acquire()]
        try:
            ready = [o for o in mine if o.lane.state is LaneState.READY]
            why = held.doubt or held.lane.reason
            out, _ = await together((self._astray(ready), self._recovered(held, why)))
            self._tell_of_several([held, *out] if out else [])
            await together(self._recover(other, other.doubt or why, patient=False) for other in out)
        finally:
            for other in mine:
                other.lane.turns.release()

    async def _recovered(self, held: _Held, why: str) -> list[_Held]:
        """What is left of one lane whose order has ended: nothing."""
        await self._recover(held, why, patient=False)
        return []

    async def _recover_all(self, out: Sequence[_Held], why: str, *, patient: bool = True) -> None:
        self._tell_of_several(out)
        await together(self._recover(held, _reason(held, why), patient=patient) for held in out)

    def _tell_of_several(self, out: Sequence[_Held]) -> None:
        """The global form: the other lanes of the account are in doubt, too (seed 001)."""
        if len([held for held in out if held.lane.state is not LaneState.SYNCING]) > 1:
            names = ", ".join(held.lane.id for held in out)
            text = f"several lanes of {out[0].venue.id} are out of step, all are read: {names}"
            self._store.event("lane_global_resync", text, level="warning", data={"lanes": names})
            everything = [h for h in self._held.values() if h.account == out[0].account]
            for other in everything:
                if other not in out:
                    other.doubt = other.doubt or "other lanes of the account were out of step"

    async def _astray(self, idle: Sequence[_Held]) -> list[_Held]:
        """Those of the lanes, on which nothing is in flight, that have to be resynchronised."""
        answers = await together(self._out_of_step(held) for held in idle)
        return [held for held, out in zip(idle, answers, strict=True) if out]

    async def _out_of_step(self, held: _Held) -> bool:
        """
        Whether a lane has to be resynchronised; it is paused from here on if the venue says so.

        One that cannot be read is left for the next time: it holds nothing else up.
        """
        if held.doubt or held.lane.state is not LaneState.READY:
            return True
        try:
            remote = await self._read(held)
        except VenueError as error:
            logger.warning("lane {} cannot be checked: {}", held.lane.id, error)
            return False
        ours = held.values.following()
        quiet_s = self._clock.monotonic_s() - held.last_use_s
        if remote == ours:
            held.checked_s = self._clock.monotonic_s()
        out = remote > ours or (remote < ours and quiet_s > self._lag_s(held.venue.id))
        if out:
            self._differs(held, remote, ours)
        return out

    async def _ahead(self, held: _Held) -> bool:
        remote, ours = await self._read(held), held.values.following()
        held.checked_s = self._clock.monotonic_s()
        if remote > ours:
            self._differs(held, remote, ours)
        return remote > ours

    async def _read(self, held: _Held) -> int:
        """What the venue expects next."""
        return await overlapping(lambda: held.venue.next_nonce(held.lane.id), self._clock)

    def _differs(self, held: _Held, remote: int, ours: int) -> None:
        """The first sign that a lane is out of step; what it is about is told when it is known."""
        text = f"{held.venue.id} waits for nonce {remote} of lane {held.lane.id}, ours is {ours}"
        held.lane.pause("", text)

    # -- back into step ---------------------------------------------------------------------

    async def _recover(self, held: _Held, why: str, *, patient: bool = True) -> None:
        """
        Resynchronise a lane that is ours and on which nothing is in flight.

        Where the venue is behind, only the ``patient`` wait for it: the end of an order does
        not, because a rollback may have to follow. The regular check comes back to it.

        Raises:
            VenueError: the venue cannot be asked, or its readings do not agree.
        """
        lane, fresh = held.lane, held.values.fresh
        held.doubt = held.doubt or why
        try:
            remote = await lane.agreed(lambda: self._read(held), held.seen)
            ours = held.values.following()
            if remote < ours:
                if not patient:
                    return
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
        held.doubt, held.refused, held.seen = "", None, None
        held.checked_s = self._clock.monotonic_s()

    async def _catch_up(self, held: _Held, remote: int, ours: int) -> int:
        """The venue is behind: wait out its read lag, then use up what it waits for."""
        id_ = held.lane.id
        until_s = held.last_use_s + self._lag_s(held.venue.id)
        remote = await waited_for(held.venue, id_, ours, until_s, self._clock)
        return remote if remote >= ours else await self._fill(held, remote, ours)

    async def _fill(self, held: _Held, remote: int, ours: int) -> int:
        """Use up what the venue waits for, up to what is ours."""
        id_, lag_s = held.lane.id, self._lag_s(held.venue.id)
        text = f"{held.venue.id} waits for nonce {remote} of lane {id_}, our next is {ours}"
        held.lane.pause("lane_gap", text, "gaps")
        gap = range(remote, ours)
        return await fill(self._store, held.venue, id_, gap, clock=self._clock, lag_s=lag_s)

    def _drifted(self, held: _Held, expected: int, remote: int, taken: int) -> None:
        """Somebody else uses the key."""
        text = (
            f"{taken} nonces of lane {held.lane.id} were used by somebody else: our next was"
            f" {expected}, {held.venue.id} says {remote}; give hedger an API key of its own"
        )
        alert = taken > self._rules.drift_tolerance
        held.lane.pause("lane_drift", text, "drifts", alert=alert)

    def _unknown(self, lane: LaneId) -> list[str]:
        """Orders of a lane whose end is not proven."""
        return [p.order.id for p in self._store.open_intents() if p.lane == lane]

    def _why_held(self, held: _Held, unknown: Sequence[str]) -> str:
        """Why the lane takes no opening order; empty when it does."""
        lane = held.lane
        if unknown:
            return f"lane {lane.id} waits for the end of order {unknown[0]}"
        if (cooling_s := lane.cooling_s()) > 0:
            return f"lane {lane.id} opens nothing for another {cooling_s:.0f} s after errors"
        return ""
