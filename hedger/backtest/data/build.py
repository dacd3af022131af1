"""
Makes the packaged files from the project's reference data. A one-off; nothing runs it.

    python -m hedger.backtest.data.build REFERENCE_DATA_FOLDER

Values are copied as text, so no digit changes; only the quoted spread is calculated.
"""

import csv
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

MARKET_COLUMNS = (
    "symbol",
    "x10_name",
    "x10_min_size",
    "x10_size_step",
    "x10_price_tick",
    "x10_max_order_value_usd",
    "x10_quoted_spread_bps",
    "lighter_name",
    "lighter_id",
    "lighter_min_size",
    "lighter_size_step",
    "lighter_price_tick",
    "lighter_min_notional_usd",
    "reference_price",
)
BASIS_COLUMN = "basis_bps_x10_over_lighter"
Row = dict[str, str]


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _quoted_spread(snapshot: dict[str, Any]) -> str:
    bid, ask = Decimal(snapshot["bid"] or 0), Decimal(snapshot["ask"] or 0)
    if not bid or not ask:
        return ""
    return f"{(ask - bid) / (ask + bid) * 20_000:.2f}"


def build(source: Path, target: Path) -> int:
    """Write both files and say how many markets they hold."""
    x10 = {m["name"]: m for m in json.loads((source / "markets_x10.json").read_text())["markets"]}
    markets: list[tuple[str, ...]] = []
    for row in _rows(source / "markets_common.csv"):
        rules = x10[row["x10_market"]]
        mark = rules["snapshot"]["mark"]
        markets.append(
            (
                row["asset"],
                row["x10_market"],
                row["x10_min"],
                row["x10_step"],
                row["x10_tick"],
                rules["max_market_order_value"],
                _quoted_spread(rules["snapshot"]),
                row["lighter_symbol"],
                row["lighter_market_id"],
                row["lighter_min_base"],
                row["lighter_size_step"],
                row["lighter_tick"],
                row["lighter_min_quote_usd"],
                mark if Decimal(mark) else "",
            )
        )
    _write(target / "markets.csv", MARKET_COLUMNS, sorted(markets))
    samples = sorted(
        (row["market"].removesuffix("-USD"), row[BASIS_COLUMN])
        for row in _rows(source / "entry_basis_samples.csv")
    )
    _write(target / "basis.csv", ("symbol", BASIS_COLUMN), list(samples))
    return len(markets)


if __name__ == "__main__":
    count = build(Path(sys.argv[1]), Path(__file__).parent)
    sys.stdout.write(f"{count} markets\n")
