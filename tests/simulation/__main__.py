"""
Worlds by the thousand: ``bin/sim --seeds 1000 --from 1``.

    bin/sim --seeds N --from S [--workers 2] [--hours 1] [--fault-free | --record]
    bin/sim --totals
    bin/sim --seed S [--hours 1] [--only KIND,KIND] [--trace | --shrink]
    bin/sim --matrix [--scenarios N] [--pairs] [--part 1/8]
    bin/sim --mutants [NAME ...] [--seeds 200] | --aimed-all [NAME ...]
    bin/sim --replay BUNDLE

Exit status 1 on any violation, and on any target that was missed.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from loguru import logger

from tests.simulation import matrix, mutants, replay, report
from tests.simulation.faults import NOTHING, Ill
from tests.simulation.record import FILE, recorded_run, shown_totals
from tests.simulation.run import simulate
from tests.simulation.setup import Setup
from tests.simulation.shrink import shrunk
from tests.simulation.walk import walked

TELL_EVERY_S = 60.0  # how far a long run has come, on standard error


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    given = _parser().parse_args(arguments)
    logger.remove()
    if given.replay is not None:
        return replay.main(given.replay)
    if given.aimed is not None:
        return mutants.shown_aimed(given.aimed)
    if given.aimed_all is not None:
        return mutants.show_all_aimed(given.aimed_all)
    if given.mutants is not None:
        return mutants.main(
            given.mutants, seeds=given.seeds, first=given.first, workers=given.workers
        )
    if given.matrix:
        return matrix.main(
            given.scenarios, pairs=given.pairs, workers=given.workers, part=given.part
        )
    if given.totals:
        return shown_totals()
    if given.seed is not None:
        return _shrink(given) if given.shrink else _one(given)
    if not given.record:
        return _many(given)[0]
    whole = not given.fault_free and given.stop is None
    return recorded_run(
        given.first, given.seeds, given.hours, whole=whole, run=lambda: _many(given)
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bin/sim", description=__doc__.splitlines()[1])
    parser.add_argument("--seeds", type=int, default=150, help="how many worlds")
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first seed")
    parser.add_argument("--hours", type=float, default=1.0, help="virtual hours of each")
    parser.add_argument("--workers", type=int, default=2, help="processes side by side")
    parser.add_argument("--fault-free", action="store_true", help="nothing goes wrong")
    parser.add_argument("--stop", metavar="PROMISE", help="end when this one is broken")
    parser.add_argument("--record", action="store_true", help=f"in {FILE}")
    parser.add_argument("--totals", action="store_true", help="what is recorded, added up")
    parser.add_argument("--no-speed", action="store_true", help="the speed is no target")
    parser.add_argument("--seed", type=int, help="one world alone")
    parser.add_argument("--only", type=_kinds, default=(), help="of its kinds of fault")
    parser.add_argument("--trace", action="store_true", help="with everything that happened")
    parser.add_argument("--shrink", action="store_true", help="find a smaller one that fails")
    parser.add_argument("--matrix", action="store_true", help="crash at every boundary")
    parser.add_argument("--scenarios", type=int, default=0, help="so many of them (0: all)")
    parser.add_argument("--pairs", action="store_true", help="and a second time in recovery")
    parser.add_argument("--part", type=_part, default=(1, 1), help="of the matrix, such as 2/8")
    parser.add_argument("--mutants", nargs="*", help="break the protocol, and be caught")
    parser.add_argument("--aimed-all", nargs="*", help="the same in a few worlds made for each")
    parser.add_argument("--aimed", metavar="NAME", help="a mutant's small budget, here")
    parser.add_argument("--replay", metavar="BUNDLE", help="play what `audit bundle` wrote")
    return parser


def _kinds(text: str) -> frozenset[Ill]:
    """Names of kinds, as ``--shrink`` prints them."""
    names = text.upper().split(",")
    unknown = [name for name in names if name not in Ill.__members__]
    if unknown:
        msg = f"no such kind of fault: {', '.join(unknown)}; one of {', '.join(Ill.__members__)}"
        raise argparse.ArgumentTypeError(msg)
    return frozenset(Ill[name] for name in names)


def _part(text: str) -> tuple[int, int]:
    """``2/8``: the second of eight."""
    number, _, parts = text.partition("/")
    if not (number.isdigit() and parts.isdigit() and 1 <= int(number) <= int(parts)):
        msg = f"{text!r} is no part; give one such as 2/8"
        raise argparse.ArgumentTypeError(msg)
    return int(number), int(parts)


def _many(given: argparse.Namespace) -> tuple[int, report.Totals]:
    """The exit status, and what the worlds came to."""
    plan = NOTHING if given.fault_free else None
    setups = [
        Setup(seed=seed, hours=given.hours, plan=plan)
        for seed in range(given.first, given.first + given.seeds)
    ]
    totals, began = report.Totals(), time.monotonic()
    tell_s = began + TELL_EVERY_S
    for number, (_, result) in enumerate(walked(setups, given.workers), start=1):
        totals.add(result)
        if time.monotonic() >= tell_s:
            tell_s += TELL_EVERY_S
            so_far = f"{number} of {len(setups)} worlds, {totals.violations} violations"
            print(f"{so_far}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        for violation in result.violations[:3]:
            print(
                f"{violation.promise}: {violation.text}; {report.command(result)}",
                file=sys.stderr,
                flush=True,
            )
        if given.stop in totals.broken:
            break
    wall_s = time.monotonic() - began
    print("\n".join(report.lines(totals, wall_s)))
    if given.fault_free:
        return (1 if totals.violations else 0), totals
    return _judged(totals, wall_s, speed=not given.no_speed), totals


def _judged(totals: report.Totals, wall_s: float, *, speed: bool) -> int:
    """Print what was missed and what could not be judged; the exit status."""
    for text in report.unjudged(totals, wall_s, speed=speed):
        print(f"not judged, the sample is too small: {text}")
    unmet = report.missed(totals, wall_s, speed=speed)
    for text in unmet:
        print(f"target missed: {text}")
    return 1 if totals.violations or unmet else 0


def _setup(given: argparse.Namespace, *, keep_trace: bool = False) -> Setup:
    without = frozenset(Ill) - given.only if given.only else frozenset[Ill]()
    plan = NOTHING if given.fault_free else None
    return Setup(
        seed=given.seed, hours=given.hours, plan=plan, without=without, keep_trace=keep_trace
    )


def _one(given: argparse.Namespace) -> int:
    began = time.monotonic()
    result = simulate(_setup(given, keep_trace=given.trace))
    totals = report.Totals()
    totals.add(result)
    if given.trace:
        print("\n".join(result.trace))
    print("\n".join(report.lines(totals, time.monotonic() - began)))
    print(f"trace {result.digest}")
    return 1 if result.violations else 0


def _shrink(given: argparse.Namespace) -> int:
    """Exit status 1 when the world breaks something, 0 when there is nothing to shrink."""
    small = shrunk(_setup(given), told=lambda text: print(text, flush=True))
    if small is None:
        print("nothing is broken, so there is nothing to shrink")
        return 0
    first = next(v for v in small.result.violations if v.promise == small.promise)
    print(f"after {small.runs} runs: broken {first.promise}: {first.text} (at {first.at_s:.1f} s)")
    print(small.command)
    print(f"for tests/simulation/regressions.py:\n{small.regression}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
