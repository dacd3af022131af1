"""
RECONCILE: hold what the ledger believes against what both accounts really hold.

A difference counts only when two successful looks, one read lag apart, agree on it (S4, S5,
S37). A venue that could not be read is in doubt and is never taken for flat (S3). What follows
is decided by whose the position is: a leg of ours that differs goes to the rollback engine; a
position that no hedge explains is an orphan where the sub-account is dedicated, and blocks its
market, untouched, where it is not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from loguru import logger

from hedger.clock import Clock
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.market import Position
from hedger.domain.money import ZERO, plain
from hedger.domain.order import Side
from hedger.errors import VenueError
from hedger.executor import Executor
from hedger.ids import IdMaker
from hedger.ledger.records import MarketBusyError
from hedger.ledger.store import Store
from hedger.ports import Venue
from hedger.retrying import asking
from hedger.settings import RetryPolicy

Readings = Mapping[VenueId, Mapping[Symbol, Position]]  # a venue that failed is absent
Booked = Mapping[tuple[HedgeId, VenueId], Decimal]


class Kind(StrEnum):
    """What kind of difference."""

    LEG_DIFFERS = "leg_differs"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The venue holds ``read``, the ledger explains ``booked``; signed coins."""

    kind: Kind
    venue: VenueId
    symbol: Symbol
    hedge: HedgeId | None
    booked: Decimal
    read: Decimal

    def text(self) -> str:
        """One sentence."""
        held = f"{self.venue} holds {plain(self.read)} {self.symbol}"
        if self.kind is Kind.UNEXPLAINED:
            return f"{held}, and no hedge explains it"
        return f"{held}, our fills of hedge {self.hedge} make {plain(self.booked)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One reconciliation. ``in_doubt`` says why each unreadable venue could not be read."""

    differences: Sequence[Difference]
    in_doubt: Mapping[VenueId, str]
    blocked: frozenset[tuple[VenueId, Symbol]]


def differences(
    live: Sequence[Hedge], booked: Booked, readings: Readings, *, dedicated: bool
) -> list[Difference]:
    """
    What disagrees, among the venues that answered.

    Hedges on their way somewhere are left to those who drive them. On a shared sub-account
    only a missing part of an own leg is a difference of that hedge.
    """
    found: list[Difference] = []
    by_symbol = {hedge.symbol: hedge for hedge in live}
    for hedge in live:
        if hedge.state is not State.OPEN:
            continue
        for venue in hedge.venues:
            if venue not in readings:
                continue
            ours = booked[hedge.id, venue]
            held = readings[venue].get(hedge.symbol)
            read = ZERO if held is None else held.size
            gone = read * ours <= ZERO or abs(read) < abs(ours)
            if read != ours and (dedicated or gone):
                found.append(
                    Difference(
                        kind=Kind.LEG_DIFFERS,
                        venue=venue,
                        symbol=hedge.symbol,
                        hedge=hedge.id,
                        booked=ours,
                        read=read,
                    )
                )
    for venue, positions in readings.items():
        for symbol, position in positions.items():
            hedge_here = by_symbol.get(symbol)
            explained = hedge_here is not None and venue in hedge_here.venues
            if position.size != ZERO and not explained:
                found.append(
                    Difference(
                        kind=Kind.UNEXPLAINED,
                        venue=venue,
                        symbol=symbol,
                        hedge=None,
                        booked=ZERO,
                        read=position.size,
                    )
                )
    return found


class Reconciler:
    """Looks at the accounts, not only at the hedges, for as long as the daemon lives."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        pair: tuple[VenueId, VenueId],
        store: Store,
        executor: Executor,
        ids: IdMaker,
        clock: Clock,
        dedicated: bool,
        retries: RetryPolicy,
    ) -> None:
        self._retries = retries
        self._venues = venues
        self._pair = pair
        self._store = store
        self._executor = executor
        self._ids = ids
        self._clock = clock
        self._dedicated = dedicated
        self._told: set[str] = set()

    async def look(self) -> Report:
        """Find differences that two looks agree on; changes nothing but the record of them."""
        readings, in_doubt = await self._read()
        first = self._differences(readings)
        confirmed: list[Difference] = []
        if first:
            lag_s = max(self._venues[d.venue].capabilities.read_lag_s for d in first)
            await self._clock.sleep(lag_s)
            readings, again = await self._read()
            in_doubt = {**in_doubt, **again}
            second = self._differences(readings)
            confirmed = [d for d in second if d in first]
        blocked = frozenset(
            (d.venue, d.symbol)
            for d in confirmed
            if d.kind is Kind.UNEXPLAINED and not self._dedicated
        )
        self._tell(confirmed, in_doubt)
        return Report(differences=confirmed, in_doubt=in_doubt, blocked=blocked)

    async def run(self) -> Report:
        """Look, and bring what differs back to agreement."""
        report = await self.look()
        for difference in report.differences:
            await self._repair(difference)
        return report

    async def _repair(self, difference: Difference) -> None:
        if difference.hedge is not None:
            hedge = self._store.hedge(difference.hedge)
            if hedge.state is State.OPEN:
                await self._executor.converge(hedge, Target.MATCH, difference.text())
        elif self._dedicated:
            await self.take_off(difference.symbol, difference.text())

    async def take_off(self, symbol: Symbol, why: str) -> Hedge | None:
        """Close what no hedge explains on one market; None when a hedge has it by now."""
        now = self._clock.now()
        orphan = Hedge(
            id=self._ids.hedge(symbol),
            symbol=symbol,
            venue_a=self._pair[0],
            venue_b=self._pair[1],
            side_a=Side.BUY,
            requested_usd=ZERO,
            planned_size=ZERO,
            state=State.ORPHAN,
            target=Target.FLAT,
            reason=why,
            created_at=now,
            updated_at=now,
        )
        try:
            self._store.adopt(orphan)
        except MarketBusyError:
            return None
        return await self._executor.resume(orphan)

    def _differences(self, readings: Readings) -> list[Difference]:
        live = self._store.live()
        booked = {
            (hedge.id, venue): self._store.leg_size(hedge.id, venue)
            for hedge in live
            for venue in hedge.venues
        }
        return differences(live, booked, readings, dedicated=self._dedicated)

    async def _read(self) -> tuple[Readings, dict[VenueId, str]]:
        readings: dict[VenueId, Mapping[Symbol, Position]] = {}
        in_doubt: dict[VenueId, str] = {}
        for id_, venue in self._venues.items():
            try:
                readings[id_] = await asking(venue.positions, self._retries, self._clock)
            except VenueError as error:
                in_doubt[id_] = error.detail
                logger.warning("{} is in doubt: {}", id_, error.detail)
        self._store.observe([p for positions in readings.values() for p in positions.values()])
        return readings, in_doubt

    def _tell(self, confirmed: Sequence[Difference], in_doubt: Mapping[VenueId, str]) -> None:
        """One alert per new finding, not one per look."""
        texts = {d.text(): d for d in confirmed}
        for text, difference in texts.items():
            if text not in self._told:
                self._store.alert(text, hedge=difference.hedge)
                logger.error("{}", text)
        doubts = {f"{venue} could not be read: {why}" for venue, why in in_doubt.items()}
        for text in doubts - self._told:
            self._store.event("venue_in_doubt", text, level="warning")
        self._told = set(texts) | doubts
