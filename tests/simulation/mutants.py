"""
Deliberate breaks of the protocol, and the proof that the simulation notices each of them.

A mutant is a few lines, applied to a private copy of the program. It passes every fault-free
world, and within 200 seeds the oracle that was named for it beforehand catches it
(reliability.md §3.5). ``bin/sim --mutants [NAME ...]`` shows it.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("hedger", "adapters", "tests", "migrations", "config", "pyproject.toml")
FAULT_FREE_SEEDS = 3
SEEDS = 200


@dataclass(frozen=True)
class Mutant:
    """``oracle`` is the promise whose judge has to notice."""

    name: str
    file: str
    old: str
    new: str
    oracle: str


MUTANTS = (
    Mutant(
        "blind-retry",
        "hedger/resolver.py",
        "        if isinstance(answer, NoProof):\n",
        "        if isinstance(answer, NoProof):\n"
        '            return _dead(prepared, "no answer: once more")\n',
        "3 proven",
    ),
    Mutant(
        "not-found-is-refused",
        "hedger/resolver.py",
        "                search.watch.missed(asked_at)\n                limits =",
        '                return _dead(search.prepared, "not found")\n                limits =',
        "3 proven",
    ),
    Mutant(
        "no-intent-before-send",
        "hedger/dispatcher.py",
        "        committed_s = self._clock.monotonic_s()\n",
        "        committed_s = self._clock.monotonic_s()\n"
        "        if order.attempt > 1:\n"
        "            await venue.submit(prepared)  # it is urgent\n",
        "1 intent first",
    ),
    Mutant(
        "planned-size-in-rollback",
        "hedger/rollback.py",
        "size=tidy(within_cap(step, price, rules)),",
        "size=tidy(hedge.planned_size or step.size),",
        "4 naked",
    ),
    Mutant(
        "no-reduce-only",
        "hedger/domain/order.py",
        "        return self.purpose.reduces\n\n\n@dataclass",
        "        return False\n\n\n@dataclass",
        "6 no flip",
    ),
    Mutant(
        "no-epoch",
        "hedger/ledger/writer.py",
        "if self.epoch_in(self._conn) != self._epoch:",
        "if self.epoch_in(self._conn) < self._epoch:",
        "0 sound",
    ),
    Mutant(
        "leg-2-as-planned",
        "hedger/executor.py",
        "size = floor_to_step(filled, ",
        "size = floor_to_step(hedge.planned_size, ",
        "4 leg B fits",
    ),
    Mutant(
        "stale-read-is-flat",
        "hedger/rollback.py",
        "            if position.size == booked:\n",
        "            if position.size in (booked, ZERO):\n",
        "4 naked",
    ),
    Mutant(
        "nonce-reused",
        "hedger/ledger/records.py",
        "NONCE_FREE_STATES = frozenset({OrderState.REFUSED,",
        "NONCE_FREE_STATES = frozenset({OrderState.ZERO, OrderState.REFUSED,",
        "0 sound",
    ),
    Mutant(
        "nonce-skipped",
        "hedger/ledger/records.py",
        "NONCE_FREE_STATES = frozenset({OrderState.REFUSED, OrderState.ABANDONED})",
        "NONCE_FREE_STATES = frozenset({OrderState.ABANDONED})",
        "2 no gap",
    ),
    Mutant(
        "wrong-side",
        "hedger/rollback.py",
        "side=Side.closing(size), size=wanted)\n\n\ndef _larger",
        "side=Side.closing(-size), size=wanted)\n\n\ndef _larger",
        "4 naked",
    ),
    Mutant(
        "recovers-the-last-hedge-only",
        "hedger/recovery.py",
        "left = store.unfinished()\n",
        "left = store.unfinished()[-1:]\n",
        "5 recovered",
    ),
    Mutant(
        "no-full-sync",
        "hedger/ledger/sqlite.py",
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = NORMAL",
        "3 proven",
    ),
    Mutant(
        "expiry-without-margin",
        "hedger/resolver.py",
        "return asked_at > prepared.expires_at + margin",
        "return asked_at + margin > prepared.expires_at",
        "3 proven",
    ),
    Mutant(
        "not-ours-is-ours",
        "hedger/rollback.py",
        "    if dedicated:\n        return read\n",
        "    if read or dedicated:\n        return read\n",
        "6 not ours",
    ),
)


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


def main(names: Sequence[str], *, seeds: int, first: int) -> int:
    """Show them one by one; exit status 1 unless every one is caught."""
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    unknown = set(names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        print(f"no such mutant: {', '.join(sorted(unknown))}")
        return 2
    caught = 0
    for mutant in chosen:
        began = time.monotonic()
        verdict = tried(mutant, seeds=min(seeds, SEEDS), first=first)
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


def tried(mutant: Mutant, *, seeds: int, first: int) -> Verdict:
    """Apply a mutant to a copy of the program and simulate."""
    with tempfile.TemporaryDirectory(prefix="hedger-mutant-") as name:
        copy = Path(name)
        _copy(copy)
        apply(mutant, copy)
        free, _ = _simulate(copy, "--fault-free", f"--seeds={FAULT_FREE_SEEDS}", "--hours=0.3")
        _, text = _simulate(
            copy, f"--seeds={seeds}", f"--from={first}", f"--stop={mutant.oracle}", "--hours=0.3"
        )
    broken = re.findall(r"^  promise (.+?): \d+ in", text, re.MULTILINE)
    told = re.search(rf"promise {re.escape(mutant.oracle)}:.*\n +(.*)", text)
    needed = re.search(r"^seeds (\d+)", text, re.MULTILINE)
    return Verdict(
        mutant,
        passed_fault_free=free == 0,
        seeds=int(needed.group(1)) if needed else 0,
        caught_by=", ".join(broken),
        first=told.group(1) if told else text.strip()[-200:],
    )


def apply(mutant: Mutant, copy: Path) -> None:
    """Change the one place that the mutant is about."""
    path = copy / mutant.file
    source = path.read_text(encoding="utf-8")
    assert source.count(mutant.old) == 1, f"{mutant.name}: its place is not in {mutant.file}"
    path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")


def _copy(to: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".venv")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=ignored)
        else:
            shutil.copy2(source, to / name)


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
