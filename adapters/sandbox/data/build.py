"""
Makes the packaged files from the project's reference data. A one-off; nothing runs it.

    python -m adapters.sandbox.data.build REFERENCE_DATA_FOLDER

Selection: markets of ``markets_common.csv`` that were ACTIVE on X10 and have all ten hours in
``hourly_both_venues.csv``. Values are copied as text, so no digit changes.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

HOURS = (
    *("2026-01-02T21", "2026-01-02T22", "2026-01-02T23", "2026-01-03T00", "2026-01-03T01"),
    *("2026-01-04T13", "2026-01-04T14", "2026-01-04T15", "2026-01-04T16", "2026-01-04T17"),
)
TAPE_COLUMNS = (
    "x10_mark",
    "x10_index",
    "lighter_mark",
    "lighter_index",
    "x10_oi_usd",
    "lighter_oi_usd_one_side",
    "x10_rate_1h",
    "lighter_rate_1h",
)
Row = dict[str, str]


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _x10(market: dict[str, Any]) -> dict[str, Any]:
    assert market["limit_price_cap"] == market["limit_price_floor"]
    return {
        "name": market["name"],
        "category": market["category"],
        "min_size": market["min_order_size"],
        "size_step": market["size_step"],
        "price_tick": market["price_tick"],
        "max_leverage": market["max_leverage"],
        "risk_factor": market["first_risk_tiers"][0]["riskFactor"],
        "max_market_value": market["max_market_order_value"],
        "max_limit_value": market["max_limit_order_value"],
        "max_position_value": market["max_position_value"],
        "max_open_orders": int(market["max_num_orders"]),
        "price_band": market["limit_price_cap"],
        "asset_precision": market["asset_precision"],
        "synthetic_id": market["synthetic_id"],
        "synthetic_resolution": market["synthetic_resolution"],
    }


def _lighter(market: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": market["symbol"],
        "market_id": market["market_id"],
        "size_decimals": market["size_decimals"],
        "price_decimals": market["price_decimals"],
        "min_size": market["min_base_amount"],
        "min_notional": market["min_quote_amount"],
        "liquidation_fee_pct": market["liquidation_fee_pct"],
    }


def build(source: Path, target: Path) -> int:
    """Write the three files and say how many markets they hold."""
    hourly: dict[str, dict[str, Row]] = {}
    for row in _rows(source / "hourly_both_venues.csv"):
        hourly.setdefault(row["x10_market"], {})[row["hour_utc"][:13]] = row
    x10 = {m["name"]: m for m in json.loads((source / "markets_x10.json").read_text())["markets"]}
    lighter = {
        m["symbol"]: m for m in json.loads((source / "markets_lighter.json").read_text())["markets"]
    }
    ids = {row["symbol"]: int(row["market_id"]) for row in _rows(source / "lighter_market_ids.csv")}
    chosen = [
        row
        for row in _rows(source / "markets_common.csv")
        if row["x10_status_2025_11"] == "ACTIVE"
        and all(hour in hourly.get(row["x10_market"], {}) for hour in HOURS)
    ]
    chosen.sort(key=lambda row: row["asset"])
    markets: list[dict[str, Any]] = []
    tape: list[tuple[str, ...]] = []
    for row in chosen:
        ours = lighter[row["lighter_symbol"]]
        assert ours["market_id"] == ids[row["lighter_symbol"]] == int(row["lighter_market_id"])
        markets.append(
            {"symbol": row["asset"], "x10": _x10(x10[row["x10_market"]]), "lighter": _lighter(ours)}
        )
        hours = hourly[row["x10_market"]]
        tape += [
            (row["asset"], hour + ":00:00Z", *(hours[hour][column] for column in TAPE_COLUMNS))
            for hour in HOURS
        ]
    _write(target / "tape.csv", ("symbol", "hour_utc", *TAPE_COLUMNS), tape)
    samples = sorted(
        (row["market"].removesuffix("-USD"), row["basis_bps_x10_over_lighter"])
        for row in _rows(source / "entry_basis_samples.csv")
    )
    _write(target / "basis.csv", ("symbol", "basis_bps_x10_over_lighter"), list(samples))
    lines = ",\n".join(json.dumps(market) for market in markets)
    (target / "markets.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return len(markets)


if __name__ == "__main__":
    count = build(Path(sys.argv[1]), Path(__file__).parent)
    sys.stdout.write(f"{count} markets\n")
