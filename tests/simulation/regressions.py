"""
Worlds that once broke a promise. The suite lets every one of them go by again.

A failing seed is shrunk (``bin/sim --seed S --shrink``) and comes here with what it broke and
why. A change of the simulation itself changes what a seed does; so what was wrong is told too,
and where it can be shown without chance a scenario test holds it.
"""

from dataclasses import dataclass

from tests.simulation.faults import Ill
from tests.simulation.setup import Setup


@dataclass(frozen=True, slots=True)
class Regression:
    """``only``: kinds of fault that are left of the seed's own; empty: all of them."""

    seed: int
    hours: float
    broke: str
    only: frozenset[Ill] = frozenset()

    @property
    def setup(self) -> Setup:
        """The world."""
        without = frozenset(Ill) - self.only if self.only else frozenset()
        return Setup(seed=self.seed, hours=self.hours, without=without)


REGRESSIONS = (Regression(4, 0.3, "4 naked: a leg stayed alone while the lane was resynchronised"),)
