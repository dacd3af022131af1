"""Our own machine: the ledger file, the clock, a process that stands still."""

from collections.abc import Mapping

from tests.simulation.faults import Ill
from tests.simulation.kinds.stroke import Stroke

STROKES: Mapping[Ill, Stroke] = {}
