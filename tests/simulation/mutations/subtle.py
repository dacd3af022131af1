"""Subtle breaks that once lived through sixty worlds."""

from tests.simulation.mutations.model import Mutant

MUTANTS: tuple[Mutant, ...] = ()
