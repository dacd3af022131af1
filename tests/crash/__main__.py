"""
The real daemon killed at every crash point and at random instants, and what is left of it.

    bin/crash                       every label once and twice, 100 random kills, and the rest
    bin/crash --only intend --kills 0 --rest no
    bin/crash --list

Every trial: the daemon is killed (once or twice) while it works against the sandbox over HTTP,
starts again, comes to rest, and its ledger is held against what the venues truly did, order by
order and to the last decimal. Exit status 1 on an orphan, a lost or doubled order, an order
without an intent, or a daemon that does not come to rest.
"""

import argparse
import asyncio
import itertools
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from hedger import log
from tests.crash import disk, scenes, walk
from tests.crash.rig import Rig, Wrong, configuration

Job = Callable[[Rig, random.Random], Awaitable[walk.Trial]]
TRIAL_S = 600.0  # more than every wait inside it can add up to in a life that goes well


def jobs(options: argparse.Namespace) -> list[tuple[str, Job]]:
    """What is to be done: the long ones first, the rest in an order drawn by seed."""
    found: list[tuple[str, Job]] = []
    labels = [label for label in scenes.walked() if options.only in label]
    found += [(f"{label} x{n}", _labelled(label, n)) for n in (1, 2) for label in labels]
    found += [("random", walk.at_random)] * (options.kills // 2)
    random.Random(options.seed).shuffle(found)
    if options.rest == "yes":
        found[:0] = [("SIGSTOP", walk.frozen)] * 2 + [("SIGTERM", walk.stopped)] * 10
        found.insert(0, ("SIGTERM", walk.stopped_with_a_working_order))
    return found


def _labelled(label: str, times: int) -> Job:
    async def job(rig: Rig, chance: random.Random) -> walk.Trial:
        return await walk.labelled(rig, label, times, chance)

    return job


class Run:
    """All trials over a few homes side by side."""

    def __init__(self, folder: Path, seed: int, *, quiet: bool) -> None:
        self._folder = folder
        self._seed = seed
        self._quiet = quiet
        self.trials: list[walk.Trial] = []
        self.stops_s: list[float] = []

    async def all(self, todo: Sequence[tuple[str, Job]], homes: int) -> None:
        """Every job once, by ``homes`` workers."""
        queue: asyncio.Queue[tuple[int, str, Job]] = asyncio.Queue()
        for number, (name, job) in enumerate(todo):
            queue.put_nowait((number, name, job))
        async with asyncio.TaskGroup() as group:
            for number in range(homes):
                group.create_task(self._worker(number, queue))

    async def _worker(self, number: int, queue: "asyncio.Queue[tuple[int, str, Job]]") -> None:
        for generation in itertools.count():
            if queue.empty():
                return
            rig = Rig(self._folder / f"{number}-{generation}", configuration())
            await rig.begin()
            try:
                await self._until_wrong(rig, queue)
            finally:
                self.stops_s += rig.stop_seconds
                await rig.end()

    async def _until_wrong(self, rig: Rig, queue: "asyncio.Queue[tuple[int, str, Job]]") -> None:
        """What is wrong in one home must not spoil what comes after, so that gets another."""
        while not queue.empty():
            job_number, name, job = queue.get_nowait()
            if (await self._one(rig, job_number, name, job)).wrong:
                return

    async def _one(self, rig: Rig, number: int, name: str, job: Job) -> walk.Trial:
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(TRIAL_S):
                trial = await job(rig, random.Random(f"{self._seed}:{number}"))
        except (Wrong, TimeoutError) as error:
            trial = walk.Trial(name.partition(" ")[0], name, wrong=str(error) or "took too long")
        except ExceptionGroup as group:
            text = "; ".join(str(error) for error in group.exceptions)
            trial = walk.Trial(name.partition(" ")[0], name, wrong=text)
        trial.seconds = time.monotonic() - began_s
        self.trials.append(trial)
        if trial.wrong:
            print(f"WRONG {trial.kind} (job {number}, {rig.home.root}): {trial.wrong}", flush=True)
        elif not self._quiet:
            deaths = ", ".join(trial.deaths)
            print(
                f"{len(self.trials):4} {trial.kind}: {deaths} ({trial.seconds:.0f} s)", flush=True
            )
        return trial

    def tell(self) -> int:
        """Counts by label; the exit status."""
        kills, lives = Counter[str](), Counter[str]()
        for trial in self.trials:
            for death in trial.deaths:
                lives[trial.label] += 1
                kills["recovery or start" if death == "starting" else death] += 1
        wrong = [trial for trial in self.trials if trial.wrong]
        bad = Counter(trial.label for trial in wrong)
        print(f"{'label':28} {'kills':>6} {'trials':>7} {'wrong':>6}")
        for label, count in sorted(Counter(t.label for t in self.trials).items()):
            print(f"{label:28} {lives[label]:6} {count:7} {bad[label]:6}")
        killed = kills["recovery or start"] + kills["working"]
        print(
            f"{len(self.trials)} trials, {killed} kills ({kills['recovery or start']} of them"
            f" while it started or recovered), {len(wrong)} wrong"
        )
        if self.stops_s:
            print(f"SIGTERM: {len(self.stops_s)} times, longest {max(self.stops_s):.1f} s")
        print("labels that are not passed: " + ", ".join(sorted(scenes.NEVER)))
        for trial in wrong:
            print(f"WRONG {trial.kind}: {trial.wrong}")
        return 1 if wrong or not self.trials else 0


async def run(options: argparse.Namespace, folder: Path) -> int:
    """All of it; the exit status."""
    here = asyncio.current_task()
    assert here is not None
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell ignores them for us
        asyncio.get_running_loop().add_signal_handler(number, here.cancel)
    began_s = time.monotonic()
    found = Run(folder, options.seed, quiet=options.quiet)
    if options.rest == "yes":
        print(await disk.full(folder / "disk"), flush=True)
    todo = jobs(options)
    try:
        await found.all(todo, options.homes)
    except asyncio.CancelledError:
        print(f"interrupted: {len(found.trials)} of {len(todo)} trials were made")
    status = found.tell() or int(len(found.trials) < len(todo))
    print(f"{(time.monotonic() - began_s) / 60:.1f} minutes")
    return status


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="bin/crash", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="labels that contain this text")
    parser.add_argument("--kills", type=int, default=100, help="random kills, in pairs")
    parser.add_argument("--rest", choices=("yes", "no"), default="yes", help="stop, freeze, disk")
    parser.add_argument("--homes", type=int, default=8, help="state directories side by side")
    parser.add_argument("--seed", type=int, default=1, help="of all chance")
    parser.add_argument("--keep", type=Path, help="work here, and leave it")
    parser.add_argument("--quiet", action="store_true", help="only the counts, and what is wrong")
    parser.add_argument("--list", action="store_true", help="print the labels")
    options = parser.parse_args()
    if options.list:
        print("\n".join(scenes.walked()))
        return
    log.configure(level="CRITICAL")
    if options.keep is not None:
        sys.exit(asyncio.run(run(options, options.keep)))
    with tempfile.TemporaryDirectory(prefix="hedger-crash-") as folder:
        sys.exit(asyncio.run(run(options, Path(folder))))


if __name__ == "__main__":
    main()
