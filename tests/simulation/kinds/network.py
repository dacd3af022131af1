"""Venues that do not answer for long."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from tests.simulation.aiming import VENUES, Moment
from tests.simulation.doors import ENDPOINTS, WHOLE, Answer, Door, page, too_many
from tests.simulation.faults import Ill
from tests.simulation.kinds.stroke import Stroke

if TYPE_CHECKING:
    from tests.simulation.world import World

OUTAGE_S = (60.0, 1_800.0)
DOWN_S = (60.0, 480.0)
BAN_S = (5.0, 240.0)
NEXT_SHARE = 0.8
WHOLE_BAN = 0.5  # of all bans
REFUSED, SILENT = 0, 1  # no connection, no answer
PROXIES = (500, 502, 503)
WALLS: tuple[Callable[[str], Answer], ...] = (too_many, too_many, page(429), page(405), page(403))
"""
A venue's own 429 (with ``Retry-After``, which no client of ours needs to see), and the pages of
what stands before it: 405 is a firewall's for too many requests, 403 a content network's.
"""


def _often_short(world: "World", span_s: tuple[float, float]) -> float:
    """As many between one and two minutes as between ten and twenty."""
    least, most = span_s
    return math.exp(world.chance.between(math.log(least), math.log(most)))


def _aimed(world: "World", strike: Callable[[str], bool]) -> bool:
    return world.aims.at(world.chance.source.choice(tuple(Moment)), strike)


def _counted(world: "World", ill: Ill, *, struck: bool) -> bool:
    """Strikes that waited are counted when they happen."""
    if struck:
        world.chance.fired[ill] += 1
    return False


def _outage(world: "World") -> bool:
    """
    From one minute to half an hour, beginning at a moment of some hedge: more often than not
    between its legs, and then as a rule of the venue whose leg comes next.
    """
    chance = world.chance
    moment = chance.source.choice((Moment.BETWEEN, Moment.BETWEEN, *Moment))
    following = moment is Moment.BETWEEN and chance.source.random() < NEXT_SHARE
    venue = VENUES[1] if following else chance.source.choice(VENUES)
    mode = chance.source.choice(("refused", "silent"))
    seconds = _often_short(world, OUTAGE_S)

    def begin(_symbol: str) -> bool:
        struck = venue not in world.outages
        if struck:
            world.doors.outage[venue] = Door(Ill.OUTAGE_LONG, None)
            world.begin_outage(venue, mode, seconds)
        return _counted(world, Ill.OUTAGE_LONG, struck=struck)

    return world.aims.at(moment, begin)


def _down(world: "World") -> bool:
    """One endpoint of one venue: refused, 5xx, or silent, for minutes."""
    chance = world.chance
    venue = chance.source.choice(VENUES)
    name = chance.source.choice(ENDPOINTS[venue])
    status = chance.source.choice((REFUSED, SILENT, *PROXIES))
    answer = page(status)(venue) if status in PROXIES else None
    door = Door(Ill.ENDPOINT_DOWN, answer, refused=status == REFUSED)
    return _aimed(world, partial(_shut, world, venue, name, door, _often_short(world, DOWN_S)))


def _ban(world: "World") -> bool:
    """A whole venue or one of its paths, for seconds to minutes."""
    chance = world.chance
    venue = chance.source.choice(VENUES)
    whole = chance.source.random() < WHOLE_BAN
    name = WHOLE if whole else chance.source.choice(ENDPOINTS[venue])
    door = Door(Ill.BANNED, chance.source.choice(WALLS)(venue))
    return _aimed(world, partial(_shut, world, venue, name, door, _often_short(world, BAN_S)))


def _shut(world: "World", venue: str, name: str, door: Door, seconds: float, _symbol: str) -> bool:
    struck = world.doors.close(venue, name, door, seconds)
    return _counted(world, door.ill, struck=struck)


STROKES: Mapping[Ill, Stroke] = {
    Ill.OUTAGE_LONG: Stroke(3.0, _outage),
    Ill.ENDPOINT_DOWN: Stroke(7.0, _down),
    Ill.BANNED: Stroke(6.0, _ban),
}
