"""
What is done for a lane between orders, when nothing waits for it.

An order asks nothing when it ends: another one, on this venue or on the other, may have to leave
at once, because a leg stands alone. So a lane is asked where it stands once its hedge is at rest,
before the next hedge begins, and by a regular check. The venue's answer is waited for without
the lane's turn: an order that comes meanwhile goes first, and the answer counts for nothing then.

A nonce that was refused at the door is still free. Were a copy of the refused bytes to come later
(a proxy may deliver one twice), it would be valid and might execute. So something harmless uses
the nonce up, in idle time: once the hedge is at rest, by the regular check, and at the latest
before the first leg of another hedge. Only a closing order that follows a refused one sooner than
all of these waits for it: never do two orders have one nonce, so that late copies stay told apart.
"""

from collections.abc import Collection, Iterable, Sequence

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import LaneId, VenueId
from hedger.domain.order import Accepted, Filler
from hedger.errors import VenueError
from hedger.ledger.records import LaneState
from hedger.ledger.store import Store
from hedger.pace import Pace
from hedger.sequence.gaps import sent_again, use_up
from hedger.sequence.held import Held
from hedger.sequence.resync import Resync
from hedger.sequence.siblings import Siblings
from hedger.settings_sequence import Sequence as Rules
from hedger.together import together
from hedger.urgency import once

FOUND = "found by the regular check"
AGAIN_FIRST_S = 10.0  # a lane that cannot be brought back is tried ever less often
AGAIN_MAX_S = 60.0


