"""
An answer of the venue to a transaction signed with the very key that sends reducing orders.

Where orders have nonces this is a cancel of an order that does not exist: taken in, and its nonce
used, it proves key, signature and sequence together. It goes through the lane like every
transaction and is committed first. What was proven less than a minute ago is not proven again.

Nobody waits for a proof: the lane is given back with the answer, or without one after ``ANSWER_S``,
for a leg of another hedge may stand alone. That the nonce is used is seen from beside the lane.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from hedger.clock import Clock
from hedger.domain.ability import Ability, Can, able, unable, unknown
from hedger.domain.ids import LaneId, VenueId
from hedger.domain.order import Accepted, Answer, Declined, NoProof, Purpose, Reason
from hedger.errors import VenueError
from hedger.ledger.store import Store
from hedger.ports import Venue
from hedger.sequence import Lanes
from hedger.sequence.gaps import waited_for

PROVEN_FOR_S: Final = 60.0
PATIENCE_S: Final = 5.0  # for the lane: another reducing order may be on it
ANSWER_S: Final = 1.5
WHY: Final = "proves before an exit that the key for reducing orders is accepted"


class KeyProof:
    """Knows until when the key of each lane is proven, and proves it again."""

    def __init__(
        self, *, store: Store, lanes: Lanes, clock: Clock, lag_s: Callable[[VenueId], float]
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._clock = clock
        self._lag_s = lag_s
        self._proven_s: dict[LaneId, float] = {}
        self._refused: dict[LaneId, Ability] = {}
        self._asking: dict[LaneId, asyncio.Lock] = {}

    async def ask(self, venue: Venue) -> Ability:
        """
        Whether the key of the lane for reducing orders is accepted; a venue without lanes can.

        Sends at most one transaction.
        """
        lane = venue.lane(Purpose.CLOSE)
        if lane is None or self._fresh(lane):
            return able(venue.id)
        try:
            async with self._asking.setdefault(lane, asyncio.Lock()):
                if self._fresh(lane):  # by whoever asked before us
                    return able(venue.id)
                return await self._proven(venue, lane)
        except VenueError as error:
            if (refused := self._refused.get(lane)) is not None:
                return refused  # its lane is out of step for that; nothing newer is known
            why = f"the key of {venue.id} for reducing orders is not proven ({error.detail})"
            return unknown(venue.id, "key_unproven", why)

    def forget(self, lane: LaneId | None) -> None:
        """The venue has just refused this key."""
        if lane is not None:
            self._proven_s.pop(lane, None)

    def _fresh(self, lane: LaneId) -> bool:
        at_s = self._proven_s.get(lane)
        return at_s is not None and self._clock.monotonic_s() - at_s < PROVEN_FOR_S

    async def _proven(self, venue: Venue, lane: LaneId) -> Ability:
        async with self._lanes.hold(lane, patience_s=PATIENCE_S):
            nonce, answer = await self._sent(venue, lane)
        answered_s = self._clock.monotonic_s()
        if not isinstance(answer, Accepted):
            found = _refused(venue.id, lane, answer)
            if found.can is Can.NO:
                self._refused[lane] = found
            return found
        self._refused.pop(lane, None)
        until_s = answered_s + self._lag_s(venue.id)
        if await waited_for(venue, lane, nonce + 1, until_s, self._clock) <= nonce:
            self._lanes.missed(lane, "the proof of a key was taken in and its nonce is not used")
            why = f"{venue.id} took a transaction on {lane} in and did not execute it"
            return unknown(venue.id, "key_unproven", why)
        self._proven_s[lane] = answered_s
        return able(venue.id)

    async def _sent(self, venue: Venue, lane: LaneId) -> tuple[int, Answer]:
        """The harmless transaction, and what the venue says to it; inside ``hold``."""
        nonce = await self._lanes.next_value(lane, urgent=True)
        assert nonce is not None
        probe = await venue.prepare_filler(lane, nonce)
        self._store.intend_filler(probe, WHY)
        answer: Answer = NoProof(f"no answer within {ANSWER_S:g} s")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                answer = await venue.submit_filler(probe)
        self._lanes.answered(lane, nonce, answer)
        if not isinstance(answer, Accepted):
            self._lanes.missed(lane, f"the proof of a key got {type(answer).__name__}")
        return nonce, answer


def _refused(venue: VenueId, lane: LaneId, answer: Answer) -> Ability:
    said = answer.detail if not isinstance(answer, Declined) else f"{answer.code}: {answer.detail}"
    if isinstance(answer, Declined) and answer.reason is Reason.MARKET_STATE:
        why = f"{venue} takes no cancel now, on no market ({said})"
        return unable(venue, "venue_closed", why, f"wait until {venue} trades again")
    if isinstance(answer, Declined) and answer.reason is Reason.AUTH:
        return unable(
            venue,
            "key_refused",
            f"{venue} refuses the key of lane {lane} ({said})",
            f"register the API key of lane {lane} (venue:account:key index) at {venue} again and"
            " restart hedger with its private key",
        )
    return Ability(
        venue=venue,
        can=Can.UNKNOWN,
        code="key_unproven",
        why=f"the key of lane {lane} is not proven at {venue} ({said})",
        remedy=f"look whether {venue} takes transactions of that key",
    )
