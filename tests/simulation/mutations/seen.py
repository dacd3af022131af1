"""Breaks that only the oracles of what a person is owed can see."""

from tests.simulation.mutations.model import Mutant

MUTANTS: tuple[Mutant, ...] = ()
