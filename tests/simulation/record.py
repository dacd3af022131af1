"""
The running total of simulated hours: ``bin/sim --seeds N --from S --record``.

A recorded run is a line of ``docs/simulation-runs.tsv``: the commit it ran on, its seeds, and
what came of them. Only a work tree without changes is recorded, so that a line can be repeated,
and a world of a commit only once. ``bin/sim --totals`` adds the lines up.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from tests.simulation.report import Totals, quantiles

ROOT = Path(__file__).resolve().parents[2]
FILE = Path("docs/simulation-runs.tsv")


class UnrecordedError(Exception):
    """Why a run cannot be recorded, in one sentence."""


@dataclass(frozen=True, slots=True)
class Run:
    """
    One line. ``hours_each`` are virtual hours of one world, ``p50_s`` to ``max_s`` available
    seconds of unhedged legs in worlds whose venues keep what they declare.
    """

    commit: str
    first: int
    worlds: int
    hours_each: float
    violations: int
    beyond: int
    p50_s: float
    p95_s: float
    p99_s: float
    max_s: float

    @property
    def hours(self) -> float:
        """Virtual hours of all worlds."""
        return self.worlds * self.hours_each

    def overlaps(self, other: "Run") -> bool:
        """Whether a world would be counted twice."""
        same = (self.commit, self.hours_each) == (other.commit, other.hours_each)
        begins = self.first < other.first + other.worlds
        return same and begins and other.first < self.first + self.worlds


HEADER = "\t".join(one.name for one in fields(Run))


def commit(root: Path = ROOT) -> str:
    """
    What the program is called that runs now.

    Raises:
        UnrecordedError: it is no commit, because something was changed or there is no git.
    """
    changed = [
        line for line in _git(root, "status", "--porcelain", "-uall") if line[3:] != str(FILE)
    ]
    if changed:
        raise UnrecordedError(
            f"nothing is recorded from a work tree with changes ({changed[0].strip()}"
            f"{f' and {len(changed) - 1} more' if len(changed) > 1 else ''}): commit them first"
        )
    return _git(root, "rev-parse", "--short=12", "HEAD")[0]


def _git(root: Path, *words: str) -> list[str]:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise UnrecordedError(f"git does not say what is here: {error}") from None
    return done.stdout.splitlines()


def recorded(root: Path = ROOT) -> list[Run]:
    """
    Every line so far.

    Raises:
        UnrecordedError: the file is not what this module writes.
    """
    path = root / FILE
    if not path.exists():
        return []
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    if header != HEADER:
        raise UnrecordedError(f"{FILE} does not begin with {HEADER.split()}")
    return [_parsed(line) for line in lines]


def _parsed(line: str) -> Run:
    try:
        name, first, worlds, hours, violations, beyond, *seconds = line.split("\t")
        p50_s, p95_s, p99_s, max_s = (float(one) for one in seconds)
        return Run(
            name, int(first), int(worlds), float(hours), int(violations), int(beyond),
            p50_s, p95_s, p99_s, max_s,
        )  # fmt: skip
    except ValueError:
        raise UnrecordedError(f"{FILE} has a line that is none of a run: {line!r}") from None


def of(name: str, first: int, hours_each: float, totals: Totals) -> Run:
    """The line of a run that is over."""
    seconds = [round(one, 2) for one in quantiles([available for available, _ in totals.spans])]
    return Run(name, first, totals.seeds, hours_each, totals.violations, totals.beyond, *seconds)


def planned(name: str, first: int, worlds: int, hours_each: float) -> Run:
    """A run that has not begun."""
    return Run(name, first, worlds, hours_each, 0, 0, 0.0, 0.0, 0.0, 0.0)


def check_new(run: Run, root: Path = ROOT) -> None:
    """
    Raises:
        UnrecordedError: some of its worlds are recorded already, or as ``recorded``.
    """
    for other in recorded(root):
        if run.overlaps(other):
            last = other.first + other.worlds - 1
            raise UnrecordedError(
                f"seeds {other.first} to {last} of {other.commit} are recorded already:"
                " the same worlds again would prove nothing"
            )


def append(run: Run, root: Path = ROOT) -> None:
    """
    Write its line.

    Raises:
        UnrecordedError: as ``check_new``.
    """
    check_new(run, root)
    path = root / FILE
    begin = "" if path.exists() else HEADER + "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(begin + "\t".join(str(one) for one in astuple(run)) + "\n")


def recorded_run(
    first: int,
    worlds: int,
    hours_each: float,
    *,
    whole: bool,
    run: Callable[[], tuple[int, Totals]],
    root: Path = ROOT,
) -> int:
    """
    Let these worlds go by (``run``: exit status and totals), and write their line.

    Exit status 2 where they cannot be recorded, which is known before they begin.
    """
    if not whole:
        print("only whole runs with faults are recorded", file=sys.stderr)
        return 2
    try:
        name = commit(root)
        check_new(planned(name, first, worlds, hours_each), root)
        status, totals = run()
        append(of(name, first, hours_each, totals), root)
    except UnrecordedError as error:
        print(error, file=sys.stderr)
        return 2
    return status


def shown_totals(*, root: Path = ROOT) -> int:
    """Print what all lines come to; exit status 2 where they cannot be read."""
    try:
        print("\n".join(added_up(recorded(root))))
    except UnrecordedError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def added_up(runs: Sequence[Run]) -> list[str]:
    """What all lines come to, and each commit's share of it."""
    by_commit: dict[str, list[Run]] = {}
    for run in runs:
        by_commit.setdefault(run.commit, []).append(run)
    return [
        f"recorded on {len(by_commit)} commits: {_sum(runs)}",
        *(f"  {name}: {_sum(mine)}" for name, mine in by_commit.items()),
    ]


def _sum(runs: Sequence[Run]) -> str:
    hours, worlds = sum(run.hours for run in runs), sum(run.worlds for run in runs)
    violations = sum(run.violations for run in runs)
    worst = max((run.max_s for run in runs), default=0.0)
    p99 = max((run.p99_s for run in runs), default=0.0)
    return (
        f"{worlds} worlds, {hours:.1f} virtual hours, {violations} violations,"
        f" unhedged at most {worst:.2f} s, p99 of a run at most {p99:.2f} s"
    )
