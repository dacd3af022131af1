"""
Reduce both legs of an open hedge together: the stressed one first, the other by what that filled.

Reduce-only, in coins of the real positions. Before the first order the hedge is CONVERGING
towards MATCH: the rollback engine reads both legs again, because the other one may have been
liquidated meanwhile, and takes off what makes them unequal. Where the stressed leg was not
reduced (a refusal, an answer that is lost, a crash), both match and the other is left as it is.
"""

from decimal import Decimal

from loguru import logger

from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.money import ZERO, ceil_to_step, common_step, floor_to_step, plain
from hedger.domain.order import Filled, Side
from hedger.errors import UnwritableError, VenueError
from hedger.executor import Executor
from hedger.ledger.store import Store
from hedger.legs import LegReader
from hedger.reduction import Legs, Reduction
from hedger.rollback import RollbackEngine


class Relieving:
    """Reduces what is held on both venues by a part."""

    def __init__(
        self, *, store: Store, executor: Executor, rollback: RollbackEngine, legs: LegReader
    ) -> None:
        self._store = store
        self._executor = executor
        self._rollback = rollback
        self._legs = legs

    async def reduce_both(
        self, hedge_id: HedgeId, first: VenueId, share: Decimal, why: str
    ) -> Decimal:
        """
        Reduce both legs by ``share`` of the smaller one, beginning on ``first``.

        Comes back when the hedge is at rest again or escalated, with the coins that were taken
        off on ``first``: zero where nothing was reduced.
        """
        async with self._executor.alone(hedge_id):
            hedge = self._store.hedge(hedge_id)
            if hedge.state is not State.OPEN:
                return ZERO  # somebody else is at it
            try:
                legs = await self._legs.read(hedge)
            except VenueError as error:
                logger.warning("hedge {} is not reduced now: {}", hedge.id, error)
                return ZERO
            size = part_of(legs, share)
            if size == ZERO:
                logger.warning(
                    "hedge {} is not reduced: {} and {} {} are unequal, unsure or too small",
                    hedge.id,
                    plain(legs.a),
                    plain(legs.b),
                    hedge.symbol,
                )
                return ZERO
            hedge = self._store.move(hedge, State.CONVERGING, why, target=Target.MATCH)
            reduced = await self._reduce(hedge, legs, first, size)
        await self._executor.resume(self._store.hedge(hedge_id))
        return reduced

    async def _reduce(self, hedge: Hedge, legs: Legs, first: VenueId, size: Decimal) -> Decimal:
        """Coins that one reduce-only order on ``first`` provably took off."""
        held = legs.a if first == legs.rules_a.venue else legs.b
        step = Reduction(venue=first, side=Side.closing(held), size=size)
        try:
            outcome = await self._rollback.take(hedge, step)
        except (VenueError, UnwritableError) as error:
            logger.warning("hedge {}: both legs are read again, {}", hedge.id, error)
            return ZERO
        return outcome.size if isinstance(outcome, Filled) else ZERO


def part_of(legs: Legs, share: Decimal) -> Decimal:
    """
    The coins that both legs can come down by, at least what an order may be; zero: none.

    Only legs that match, are surely known, and would still be closable afterwards, are reduced
    in parts.
    """
    if legs.net != ZERO or legs.flat or legs.doubts or legs.unread is not None:
        return ZERO
    step = common_step(legs.rules_a.size_step, legs.rules_b.size_step)
    least = ceil_to_step(max(legs.rules_a.min_size, legs.rules_b.min_size), step)
    size = max(floor_to_step(abs(legs.a) * share, step), least)
    return size if abs(legs.a) - size >= least else ZERO
