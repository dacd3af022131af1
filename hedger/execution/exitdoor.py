"""
The one door before the first reducing order of a hedge whose legs match.

It opens when both venues are proven able to take their order now. Otherwise both legs stand, the
wish is kept, a person is told, and it is asked for again at a bounded pace. What is unknown counts
as "cannot" for ``exit.proof_wait_s``; after that a person is told that the decision is theirs.
Rollbacks, orphans and exits before a liquidation never come here.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ability import Can
from hedger.domain.hedge import Hedge
from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.money import plain
from hedger.domain.order import Purpose
from hedger.execution import stands
from hedger.execution.abilities import Abilities
from hedger.execution.exitproof import Proof, combined, judge
from hedger.execution.keyproof import KeyProof
from hedger.execution.stands import Stand
from hedger.ledger.store import Store
from hedger.owned import seen_sizes, untouched
from hedger.ports import Venue

FRESH_S: Final = 5.0  # what was proven so lately holds for the order that follows
AGAIN_FIRST_S: Final = 10.0
AGAIN_MAX_S: Final = 60.0
TOLD_KEYS_MAX: Final = 20
TOLD_AFTER_S: Final = 30.0  # within the first minute, and not for one answer that was lost


class ExitDoor:
    """Proves that both legs can come off, and remembers the exits that cannot begin."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        abilities: Abilities,
        keys: KeyProof,
        store: Store,
        clock: Clock,
        slippage_bps: Decimal,
        proof_wait_s: float,
        dedicated: bool,
    ) -> None:
        self._venues = venues
        self._abilities = abilities
        self._keys = keys
        self._store = store
        self._clock = clock
        self._slippage_bps = slippage_bps
        self._proof_wait_s = proof_wait_s
        self._dedicated = dedicated
        self._proven_s: dict[HedgeId, float] = {}
        self._next: dict[HedgeId, tuple[float, float]] = {}  # when to ask again, and the wait

    # -- asked before an exit ---------------------------------------------------------------

    async def opens(
        self, hedge: Hedge, wish: str, *, by_hand: bool = False, hurry: bool = False
    ) -> bool:
        """Whether the exit may begin now; if not, it stands in the ledger, and why."""
        proof = await self.prove(hedge)
        if proof.can is Can.YES:
            self._proven_s[hedge.id] = self._clock.monotonic_s()
            self._begins(hedge, wish, by_hand=by_hand, hurry=hurry)
            return True
        self._stands(hedge, wish, proof, by_hand=by_hand, hurry=hurry)
        return False

    async def still_opens(self, hedge: Hedge) -> bool:
        """The same immediately before the first order, for an exit that has been decided."""
        if stands.exemption(self._store, hedge.id) or not untouched(self._store, hedge):
            return True
        proven_s = self._proven_s.get(hedge.id)
        if proven_s is not None and self._clock.monotonic_s() - proven_s <= FRESH_S:
            return True
        return await self.opens(hedge, hedge.reason)

    async def prove(self, hedge: Hedge) -> Proof:
        """Ask both venues; a key is asked last, and only where nothing else is in the way."""
        legs = self._sizes(hedge).items()
        looks = await asyncio.gather(
            *(self._abilities.look(venue, hedge.symbol, size) for venue, size in legs)
        )
        proof = judge(looks, self._slippage_bps)
        if proof.can is not Can.YES:
            return proof
        asked = (self._keys.ask(self._venues[venue]) for venue in hedge.venues)
        return combined(await asyncio.gather(*asked))

    # -- what stands ------------------------------------------------------------------------

    def due(self, hedge: HedgeId) -> bool:
        """Whether an exit that stands is to be tried again now."""
        at_s, _ = self._next.get(hedge, (0.0, 0.0))
        return self._clock.monotonic_s() >= at_s

    def wish(self, hedge: HedgeId) -> Stand | None:
        """The exit of a hedge that is wanted and stands."""
        found = stands.read(self._store, hedge)
        return None if found is None or found.can is Can.YES else found

    def forget(self) -> None:
        """What was kept of hedges that a person settled, or that ended otherwise elsewhere."""
        live = {hedge.id for hedge in self._store.live()}
        stands.forget(self._store, live)
        self._next = {hedge: due for hedge, due in self._next.items() if hedge in live}

    def drop(self, hedge: HedgeId) -> None:
        """It is no longer wanted, or no longer stands."""
        self._next.pop(hedge, None)
        stands.write(self._store, hedge, None)

    def done(self, hedge: Hedge) -> None:
        """A hedge is at rest: what was remembered of the way there is forgotten."""
        self._proven_s.pop(hedge.id, None)
        stands.exempt(self._store, hedge.id, "")
        stands.begin_with(self._store, hedge.id, None)
        for venue in stands.bars(self._store, hedge.id):
            stands.bar(self._store, hedge.id, venue, "")
        stand = stands.read(self._store, hedge.id)
        if hedge.state.terminal or (stand is not None and stand.can is Can.YES):
            self.drop(hedge.id)  # an exit that had begun and is over tells anew the next time

    def failed(self, hedge: Hedge, why: str) -> None:
        """An exit has begun and not one coin is off: both legs stand, and it is asked anew."""
        self._proven_s.pop(hedge.id, None)
        for venue in hedge.venues:
            self._keys.forget(self._venues[venue].lane(Purpose.CLOSE))
        before = stands.read(self._store, hedge.id)
        found = Stand(
            since=self._clock.now(),
            wish=hedge.reason,
            by_hand=before is not None and before.by_hand,
            hurry=before is not None and before.hurry,
            can=Can.NO,
            key="first_order",
            why=f"the first try took nothing off, {why} ({self._legs(hedge)})",
            remedy=f"look at both accounts and at {hedge.symbol} on both venues",
        )
        self._keep(hedge, found, before)

    def _begins(self, hedge: Hedge, wish: str, *, by_hand: bool, hurry: bool) -> None:
        """
        Both legs can come off. Who wished it and what was told stays known until they have: the
        first order may be refused all the same.
        """
        before = stands.read(self._store, hedge.id)
        if before is not None and before.can is not Can.YES:
            text = f"both legs can come off now: {wish}"
            self._store.event("exit_proven", text, hedge=hedge.id)
        if before is None and not by_hand and not hurry:
            return
        begun = Stand(
            since=self._clock.now(),
            wish=wish,
            by_hand=by_hand or (before is not None and before.by_hand),
            hurry=hurry or (before is not None and before.hurry),
            can=Can.YES,
            key="",
            why="",
            remedy="",
            told_keys=() if before is None else before.told_keys,
        )
        stands.write(self._store, hedge.id, begun)

    def _stands(self, hedge: Hedge, wish: str, proof: Proof, *, by_hand: bool, hurry: bool) -> None:
        now, before = self._clock.now(), stands.read(self._store, hedge.id)
        unknown_since: datetime | None = None
        if proof.can is Can.UNKNOWN:
            unknown_since = (before.unknown_since if before else None) or now
        found = Stand(
            since=before.since if before else now,
            wish=wish,
            by_hand=by_hand or (before is not None and before.by_hand),
            hurry=hurry or (before is not None and before.hurry),
            can=proof.can,
            key=proof.key,
            why=f"{proof.why} ({self._legs(hedge)})",
            remedy=proof.remedy,
            unknown_since=unknown_since,
        )
        self._keep(hedge, found, before)

    def _keep(self, hedge: Hedge, found: Stand, before: Stand | None) -> None:
        """Note it, tell a person once of each obstacle, and say when it is tried again."""
        same = before is not None and (before.can, before.key) == (found.can, found.key)
        told = before.told if before is not None and before.can is found.can else 0
        told_keys = () if before is None else before.told_keys
        if found.can is Can.NO:
            told = int(found.key in told_keys)
        if not same:
            logger.warning("{}", found.text(hedge.id))
            self._store.event("exit_stands", found.text(hedge.id), hedge=hedge.id, level="warning")
        wanted = self._tellings(found)
        if told < wanted:
            self._store.alert(self._told(hedge, found, wanted), hedge=hedge.id)
            if found.can is Can.NO:
                told_keys = (*told_keys, found.key)[-TOLD_KEYS_MAX:]
        found = replace(found, told=max(told, wanted), told_keys=told_keys)
        stands.write(self._store, hedge.id, found)
        _, wait_s = self._next.get(hedge.id, (0.0, AGAIN_FIRST_S))
        if found.can is Can.UNKNOWN and wanted < 2:
            wait_s = AGAIN_FIRST_S
        at_s = self._clock.monotonic_s() + wait_s
        self._next[hedge.id] = (at_s, min(wait_s * 2, AGAIN_MAX_S))

    def _tellings(self, stand: Stand) -> int:
        """How often a person is to have been told by now."""
        if stand.unknown_since is None:
            return 1
        span = self._clock.now() - stand.unknown_since
        if span >= timedelta(seconds=self._proof_wait_s):
            return 2
        return 1 if span >= timedelta(seconds=TOLD_AFTER_S) else 0

    def _told(self, hedge: Hedge, stand: Stand, times: int) -> str:
        if times < 2:
            return stand.text(hedge.id)
        return (
            f"hedge {hedge.id} waits for a person's decision: for {self._proof_wait_s:g} s it has"
            f" not been known whether both legs can come off ({stand.why}); both legs stand"
            f" until they are proven able to, or until `hedger close {hedge.id} --anyway`"
        )

    def _legs(self, hedge: Hedge) -> str:
        sizes = self._sizes(hedge).items()
        return ", ".join(f"{venue} holds {plain(size)} {hedge.symbol}" for venue, size in sizes)

    def _sizes(self, hedge: Hedge) -> Mapping[VenueId, Decimal]:
        return seen_sizes(self._store, hedge, dedicated=self._dedicated)
