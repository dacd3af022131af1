"""A market changes: its status, its rules, its book, its price."""

from collections.abc import Mapping

from tests.simulation.faults import Ill
from tests.simulation.kinds.stroke import Stroke

STROKES: Mapping[Ill, Stroke] = {}
