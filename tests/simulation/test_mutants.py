"""
Every deliberate break of the protocol is noticed: the small budget of ``bin/sim --mutants``.

Each mutant is applied to a copy of the program, which passes a fault-free world and is then caught
by the judge that was named beforehand, in one of a few worlds. The program itself passes that one.
"""

import pytest

from tests.simulation import mutants
from tests.simulation.mutations import MUTANTS, Mutant
from tests.simulation.run import simulate

by_name = pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)


def test_there_are_at_least_twelve_and_each_has_one_place_in_the_program():
    assert len(MUTANTS) >= 12
    for mutant in MUTANTS:
        source = (mutants.ROOT / mutant.file).read_text(encoding="utf-8")
        assert source.count(mutant.old) == 1, mutant.name


@by_name
def test_a_mutant_is_caught_by_its_judge_in_a_world_that_the_program_itself_passes(mutant: Mutant):
    caught = mutants.aimed_in_a_copy(mutant)
    assert caught.promise == mutant.oracle
    assert simulate(mutant.world(caught.seed)).violations == []


def test_the_small_budget_finds_nothing_where_nothing_is_broken():
    assert mutants.aimed(mutants.named("blind-retry")) is None
