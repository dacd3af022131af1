"""Breaks of what stands against a venue that is not as it says."""

from tests.simulation.mutations.model import Mutant

MUTANTS: tuple[Mutant, ...] = ()
