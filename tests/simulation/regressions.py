"""
Worlds that once broke a promise. The suite lets every one of them go by again.

A failing seed is shrunk, and what ``bin/sim --seed S --shrink`` prints last comes here, with what
was wrong in words. A seed means another world after any change of the simulation: of its kinds,
its markets, its paces. Then its line proves no more than any other world does, so what can be
told without chance is held by a scenario test, which is named. Lines stay: they cost seconds.
"""

from dataclasses import dataclass

from tests.simulation.faults import Ill, Plan
from tests.simulation.setup import Setup


@dataclass(frozen=True, slots=True)
class Regression:
    """
    ``what`` was wrong; ``scenario`` the test that shows it without chance, as ``FILE::TEST`` under
    tests/, or None: it cannot be shown so, or what it broke was not written down.
    """

    what: str
    setup: Setup
    scenario: str | None

    @property
    def name(self) -> str:
        """As the suite calls it."""
        return f"seed {self.setup.seed}: {self.what}"


def seed(number: int, hours: float, *only: Ill) -> Setup:
    """A world of the long run; of its kinds of fault only these, where any are named."""
    without = frozenset(Ill) - frozenset(only) if only else frozenset[Ill]()
    return Setup(seed=number, hours=hours, without=without)


def clock_off(number: int, hours: float, off_s: float, *ills: Ill) -> Setup:
    """A world whose venues' clock comes to be so far ahead while hedges are open."""
    kinds = frozenset({Ill.VENUE_OFF, *ills})
    plan = Plan(kinds, venue_off_s=off_s, venue_drifts=True)
    return Setup(seed=number, hours=hours, plan=plan)


UNTOLD = "failed in a long run before six markets were traded; what it broke was not written down"

REGRESSIONS = (
    Regression(
        "a leg stood alone while its lane was resynchronised",
        seed(4, 0.3),
        "scenarios/test_between_legs.py"
        "::test_f1_a_check_of_the_lanes_does_not_keep_an_order_from_its_lane",
    ),
    *(Regression(UNTOLD, seed(number, 0.3), None) for number in (20, 21, 22, 23, 24, 110, 132)),
    Regression(UNTOLD, seed(1081, 1.0), None),
    Regression(
        "less than an order may be stood beside somebody else's position: refused 24 times",
        seed(96, 1.0),
        "scenarios/test_reconciling.py"
        "::test_a_remainder_that_no_order_may_take_is_told_at_once_and_taken_when_they_go",
    ),
    Regression(
        "a leg was cut down, and what appeared on it later was closed as ours",
        seed(5043, 1.0),
        "scenarios/test_reconciling.py"
        "::test_s6_what_appears_on_a_leg_that_was_cut_down_is_not_closed_as_ours",
    ),
    Regression(
        "a burn was lost and its order refused after it: the lane went on behind a gap",
        seed(101609, 1.0),
        "scenarios/test_lanes.py::test_a_refusal_that_comes_after_a_lost_burn_leaves_no_gap",
    ),
    Regression(
        "X10's clock came to be 12 s fast, and it refused every exit as expired",
        clock_off(9, 0.3, 12.0),
        "scenarios/test_clocks.py::test_s36_a_hedge_is_closed_whatever_the_clocks_say",
    ),
)
