"""
What disagrees between the ledger and the accounts. Pure: no clock, no venue, no decision.

A difference is counted in size steps of its market and in US dollars: never in coins alone,
where half an ether looks small (S6).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from hedger.domain.hedge import Hedge, State
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.market import Position
from hedger.domain.money import ZERO, plain
from hedger.owned import ours


class SomePositions(dict[Symbol, Position]):
    """Open positions on the markets ``told``; what the account holds on others is not known."""

    def __init__(self, read: Iterable[Position]) -> None:
        read = tuple(read)
        self.told = frozenset(position.symbol for position in read)
        super().__init__({each.symbol: each for each in read if each.size != ZERO})


def tells(positions: Mapping[Symbol, Position], symbol: Symbol) -> bool:
    """Whether a market that is not among these positions is flat, and not merely unknown."""
    return not isinstance(positions, SomePositions) or symbol in positions.told


Readings = Mapping[VenueId, Mapping[Symbol, Position]]  # a venue that failed is absent
Booked = Mapping[tuple[HedgeId, VenueId], Decimal]
Steps = Mapping[tuple[VenueId, Symbol], Decimal]


def is_read(readings: Readings, venue: VenueId, symbol: Symbol) -> bool:
    """Whether these readings tell what a venue holds on a market."""
    return venue in readings and tells(readings[venue], symbol)


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

    def row(self) -> dict[str, Any]:
        """The stable keys of it in JSON."""
        return {
            "kind": self.kind,
            "venue": self.venue,
            "symbol": self.symbol,
            "hedge": self.hedge,
            "booked": plain(self.booked),
            "read": plain(self.read),
            "text": self.text(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """What is too small to count: less than one size step, or less than ``usd``."""

    steps: Steps
    usd: Decimal

    def ignores(self, hedge: Hedge, legs: Sequence[Decimal]) -> bool:
        """
        Whether what two legs differ by is left as it is.

        The step of the market of the larger leg counts: it comes down by whole steps, however
        coarse those of the other market are. The value is that at the planned price, which is
        near enough for a threshold and needs no quote.
        """
        net = sum(legs, ZERO)
        if net == ZERO:
            return True
        too_much = [v for v, size in zip(hedge.venues, legs, strict=True) if size * net > ZERO]
        if abs(net) < max(self.steps.get((venue, hedge.symbol), ZERO) for venue in too_much):
            return True
        if hedge.planned_size == ZERO:
            return False
        return abs(net) * hedge.requested_usd / hedge.planned_size < self.usd


def differences(
    live: Sequence[Hedge],
    booked: Booked,
    readings: Readings,
    *,
    dedicated: bool,
    tolerance: Tolerance,
) -> list[Difference]:
    """
    What disagrees, among the venues that answered.

    Hedges on their way somewhere are left to those who drive them. On a shared sub-account
    only a missing part of an own leg is a difference of that hedge.
    """
    found: list[Difference] = []
    for hedge in live:
        if hedge.state is State.OPEN:
            found += _of_legs(hedge, booked, readings, dedicated=dedicated, tolerance=tolerance)
    found += _unexplained(live, readings)
    return found


def _of_legs(
    hedge: Hedge, booked: Booked, readings: Readings, *, dedicated: bool, tolerance: Tolerance
) -> Iterable[Difference]:
    """
    The legs of an open hedge that are not what our fills made, if the hedge is not whole.

    Legs that are equal all the same are whole: so is what was trimmed after a liquidation. Two
    legs that are both gone are not. A venue that did not answer is taken to hold what our fills
    make: only what the other one shows is a difference (S4).
    """
    unread = [venue for venue in hedge.venues if not is_read(readings, venue, hedge.symbol)]
    sizes = {venue: booked[hedge.id, venue] for venue in unread}
    for venue in hedge.venues:
        if venue in unread:
            continue
        held = readings[venue].get(hedge.symbol)
        sizes[venue] = ZERO if held is None else held.size
    owned = [ours(sizes[v], booked[hedge.id, v], dedicated=dedicated) for v in hedge.venues]
    if ZERO not in owned and tolerance.ignores(hedge, owned):
        return
    differing = [v for v in hedge.venues if _differs(sizes[v], booked[hedge.id, v], dedicated)]
    if unread and not differing:
        return
    for venue in differing or [hedge.venue_a]:  # our own fills are unequal: a late one
        yield Difference(
            kind=Kind.LEG_DIFFERS,
            venue=venue,
            symbol=hedge.symbol,
            hedge=hedge.id,
            booked=booked[hedge.id, venue],
            read=sizes[venue],
        )


def _differs(read: Decimal, booked: Decimal, dedicated: bool) -> bool:
    gone = read * booked <= ZERO or abs(read) < abs(booked)
    return read != booked and (dedicated or gone)


def _unexplained(live: Sequence[Hedge], readings: Readings) -> Iterable[Difference]:
    by_symbol = {hedge.symbol: hedge for hedge in live}
    for venue, positions in readings.items():
        for symbol, position in positions.items():
            hedge = by_symbol.get(symbol)
            explained = hedge is not None and venue in hedge.venues
            if position.size != ZERO and not explained:
                yield Difference(
                    kind=Kind.UNEXPLAINED,
                    venue=venue,
                    symbol=symbol,
                    hedge=None,
                    booked=ZERO,
                    read=position.size,
                )
