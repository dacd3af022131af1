"""
Worlds that once broke a promise. The suite lets every one of them go by again.

A failing seed is shrunk (``bin/sim --seed S --shrink``) and comes here with what it broke and
why. A change of the simulation itself changes what a seed does; so what was wrong is told too,
and where it can be shown without chance a scenario test holds it.
"""

from dataclasses import dataclass

from tests.simulation.faults import Ill, Plan
from tests.simulation.setup import Setup


@dataclass(frozen=True, slots=True)
class Regression:
    """``name`` says in words what went wrong."""

    name: str
    setup: Setup


def seed(number: int, hours: float, *only: Ill) -> Setup:
    """A world of the long run; of its kinds of fault only these, where any are named."""
    without = frozenset(Ill) - frozenset(only) if only else frozenset[Ill]()
    return Setup(seed=number, hours=hours, without=without)


def clock_off(number: int, hours: float, off_s: float, *ills: Ill) -> Setup:
    """A world whose venues' clock comes to be so far ahead while hedges are open."""
    kinds = frozenset({Ill.VENUE_OFF, *ills})
    plan = Plan(kinds, venue_off_s=off_s, venue_drifts=True)
    return Setup(seed=number, hours=hours, plan=plan)


REGRESSIONS = (
    Regression("seed 1081, which failed in a long run", seed(1081, 1.0)),
    Regression("seed 132, which failed in a long run", seed(132, 0.3)),
    Regression("seed 110, which failed in a long run", seed(110, 0.3)),
    Regression("seed 4, which failed in a long run", seed(4, 0.3)),
    *(
        Regression(f"seed {number}, which failed in a long run", seed(number, 0.3))
        for number in range(20, 25)
    ),
    Regression(
        "less than an order may be, beside somebody else's: refused 24 times", seed(96, 1.0)
    ),
    Regression("a burn was lost, and its order refused after it: a gap", seed(101609, 1.0)),
    Regression(
        "X10's clock comes to be 12 s fast: it refused every exit as expired",
        clock_off(9, 0.3, 12.0),
    ),
)
