"""What a deliberate break is; ``mutants`` applies and judges them."""

from dataclasses import dataclass

from tests.simulation.faults import Ill, Plan
from tests.simulation.setup import Setup


@dataclass(frozen=True)
class Mutant:
    """
    ``oracle`` is the promise whose judge has to notice.

    ``aim`` are the kinds of fault against which the rule stands, ``intensity`` how many times
    as often as usual they come in the small budget, ``dedicated`` whose the sub-accounts are
    (None: by the seed), ``off_s`` how far the venues' clock comes to be ahead, ``poor`` whether
    there is little money in the accounts. ``seed`` is one of its worlds that catches the mutant:
    the first that is tried, which only saves time. The aim has to be such that several in ten of
    the worlds do.
    """

    name: str
    file: str
    old: str
    new: str
    oracle: str
    aim: tuple[Ill, ...]
    intensity: float = 8.0
    hours: float = 0.05
    seed: int = 1
    dedicated: bool | None = None
    off_s: float = 0.0
    poor: bool = False

    def world(self, seed: int) -> Setup:
        """One of the small budget."""
        plan = Plan(
            frozenset(self.aim),
            self.intensity,
            venue_off_s=self.off_s,
            venue_drifts=self.off_s != 0.0,
        )
        poor = True if self.poor else None
        return Setup(seed=seed, hours=self.hours, plan=plan, dedicated=self.dedicated, poor=poor)
