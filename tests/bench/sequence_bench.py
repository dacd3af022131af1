"""
What a durable nonce costs, and what reserving blocks of them gains.

    python -m tests.bench.sequence_bench [--seconds 2]

Dense sequences: the next value and the commit of its intent in the ledger, as for every order.
Where gaps are legal: the same ledger with a reservation for each value, and for each thousand
(the method of seed 003), one after the other in turns; and how many values a SIGKILL loses.
Ends with 1 when blocks are not at least 20 times as fast.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hedger.clock import SystemClock
from hedger.domain.hedge import Hedge
from hedger.domain.ids import LaneId, VenueId
from hedger.domain.money import ZERO
from hedger.domain.order import Filled, Prepared
from hedger.ledger.migrate import upgrade
from hedger.ledger.records import LaneState
from hedger.ledger.store import Store, open_store
from hedger.sequence import Dense, Increasing, Lane
from hedger.settings_sequence import Sequence as Rules
from tests.unit.ledger.build import LIGHTER, a_hedge, an_order

BLOCK = 1_000
RATIO_MIN = 20
ROUNDS = 3
HEDGES, TURNS = 20, 25
LANE = LaneId("lighter:1:2")  # as an_order has it
CRASH = LaneId("bench:1:crash")
TAKEN_BEFORE_CRASH = 1_234


def dense(store: Store) -> float:
    """Values a second, each with its intent on the disk before the next one is taken."""
    lane = Lane(
        LANE,
        Dense(lambda: store.lane_high(LANE)),
        venue=VenueId("lighter"),
        carries="all",
        journal=store,
        clock=SystemClock(),
        rules=Rules(),
    )
    lane.tell("", "bench", state=LaneState.READY)
    hedges = [a_hedge(f"b-{number}", symbol=f"S{number}") for number in range(HEDGES)]
    for hedge in hedges:
        store.plan(hedge)
    took_s = 0.0
    for turn in range(TURNS):
        began = time.perf_counter()
        sent = [_intend(store, lane, hedge, turn) for hedge in hedges]
        took_s += time.perf_counter() - began
        for prepared in sent:
            store.settle(Filled(prepared, ZERO, (), None, "bench"))
    assert store.lane_high(LANE) == TURNS * HEDGES - 1
    return TURNS * HEDGES / took_s


def _intend(store: Store, lane: Lane, hedge: Hedge, turn: int) -> Prepared:
    value = lane.take()
    prepared = an_order(hedge.id, turn + 1, venue=LIGHTER, nonce=value, symbol=hedge.symbol)
    store.intend(prepared)
    lane.end(value)
    return prepared


def blocks(store: Store, block: int, seconds: float, number: int) -> float:
    """Values a second from reserved blocks."""
    values = Increasing(LaneId(f"bench:{block}:{number}"), store, SystemClock(), block=block)
    batch, count, last = block, 0, 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        for _ in range(batch):
            value = values.following()
            assert value > last
            last = value
        count += batch
    return count / (time.perf_counter() - began)


def crash(path: Path) -> tuple[int, int]:
    """How many values a SIGKILL lost, and how many were given twice."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.bench.sequence_bench", "--crash", str(path)],
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    )
    assert child.returncode == -signal.SIGKILL
    last = int(child.stdout)
    with open_store(path, SystemClock()) as store:
        reserved = store.reserved_values(CRASH)
        assert reserved is not None
        again = Increasing(CRASH, store, SystemClock(), block=BLOCK).following()
    return reserved - last, int(again <= last)


def die(path: Path) -> None:
    """Take some values, say which one was the last, and die."""
    store = open_store(path, SystemClock())
    values = Increasing(CRASH, store, SystemClock(), block=BLOCK)
    last = [values.following() for _ in range(TAKEN_BEFORE_CRASH)][-1]
    sys.stdout.write(str(last))
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def measure(path: Path, seconds: float) -> bool:
    """Print everything; whether the target was met."""
    upgrade(path, SystemClock())
    with open_store(path, SystemClock()) as store:
        say(f"{dense(store):12,.0f} a second  dense: value and intent committed")
        pairs = [
            [blocks(store, block, seconds / ROUNDS, number) for block in (1, BLOCK)]
            for number in range(ROUNDS)
        ]
    one, many = (statistics.median(found) for found in zip(*pairs, strict=True))
    ratio = many / one
    lost, repeated = crash(path)
    say(f"{one:12,.0f} a second  gaps legal: blocks of 1")
    say(f"{many:12,.0f} a second  gaps legal: blocks of {BLOCK}")
    say(f"{ratio:12,.0f} times as fast (at least {RATIO_MIN})")
    say(f"{lost:12,} values lost by SIGKILL after {TAKEN_BEFORE_CRASH}, {repeated} repeated")
    return ratio >= RATIO_MIN and lost < BLOCK and repeated == 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="what durable nonces cost")
    parser.add_argument("--seconds", type=float, default=3.0, help="per block size")
    parser.add_argument("--crash", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.crash is not None:
        die(args.crash)
    with tempfile.TemporaryDirectory() as folder:
        return 0 if measure(Path(folder) / "ledger.db", args.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
