"""
Look after what is held: equity, and how far each leg is from its liquidation.

A leg that comes near is reduced together with its other half, and one that comes too near is
closed with it, in sequence and reduce-only, before the venue does it to one of them alone. A
failed read changes nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from loguru import logger

from hedger import risk
from hedger.clock import Clock
from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.market import Balance, Position
from hedger.domain.money import plain
from hedger.errors import VenueError
from hedger.execution.reliefwatch import ReliefWatch
from hedger.executor import Executor
from hedger.funds import EquityBook
from hedger.holding import Code
from hedger.ledger.records import Decision
from hedger.ledger.store import Store
from hedger.ports import Venue
from hedger.reconciliation.toldpositions import told_positions

HELD_FOR_S: Final = 2.0
"""While something is held, answers that other jobs had so lately are not asked for again."""

GLANCE_FOR_S: Final = 5.0
"""The same for the look between two turns, which comes right after the reconciler's."""

NOTHING_FOR_S: Final = 30.0
"""The same while nothing is held; an opening reads both accounts anew in any case."""

QUIET_S: Final = 300.0
"""
An account that holds nothing changes only by what people move: it is read so often, once
``QUIET_TURNS`` in a row have found nothing held.
"""
QUIET_TURNS: Final = 2

STOP: Final = "stop:"
"""Meta key ``stop:day_loss`` and ``stop:drawdown`` while the stop is reached: its sentence."""


