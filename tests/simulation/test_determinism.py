"""
A world is its seed: the same one twice in a process, and in processes that hash otherwise.

``HEDGER_PYTHONS`` names interpreters of other versions that have the dependencies, separated as
in ``PATH``: the same seed has to give the same world on each of them.
"""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.simulation.faults import Ill, Plan
from tests.simulation.run import simulate
from tests.simulation.setup import Result, Setup

OTHERS = [path for path in os.environ.get("HEDGER_PYTHONS", "").split(os.pathsep) if path]
ROOT = Path(__file__).resolve().parents[2]

USUAL = Setup(seed=2, hours=0.1)
EVERYTHING = Setup(
    seed=6, hours=0.2, plan=Plan(frozenset(Ill), 1.0, venue_off_s=-7.0, venue_drifts=True)
)
"""Every kind of fault at once, on a shared account and with one key."""

WORLDS = {"usual": USUAL, "everything": EVERYTHING}


def told(result: Result) -> str:
    """All that came of a world, where the order of a set would show."""
    return repr(
        (
            result.digest, result.hedges, result.orders, result.alerts, result.kills,
            list(result.boundaries.items()), list(result.deaths.items()),
            [(ill.name, count) for ill, count in result.fired.items()],
            [(ill.name, count) for ill, count in result.told.items()],
            result.spans, result.violations,
        )
    )  # fmt: skip


@cache
def here(name: str) -> str:
    return told(simulate(WORLDS[name]))


@cache
def elsewhere(python: str, hash_seed: str) -> list[str]:
    """Both worlds in another interpreter process, the second one first."""
    script = (
        "from tests.simulation.test_determinism import WORLDS, told;"
        "from tests.simulation.run import simulate;from loguru import logger;"
        "logger.remove();"
        "print(*reversed([told(simulate(w)) for w in reversed(WORLDS.values())]), sep='\\n')"
    )
    return subprocess.run(
        [python, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_is_the_same_twice_in_one_process(name: str):
    between = simulate(Setup(seed=4, hours=0.05))
    assert told(simulate(WORLDS[name])) == here(name)
    assert told(between) != here(name)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("python", [sys.executable, *OTHERS])
@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_world_depends_on_neither_the_python_nor_its_hash_seed(python: str, hash_seed: str):
    """Another order of every set of texts; another order of the worlds before it, too."""
    assert elsewhere(python, hash_seed) == [here(name) for name in WORLDS]


def test_the_world_with_everything_meets_everything_that_comes_by_itself():
    """Otherwise it would show nothing."""
    result = simulate(EVERYTHING)
    assert result.plan.ills == frozenset(Ill)
    assert len(result.fired) >= 20
    assert result.kills > 0
    assert result.orders > 0
