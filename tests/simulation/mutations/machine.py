"""Breaks of what stands against our own machine."""

from tests.simulation.mutations.model import Mutant

MUTANTS: tuple[Mutant, ...] = ()
