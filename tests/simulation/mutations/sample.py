"""
Which mutants the suite takes: a few of every group, and others in every turn.

``HEDGER_SIM_MUTANTS`` says how many (12 unless said otherwise; ``all``), ``HEDGER_SIM_TURN`` which
of them (turn 1 unless said otherwise). The turns follow one another through all mutants.
"""

import random
from collections.abc import Sequence

from tests.simulation.mutations.model import Mutant

SHUFFLED_BY = 1


def mixed(groups: Sequence[Sequence[Mutant]]) -> list[Mutant]:
    """All of them: each group in an order by chance, evenly spread over the whole."""
    source = random.Random(SHUFFLED_BY)
    placed = [
        ((place + 0.5) / len(group), number, mutant)
        for number, group in enumerate(groups)
        for place, mutant in enumerate(source.sample(list(group), len(group)))
    ]
    return [mutant for _, _, mutant in sorted(placed, key=lambda one: one[:2])]


def turns(groups: Sequence[Sequence[Mutant]], count: int) -> int:
    """After how many turns of ``count`` every mutant was taken."""
    return -(-sum(map(len, groups)) // count)


def sample(groups: Sequence[Sequence[Mutant]], count: int, turn: int) -> tuple[Mutant, ...]:
    """``count`` mutants, those of a turn (from 1 on; after the last comes the first)."""
    every = mixed(groups)
    first = (turn - 1) % turns(groups, count) * count
    return tuple(every[(first + place) % len(every)] for place in range(min(count, len(every))))


def asked(groups: Sequence[Sequence[Mutant]], count: str, turn: str) -> tuple[Mutant, ...]:
    """
    The sample of what the environment says.

    Raises:
        ValueError: it is no number.
    """
    if count == "all":
        return tuple(mixed(groups))
    return sample(groups, int(count), int(turn))
