"""
The fence of a venue with nonces: an order is dead once another transaction holds its nonce.

While the order is wanted and young the identical bytes are sent again, which completes it or
changes nothing; otherwise its nonce is burnt by a harmless transaction, and the hashes tell
which of the two got it (reliability.md §2.3). Where somebody else has it, the venue's own list
of transactions says so, or the read lag has to pass.
"""

import asyncio
import contextlib
from datetime import datetime, timedelta

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import LaneId
from hedger.domain.order import (
    Accepted,
    Answer,
    Declined,
    Found,
    NoProof,
    Outcome,
    Prepared,
    Reason,
)
from hedger.errors import VenueError
from hedger.ledger.store import Store
from hedger.ports import Venue
from hedger.proofs import dead
from hedger.readlag import ReadLag
from hedger.search import Search
from hedger.sequence import Lanes
from hedger.sequence.slots import used_up
from hedger.urgency import overlapping, pressed

RESEND_YOUNGER_THAN_S = 3.5
"""Since the bytes left: what is waited for their answer, and two seconds of looking for them."""
BURN_AGAIN_AFTER_S = 5.0
ANSWER_S = 1.5
OF_MARKET = frozenset({Reason.RULES, Reason.MARKET_STATE})
"""Refusals that are about the market of a burn, and not about the nonce."""
SLOT_WATCH_S = 2.0  # before the order itself is looked up: its fence begins with the slot
SLOT = "slot."  # of a lane: the last nonce that was seen used up while its order was unknown


class NonceFence:
    """Takes an unknown order's nonce away from it. Sends identical bytes and burns only."""

    def __init__(self, *, store: Store, lanes: Lanes, lag: ReadLag, clock: Clock) -> None:
        self._store = store
        self._lanes = lanes
        self._lag = lag
        self._clock = clock

    def is_young(self, search: Search) -> bool:
        """Whether what happened to it may not be visible yet."""
        age_s = self._clock.monotonic_s() - search.began_s
        return age_s < self._lag.bound(search.prepared.order.venue).total_seconds()

    async def behind(self, search: Search, venue: Venue, asked_at: datetime) -> Outcome | None:
        """The death of an order that was not found at ``asked_at``; None: no proof of it yet."""
        lag = self._lag.bound(venue.id)
        if search.taken_at is not None and asked_at > search.taken_at + lag:
            return dead(search.prepared, "not found, and its nonce belongs to another")
        if (burn := search.burn) is not None:
            used = await overlapping(lambda: venue.find(burn), self._clock)
            if isinstance(used, Found):
                self._lanes.burnt(search.prepared.lane, search.prepared.nonce)
                return dead(search.prepared, "its nonce was burnt")
        if search.taken_at is not None:
            if search.other is None and not search.refused:  # else it was asked beside the order
                await self.ask_other(search, venue)
            if search.other is None:
                return None
            if burn is not None and search.other == burn.tx_hash:
                self._lanes.burnt(search.prepared.lane, search.prepared.nonce)
            return dead(search.prepared, f"not found, and {search.other[:16]}… has its nonce")
        if (search.accepted or search.refused) and self.is_young(search):
            return None  # taken in, or its nonce was: that appears within the read lag
        age_s = self._clock.monotonic_s() - search.sent_s
        again = search.wanted and not search.resent and not search.refused
        if again and age_s < RESEND_YOUNGER_THAN_S:
            search.resent = True
            await self._resend(search, venue)
            return None
        await self._burn(search, venue)
        return None

    async def ask_other(self, search: Search, venue: Venue) -> None:
        """
        Note the transaction that the venue shows with the order's nonce, if it is not the order.

        That is a proof as it stands: one transaction executes under a nonce. Without it, an
        execution of ours, whose bytes sent twice are refused like this too, appears within the
        read lag.
        """
        with contextlib.suppress(VenueError):
            search.other = await pressed(
                lambda: venue.nonce_used_by(search.prepared), venue.id, self._clock
            )

    async def _resend(self, search: Search, venue: Venue) -> None:
        """The identical bytes: they execute now, or not at all, but never twice."""
        order = search.prepared.order
        answer = await self._sent(search.prepared, venue)
        search.accepted = isinstance(answer, Accepted)
        search.refused = isinstance(answer, NoProof) and answer.reason is Reason.NONCE
        self._store.event(
            "resent",
            f"identical bytes of {order.id} sent again: {type(answer).__name__}",
            hedge=order.hedge,
            data={"order": order.id, "nonce": search.prepared.nonce},
        )

    async def _burn(self, search: Search, venue: Venue) -> None:
        """Use up the nonce, and note when the venue says that it is used up."""
        prepared = search.prepared
        assert prepared.lane is not None
        assert prepared.nonce is not None
        now_s = self._clock.monotonic_s()
        if search.burn is None or self._is_over(search.burn, venue):
            if search.refused:  # after the read lag: where nobody has the nonce, it is a gap's
                await self._lanes.fill_below(prepared.lane, prepared.nonce)
            search.burn = await self._burn_for(prepared, venue)
        elif now_s - search.burnt_at_s < BURN_AGAIN_AFTER_S:
            await self.check_slot(search, venue)
            return
        elif not self.is_young(search):  # it may wait for an earlier one (reliability.md §2.3)
            await self._lanes.fill_below(prepared.lane, prepared.nonce)
        search.burnt_at_s = now_s
        answer = await self._sent(search.burn, venue)
        if isinstance(answer, Declined) and answer.reason in OF_MARKET:
            # it has used nothing, and may never: the market is gone, another one will do
            search.burn = await self._new_burn(prepared, venue)
            answer = await self._sent(search.burn, venue)
        search.burnt = isinstance(answer, Accepted)
        logger.info(
            "order {}: burning nonce {} of {}: {}",
            prepared.order.id,
            prepared.nonce,
            prepared.lane,
            type(answer).__name__,
        )
        await self.check_slot(search, venue)

    async def _sent(self, prepared: Prepared, venue: Venue) -> Answer:
        """What the venue says to it, if it does soon: the slot tells more, and sooner."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                return await venue.submit(prepared)
        return NoProof("no answer yet")

    async def _burn_for(self, prepared: Prepared, venue: Venue) -> Prepared:
        """The burn that was committed for this order last, or a new one where it is over."""
        earlier = self._store.burns_of(prepared)
        if earlier and not self._is_over(earlier[-1], venue):
            return earlier[-1]
        return await self._new_burn(prepared, venue)

    async def _new_burn(self, prepared: Prepared, venue: Venue) -> Prepared:
        burn = await venue.prepare_burn(prepared)
        self._store.intend_burn(prepared, burn)
        return burn

    def _is_over(self, burn: Prepared, venue: Venue) -> bool:
        """Whether a burn has expired by the venue's clock: it is refused for ever from then on."""
        now, offset = self._clock.now(), venue.offset
        return (now if offset is None else offset.theirs(now)) >= burn.expires_at

    async def check_slot(self, search: Search, venue: Venue) -> None:
        """Note when the venue is first seen to expect a later nonce than the order's."""
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
            expected = await overlapping(lambda: venue.next_nonce(lane), self._clock)
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
