"""
Funding that does not come as it should.

An hour of a world has one settlement. So whatever is to happen to one moves the market clock on
to the next full hour while a hedge is held; marks and rates move on with it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from adapters.sandbox.clock import HOUR_MS
from adapters.sandbox.engine.paying import Twice
from tests.simulation.aiming import VENUES, Moment
from tests.simulation.faults import Ill, Plan
from tests.simulation.kinds.stroke import Stroke

if TYPE_CHECKING:
    from tests.simulation.world import World

AHEAD_H = 3
STOPPED_S = (300.0, 2_400.0)
LATE_S = (100.0, 240.0)
"""Later than ``funding.payment_lag_s`` allows for: by then the books of the hedge are closed."""


def ahead_ms(plan: Plan) -> int:
    """
    Where the market clock is moved on, it is hours ahead from the beginning.

    Nobody may then take what it says for our own time of day, which does not jump
    (``adapters.upcoming``).
    """
    return AHEAD_H * HOUR_MS if plan.ills & STROKES.keys() else 0


def settle(world: "World") -> None:
    """Let a full hour of the market clock come now, at both venues."""
    market = world.venues.market
    market.advance(HOUR_MS - market.now_ms() % HOUR_MS)
    for venue in VENUES:
        world.venues.exchange(venue).payments(world.venues.account(venue))  # it follows the clock


def _held(world: "World", strike: Callable[[str], bool]) -> bool:
    return world.aims.at(Moment.HELD, strike)


def _stops(world: "World") -> bool:
    """Hours pass without a settlement, and the lists stay as they were."""
    venue = world.chance.source.choice(VENUES)
    return _held(world, partial(_skip, world, venue, world.chance.between(*STOPPED_S)))


def _skip(world: "World", venue: str, seconds: float, _symbol: str) -> bool:
    paying = world.venues.exchange(venue).paying

    def begin() -> None:
        paying.stopped = True

    def end() -> None:
        paying.stopped = False

    world.last(Ill.FUNDING_STOPS, venue, seconds, begin, end)
    before = paying.skipped
    settle(world)
    if paying.skipped == before:
        return False
    world.chance.fired[Ill.FUNDING_STOPS] += 1
    world.chance.tell(Ill.FUNDING_STOPS)
    return False


def _twice(world: "World") -> bool:
    """The rows of one settlement stand in the list twice, with the same id or with another."""
    source = world.chance.source
    venues = source.choice((VENUES, VENUES[:1], VENUES[1:]))
    return _held(world, partial(_double, world, venues, source.choice(tuple(Twice))))


def _double(world: "World", venues: tuple[str, ...], how: Twice, _symbol: str) -> bool:
    _listed_otherwise(world, venues, Ill.FUNDING_TWICE, twice=how)
    return False


def _late(world: "World") -> bool:
    """A payment is listed only after its hedge was closed and its books with it."""
    source = world.chance.source
    venues = source.choice((VENUES, VENUES[:1], VENUES[1:]))
    late_ms = round(world.chance.between(*LATE_S) * 1000)
    return _held(world, partial(_list_late, world, venues, late_ms))


def _list_late(world: "World", venues: tuple[str, ...], late_ms: int, _symbol: str) -> bool:
    _listed_otherwise(world, venues, Ill.FUNDING_LATE, late_ms=late_ms)
    return False


def _listed_otherwise(
    world: "World",
    venues: tuple[str, ...],
    ill: Ill,
    *,
    twice: Twice | None = None,
    late_ms: int = 0,
) -> None:
    """One settlement whose payments are listed so; counted when an answer shows it."""
    told: set[str] = set()

    def noticed(venue: str) -> None:
        if venue not in told and world.chance.busy():
            told.add(venue)
            world.chance.tell(ill)

    for venue in venues:
        paying = world.venues.exchange(venue).paying
        paying.twice, paying.late_ms = twice, late_ms
        paying.noticed = partial(noticed, venue)
    settle(world)
    for venue in venues:
        paying = world.venues.exchange(venue).paying
        paying.twice, paying.late_ms, paying.noticed = None, 0, None
    world.chance.fired[ill] += 1


STROKES: Mapping[Ill, Stroke] = {
    Ill.FUNDING_STOPS: Stroke(4.0, _stops),
    Ill.FUNDING_TWICE: Stroke(4.0, _twice),
    Ill.FUNDING_LATE: Stroke(5.0, _late),
}
