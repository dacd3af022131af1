"""
The same study with other values of some keys, each combination in a process of its own.

Keys with a dot are those of the configuration (``entry.min_net_bps``), the others those of
``Assumptions``. A combination that the configuration refuses is refused with its own sentence
before anything runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hedger.backtest.costs import Assumptions
from hedger.backtest.loading import Record, load
from hedger.backtest.ours import OURS
from hedger.backtest.package import Package
from hedger.backtest.package import load as load_package
from hedger.backtest.policy import policy_of
from hedger.backtest.study import recorded_parts, run
from hedger.backtest.summary import Row
from hedger.decay import DecayModel
from hedger.domain.ids import Symbol, VenueId
from hedger.errors import UsageError
from hedger.settings import Settings, parse

MOST = 1_000  # combinations
PLAIN = frozenset({"size_usd", "slippage_bps", "depth_usd"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One combination."""

    values: Mapping[str, str]
    settings: Settings
    assumed: Assumptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What every combination has in common."""

    folder: Path
    venues: tuple[VenueId, VenueId]
    model: DecayModel
    split_at: int | None
    fitted: bool
    symbols: tuple[Symbol, ...]


def points(given: Sequence[str], settings: Settings, assumed: Assumptions) -> list[Point]:
    """
    Every combination of ``key=a,b,c``.

    Raises:
        UsageError: a key or value is wrong, or there are too many combinations.
        ConfigError: the configuration refuses a value.
    """
    axes = [_axis(text) for text in given]
    count = 1
    for _, values in axes:
        count *= len(values)
    if count > MOST:
        raise UsageError(f"--sweep: {count} combinations are more than {MOST}; give fewer values")
    found = []
    for chosen in product(*(values for _, values in axes)):
        named = dict(zip((key for key, _ in axes), chosen, strict=True))
        found.append(_point(named, settings, assumed))
    return found


def _axis(text: str) -> tuple[str, list[str]]:
    key, equals, rest = text.partition("=")
    values = [value.strip() for value in rest.split(",") if value.strip()]
    if not equals or not key.strip() or not values:
        raise UsageError(f"--sweep {text!r}: is not key=value,value; for example {_EXAMPLE}")
    return key.strip(), values


_EXAMPLE = "entry.min_net_bps=0,5,10"


def _point(values: Mapping[str, str], settings: Settings, assumed: Assumptions) -> Point:
    data: dict[str, Any] = settings.model_dump()
    plain: dict[str, Any] = {}
    for key, value in values.items():
        section, dot, name = key.partition(".")
        if dot and isinstance(data.get(section), dict):
            data[section][name] = value
        elif key in PLAIN:
            plain[key] = _amount(key, value)
        else:
            raise UsageError(
                f"--sweep {key}: is neither a key of the configuration, such as "
                f"entry.min_net_bps, nor one of {', '.join(sorted(PLAIN))}"
            )
    shown = ", ".join(f"{key}={value}" for key, value in values.items())
    return Point(
        values=values,
        settings=parse(data, f"--sweep {shown}"),
        assumed=replace(assumed, **plain),
    )


def _amount(key: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0 or (value == 0 and key != "slippage_bps"):
        raise UsageError(f"--sweep {key}: {text!r} is no such amount; give a positive number")
    return value


def swept(job: Job, combinations: Sequence[Point], workers: int) -> Iterator[tuple[int, list[Row]]]:
    """Place of a combination and its rows, one per part, as they are done."""
    with ProcessPoolExecutor(
        max_workers=min(workers, len(combinations)),
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(job,),
    ) as pool:
        waiting = {pool.submit(_study, point): n for n, point in enumerate(combinations)}
        for done in as_completed(waiting):
            yield waiting[done], done.result()


_loaded: tuple[Job, Package, Record] | None = None


def _begin(job: Job) -> None:
    """Once in each worker: read the data."""
    global _loaded  # noqa: PLW0603 - what an initializer of a process pool is for
    package = load_package(job.venues, job.folder)
    record = load(job.folder, package)
    chosen = {symbol: record.series[symbol] for symbol in job.symbols}
    _loaded = (job, package, replace(record, series=chosen))


def _study(point: Point) -> list[Row]:
    assert _loaded is not None
    job, package, record = _loaded
    policy = policy_of(point.settings, job.model, size_usd=point.assumed.size_usd)
    rows = []
    for part in recorded_parts(record, job.split_at, fitted=job.fitted):
        found = run(part, package, policy, point.assumed).rows(point.assumed.seed)[OURS]
        rows.append(
            {
                **point.values,
                "part": part.name,
                "hedges": found["hedges"],
                "net_usd": found["net_usd"],
                "net_per_hedge_usd": found["net_per_hedge_usd"],
                "share_of_oracle": found["share_of_oracle"],
                "verdict": found["verdict"],
            }
        )
    return rows
