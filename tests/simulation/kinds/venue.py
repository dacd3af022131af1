"""A venue that is not as it says, and keys that come and go."""

from collections.abc import Mapping

from tests.simulation.faults import Ill
from tests.simulation.kinds.stroke import Stroke

STROKES: Mapping[Ill, Stroke] = {}