class Upkeep:
    """Looks after the lanes that no order is on; ``lanes`` are all that there are."""

    def __init__(
        self, store: Store, *, lanes: Iterable[Held], resync: Resync, clock: Clock, rules: Rules
    ) -> None:
        self._store = store
        self._lanes = tuple(lanes)
        self._resync = resync
        self._siblings = Siblings(store, lanes=self._lanes)
        self._clock = clock
        self._rules = rules
        self._pace = Pace(clock, first_s=AGAIN_FIRST_S, max_s=AGAIN_MAX_S)
        self._answering: set[LaneId] = set()  # those in trouble that the venue tells something of

    async def regular(self, *, now: bool) -> None:
        """
        Every lane that was used or not asked for ``refresh_interval_s``; all, if ``now``.

        One that stays out of step, as where its key is refused, is tried less and less often:
        each try costs a dozen requests. In between one request sees that its venue answers again.
        """
        for held in self._lanes:
            if not held.troubled:
                self._settled(held)
        due = [held for held in self._lanes if now or self._due(held)]
        tried = await together(self._is_tried(held, now=now) for held in due)
        await self._look([held for held, is_tried in zip(due, tried, strict=True) if is_tried])

    async def settle(self, venues: Collection[VenueId]) -> None:
        """What the orders of a hedge left behind on the lanes of its venues."""
        mine = [held for held in self._lanes if held.venue.id in venues]
        await self._look([held for held in mine if self._left(held)])

    async def prepare(self, venues: Collection[VenueId]) -> str:
        """
        Make the lanes of a new hedge ready; why one is not, or nothing.

        One that an order is on is left alone: what is wrong with it is known when that ends.
        """
        mine = [held for held in self._lanes if held.venue.id in venues]
        await self._look([held for held in mine if self._due(held)])
        for held in mine:
            if held.lane.turns.busy:
                continue
            if held.troubled:
                return f"lane {held.lane.id} is not in step: {held.doubt or held.lane.reason}"
            if (nonce := self.refused(held)) is not None:
                return f"nonce {nonce} of lane {held.lane.id} was refused and is not used up yet"
        return ""

    def refused(self, held: Held) -> int | None:
        """The nonce that was refused at the door and that the next order would be given."""
        nonce = self._store.lane_refused(held.lane.id)
        return nonce if nonce == held.values.following() else None

    async def use_up_refused(self, held: Held) -> None:
        """
        Let something harmless have the refused nonce of a lane that is ours and in step.

        Raises:
            VenueError: it is not known where the lane stands now.
        """
        nonce = self.refused(held)
        if nonce is None:
            return
        why = f"nonce {nonce}, which was refused, may be used or not"
        held.doubt = why  # also for whoever comes next, if this one is given up
        id_ = held.lane.id
        _, answer = await use_up(self._store, held.venue, id_, nonce, clock=self._clock)
        held.used, held.last_use_s = True, self._clock.monotonic_s()
        if isinstance(answer, Accepted):
            held.doubt = ""
        else:
            await self._resync.recover(held, why)

    # -- looking ----------------------------------------------------------------------------

    def _settled(self, held: Held) -> None:
        """It is in step: whatever comes next is tried at once."""
        self._pace.done(held.lane.id)
        self._answering.discard(held.lane.id)

    async def _is_tried(self, held: Held, *, now: bool) -> bool:
        """Whether one that is due is looked at now; one that cannot be tried yet loses no turn."""
        if now or not held.troubled:
            return True
        if held.lane.turns.busy or self._unknown(held):
            return False
        if self._pace.due(held.lane.id):
            return True
        if held.unheard is not None:
            return await self._takes_again(held, held.unheard)
        return await self._answers_again(held)

    async def _takes_again(self, held: Held, filler: Filler) -> bool:
        """Whether the venue takes a filler of which it has said nothing yet."""
        if not held.lane.turns.try_acquire():
            return False
        try:
            held.last_use_s = self._clock.monotonic_s()
            if not await sent_again(held.venue, filler):
                return False
        finally:
            held.lane.turns.release()
        held.unheard = None
        self._pace.done(held.lane.id)
        return self._pace.due(held.lane.id)

    async def _answers_again(self, held: Held) -> bool:
        """Whether the venue says where a lane is that it said nothing of before; once each time."""
        id_ = held.lane.id
        try:
            await once(lambda: held.venue.next_nonce(id_), held.venue.id)
        except VenueError:
            self._answering.discard(id_)
            return False
        if id_ in self._answering:
            return False
        self._answering.add(id_)
        self._pace.done(id_)
        return self._pace.due(id_)

    def _due(self, held: Held) -> bool:
        age_s = self._clock.monotonic_s() - held.checked_s
        return self._left(held) or age_s >= self._rules.refresh_interval_s

    def _left(self, held: Held) -> bool:
        """Whether an order has left something to be seen to."""
        return held.used or held.troubled or self.refused(held) is not None

    async def _look(self, due: Sequence[Held]) -> None:
        """One account after another; a venue that does not answer is left for the next time."""
        for account in sorted({held.account for held in due}):
            mine = [held for held in due if held.account == account]
            if any(held.troubled for held in mine):  # the lanes of an account go astray together
                mine = [held for held in self._lanes if held.account == account]
            try:
                await self._look_at(mine)
            except VenueError as error:
                logger.warning("lanes of {} cannot be checked: {}", account[0], error)

    async def _look_at(self, due: Sequence[Held]) -> None:
        idle = [held for held in due if not held.lane.turns.busy and not self._unknown(held)]
        taken = [held.taken for held in idle]
        readings = await together(self._resync.asked(held) for held in idle)
        answered = zip(idle, taken, readings, strict=True)
        unused = [
            (held, reading)
            for held, before, reading in answered
            if held.taken == before and not held.lane.turns.busy
        ]
        out = [held for held, reading in unused if self._resync.out_of_step(held, reading)]
        self._siblings.tell_of_several(out)
        await together(self._brought_up(held) for held, _ in unused)

    async def _brought_up(self, held: Held) -> None:
        """What one lane needs; an order that is on it meanwhile sees to it itself."""
        if not held.lane.turns.try_acquire():
            return
        try:
            if held.troubled:
                first = held.lane.state is LaneState.SYNCING
                await self._resync.recover(
                    held, held.doubt or ("first reading" if first else FOUND)
                )
            await self.use_up_refused(held)
        finally:
            held.lane.turns.release()

    def _unknown(self, held: Held) -> bool:
        """Whether the end of one of its orders is not proven: that comes first."""
        return any(p.lane == held.lane.id for p in self._store.open_intents())
