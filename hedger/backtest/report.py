"""What a study found, as values for programs and for people; ``hedger/cli`` prints them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from hedger.backtest import curves
from hedger.backtest.costs import Assumptions
from hedger.backtest.loading import Record
from hedger.backtest.ours import OURS, Policy
from hedger.backtest.package import Package
from hedger.backtest.png import Line, Panel, chart
from hedger.backtest.series import instant
from hedger.backtest.study import RULES, Part, Result, together
from hedger.backtest.summary import Row, curve
from hedger.plainjson import as_text

POINTS = 440  # of a curve in the picture
TERMINAL_POINTS = 60
SHOWN = (  # heading of a column, and the figure in it
    ("rule", "rule"),
    ("hedges", "hedges"),
    ("cut_off", "cut_off"),
    ("funding", "funding_usd"),
    ("fees", "fees_usd"),
    ("slippage", "slippage_usd"),
    ("basis", "basis_usd"),
    ("net", "net_usd"),
    ("per_hedge", "net_per_hedge_usd"),
    ("interval_95", "interval"),
    ("of_oracle", "share_of_oracle"),
    ("drawdown", "max_drawdown_usd"),
    ("verdict", "verdict"),
)
CENT = Decimal("0.01")


def document(
    record: Record,
    package: Package,
    policy: Policy,
    assumed: Assumptions,
    results: Sequence[Result],
    *,
    naive_apy: float,
    note: str,
) -> Row:
    """Everything, for programs. ``rules`` sums what was recorded; generated parts never."""
    recorded = [one for one in results if not one.part.generated]
    whole = together(recorded)
    return {
        "data": _data(record),
        "assumptions": _assumptions(package, assumed, naive_apy),
        "model": {
            "origin": policy.model.origin,
            "since": policy.model.since,
            "until": policy.model.until,
            "pairs": policy.model.pairs,
            "form": asdict(policy.model.form),
            "settlements": policy.settlements,
        },
        "note": note,
        "generated": any(one.part.generated for one in results),
        "rules": whole.rows(assumed.seed),
        "parts": [_part(one, assumed.seed) for one in results],
    }


def _data(record: Record) -> Row:
    return {
        "folder": str(record.folder),
        "files": list(record.files),
        "markets": len(record.series),
        "market_hours": sum(map(len, record.series.values())),
        "longest_run_h": max(
            end - start for one in record.series.values() for start, end in one.runs()
        ),
        "markets_left_out": len(record.left_out),
        "rows_left_out": sum(record.left_out.values()),
    }


def _assumptions(package: Package, assumed: Assumptions, naive_apy: float) -> Row:
    fees = {
        venue: (assumed.taker_fee or {}).get(venue, facts.taker_fee)
        for venue, facts in zip(package.venues, package.facts, strict=True)
    }
    return {
        "size_usd": assumed.size_usd,
        "taker_fee": fees,
        "slippage_bps_per_crossing": assumed.slippage_bps or "half the quoted spread, at least 1",
        "basis": "adverse at entry only" if assumed.basis else "none",
        "naive_apy": Decimal(repr(naive_apy)),
        "seed": assumed.seed,
        "one_market_at_a_time": True,
    }


def _part(result: Result, seed: int) -> Row:
    part = result.part
    tables = {name: result.tables(name) for name in RULES}
    return {
        "part": part.name,
        "generated": part.generated,
        "note": part.note,
        "from": instant(part.first_hour),
        "until": instant(part.end_hour - 1),
        "markets": len(part.series),
        "market_hours": part.hours,
        "rules": result.rows(seed),
        "by_market": {name: markets for name, (markets, _) in tables.items()},
        "by_week": {name: weeks for name, (_, weeks) in tables.items()},
    }


def rule_rows(rules: Mapping[str, Row]) -> list[Row]:
    """One row a rule, for people: amounts in USD and cents."""
    rows = []
    for name, row in rules.items():
        between = row["net_per_hedge_interval_usd"]
        full = {
            **row,
            "rule": name,
            "cut_off": row["cut_off_by_the_record"]["hedges"],
            "interval": "" if between is None else " to ".join(f"{one:.2f}" for one in between),
        }
        rows.append({heading: _shown(full[key]) for heading, key in SHOWN})
    return rows


def in_cents(rows: Sequence[Row]) -> list[Row]:
    """Amounts as a person reads them; the unit goes from the names into the heading."""
    return [
        {name.removesuffix("_usd"): _shown(value) for name, value in row.items()} for row in rows
    ]


def _shown(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value.quantize(CENT)}"
    return "" if value is None else value


def heading(part: Part) -> str:
    """One line about a part."""
    said = (
        part.note or f"{len(part.series)} markets, {part.hours} market-hours with both rates; USD"
    )
    return f"{part.name}: {_day(part.first_hour)} to {_day(part.end_hour - 1)}; {said}"


def _day(hour: int) -> str:
    return f"{instant(hour):%Y-%m-%d %H:%MZ}"


def terminal_curves(result: Result) -> Iterator[str]:
    """Equity and drawdown of every rule as blocks, on one scale per rule."""
    part = result.part
    for name in RULES:
        points = curve(result.outcomes[name].hedges)
        levels = curves.sampled(points, part.first_hour, part.end_hour, TERMINAL_POINTS)
        low, high = min(0, *levels), max(0, *levels)
        falls = curves.falls(levels)
        yield f"{name:>8} equity   {curves.blocks(levels, low, high)} {_dollars(low, high)}"
        yield f"{'':>8} drawdown {curves.blocks(falls, 0, max(falls))} {_dollars(0, max(falls))}"


def _dollars(low: int, high: int) -> str:
    return f"{low / 1e6:,.2f} to {high / 1e6:,.2f} USD"


def pictures(path: Path, results: Sequence[Result]) -> dict[Path, bytes]:
    """
    Equity and drawdown of every rule over everything recorded, and apart from it, in
    ``<name>-generated.png``, over a generated part.
    """
    recorded = [one for one in results if not one.part.generated]
    found = {path: _picture(together(recorded), "RECORDED RATES")}
    for result in results:
        if result.part.generated:
            beside = path.with_name(f"{path.stem}-generated{path.suffix}")
            found[beside] = _picture(result, "GENERATED, NOT RECORDED")
    return found


def _picture(result: Result, kind: str) -> bytes:
    part = result.part
    lines, falls = [], []
    for name in RULES:
        levels = curves.sampled(
            curve(result.outcomes[name].hedges), part.first_hour, part.end_hour, POINTS
        )
        lines.append(Line(name=name, levels=[level / 1e6 for level in levels]))
        falls.append(Line(name=name, levels=[-fall / 1e6 for fall in curves.falls(levels)]))
    return chart(
        f"HEDGER BACKTEST, {kind}",
        Panel(heading="NET, USD", lines=lines),
        Panel(heading="DRAWDOWN, USD", lines=falls),
        since=_day(part.first_hour),
        until=_day(part.end_hour - 1),
    )


def write(path: Path, data: bytes) -> None:
    """
    Write a file of the user's choice.

    Raises:
        UsageError: it cannot be written.
    """
    from hedger.errors import UsageError

    try:
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written ({error.strerror or error}); name another file"
        ) from error


def sentences(results: Sequence[Result], seed: int) -> Iterator[str]:
    """What a reader must not overlook."""
    for result in results:
        ours = result.rows(seed)[OURS]
        text = f"{result.part.name}: ours {ours['verdict']}"
        if ours["hedges"]:
            text += f", net {as_text(ours['net_usd'])} USD with {ours['hedges']} hedges"
        yield text
