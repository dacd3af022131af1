"""
What `hedger backtest` costs on a market-year, on 69 of them from files, and on 69 generated ones.

    python -m tests.bench.backtest_bench [--keep FOLDER]

Times are those of the whole process, memory its largest. Limits are those of the issue: 0.5 s for
the hours of one market-year (measured inside, without the start of Python), 40 s on one core and
500 MiB for 69.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from hedger.backtest import generate, loading, package, study
from hedger.backtest.costs import Assumptions
from hedger.backtest.policy import policy_of
from hedger.backtest.series import Series, instant
from hedger.decayfile import shipped
from hedger.domain.ids import Symbol, VenueId
from hedger.resources import config
from hedger.settings import load

VENUES = (VenueId("x10"), VenueId("lighter"))
HEADER = "venue,market,timestamp_utc,rate_1h,mark_price,index_price,oi_usd,kind,source\n"
ONE_S, ALL_S, ALL_MIB = 0.5, 40.0, 500.0


def market_years(folder: Path) -> study.Part:
    """69 generated market-years, also as the files that a user would have downloaded."""
    known = package.load(VENUES)
    start = folder / "start"
    start.mkdir(parents=True)
    (start / "funding_pairs.csv").write_text(
        "source,market,hour_utc,rate_x10_1h,rate_lighter_1h\n"
        "S1,ETH,2026-01-01T00:00:00Z,0.000013,0.000012\n"
    )
    made = generate.generate(
        loading.load(start, known),
        known,
        shipped(),
        Assumptions(),
        years=1,
        positive_share=Decimal("0.05"),
    )
    full = folder / "full"
    full.mkdir()
    price = random.Random(1)
    for side, venue in enumerate(VENUES):
        with (full / f"funding_{venue}.csv").open("w") as file:
            file.write(HEADER)
            for symbol, series in made.series.items():
                mark = 10.0
                rates = series.rate_b if side else series.rate_a
                for hour, rate in zip(series.hours, rates, strict=True):
                    mark *= 1 + price.gauss(0, 0.003)
                    at = f"{instant(hour):%Y-%m-%dT%H:00:00Z}"
                    file.write(
                        f"{venue},{symbol},{at},{rate:.6f},{mark:.6g},{mark:.6g},900000,"
                        "settled,bench\n"
                    )
    return study.generated_part(made.series, made.note)


def one_market(part: study.Part) -> float:
    """Seconds of processor time for the hours of one market-year, all four rules."""
    symbol = Symbol("ETH")
    only: dict[Symbol, Series] = {symbol: part.series[symbol]}
    settings = load(config() / "backtest.yaml")
    policy = policy_of(settings, shipped(), size_usd=Decimal(1000))
    began = time.process_time()
    study.run(study.generated_part(only, part.note), package.load(VENUES), policy, Assumptions())
    return time.process_time() - began


def command(*arguments: str) -> tuple[float, float, float, dict[str, object]]:
    """Wall and processor seconds, MiB, and what it printed."""
    line = [sys.executable, "-m", "hedger", "backtest", "--format", "json", *arguments]
    began = time.monotonic()
    with subprocess.Popen(line, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"backtest_bench: {' '.join(line)} failed")
    seconds = used.ru_utime + used.ru_stime
    return time.monotonic() - began, seconds, used.ru_maxrss / 1024, json.loads(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="where the files stay")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        part = market_years(folder)
        found = [("one market-year, all rules", one_market(part), ONE_S, "s of processor time")]
        for name, arguments in (
            ("69 market-years from files", ("--data", str(folder / "full"))),
            (
                "69 market-years generated",
                ("--data", str(folder / "start"), "--generate-years", "1"),
            ),
        ):
            wall, seconds, mib, _ = command(*arguments)
            print(f"{name}: {wall:.1f} s on the wall")
            found.append((name, seconds, ALL_S, "s of processor time"))
            found.append((name, mib, ALL_MIB, "MiB at most"))
    missed = 0
    for name, value, limit, unit in found:
        verdict = "ok" if value <= limit else "MISSED"
        missed += value > limit
        print(f"{name}: {value:.2f} {unit} (limit {limit:g}) {verdict}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
