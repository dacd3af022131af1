"""
What became of an order: from the answer to one send, to a proof.

Three ends only: filled (by how much), refused with proof, unresolved. "Not found" is never
proof by itself. An order is dead only when the venue does not know it *and* can no longer
execute it, behind a fence (reliability.md §2.3):

* ``EXPIRY``: its signed expiry and the read lag have passed on the venue's clock
  (``hedger/proofs.py``);
* ``NONCE``: another transaction of ours holds its nonce (``hedger/noncefence.py``).

The read lag is the measured one (``hedger/readlag.py``). Our orders are immediate, so one that
the venue keeps working is cancelled and then looked up again: a cancel can lose the race (S12).
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

from loguru import logger

from hedger.cancelling import RESTING_CLOSE_S, cancel
from hedger.clock import Clock
from hedger.domain.ids import VenueId
from hedger.domain.order import (
    Accepted,
    Answer,
    Filled,
    Found,
    NoProof,
    NotFound,
    Outcome,
    Prepared,
    Reason,
    Refused,
    Sighting,
    Unresolved,
)
from hedger.errors import ContradictionError, VenueError
from hedger.ledger.store import Store
from hedger.monitoring.market_facts import MarketFacts
from hedger.noncefence import NonceFence
from hedger.ports import Capabilities, Fence, Venue
from hedger.proofs import dead, expired_for_good, fence_margin, verdict
from hedger.readlag import ReadLag
from hedger.search import SEARCH_S, Coming, Search
from hedger.sequence import Lanes
from hedger.together import together
from hedger.urgency import overlapping

LOOK_DELAYS_S = (0.3, 0.7, 1.4, 2.0)  # after the first; the last again until the budget ends
CANCEL_AGAIN_AFTER_S = 5.0
JUST_AFTER_S = 0.01
SLOT_LOOK_S = 0.3
SHOWN_WITHIN_S = 2.0
BLIND_S = 25.0
"""
How long an order is sought that cannot be looked up, on a venue that shows positions meanwhile:
it may tell nothing of its orders for long, and what it does show can be acted upon.
"""
NOT_WORTH_S = 0.5  # a look so shortly before the fence stands would only delay the one that counts


class Resolver:
    """Follows orders to their end. Sends nothing but identical bytes, burns and cancels."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        lanes: Lanes,
        lag: ReadLag,
        facts: MarketFacts,
        clock: Clock,
        budget_s: float,
    ) -> None:
        self._facts = facts
        self._lanes = lanes
        self._lag = lag
        self._venues = venues
        self._store = store
        self._clock = clock
        self._budget_s = budget_s
        self._fence = NonceFence(store=store, lanes=lanes, lag=lag, clock=clock)

    async def resolve(
        self,
        prepared: Prepared,
        answer: Answer | None,
        *,
        wanted: bool = False,
        coming: Coming | None = None,
        limit_s: float | None = None,
        sent_s: float | None = None,
    ) -> Outcome:
        """
        The end of an order whose send was answered with ``answer`` (None: we do not know).

        ``wanted`` allows the identical bytes to be sent again while the order is young; leave it
        out for anything that an earlier process may have sent. ``coming`` is the send that has
        not been answered yet: what it says is taken in when it does. ``limit_s`` may shorten
        the search. ``sent_s`` is when the order was sent, on the monotonic clock (None: now);
        what it counts for is how young the order is.
        """
        began_s = self._clock.monotonic_s()
        search = Search(
            prepared, wanted, began_s, began_s if sent_s is None else sent_s, coming=coming
        )
        if (proof := self._said(search, answer)) is not None:
            return proof
        usual_s = self._venues[prepared.order.venue].capabilities.usual_match_s
        delay_s = 0.0 if search.refused else usual_s
        looks = 0
        budget_s = self._budget_s if sent_s is not None else self._left_s(prepared)
        budget_s = budget_s if limit_s is None else min(limit_s, budget_s)
        while self._clock.monotonic_s() - search.began_s < budget_s:
            await self._clock.sleep(self._until_next(search, delay_s))
            delay_s = LOOK_DELAYS_S[min(looks, len(LOOK_DELAYS_S) - 1)]
            looks += 1
            if (proof := self._came(search)) is not None:
                return proof
            try:
                outcome = await self._look(search)
            except VenueError as error:
                logger.warning("order {} cannot be looked up: {}", prepared.order.id, error)
                if isinstance(error, ContradictionError):
                    self._facts.contradicted(prepared.order, error)
                if await self._is_blind(search):
                    return Unresolved(prepared, f"not to be looked up for {BLIND_S:g} s: {error}")
                continue
            search.seen_s = self._clock.monotonic_s()
            if outcome is not None:
                return outcome
        return Unresolved(prepared, f"no proof after {looks} looks in {budget_s:g} s")

    def _left_s(self, prepared: Prepared) -> float:
        """What is left of a search that an earlier process began; a short one at least."""
        since = self._store.order(prepared).prepared_at
        age_s = max(0.0, (self._clock.now() - since).total_seconds())
        return max(SEARCH_S, self._budget_s - age_s)

    async def _is_blind(self, search: Search) -> bool:
        """Whether the order alone cannot be asked for, and that for long."""
        since_s = search.began_s if search.seen_s is None else search.seen_s
        if self._clock.monotonic_s() - since_s < BLIND_S:
            return False
        order = search.prepared.order
        try:
            async with asyncio.timeout(SHOWN_WITHIN_S):
                await self._venues[order.venue].position(order.symbol)
        except (TimeoutError, VenueError):
            return False  # it is away as a whole, and comes back as a whole
        return True

    def _said(self, search: Search, answer: Answer | None) -> Refused | None:
        """Take in what the venue said to the send; the end of the order if that proves one."""
        prepared = search.prepared
        search.accepted |= isinstance(answer, Accepted)
        if isinstance(answer, NoProof):
            search.refused |= answer.reason is Reason.NONCE
            logger.warning("order {}: no proof, {}", prepared.order.id, answer.detail)
        return verdict(prepared, answer)

    def _came(self, search: Search) -> Refused | None:
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

    def _until_next(self, search: Search, planned_s: float) -> float:
        """How long to wait for the next look: one begins as soon as its fence may stand."""
        venue = self._venues[search.prepared.order.venue]
        limits = self._lag.limits(venue.id)
        if search.burnt and self._clock.monotonic_s() - search.burnt_at_s < SHOWN_WITHIN_S:
            return min(planned_s, SLOT_LOOK_S)  # it is the proof as soon as it is shown
        stands_at: datetime | None = None
        if limits.fence is Fence.EXPIRY:
            stands_at = search.prepared.expires_at + fence_margin(limits, venue.offset)
        elif search.taken_at is not None:
            stands_at = search.taken_at + timedelta(seconds=limits.read_lag_s)
        elif search.refused and self._fence.is_young(search):
            return min(planned_s, SLOT_LOOK_S)
        if stands_at is None or (search.asked_at is not None and search.asked_at > stands_at):
            return planned_s
        left_s = max(0.0, (stands_at - self._clock.now()).total_seconds()) + JUST_AFTER_S
        return left_s if left_s < planned_s + NOT_WORTH_S else planned_s

    async def _look(self, search: Search) -> Outcome | None:
        venue = self._venues[search.prepared.order.venue]
        if search.refused:
            await self._fence.check_slot(search, venue)
        search.asked_at = asked_at = self._clock.now()
        sighting = await self._sighted(search, venue)
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
                return await self._fence.behind(search, venue, asked_at)

    async def _sighted(self, search: Search, venue: Venue) -> Sighting:
        """The order itself; where its nonce is used up, whose it is is asked beside it."""
        finding = overlapping(lambda: venue.find(search.prepared), self._clock)
        if not search.refused or search.taken_at is None:
            return await finding
        sighting, _ = await together((finding, self._fence.ask_other(search, venue)))
        assert sighting is not None
        return sighting

    def _measure(self, search: Search, found: Found, asked_at: datetime) -> None:
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

    async def _cancel_resting(self, search: Search, venue: Venue) -> None:
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
        self, search: Search, limits: Capabilities, asked_at: datetime
    ) -> Outcome | None:
        offset = self._venues[search.prepared.order.venue].offset
        if asked_at > self._clock.now():
            return None  # our clock was set back meanwhile
        if not expired_for_good(search.prepared, limits, asked_at, offset):
            return None
        return dead(search.prepared, "not found, and its expiry has passed")
