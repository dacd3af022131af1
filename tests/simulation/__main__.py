"""
Worlds by the thousand: ``bin/sim --seeds 1000 --from 1``.

    bin/sim --seeds N --from S [--workers 2] [--hours 1] [--fault-free]
    bin/sim --seed S --trace          one world, line by line
    bin/sim --matrix [--scenarios N] [--pairs]
    bin/sim --mutants [NAME ...] [--seeds 200]

Exit status 1 on any violation, and on any target that was missed.
"""

import argparse
import gc
import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator, Sequence

from loguru import logger

from tests.simulation import matrix, mutants, report
from tests.simulation.faults import NOTHING
from tests.simulation.run import empty_ledger, simulate
from tests.simulation.setup import Result, Setup


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    given = _parser().parse_args(arguments)
    logger.remove()
    if given.mutants is not None:
        return mutants.main(given.mutants, seeds=given.seeds, first=given.first)
    if given.matrix:
        return matrix.main(given.scenarios, pairs=given.pairs, workers=given.workers)
    if given.seed is not None:
        return _one(given.seed, given.hours, trace=given.trace)
    return _many(given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bin/sim", description=__doc__.splitlines()[1])
    parser.add_argument("--seeds", type=int, default=150, help="how many worlds")
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first seed")
    parser.add_argument("--hours", type=float, default=1.0, help="virtual hours of each")
    parser.add_argument("--workers", type=int, default=2, help="processes side by side")
    parser.add_argument("--fault-free", action="store_true", help="nothing goes wrong")
    parser.add_argument("--stop", metavar="PROMISE", help="end when this one is broken")
    parser.add_argument("--no-speed", action="store_true", help="the speed is no target")
    parser.add_argument("--seed", type=int, help="one world alone")
    parser.add_argument("--trace", action="store_true", help="with everything that happened")
    parser.add_argument("--matrix", action="store_true", help="crash at every boundary")
    parser.add_argument("--scenarios", type=int, default=0, help="so many of them (0: all)")
    parser.add_argument("--pairs", action="store_true", help="and a second time in recovery")
    parser.add_argument("--mutants", nargs="*", help="break the protocol, and be caught")
    return parser


def _many(given: argparse.Namespace) -> int:
    plan = NOTHING if given.fault_free else None
    setups = [
        Setup(seed=seed, hours=given.hours, plan=plan)
        for seed in range(given.first, given.first + given.seeds)
    ]
    totals, began = report.Totals(), time.monotonic()
    for result in results(setups, given.workers):
        totals.add(result)
        for violation in result.violations[:3]:
            print(f"seed {result.seed}: {violation.promise}: {violation.text}", file=sys.stderr)
        if given.stop in totals.broken:
            break
    wall_s = time.monotonic() - began
    print("\n".join(report.lines(totals, wall_s)))
    if given.fault_free:
        return 1 if totals.violations else 0
    unmet = report.missed(totals, wall_s, speed=not given.no_speed)
    for text in unmet:
        print(f"target missed: {text}")
    return 1 if totals.violations or unmet else 0


def results(setups: Iterable[Setup], workers: int) -> Iterator[Result]:
    """Worlds side by side, in the order of their setups."""
    empty_ledger()
    gc.freeze()
    if workers <= 1:
        yield from map(simulate, setups)
        return
    with multiprocessing.get_context("fork").Pool(workers, _seldom_collect) as pool:
        yield from pool.imap(simulate, setups, chunksize=1)


def _seldom_collect() -> None:
    """Little of what a world leaves behind is cyclic, and looking for it is dear."""
    gc.set_threshold(100_000, 20, 20)


def _one(seed: int, hours: float, *, trace: bool) -> int:
    result = simulate(Setup(seed=seed, hours=hours, keep_trace=trace))
    totals = report.Totals()
    totals.add(result)
    if trace:
        print("\n".join(result.trace))
    print("\n".join(report.lines(totals, 1.0)))
    print(f"trace {result.digest}")
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
