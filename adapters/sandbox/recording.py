"""Reads the packaged recording: ten hours of both venues, 64 markets, their rules, basis."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

_PACKAGE = "adapters.sandbox.data"
HOURS_PER_WINDOW = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedHour:
    """One market in one recorded hour, both venues. Prices are hourly means in USD."""

    hour_utc: str
    x10_mark: Decimal
    x10_index: Decimal
    lighter_mark: Decimal
    lighter_index: Decimal
    x10_oi_usd: Decimal
    lighter_oi_usd: Decimal
    x10_rate_1h: Decimal  # signed fraction per hour, positive: longs pay
    lighter_rate_1h: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Everything packaged. ``hours`` and ``markets`` have the same 64 symbols."""

    hours: Mapping[str, tuple[RecordedHour, ...]]  # by symbol, ten each, in order
    markets: Mapping[str, Mapping[str, Any]]  # by symbol: {"x10": {...}, "lighter": {...}}
    basis_bps: Mapping[str, tuple[Decimal, ...]]  # X10 over Lighter at real trade starts

    @property
    def hour_names(self) -> tuple[str, ...]:
        """The recorded hours in order: ``2026-01-02T21:00:00Z`` and so on."""
        return tuple(row.hour_utc for row in next(iter(self.hours.values())))


def _csv_rows(name: str) -> Iterator[dict[str, str]]:
    return csv.DictReader((files(_PACKAGE) / name).read_text("utf-8").splitlines())


def _hour(row: Mapping[str, str]) -> RecordedHour:
    return RecordedHour(
        hour_utc=row["hour_utc"],
        x10_mark=Decimal(row["x10_mark"]),
        x10_index=Decimal(row["x10_index"]),
        lighter_mark=Decimal(row["lighter_mark"]),
        lighter_index=Decimal(row["lighter_index"]),
        x10_oi_usd=Decimal(row["x10_oi_usd"]),
        lighter_oi_usd=Decimal(row["lighter_oi_usd_one_side"]),
        x10_rate_1h=Decimal(row["x10_rate_1h"]),
        lighter_rate_1h=Decimal(row["lighter_rate_1h"]),
    )


@cache
def load_recording() -> Recording:
    """The packaged recording, read once per process."""
    hours: dict[str, list[RecordedHour]] = {}
    for row in _csv_rows("tape.csv"):
        hours.setdefault(row["symbol"], []).append(_hour(row))
    basis: dict[str, list[Decimal]] = {}
    for row in _csv_rows("basis.csv"):
        basis.setdefault(row["symbol"], []).append(Decimal(row["basis_bps_x10_over_lighter"]))
    markets = {
        row["symbol"]: row
        for row in json.loads((files(_PACKAGE) / "markets.json").read_text("utf-8"))
    }
    assert markets.keys() == hours.keys()
    assert all(len(rows) == 2 * HOURS_PER_WINDOW for rows in hours.values())
    return Recording(
        hours={symbol: tuple(rows) for symbol, rows in hours.items()},
        markets=markets,
        basis_bps={symbol: tuple(values) for symbol, values in basis.items()},
    )
