"""What happens at moments."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.simulation.world import World

Strike = Callable[["World"], bool]
"""Does it; whether anything happened at all."""


class Stroke(NamedTuple):
    """How often in an hour of a world that has the kind, and what is done then."""

    per_hour: float
    strike: Strike
