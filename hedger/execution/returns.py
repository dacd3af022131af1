"""
The return of a venue on which a leg stands alone: looked for every moment, and used at once.

A venue that is away, or says itself that its market is closed or our key is not accepted, gets no
order: a refused one costs a nonce and changes nothing. What it says is read every ``POLL_S``, and
when it can trade again, or if it says so and had refused all the same, the next attempt begins.
Its word is not the last one: now and then an order is tried against it. Nor does it count for
another venue: where its own leg is gone, what is left stands alone on the other one.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ability import Ability, Can
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.money import ZERO
from hedger.execution import stands
from hedger.execution.abilities import Abilities
from hedger.ledger.store import Store
from hedger.owned import seen_sizes

POLL_S: Final = 2.0  # 30 requests a minute: half of what the smallest account may make
ATTEMPT_S: Final = 3.0  # with a look, an answer and a sending this stays below 5 s
DESPITE_S: Final = 900.0  # an order is tried against the venue's own word so rarely


class Returns:
    """Watches the venues that keep a leg standing alone."""

    def __init__(
        self,
        *,
        abilities: Abilities,
        store: Store,
        clock: Clock,
        slippage_bps: Decimal,
        dedicated: bool,
    ) -> None:
        self._dedicated = dedicated
        self._abilities = abilities
        self._store = store
        self._clock = clock
        self._slippage_bps = slippage_bps
        self._away: dict[HedgeId, Ability] = {}
        self._tried_s: dict[HedgeId, float] = {}

    def watched(self) -> list[Hedge]:
        """Escalated hedges of which a leg is known to stand alone."""
        found = [hedge for hedge in self._store.unfinished() if self.is_alone(hedge)]
        kept = {hedge.id for hedge in found}
        self._away = {name: why for name, why in self._away.items() if name in kept}
        self._tried_s = {name: at_s for name, at_s in self._tried_s.items() if name in kept}
        return found

    def waits(self, hedge: Hedge) -> bool:
        """Whether an attempt is ours to begin: at any other pace it would only be refused."""
        away = self._away.get(hedge.id)
        if away is not None and away.venue == self._venue(hedge):
            return away.can is Can.NO
        return self.is_alone(hedge) and self._venue(hedge) in stands.bars(self._store, hedge.id)

    async def back(self, hedge: Hedge) -> bool:
        """Whether an attempt is to begin now."""
        venue = self._venue(hedge)
        size = self._sizes(hedge)[venue]
        now_s = self._clock.monotonic_s()
        tried_s = self._tried_s.setdefault(hedge.id, now_s)
        away = self._away.get(hedge.id)
        before = away if away is not None and away.venue == venue else None
        found = await self._abilities.returned(
            venue, hedge.symbol, size, self._slippage_bps, before
        )
        if found is not None:
            if before is None:
                logger.warning("hedge {} waits for {}: {}", hedge.id, venue, found.why)
            self._away[hedge.id] = found
            return now_s - tried_s >= DESPITE_S
        if self._away.pop(hedge.id, None) is not None:
            logger.info("hedge {}: {} can trade again", hedge.id, venue)
            return True
        return venue in stands.bars(self._store, hedge.id) and now_s - tried_s >= ATTEMPT_S

    def tried(self, hedge: HedgeId) -> None:
        """An attempt has ended."""
        self._tried_s[hedge] = self._clock.monotonic_s()

    def is_alone(self, hedge: Hedge) -> bool:
        """Whether a person was alerted of it and its legs are known to differ."""
        return hedge.state is State.ESCALATED and sum(self._sizes(hedge).values(), ZERO) != ZERO

    def _venue(self, hedge: Hedge) -> VenueId:
        """Where the larger leg is."""
        sizes = self._sizes(hedge)
        return max(sizes, key=lambda venue: abs(sizes[venue]))

    def _sizes(self, hedge: Hedge) -> Mapping[VenueId, Decimal]:
        return seen_sizes(self._store, hedge, dedicated=self._dedicated)
