"""
Deliberate breaks of the protocol are noticed: the small budget of ``bin/sim --aimed-all``.

Each mutant is applied to a copy of the program, which passes a fault-free world and is then caught
by the judge that was named beforehand, in one of a few worlds. The program itself passes that one.

The budget here is a sample of every group: ``HEDGER_SIM_MUTANTS`` of them (12 unless said
otherwise; ``all``), those of ``HEDGER_SIM_TURN`` (1 unless said otherwise). The turns follow one
another through all of them.
"""

import os

import pytest

from tests.simulation import mutants
from tests.simulation.mutations import GROUPS, MUTANTS, Mutant
from tests.simulation.mutations.sample import asked, sample, turns

COUNT = os.environ.get("HEDGER_SIM_MUTANTS", "12")
TURN = os.environ.get("HEDGER_SIM_TURN", "1")
SAMPLE = asked(GROUPS, COUNT, TURN)

by_name = pytest.mark.parametrize("mutant", SAMPLE, ids=lambda mutant: mutant.name)


def test_each_has_a_name_of_its_own_and_one_place_in_the_program():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 60
    for mutant in MUTANTS:
        source = (mutants.ROOT / mutant.file).read_text(encoding="utf-8")
        assert source.count(mutant.old) == 1, mutant.name


@pytest.mark.timeout(600)
@by_name
def test_a_mutant_is_caught_by_its_judge_in_a_world_that_the_program_itself_passes(mutant: Mutant):
    caught = mutants.aimed_in_a_copy(mutant)
    assert caught.promise == mutant.oracle
    assert mutants.passes(mutant, caught)


def test_the_small_budget_finds_nothing_where_nothing_is_broken():
    assert mutants.aimed(mutants.named("blind-retry")) is None


def test_the_turns_go_through_all_mutants_and_each_has_some_of_every_group():
    count = 12
    taken = [sample(GROUPS, count, turn) for turn in range(1, turns(GROUPS, count) + 1)]
    assert all(len(set(one)) == count for one in taken)
    assert {mutant for one in taken for mutant in one} == set(MUTANTS)
    assert all(set(group) & set(one) for group in GROUPS for one in taken)


def test_a_turn_is_the_same_ever_again_and_after_the_last_the_first_comes():
    last = turns(GROUPS, 12)
    assert sample(GROUPS, 12, 2) == sample(GROUPS, 12, 2 + last) != sample(GROUPS, 12, 1)
    assert asked(GROUPS, "12", "2") == sample(GROUPS, 12, 2)
    assert set(asked(GROUPS, "all", "1")) == set(MUTANTS) == set(sample(GROUPS, 1_000, 1))
    with pytest.raises(ValueError, match="few"):
        asked(GROUPS, "few", "1")
