"""
Reads both accounts, and what disagrees with the ledger in what was read.

Every reading is kept, that of nothing as well where a hedge has a leg: a leg that is gone has no
row in a venue's list, and what measures how long the other one stands unhedged needs a reading.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from loguru import logger

from hedger.clock import Clock
from hedger.differences import Difference, Readings, Tolerance, differences, tells
from hedger.domain.hedge import State
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Position
from hedger.domain.money import ZERO
from hedger.errors import VenueError
from hedger.ledger.store import Store
from hedger.owned import own_size
from hedger.ports import Venue
from hedger.reconciliation.toldpositions import told_positions
from hedger.retrying import asking
from hedger.settings import RetryPolicy
from hedger.settings_recovery import Recovery as Rules
from hedger.together import together

Claim = Callable[[VenueId, Symbol, Decimal], Awaitable[None]]
"""Looks whether an order that is over made a position beyond what our fills make."""

NOT_LISTED = "not among the positions"
"""Source of a reading of nothing: the venue's list has no row of the market."""


class AccountLook:
    """One look at the positions of both accounts."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        store: Store,
        clock: Clock,
        retries: RetryPolicy,
        rules: Rules,
        dedicated: bool,
        claims: Sequence[Claim],
    ) -> None:
        self._venues = venues
        self._store = store
        self._clock = clock
        self._retries = retries
        self._rules = rules
        self._dedicated = dedicated
        self._claims = claims
        self._read_s = float("-inf")

    @property
    def age_s(self) -> float:
        """How long ago both accounts were last read, in seconds."""
        return self._clock.monotonic_s() - self._read_s

    async def read(self) -> tuple[Readings, dict[VenueId, str]]:
        """The positions that the venues told, and why one told none, or not all."""
        self._read_s = self._clock.monotonic_s()
        readings: dict[VenueId, Mapping[Symbol, Position]] = {}
        in_doubt: dict[VenueId, str] = {}

        flat: list[Position] = []
        symbols = [hedge.symbol for hedge in self._store.live()]

        async def ask(venue: Venue) -> None:
            began = self._clock.now()
            try:
                found, why = await asking(
                    lambda: told_positions(venue, symbols), self._retries, self._clock
                )
                readings[venue.id] = found
                if why:
                    in_doubt[venue.id] = why
                flat.extend(self._read_flat(venue.id, found, began))
            except VenueError as error:
                in_doubt[venue.id] = error.detail
            if venue.id in in_doubt:
                logger.warning("{} is in doubt: {}", venue.id, in_doubt[venue.id])

        await together(ask(venue) for venue in self._venues.values())
        shown = [p for positions in readings.values() for p in positions.values()]
        self._store.observe(shown + flat)
        return readings, in_doubt

    def _read_flat(
        self, venue: VenueId, found: Mapping[Symbol, Position], began: datetime
    ) -> list[Position]:
        """Readings of nothing, where a hedge has a leg: a venue's list leaves them out."""
        return [
            Position(
                venue=venue,
                symbol=hedge.symbol,
                size=ZERO,
                entry_price=None,
                read_started_at=began,
                as_of=self._clock.now(),
                source=NOT_LISTED,
            )
            for hedge in self._store.live()
            if venue in hedge.venues and hedge.symbol not in found and tells(found, hedge.symbol)
        ]

    async def claim(self, readings: Readings) -> None:
        """
        Ask for late fills where a venue holds more than our fills make, or something else.

        Not where a hedge is under way: who drives it reads both legs again.
        """
        live = {hedge.symbol: hedge for hedge in self._store.live()}
        for venue, positions in readings.items():
            for symbol, position in positions.items():
                hedge = live.get(symbol)
                own = ZERO
                if hedge is not None and venue in hedge.venues:
                    if hedge.state is not State.OPEN:
                        continue
                    own = own_size(self._store, hedge.id, venue)
                if position.size != own:
                    for claim in self._claims:
                        await claim(venue, symbol, position.size - own)

    async def differences(self, readings: Readings) -> list[Difference]:
        """What disagrees with the ledger in these readings."""
        live = self._store.live()
        booked = {
            (hedge.id, venue): own_size(self._store, hedge.id, venue)
            for hedge in live
            for venue in hedge.venues
        }
        steps = {}
        for hedge in live:
            for venue in hedge.venues:
                try:
                    rules = await self._venues[venue].instrument(hedge.symbol)
                except VenueError as error:
                    logger.warning("no size step of {} on {}: {}", hedge.symbol, venue, error)
                    continue  # then every difference counts
                steps[venue, hedge.symbol] = rules.size_step
        return differences(
            live,
            booked,
            readings,
            dedicated=self._dedicated,
            tolerance=Tolerance(steps=steps, usd=self._rules.tolerance_usd),
        )
