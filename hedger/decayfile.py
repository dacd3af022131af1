"""The decay model as a file: rows of a data folder in, JSON out, and the model that is shipped."""

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from hedger.decay import DecayModel, Form
from hedger.decayfit import PairRow, fit
from hedger.domain.ids import Symbol
from hedger.errors import ConfigError

PAIRS = "funding_pairs.csv"
HOURLY = "hourly_both_venues.csv"
SINGLE = ("funding_x10.csv", "funding_lighter.csv")
FORMAT = 1
RECORDED = "recorded"
SHIPPED = frozenset({RECORDED, "sandbox"})
KINDS = {
    "settled": 0,
    "settled_ws": 1,
    "hourly_mean_of_predicted": 2,
    "predicted_snapshot": 3,
    "aggregator_snapshot": 4,
}
"""How a single rate was recorded, the most exact first; anything else comes after them."""

Found = dict[tuple[Symbol, datetime], PairRow]


def read_rows(folder: Path, *, until: datetime | None = None) -> list[PairRow]:
    """
    The spread of every market and hour that ``folder`` knows, before ``until``.

    Where files know the same hour, the hourly panel comes first, then the pairs; hours that only
    the two single-venue files know are joined.

    Raises:
        ConfigError: none of the files is there, or a row of one cannot be read.
    """
    found: Found = {}
    for row in (*_hourly(folder / HOURLY), *_pairs(folder / PAIRS), *_joined(folder)):
        if until is None or row.hour < until:
            found.setdefault((row.symbol, row.hour), row)
    if not found:
        before = f" before {until:%Y-%m-%dT%H:%MZ}" if until else ""
        raise ConfigError(
            f"{folder} holds no hour of both venues{before}; needed are {PAIRS}, {HOURLY}, or both"
            f" of {' and '.join(SINGLE)}"
        )
    return list(found.values())


def fitted(folder: Path, *, until: datetime | None = None) -> DecayModel:
    """
    Fit the model on the rows of a folder.

    Raises:
        ConfigError: there is nothing to fit on.
    """
    rows = read_rows(folder, until=until)
    sources = sorted({row.source for row in rows})
    try:
        return fit(rows, origin=f"rows of {', '.join(sources)}")
    except ValueError as error:
        raise ConfigError(f"{folder}: {error}; a model needs consecutive hours") from error


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8", newline="") as file:
        yield from enumerate(csv.DictReader(file), start=2)


def _row(path: Path, number: int, line: dict[str, str], keys: tuple[str, str, str]) -> PairRow:
    """One spread; ``keys`` name the market, and the rates of the first and second venue."""
    try:
        return PairRow(
            source=line.get("source") or path.stem,
            symbol=Symbol(line[keys[0]].removesuffix("-USD")),
            hour=_hour(line["hour_utc"]),
            spread_1h=Decimal(line[keys[1]]) - Decimal(line[keys[2]]),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise ConfigError(f"{path} line {number} is no hour of both venues: {error!r}") from error


def _hour(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return at.replace(minute=0, second=0, microsecond=0)


def _pairs(path: Path) -> Iterator[PairRow]:
    for number, line in _lines(path):
        yield _row(path, number, line, ("market", "rate_x10_1h", "rate_lighter_1h"))


def _hourly(path: Path) -> Iterator[PairRow]:
    for number, line in _lines(path):
        yield _row(path, number, line, ("x10_market", "x10_rate_1h", "lighter_rate_1h"))


def _joined(folder: Path) -> Iterator[PairRow]:
    """Hours that both single-venue files know, each rate by its most exact kind."""
    first, second = (_singles(folder / name) for name in SINGLE)
    for key in sorted(first.keys() & second.keys()):
        (_, rate_a, source_a), (_, rate_b, source_b) = first[key], second[key]
        source = source_a if source_a == source_b else f"{source_a}+{source_b}"
        yield PairRow(source=source, symbol=key[0], hour=key[1], spread_1h=rate_a - rate_b)


def _singles(path: Path) -> dict[tuple[Symbol, datetime], tuple[int, Decimal, str]]:
    found: dict[tuple[Symbol, datetime], tuple[int, Decimal, str]] = {}
    for number, line in _lines(path):
        try:
            key = (Symbol(line["market"]), _hour(line["timestamp_utc"]))
            rank = KINDS.get(line.get("kind", ""), len(KINDS))
            value = (rank, Decimal(line["rate_1h"]), line.get("source") or path.stem)
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            raise ConfigError(f"{path} line {number} is no rate: {error!r}") from error
        if key not in found or rank < found[key][0]:
            found[key] = value
    return found


# -- JSON -----------------------------------------------------------------------------------


def as_json(model: DecayModel) -> str:
    """The model as text that ``of_json`` reads."""
    data = {
        "format": FORMAT,
        "origin": model.origin,
        "since": model.since.isoformat(),
        "until": model.until.isoformat(),
        "pairs": model.pairs,
        "form": asdict(model.form),
        "scales": {symbol: str(scale) for symbol, scale in model.scales.items()},
        "counts": dict(model.counts),
    }
    return json.dumps(data, indent=1) + "\n"


def of_json(text: str, source: str) -> DecayModel:
    """
    The model in a text.

    Raises:
        ConfigError: the text is no model of this program.
    """
    try:
        data: dict[str, Any] = _of_format(json.loads(text))
        return DecayModel(
            form=Form(**data["form"]),
            scales={Symbol(s): Decimal(scale) for s, scale in data["scales"].items()},
            counts={Symbol(s): int(count) for s, count in data["counts"].items()},
            origin=str(data["origin"]),
            since=datetime.fromisoformat(data["since"]),
            until=datetime.fromisoformat(data["until"]),
            pairs=int(data["pairs"]),
        )
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise ConfigError(
            f"{source} is no decay model ({error!r}); make one with `hedger fit`"
        ) from error


def _of_format(data: dict[str, Any]) -> dict[str, Any]:
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']}")
    return data


def load(path: Path) -> DecayModel:
    """
    A model that `hedger fit` wrote.

    Raises:
        ConfigError: the file cannot be read or is no model.
    """
    try:
        return of_json(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error


def save(model: DecayModel, path: Path) -> None:
    """
    Write a model, complete or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(as_json(model), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from error


@cache
def shipped(name: str = RECORDED) -> DecayModel:
    """A model that comes with hedger, fitted on the rows that it names (hedger/data/ORIGIN.md)."""
    assert name in SHIPPED
    file = resources.files("hedger") / "data" / f"decay_{name}.json"
    return of_json(file.read_text(encoding="utf-8"), f"hedger/data/{file.name}")


def named(name: str) -> DecayModel:
    """
    One of the models that come with hedger, else the file of that name.

    Raises:
        ConfigError: the file cannot be read or is no model.
    """
    return shipped(name) if name in SHIPPED else load(Path(name))
