"""Funding that does not come as it should."""

from collections.abc import Mapping

from tests.simulation.faults import Ill
from tests.simulation.kinds.stroke import Stroke

STROKES: Mapping[Ill, Stroke] = {}
