"""Both legs of a hedge come down together while one of them is near its liquidation."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from loguru import logger

from hedger.clock import Clock
from hedger.domain.hedge import Hedge
from hedger.domain.ids import VenueId
from hedger.domain.money import ZERO, plain
from hedger.execution.relieving import Relieving
from hedger.ledger.store import Store
from hedger.risk.relief import Relief, ReliefRules, judge_relief
from hedger.risk.reliefmemory import read, written

KEY: Final = "relief:"
"""Meta key ``relief:<hedge>`` while both legs of a hedge are being reduced."""


class ReliefWatch:
    """Judges the distances of one hedge, remembers in the ledger, and has both legs reduced."""

    def __init__(
        self, *, store: Store, clock: Clock, relieving: Relieving, rules: ReliefRules
    ) -> None:
        self._store = store
        self._clock = clock
        self._relieving = relieving
        self._rules = rules

    @property
    def ends_bps(self) -> Decimal:
        """The distance from which on a leg is well away, in bps."""
        return self._rules.at_bps + self._rules.hysteresis_bps

    async def look(self, hedge: Hedge, distances_bps: Mapping[VenueId, Decimal]) -> None:
        """Reduce both legs where one is too near; what was tried is on disk before the orders."""
        before = self._memory(hedge)
        verdict = judge_relief(distances_bps, self._rules, before, self._clock.now())
        if verdict.exhausted and verdict.relief is not None:
            self._tell(hedge, f"{self._near(verdict.relief, distances_bps)}, and both legs were"
                       f" reduced {verdict.relief.steps} times (risk.reduce_max_steps): they are"
                       " not reduced any more before the whole hedge is closed; move money to"
                       f" {verdict.relief.venue}")  # fmt: skip
        self._keep(hedge, before, verdict.relief)
        if verdict.stressed is None or verdict.relief is None:
            return
        await self._reduce(hedge, verdict.relief, self._near(verdict.relief, distances_bps))

    def forget(self, live: set[str]) -> None:
        """What was remembered of hedges that are over."""
        for key in self._store.metas(KEY):
            if key.removeprefix(KEY) not in live:
                self._store.set_meta(key, "")

    async def _reduce(self, hedge: Hedge, relief: Relief, near: str) -> None:
        first = relief.venue
        taken = await self._relieving.reduce_both(hedge.id, first, self._rules.share, near)
        ended = self._store.hedge(hedge.id)
        after = relief.reduced() if taken > ZERO else relief.failed()
        if taken > ZERO:
            text = (
                f"hedge {hedge.id}: {near}: both legs are reduced, {first} first by"
                f" {plain(taken)} {hedge.symbol}; it is {ended.state} now"
            )
            data = {"venue": first, "taken": plain(taken), "steps": after.steps}
            self._store.event("relief", text, hedge=hedge.id, level="warning", data=data)
            self._tell(hedge, f"{near}: both legs were reduced by {plain(taken)}; it is"
                       f" {ended.state} now; move money to {first}")  # fmt: skip
        elif relief.failures == 0:
            self._tell(hedge, f"{near}, and its legs could not be reduced together; it is tried"
                       f" again, and {first} needs money")  # fmt: skip
        self._keep(ended, relief, after)

    def _near(self, relief: Relief, distances_bps: Mapping[VenueId, Decimal]) -> str:
        distance = distances_bps.get(relief.venue)
        far = "near" if distance is None else f"{distance:.0f} bps from"
        return f"its leg on {relief.venue} is {far} liquidation"

    def _tell(self, hedge: Hedge, text: str) -> None:
        logger.error("hedge {}: {}", hedge.id, text)
        self._store.alert(f"hedge {hedge.id} on {hedge.symbol}: {text}", hedge=hedge.id)

    def _memory(self, hedge: Hedge) -> Relief | None:
        text = self._store.meta(KEY + hedge.id)
        return read(text) if text else None

    def _keep(self, hedge: Hedge, before: Relief | None, after: Relief | None) -> None:
        if after != before:
            self._store.set_meta(KEY + hedge.id, written(after) if after is not None else "")
