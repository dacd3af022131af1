"""
The lanes of the program: which nonce an order may carry, one order at a time per API key.

A lane is (venue, account, API key), and is kept from the allocation of a nonce until the end
of its order is known. Between orders the venue is asked where it stands: when that is done is
told in ``hedger/sequence/upkeep.py``, how its word is judged in ``hedger/sequence/resync.py``.

A refused nonce (21104) pauses the lane; its order is followed to its proof first, and then the
lane is resynchronised, with the account's others that are out of step too (seed 001).

After several errors in a row openings are held back, over a restart as well; a reduce-only order
waits for no more than the resynchronisation. Each order is one error at most: its nonce was
refused, it is dead behind its fence, or it has no proof. A fill ends the row. Any other refusal
(margin, size, the venue's limit of requests) neither counts nor ends it: it is not ours to
repair, and as it used no nonce it does not show that the lane is in step either.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import LaneId, VenueId
from hedger.domain.order import Answer, Filled, NoProof, Outcome, Reason, Refused
from hedger.errors import UnavailableError
from hedger.ledger.records import LaneState
from hedger.ledger.store import Store
from hedger.ports import Venue
from hedger.sequence.held import Held, lanes_of
from hedger.sequence.resync import Resync
from hedger.sequence.upkeep import Upkeep
from hedger.sequence.words import ALL, CLOSES, one_key_text
from hedger.settings_sequence import Sequence as Rules


class LaneBusyError(UnavailableError):
    """Nothing was taken and nothing was sent: others were on the lane."""


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
        self._held: dict[LaneId, Held] = {}
        for venue in venues.values():
            for held in lanes_of(venue, store, clock=clock, rules=rules):
                self._held[held.lane.id] = held
        self._resync = Resync(store, clock=clock, rules=rules, lag_s=lag_s)
        self._upkeep = Upkeep(
            store, lanes=self._held.values(), resync=self._resync, clock=clock, rules=rules
        )

    def announce(self) -> None:
        """Record every lane at the start of a process, and what one key for everything costs."""
        for held in self._held.values():
            text = "the venue is asked before the first order"
            held.lane.tell("", text, state=LaneState.SYNCING)
        for venue in [h.venue for h in self._held.values() if h.lane.carries == ALL]:
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
        nothing is asked: ``settle`` does that when no leg stands alone.

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
            yield
        finally:
            for value in sorted(held.lane.in_flight):
                held.lane.end(value)
                held.last_use_s = self._clock.monotonic_s()
            held.lane.turns.release()

    async def next_value(
        self, lane: LaneId | None, *, urgent: bool = False, patience_s: float | None = None
    ) -> int | None:
        """
        The nonce for the next order; call it inside ``hold``.

        Raises:
            LaneBusyError: the lane was not back in step within ``patience_s``.
            UnavailableError: the lane holds openings back; never for an ``urgent`` order.
            VenueError: the venue had to be asked and did not answer.
        """
        if lane is None:
            return None
        held = self._held[lane]
        unknown = self._unknown(lane)
        if not urgent and (why := self._why_held(held, unknown)):
            raise UnavailableError(held.venue.id, why)
        try:
            async with asyncio.timeout(patience_s):
                await self._into_step(held, unknown)
        except TimeoutError:
            text = f"lane {lane} was not back in step in time"
            raise LaneBusyError(held.venue.id, text) from None
        held.used, held.seen, held.taken = True, None, held.taken + 1
        return held.lane.take()

    async def _into_step(self, held: Held, unknown: Sequence[str]) -> None:
        """What has to be done before a nonce is given; nothing, where there was time before."""
        if unknown or held.troubled:
            why = held.doubt or (f"order {unknown[0]} is unknown" if unknown else "first reading")
            await self._resync.recover(held, why)
        await self._upkeep.use_up_refused(held)

    def answered(self, lane: LaneId | None, nonce: int | None, answer: Answer) -> None:
        """Take note of what the venue said to a send; its word about the nonce pauses the lane."""
        if lane is None or not isinstance(answer, NoProof) or answer.reason is not Reason.NONCE:
            return
        held = self._held[lane]
        held.refused, held.doubt = nonce, f"{held.venue.id} refused nonce {nonce}"
        text = f"lane {lane} is paused: {held.doubt}"
        held.lane.pause("lane_paused", text, "mismatches")
        held.failed(nonce, answer.detail, self._unproven(lane))

    def ended(self, outcome: Outcome) -> None:
        """
        Take note of the end of an order; one without proof pauses its lane.

        Call it when the end stands in the ledger. Dead or without proof is an error in a row,
        once for each order; filled ends the row; refused for its own sake is neither.
        """
        lane, nonce = outcome.prepared.lane, outcome.prepared.nonce
        if lane is None:
            return
        held, order = self._held[lane], outcome.prepared.order.id
        held.used, held.last_use_s = True, self._clock.monotonic_s()
        match outcome:
            case Filled():
                held.lane.succeeded()
            case Refused(dead=True):
                held.doubt = held.doubt or f"order {order} is dead"
                held.failed(nonce, f"order {order} is dead", self._unproven(lane))
            case Refused():
                pass  # not ours to repair
            case _:
                held.failed(nonce, f"order {order} is unknown", self._unproven(lane))
                held.lane.pause("lane_paused", f"lane {lane} is paused: order {order} is unknown")

    def burnt(self, lane: LaneId | None, nonce: int | None) -> None:
        """A nonce that was refused has gone to our own burn: nobody else has it."""
        if lane is not None and self._held[lane].refused == nonce:
            self._held[lane].refused = None

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
        await self._resync.fill_below(self._held[lane], nonce)

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

        Only what was used or not asked for ``refresh_interval_s``, unless ``now``. A venue that
        does not answer is left for the next time.
        """
        await self._upkeep.regular(now=now)

    async def settle(self, venues: Collection[VenueId]) -> None:
        """The same for what the orders of a hedge left behind; call it once the hedge rests."""
        await self._upkeep.settle(venues)

    async def ready(self, venues: Collection[VenueId]) -> str:
        """
        Make ready what the legs of a hedge and their rollback need; why it is not, or nothing.

        Call it before the first leg: from then on nothing may stand between an order's end and
        the next order.
        """
        if why := await self._upkeep.prepare(venues):
            return why
        opening = [h for h in self._held.values() if h.lane.carries != CLOSES]
        idle = [h for h in opening if h.venue.id in venues and not h.lane.turns.busy]
        reasons = (self._why_held(held, self._unknown(held.lane.id)) for held in idle)
        return next(filter(None, reasons), "")

    def _unknown(self, lane: LaneId) -> list[str]:
        """Orders of a lane whose end is not proven."""
        return [p.order.id for p in self._store.open_intents() if p.lane == lane]

    def _unproven(self, lane: LaneId) -> list[int | None]:
        """Their nonces."""
        return [p.nonce for p in self._store.open_intents() if p.lane == lane]

    def _why_held(self, held: Held, unknown: Sequence[str]) -> str:
        """Why the lane takes no opening order; empty when it does."""
        lane = held.lane
        if unknown:
            return f"lane {lane.id} waits for the end of order {unknown[0]}"
        if (cooling_s := lane.cooling_s()) > 0:
            return f"lane {lane.id} opens nothing for another {cooling_s:.0f} s after errors"
        return ""
