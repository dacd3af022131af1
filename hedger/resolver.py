"""
What became of an order: from the answer to one send, to a proof.

Three ends only: filled (by how much), refused with proof, unresolved. "Not found" is never
proof by itself. An order is dead only when the venue does not know it *and* can no longer
execute it, behind a fence (reliability.md §2.3):

* ``EXPIRY``: its signed expiry and the read lag have passed on the venue's clock;
* ``NONCE``: another transaction of ours holds its nonce. While the order is wanted and young
  the identical bytes are sent again, which completes it or changes nothing; otherwise its
  nonce is burnt by a harmless transaction, and the hashes tell which of the two got it.

The read lag is the measured one (``hedger/readlag.py``). Our orders are immediate, so one that
the venue keeps working is cancelled and then looked up again: a cancel can lose the race (S12).
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import LaneId, VenueId
from hedger.domain.order import (
    NEVER_SENT,
    Accepted,
    Answer,
    Declined,
    Filled,
    Found,
    NeverSent,
    NoProof,
    NotFound,
    Outcome,
    Prepared,
    Purpose,
    Reason,
    Refused,
    Sighting,
    Unresolved,
)
from hedger.errors import UnavailableError, VenueError
from hedger.ledger.store import Store
from hedger.ports import Capabilities, Fence, Venue
from hedger.readlag import ReadLag, Watch
from hedger.sequence import Lanes
from hedger.sequence.slots import overlapping, used_up
from hedger.urgency import soon
from hedger.venueclock import Offset

LOOK_DELAYS_S = (0.3, 0.7, 1.4, 2.0)  # after the first; the last again until the budget ends
RESEND_YOUNGER_THAN_S = 2.0
BURN_AGAIN_AFTER_S = 5.0
BURN_ANSWER_S = 1.5
CANCEL_AGAIN_AFTER_S = 5.0
JUST_AFTER_S = 0.01
SLOT_WATCH_S = 2.0  # before the order itself is looked up: its fence begins with the slot
SLOT_LOOK_S = 0.3
SLOT = "slot."  # of a lane: the last nonce that was seen used up while its order was unknown
NOT_WORTH_S = 0.5  # a look so shortly before the fence stands would only delay the one that counts
INNER_SKEW_S = 1.0
"""Between the machine of a venue that dates its answers and the one that judges expiries."""

RESTING_CLOSE_S = 30.0
"""
How long after its expiry a working order that takes exposure off is left in place: longer than
a stop may take (25 s), so that stopping never cancels a protective close (S60).
"""


def verdict(prepared: Prepared, answer: Answer | None) -> Refused | None:
    """The end of the order if its answer proves one; None means: look it up."""
    match answer:
        case Declined(reason, code, detail):
            return Refused(prepared, reason, code, detail)
        case NeverSent(detail):
            return Refused(prepared, Reason.OTHER, NEVER_SENT, detail)
        case Accepted() | NoProof() | None:
            return None


def expired_for_good(
    prepared: Prepared, limits: Capabilities, asked_at: datetime, offset: Offset | None
) -> bool:
    """
    Whether a look that began at ``asked_at`` would have seen any execution in time.

    By the venue's own clock where its answers tell it, else by ours and the bound on both.
    """
    margin = fence_margin(limits, offset)
    return asked_at > prepared.expires_at + margin


def fence_margin(limits: Capabilities, offset: Offset | None) -> timedelta:
    """From a signed expiry to the instant on our clock at which "not found" proves a death."""
    if offset is None:
        return timedelta(seconds=limits.clock_skew_s + limits.read_lag_s)
    return timedelta(seconds=INNER_SKEW_S + limits.read_lag_s - offset.low_s)


Coming = asyncio.Task[Answer]


@dataclass(slots=True)
class _Search:
    """What is known so far about one unknown order."""

    prepared: Prepared
    wanted: bool
    began_s: float
    accepted: bool = False
    coming: Coming | None = None  # the answer to the send, while it is waited for
    refused: bool = False  # the venue would not have its nonce
    resent: bool = False
    burn: Prepared | None = None
    burnt_at_s: float = 0.0
    taken_at: datetime | None = None  # when we saw that its nonce is used up
    cancelled_at_s: float | None = None
    asked_at: datetime | None = None  # when the last look began
    watch: Watch = field(default_factory=Watch)


class Resolver:
    """Follows orders to their end. Sends nothing but identical bytes and burns."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        lanes: Lanes,
        lag: ReadLag,
        clock: Clock,
        budget_s: float,
    ) -> None:
        self._lanes = lanes
        self._lag = lag
        self._venues = venues
        self._store = store
        self._clock = clock
        self._budget_s = budget_s

    async def resolve(
        self,
        prepared: Prepared,
        answer: Answer | None,
        *,
        wanted: bool = False,
        coming: Coming | None = None,
    ) -> Outcome:
        """
        The end of an order whose send was answered with ``answer`` (None: we do not know).

        ``wanted`` allows the identical bytes to be sent again while the order is young; leave it
        out for anything that an earlier process may have sent. ``coming`` is the send that has
        not been answered yet: what it says is taken in when it does.
        """
        search = _Search(prepared, wanted, self._clock.monotonic_s(), coming=coming)
        if (proof := self._said(search, answer)) is not None:
            return proof
        usual_s = self._venues[prepared.order.venue].capabilities.usual_match_s
        delay_s = 0.0 if search.refused else usual_s
        looks = 0
        while self._clock.monotonic_s() - search.began_s < self._budget_s:
            await self._clock.sleep(self._until_next(search, delay_s))
            delay_s = LOOK_DELAYS_S[min(looks, len(LOOK_DELAYS_S) - 1)]
            looks += 1
            if (proof := self._came(search)) is not None:
                return proof
            try:
                outcome = await self._look(search)
            except VenueError as error:
                logger.warning("order {} cannot be looked up: {}", prepared.order.id, error)
                continue
            if outcome is not None:
                return outcome
        return Unresolved(prepared, f"no proof after {looks} looks in {self._budget_s:g} s")

    def _said(self, search: _Search, answer: Answer | None) -> Refused | None:
        """Take in what the venue said to the send; the end of the order if that proves one."""
        prepared = search.prepared
        search.accepted |= isinstance(answer, Accepted)
        if isinstance(answer, NoProof):
            search.refused |= answer.reason is Reason.NONCE
            logger.warning("order {}: no proof, {}", prepared.order.id, answer.detail)
        return verdict(prepared, answer)

    def _came(self, search: _Search) -> Refused | None:
        """
        The same for an answer that has come only now.

        Once the identical bytes were sent again, a refusal of the first copy says nothing about
        the second.
        """
        if search.coming is None or not search.coming.done():
            return None
        answer, search.coming = search.coming.result(), None
        self._lanes.answered(search.prepared.lane, search.prepared.nonce, answer)
        proof = self._said(search, answer)
        if search.resent:
            return None
        if proof is not None and search.burn is not None and search.burn.lane is not None:
            text = f"the burn of nonce {search.burn.nonce}, whose order was refused, may be lost"
            self._lanes.missed(search.burn.lane, text)
        return proof

    def _until_next(self, search: _Search, planned_s: float) -> float:
        """How long to wait for the next look: one begins as soon as its fence may stand."""
        venue = self._venues[search.prepared.order.venue]
        limits = self._lag.limits(venue.id)
        stands_at: datetime | None = None
        if limits.fence is Fence.EXPIRY:
            stands_at = search.prepared.expires_at + fence_margin(limits, venue.offset)
        elif search.taken_at is not None:
            stands_at = search.taken_at + timedelta(seconds=limits.read_lag_s)
        elif search.refused and self._is_young(search):
            return min(planned_s, SLOT_LOOK_S)
        if stands_at is None or (search.asked_at is not None and search.asked_at > stands_at):
            return planned_s
        left_s = max(0.0, (stands_at - self._clock.now()).total_seconds()) + JUST_AFTER_S
        return left_s if left_s < planned_s + NOT_WORTH_S else planned_s

    def _is_young(self, search: _Search) -> bool:
        """Whether what happened to it may not be visible yet."""
        age_s = self._clock.monotonic_s() - search.began_s
        return age_s < self._lag.bound(search.prepared.order.venue).total_seconds()

    async def _look(self, search: _Search) -> Outcome | None:
        venue = self._venues[search.prepared.order.venue]
        if search.refused:
            await self._check_slot(search, venue)
        search.asked_at = asked_at = self._clock.now()
        sighting: Sighting = await overlapping(lambda: venue.find(search.prepared), self._clock)
        match sighting:
            case Found() if sighting.complete:
                self._measure(search, sighting, asked_at)
                return Filled(
                    search.prepared,
                    sighting.filled,
                    sighting.fills,
                    sighting.venue_order_id,
                    sighting.status,
                )
            case Found():
                search.watch.missed(asked_at)
                if not sighting.final:
                    await self._cancel_resting(search, venue)
                return None  # working, or its fills are not all listed yet
            case NotFound(asked_at=asked_at):
                search.watch.missed(asked_at)
                limits = self._lag.limits(venue.id)
                if limits.fence is Fence.EXPIRY:
                    return self._after_expiry(search, limits, asked_at)
                return await self._behind_nonce(search, venue, asked_at)

    def _measure(self, search: _Search, found: Found, asked_at: datetime) -> None:
        """How late the venue showed the fills of this order."""
        if found.fills:
            offset = self._venues[search.prepared.order.venue].offset
            since = max(fill.at for fill in found.fills)
            since = since if offset is None else offset.ours(since)
            self._lag.shown(
                search.prepared.order.venue,
                "an order",
                search.watch,
                since=since,
                asked_at=asked_at,
            )

    async def _cancel_resting(self, search: _Search, venue: Venue) -> None:
        """Ask for the end of an order that should have ended by itself; proves nothing."""
        order = search.prepared.order
        now_s = self._clock.monotonic_s()
        patience = timedelta(seconds=RESTING_CLOSE_S if order.reduce_only else 0)
        if self._clock.now() <= order.expires_at + patience:
            return
        if (
            search.cancelled_at_s is not None
            and now_s - search.cancelled_at_s < CANCEL_AGAIN_AFTER_S
        ):
            return
        search.cancelled_at_s = now_s
        holding = search.prepared.lane
        await cancel(venue, search.prepared, self._lanes, self._store, holding=holding)
        self._store.event(
            "cancel_asked",
            f"{order.venue} still works on order {order.id}: asked to cancel it",
            hedge=order.hedge,
            level="warning",
            data={"order": order.id},
        )

    def _after_expiry(
        self, search: _Search, limits: Capabilities, asked_at: datetime
    ) -> Outcome | None:
        offset = self._venues[search.prepared.order.venue].offset
        if not expired_for_good(search.prepared, limits, asked_at, offset):
            return None
        return _dead(search.prepared, "not found, and its expiry has passed")

    async def _behind_nonce(
        self, search: _Search, venue: Venue, asked_at: datetime
    ) -> Outcome | None:
        lag = self._lag.bound(venue.id)
        if search.taken_at is not None and asked_at > search.taken_at + lag:
            return _dead(search.prepared, "not found, and its nonce belongs to another")
        if (burn := search.burn) is not None:
            used = await soon(lambda: venue.find(burn), self._clock)
            if isinstance(used, Found):
                return _dead(search.prepared, "its nonce was burnt")
        if search.taken_at is not None:
            return None  # whoever has it: an execution of ours appears within the read lag
        if (search.accepted or search.refused) and self._is_young(search):
            return None  # taken in, or its nonce was: that appears within the read lag
        age_s = self._clock.monotonic_s() - search.began_s
        again = search.wanted and not search.resent and not search.refused
        if again and age_s < RESEND_YOUNGER_THAN_S:
            search.resent = True
            await self._resend(search, venue)
            return None
        await self._burn(search, venue)
        return None

    async def _resend(self, search: _Search, venue: Venue) -> None:
        """The identical bytes: they execute now, or not at all, but never twice."""
        order = search.prepared.order
        answer = await venue.submit(search.prepared)
        search.accepted = isinstance(answer, Accepted)
        search.refused = isinstance(answer, NoProof) and answer.reason is Reason.NONCE
        self._store.event(
            "resent",
            f"identical bytes of {order.id} sent again: {type(answer).__name__}",
            hedge=order.hedge,
            data={"order": order.id, "nonce": search.prepared.nonce},
        )

    async def _burn(self, search: _Search, venue: Venue) -> None:
        """Use up the nonce, and note when the venue says that it is used up."""
        prepared = search.prepared
        assert prepared.lane is not None
        assert prepared.nonce is not None
        now_s = self._clock.monotonic_s()
        if search.burn is None:
            search.burn = await self._burn_for(prepared, venue)
        elif now_s - search.burnt_at_s < BURN_AGAIN_AFTER_S:
            await self._check_slot(search, venue)
            return
        elif not self._is_young(search):  # it may wait for an earlier one (reliability.md §2.3)
            await self._lanes.fill_below(prepared.lane, prepared.nonce)
        search.burnt_at_s = now_s
        answer: Answer = NoProof("no answer yet")
        with contextlib.suppress(TimeoutError):  # the slot tells more, and sooner
            async with asyncio.timeout(BURN_ANSWER_S):
                answer = await venue.submit(search.burn)
        logger.info(
            "order {}: burning nonce {} of {}: {}",
            prepared.order.id,
            prepared.nonce,
            prepared.lane,
            type(answer).__name__,
        )
        await self._check_slot(search, venue)

    async def _burn_for(self, prepared: Prepared, venue: Venue) -> Prepared:
        """The burn that an earlier process committed for this order, or a new one."""
        if earlier := self._store.burns_of(prepared):
            return earlier[-1]
        burn = await venue.prepare_burn(prepared)
        self._store.intend_burn(prepared, burn)
        return burn

    async def _check_slot(self, search: _Search, venue: Venue) -> None:
        prepared = search.prepared
        if search.taken_at is not None or prepared.lane is None or prepared.nonce is None:
            return
        lane = prepared.lane
        expected: int | None
        if search.refused:  # somebody has it, and readings lag: seen as early as can be
            expected = await used_up(
                venue, lane, prepared.nonce, clock=self._clock, within_s=SLOT_WATCH_S
            )
        else:
            expected = await soon(lambda: venue.next_nonce(lane), self._clock)
        if expected is not None and expected > prepared.nonce:
            search.taken_at = self._taken_at(lane, prepared.nonce, venue)
            self._lanes.seen(lane, expected)

    def _taken_at(self, lane: LaneId, nonce: int, venue: Venue) -> datetime:
        """
        By when a nonce was used up that just now was seen to be: now, or when it was first seen.

        That stands in the ledger, so that a fence goes on over a death. Another life may have
        had another clock: each of the two is off by no more than the venue declares.
        """
        now, key = self._clock.now(), f"{SLOT}{lane}"
        known, _, seen_at = (self._store.meta(key) or "").partition(" ")
        if known == str(nonce):
            skew = timedelta(seconds=2 * venue.capabilities.clock_skew_s)
            return min(now, datetime.fromisoformat(seen_at) + skew)
        self._store.set_meta(key, f"{nonce} {now.isoformat()}")
        return now


async def cancel(
    venue: Venue,
    prepared: Prepared,
    lanes: Lanes,
    store: Store,
    *,
    holding: LaneId | None = None,
) -> None:
    """
    Ask a venue to cancel one order of ours; look it up afterwards.

    Where there are nonces, a cancel uses one of the lane for reducing orders, and is committed
    like every other use of one. ``holding`` is the lane that the caller keeps already.

    Raises:
        VenueError: the venue did not take the request.
    """
    lane = venue.lane(Purpose.ROLLBACK)
    if lane is None:
        await venue.cancel(prepared)
        return
    async with lanes.hold(None if lane == holding else lane):
        nonce = await lanes.next_value(lane, urgent=True)
        assert nonce is not None
        asked = await venue.prepare_cancel(prepared, nonce)
        store.intend_filler(asked)
        answer = await venue.submit_filler(asked)
        lanes.answered(lane, nonce, answer)
        if not isinstance(answer, Accepted):
            lanes.doubt(lane)
            raise UnavailableError(venue.id, f"cancel: {answer.detail}")


def _dead(prepared: Prepared, detail: str) -> Refused:
    return Refused(prepared, Reason.OTHER, "dead", detail, dead=True)
