"""
Deliberate breaks of the protocol, and the proof that the simulation notices each of them.

A mutant is a few lines, applied to a private copy of the program. It passes every fault-free
world, and within 200 seeds the oracle that was named for it beforehand catches it
it. ``bin/sim --mutants [NAME ...]`` shows it.

There is a smaller budget: for each mutant short worlds with the kinds of fault alone that its rule
is there for, often (``aim``), until one of them catches it. The program itself passes that world.
No single seed is relied on: any change of the traces may make it miss. ``bin/sim --aimed-all
[NAME ...]`` shows it for all of them, the suite for a sample.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.simulation.faults import NOTHING
from tests.simulation.mutations import MUTANTS, Mutant
from tests.simulation.run import simulate
from tests.simulation.setup import Setup

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("hedger", "adapters", "tests", "migrations", "config", "pyproject.toml")
FAULT_FREE_SEEDS = 3
FREE_HOURS = 0.05
AIMED_SEEDS = 13  # where four in ten catch a mutant, one in a thousand series misses it
SEEDS = 200


@dataclass(frozen=True)
class Caught:
    """What the small budget found: the promise that was broken, how, and in which world."""

    promise: str
    text: str
    seed: int


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    mutant: Mutant
    passed_fault_free: bool
    seeds: int  # that were needed
    caught_by: str
    first: str

    @property
    def caught(self) -> bool:
        return self.passed_fault_free and self.mutant.oracle in self.caught_by


def named(name: str) -> Mutant:
    """
    The mutant with this name.

    Raises:
        KeyError: there is none.
    """
    return {mutant.name: mutant for mutant in MUTANTS}[name]


def aimed(mutant: Mutant) -> Caught | None:
    """
    What the small budget of a mutant finds in the program as it stands here: worlds from its
    ``seed`` on, until the judge that was named has broken its promise.

    Where only other judges saw something, the last of what they saw; None: nothing at all.
    """
    found = None
    for seed in range(mutant.seed, mutant.seed + AIMED_SEEDS):
        for violation in simulate(mutant.world(seed)).violations:
            found = Caught(violation.promise, violation.text, seed)
            if violation.promise == mutant.oracle:
                return found
    return found


def shown_aimed(name: str) -> int:
    """
    A fault-free world first, which has to pass; print what the small budget finds after it.

    Exit status 1 unless the judge that was named has caught the mutant.
    """
    mutant = named(name)
    free = simulate(Setup(seed=1, hours=FREE_HOURS, plan=NOTHING))
    if free.violations:
        print(f"fault-free: {free.violations[0].text}")
        return 1
    found = aimed(mutant)
    print(json.dumps(None if found is None else asdict(found)))
    return 0 if found is not None and found.promise == mutant.oracle else 1


def aimed_in_a_copy(mutant: Mutant) -> Caught:
    """
    The same of the program with the mutant in it.

    Raises:
        AssertionError: the mutant fails a fault-free world, or the judge did not notice it.
    """
    with tempfile.TemporaryDirectory(prefix="hedger-mutant-") as name:
        copy = Path(name)
        _copy(copy, mutant.file)
        apply(mutant, copy)
        status, text = _simulate(copy, "--aimed", mutant.name)
    assert status == 0, f"{mutant.name} is not caught by {mutant.oracle}: {text.strip()[-500:]}"
    return Caught(**json.loads(text.splitlines()[0]))


def passes(mutant: Mutant, caught: Caught) -> bool:
    """Whether the program as it stands here breaks nothing in the world that caught a mutant."""
    return not simulate(mutant.world(caught.seed)).violations


def show_all_aimed(names: Sequence[str]) -> int:
    """The small budget of one mutant after the other; exit status 1 unless all are caught."""
    chosen = _chosen(names)
    if chosen is None:
        return 2
    caught = 0
    for mutant in chosen:
        began = time.monotonic()
        text = _aimed_text(mutant)
        took_s = time.monotonic() - began
        caught += text.startswith("caught")
        print(f"{text}; {mutant.name} (named: {mutant.oracle}; {took_s:.0f} s)", flush=True)
    print(f"{caught} of {len(chosen)} mutants caught")
    return 0 if caught == len(chosen) else 1


def _aimed_text(mutant: Mutant) -> str:
    try:
        found = aimed_in_a_copy(mutant)
    except AssertionError as error:
        return f"SURVIVED, {error}"
    if not passes(mutant, found):
        return f"NOT JUDGED, the program itself breaks something with seed {found.seed}"
    return f"caught with seed {found.seed}, try {found.seed - mutant.seed + 1}"


def _chosen(names: Sequence[str]) -> list[Mutant] | None:
    """Those with these names, all without a name; None and a line where one is unknown."""
    unknown = set(names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        print(f"no such mutant: {', '.join(sorted(unknown))}")
        return None
    return [mutant for mutant in MUTANTS if not names or mutant.name in names]


def main(names: Sequence[str], *, seeds: int, first: int, workers: int) -> int:
    """Show them one by one; exit status 1 unless every one is caught."""
    chosen = _chosen(names)
    if chosen is None:
        return 2
    caught = 0
    for mutant in chosen:
        began = time.monotonic()
        verdict = tried(mutant, seeds=min(seeds, SEEDS), first=first, workers=workers)
        caught += verdict.caught
        print(
            f"{'caught' if verdict.caught else 'SURVIVED'}: {mutant.name}"
            f" (named: {mutant.oracle}; broken: {verdict.caught_by or 'nothing'};"
            f" seeds needed: {verdict.seeds}; fault-free worlds"
            f" {'pass' if verdict.passed_fault_free else 'FAIL'};"
            f" {time.monotonic() - began:.0f} s)\n    {verdict.first}",
            flush=True,
        )
    print(f"{caught} of {len(chosen)} mutants caught")
    return 0 if caught == len(chosen) else 1


def tried(mutant: Mutant, *, seeds: int, first: int, workers: int) -> Verdict:
    """Apply a mutant to a copy of the program and simulate."""
    with tempfile.TemporaryDirectory(prefix="hedger-mutant-") as name:
        copy = Path(name)
        _copy(copy, mutant.file)
        apply(mutant, copy)
        usual = ("--hours=0.3", f"--workers={workers}")
        free, _ = _simulate(copy, "--fault-free", f"--seeds={FAULT_FREE_SEEDS}", *usual)
        _, text = _simulate(
            copy, f"--seeds={seeds}", f"--from={first}", f"--stop={mutant.oracle}", *usual
        )
    broken = re.findall(r"^ +broken (.+?): \d+$", text, re.MULTILINE)
    told = re.search(rf"broken {re.escape(mutant.oracle)}: \d+\n +(.*)\n +(.*)", text)
    needed = re.search(r"^seeds (\d+)", text, re.MULTILINE)
    return Verdict(
        mutant,
        passed_fault_free=free == 0,
        seeds=int(needed.group(1)) if needed else 0,
        caught_by=", ".join(broken),
        first=f"{told.group(1)}; {told.group(2)}" if told else text.strip()[-200:],
    )


def apply(mutant: Mutant, copy: Path) -> None:
    """Change the one place that the mutant is about."""
    path = copy / mutant.file
    source = path.read_text(encoding="utf-8")
    assert source.count(mutant.old) == 1, f"{mutant.name}: its place is not in {mutant.file}"
    path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")


def _copy(to: Path, changed: str) -> None:
    """The program, of which only the part that is changed is really copied."""
    part = Path(changed).parts[0]
    for name in NEEDED:
        if name == part:
            shutil.copytree(ROOT / name, to / name)  # with its bytecode, which saves a second
        else:
            (to / name).symlink_to(ROOT / name)


def _simulate(copy: Path, *arguments: str) -> tuple[int, str]:
    """Run the copy's own simulation: ``-m`` looks in the working directory first."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--no-speed", *arguments],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
