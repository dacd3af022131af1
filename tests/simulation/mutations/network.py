"""Breaks of what stands against long outages, bans and odd payments."""

from tests.simulation.mutations.model import Mutant

MUTANTS: tuple[Mutant, ...] = ()