class Guard:
    """
    One look at both accounts per turn.

    Attributes:
        distances_bps: of every leg that the venue names a liquidation price for, at the last look.
    """

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        executor: Executor,
        equity: EquityBook,
        clock: Clock,
        limits: risk.Limits,
        exit_distance_bps: Decimal,
        relief: ReliefWatch,
    ) -> None:
        self._clock = clock
        self._venues = venues
        self._store = store
        self._executor = executor
        self._equity = equity
        self._limits = limits
        self._exit_distance_bps = exit_distance_bps
        self.distances_bps: Mapping[tuple[VenueId, Symbol], Decimal] = {}
        self._relief = relief
        self._busy: set[HedgeId] = set()  # being closed or reduced by a look that still runs
        self._quiet = 0  # turns in a row that read both accounts and found nothing held
        self._read_s = float("-inf")
        self._readings = 0

    @property
    def near(self) -> bool:
        """Whether a leg of an open hedge was near its liquidation at the last look."""
        held = {(v, h.symbol) for h in self._store.live() for v in h.venues}
        return any(
            distance < self._relief.ends_bps
            for leg, distance in self.distances_bps.items()
            if leg in held
        )

    async def run(self) -> None:
        """Read, judge, tell, and close what is too near."""
        live = self._store.live()
        if live or self._equity.readings != self._readings:
            self._quiet = 0  # something is held, or was begun since the last turn
        if self._quiet >= QUIET_TURNS and self._clock.monotonic_s() - self._read_s < QUIET_S:
            self._tell_losses()  # a new day may have begun
            return
        read_s = self._clock.monotonic_s()
        read = await asyncio.gather(
            *(self._read(v, held=bool(live)) for v in self._venues.values())
        )
        balances = {found[0].venue: found[0].equity_usd for found in read if found is not None}
        if len(balances) == len(self._venues):
            self._equity.note(balances)
            self._read_s, self._quiet = read_s, self._quiet + 1
        self._readings = self._equity.readings
        self._tell_losses()
        self.distances_bps = _distances([found[1] for found in read if found is not None])
        await self._act(live, self.distances_bps)

    async def glance(self) -> None:
        """
        The distances of open hedges alone, between the regular runs.

        Costs no request where the accounts were read a moment ago, as by the reconciler's glance.
        """
        live = self._store.live()
        if not any(hedge.state is State.OPEN for hedge in live):
            return
        read = await asyncio.gather(*(self._positions(v) for v in self._venues.values()))
        distances = _distances([found for found in read if found is not None])
        self.distances_bps = {**self.distances_bps, **distances}
        await self._act(live, distances)

    async def _act(
        self, live: Sequence[Hedge], distances: Mapping[tuple[VenueId, Symbol], Decimal]
    ) -> None:
        """Close what is too near; reduce both legs of what comes near."""
        self._relief.forget({hedge.id for hedge in live})
        async with asyncio.TaskGroup() as group:
            for hedge in live:
                if hedge.state is State.OPEN and hedge.id not in self._busy:
                    group.create_task(self._look_after(hedge, distances))

    async def _look_after(
        self, hedge: Hedge, distances: Mapping[tuple[VenueId, Symbol], Decimal]
    ) -> None:
        self._busy.add(hedge.id)
        try:
            own = _own(hedge, distances)
            nearest = _nearest(own)
            if nearest is not None and own[nearest] < self._exit_distance_bps:
                await self._leave(hedge, nearest, own[nearest])
                return
            await self._relief.look(hedge, own)
        finally:
            self._busy.discard(hedge.id)

    async def _positions(self, venue: Venue) -> Mapping[Symbol, Position] | None:
        try:
            return await self._told(venue, GLANCE_FOR_S)
        except VenueError as error:
            logger.warning("guard: {} cannot be read: {}", venue.id, error.detail)
            return None

    async def _read(
        self, venue: Venue, *, held: bool
    ) -> tuple[Balance, Mapping[Symbol, Position]] | None:
        try:
            if not held:
                return await venue.balance(max_age_s=NOTHING_FOR_S), {}
            balance = await venue.balance(max_age_s=HELD_FOR_S)
            return balance, await self._told(venue, HELD_FOR_S)
        except VenueError as error:
            logger.warning("guard: {} cannot be read: {}", venue.id, error.detail)
            return None

    async def _told(self, venue: Venue, max_age_s: float) -> Mapping[Symbol, Position]:
        """Positions; one market that contradicts what is known of it hides no other."""
        symbols = [hedge.symbol for hedge in self._store.live()]
        found, why = await told_positions(venue, symbols, max_age_s)
        if why:
            logger.warning("guard: {} does not tell all it holds: {}", venue.id, why)
        return found

    def nearest(self, hedge: Hedge) -> VenueId | None:
        """The venue whose leg is nearest to its liquidation by the last look; None: not known."""
        return _nearest(_own(hedge, self.distances_bps))

    async def _leave(self, hedge: Hedge, venue: VenueId, distance_bps: Decimal) -> None:
        """Both legs come off, this one first: if it cannot, the other one stays as well."""
        why = (
            f"its leg on {venue} is {distance_bps:.0f} bps from liquidation,"
            f" risk.exit_liquidation_distance_bps is {plain(self._exit_distance_bps)}"
        )
        text = f"hedge {hedge.id} is closed: {why}; move money to that venue before the next one"
        logger.error("{}", text)
        self._store.alert(text, hedge=hedge.id)
        self._store.decide(
            [Decision(symbol=hedge.symbol, about="exit", code=Code.LIQUIDATION, text=why)]
        )
        await self._executor.close(hedge, why, hurry=True, unproven=why, first=venue)

    def _tell_losses(self) -> None:
        """One alert when a stop is reached; what it says is kept for ``hedger status``."""
        reached = {
            found.code: found.text for found in risk.losses(self._equity.track(), self._limits)
        }
        known = self._store.metas(STOP)
        for code, text in reached.items():
            if STOP + code not in known:
                logger.error("no new hedges: {}", text)
                self._store.alert(f"no new hedges: {text}")
                self._store.set_meta(STOP + code, text)
        for key in known:
            if key.removeprefix(STOP) not in reached:
                self._store.set_meta(key, "")


def _own(
    hedge: Hedge, distances: Mapping[tuple[VenueId, Symbol], Decimal]
) -> Mapping[VenueId, Decimal]:
    """Those of a hedge's own legs."""
    return {v: distances[v, hedge.symbol] for v in hedge.venues if (v, hedge.symbol) in distances}


def _nearest(own: Mapping[VenueId, Decimal]) -> VenueId | None:
    return min(own, key=lambda venue: own[venue], default=None)


def _distances(
    accounts: Sequence[Mapping[Symbol, Position]],
) -> Mapping[tuple[VenueId, Symbol], Decimal]:
    """Of every leg that its venue names a liquidation price for."""
    return {
        (position.venue, symbol): distance
        for positions in accounts
        for symbol, position in positions.items()
        if (distance := risk.held_distance_bps(position)) is not None
    }
