"""The deliberate breaks, by what the rule that they break stands against."""

from tests.simulation.mutations import machine, market, network, protocol, seen, subtle, venue
from tests.simulation.mutations.model import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *protocol.MUTANTS,
    *subtle.MUTANTS,
    *market.MUTANTS,
    *venue.MUTANTS,
    *network.MUTANTS,
    *machine.MUTANTS,
    *seen.MUTANTS,
)

__all__ = ["MUTANTS", "Mutant"]
