"""
A smaller world that breaks the same promise: ``bin/sim --seed S --shrink``.

First the day is cut off soon after the violation, which changes nothing before it. Then kinds of
fault are left out, in ever smaller groups (delta debugging). Leaving one out draws other chances
from there on, so a group stays away only if the same promise is broken without it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.simulation.faults import Ill
from tests.simulation.run import simulate
from tests.simulation.setup import Result, Setup

RUNS_MAX = 60
AFTER_S = 1.0  # of the world that is kept behind the violation


@dataclass(frozen=True, slots=True)
class Small:
    """The smallest world that was found, and what it breaks."""

    setup: Setup
    result: Result
    promise: str
    runs: int

    @property
    def command(self) -> str:
        """What repeats it."""
        setup = self.setup
        text = f"bin/sim --seed {setup.seed} --hours {setup.hours:.4f}"
        names = ",".join(sorted(ill.name for ill in self.result.plan.ills))
        return f"{text} --only {names}" if setup.without else text

    @property
    def regression(self) -> str:
        """The line of ``regressions`` that lets it go by in the suite."""
        setup, told = (
            self.setup,
            next(v for v in self.result.violations if v.promise == self.promise),
        )
        ills = sorted(self.result.plan.ills) if setup.without else []
        world = ", ".join(
            [f"{setup.seed}, {setup.hours:.4f}", *(f"Ill.{ill.name}" for ill in ills)]
        )
        return f"Regression({f'{told.promise}: {told.text}'!r}, seed({world}), scenario=None),"


def broken_by(result: Result, promise: str) -> bool:
    """Whether a world broke a promise, by the name of its judge."""
    return any(violation.promise == promise for violation in result.violations)


def shrunk(
    setup: Setup,
    *,
    told: Callable[[str], None],
    run: Callable[[Setup], Result] = simulate,
    runs_max: int = RUNS_MAX,
) -> Small | None:
    """The smallest world found in ``runs_max`` runs; None when nothing is broken at all."""
    result = run(setup)
    if not result.violations:
        return None
    search = _Search(setup, result, run, told, runs_max - 1)
    search.shorten()
    search.thin_out()
    return Small(search.setup, search.result, search.promise, runs_max - search.left)


class _Search:
    """The smallest world so far."""

    def __init__(
        self,
        setup: Setup,
        result: Result,
        run: Callable[[Setup], Result],
        told: Callable[[str], None],
        left: int,
    ) -> None:
        self.setup, self.result = setup, result
        self.promise = result.violations[0].promise
        self.left = left
        self._run = run
        self._told = told

    def _takes(self, setup: Setup) -> bool:
        """Whether this world breaks the same promise; then it is the smallest."""
        if self.left <= 0:
            return False
        self.left -= 1
        result = self._run(setup)
        if not broken_by(result, self.promise):
            return False
        self.setup, self.result = setup, result
        self._told(f"{setup.hours:.4f} h, {len(result.plan.ills)} kinds: broken {self.promise}")
        return True

    def shorten(self) -> None:
        """Cut the day off behind the violation; then try halves of what is left."""
        at_s = min(v.at_s for v in self.result.violations if v.promise == self.promise)
        hours = (at_s + AFTER_S) / 3600
        if hours < self.setup.hours:
            self._takes(self._like(hours=hours))
        while self._takes(self._like(hours=self.setup.hours / 2)):
            pass

    def thin_out(self) -> None:
        """Leave out as many kinds as can be left out."""
        pieces = 2
        while self.left > 0:
            ills = sorted(self.result.plan.ills)
            pieces = min(pieces, len(ills))
            groups = [frozenset(ills[start::pieces]) for start in range(pieces)] if pieces else []
            if self._leaves_out(groups):
                pieces = max(pieces - 1, 2)
            elif pieces >= len(ills):
                return
            else:
                pieces *= 2

    def _leaves_out(self, groups: Sequence[frozenset[Ill]]) -> bool:
        return any(self._takes(self._like(without=self.setup.without | g)) for g in groups)

    def _like(self, *, hours: float = 0.0, without: frozenset[Ill] = frozenset()) -> Setup:
        return Setup(
            seed=self.setup.seed,
            hours=hours or self.setup.hours,
            without=without or self.setup.without,
        )
