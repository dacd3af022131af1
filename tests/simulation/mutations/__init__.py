"""The deliberate breaks, by what the rule that they break stands against."""

from tests.simulation.mutations import machine, market, network, protocol, seen, subtle, venue
from tests.simulation.mutations.model import Mutant

GROUPS: tuple[tuple[Mutant, ...], ...] = (
    protocol.MUTANTS,
    subtle.MUTANTS,
    market.MUTANTS,
    venue.MUTANTS,
    network.MUTANTS,
    machine.MUTANTS,
    seen.MUTANTS,
)
MUTANTS: tuple[Mutant, ...] = tuple(mutant for group in GROUPS for mutant in group)

__all__ = ["GROUPS", "MUTANTS", "Mutant"]
