"""``hedger backtest``: what the rules would have earned on recorded rates."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hedger import resources
from hedger.cli.configuration import Session, begin
from hedger.cli.exit_codes import ExitCode
from hedger.cli.options import config_option, format_option
from hedger.cli.output import Format, emit, say
from hedger.errors import UsageError

SHIPPED = "backtest.yaml"

if TYPE_CHECKING:
    from hedger.backtest.desk import Desk
    from hedger.backtest.study import Result
    from hedger.domain.ids import VenueId


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Folder with funding_<venue>.csv, funding_pairs.csv or hourly_both_venues.csv.",
)
@click.option(
    "--split",
    metavar="WHEN",
    help="Where the part ends that the decay is fitted on: an instant such as 2026-01-01, a "
    "share of the market-hours such as 0.5 (the default), or none.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A decay model made by hedger fit, instead of fitting the first part.",
)
@click.option(
    "--market", "symbols", multiple=True, metavar="M", help="Only these; may be repeated."
)
@click.option("--size-usd", default="1000", show_default=True, help="At most so much per leg.")
@click.option(
    "--slippage-bps",
    help="What crossing a book costs, per leg; default: half the recorded spread, at least 1.",
)
@click.option(
    "--taker-fee-bps",
    multiple=True,
    metavar="VENUE=BPS",
    help="Fee of your tier; default: what the package has observed. May be repeated.",
)
@click.option("--naive-apy", default=0.5, show_default=True, help="Threshold of the naive rule.")
@click.option("--seed", default=1, show_default=True, help="Of intervals, basis and generation.")
@click.option(
    "--generate-years",
    type=click.IntRange(min=0, max=20),
    default=0,
    help="Also so many years per packaged market that nobody recorded, shown apart.",
)
@click.option(
    "--positive-share",
    default="0.05",
    show_default=True,
    help="Share of the generated hours that are to be of positive expected value.",
)
@click.option(
    "--png",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write equity and drawdown as a picture; what was generated goes to FILE-generated.",
)
@click.option(
    "--decisions",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write every decision of every rule as JSON lines.",
)
@click.option(
    "--sweep",
    multiple=True,
    metavar="KEY=A,B,C",
    help="Only our rule, with every combination of these values; may be repeated.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1, max=256), help="Processes of a sweep; default: all cores."
)
@format_option
@partial(config_option, shipped=SHIPPED)
def backtest(
    *,
    data: Path,
    split: str | None,
    model: Path | None,
    output: Format,
    config: Path | None,
    verbose: bool,
    sweep: tuple[str, ...],
    jobs: int | None,
    png: Path | None,
    decisions: Path | None,
    generate_years: int,
    positive_share: str,
    **assumed: Any,
) -> int:
    """
    Replay recorded rates: our rule, the naive one, holding everything, and the ceiling.

    Without --config every rule has its default (the backtest.yaml that comes with hedger). Nothing
    is asked of any venue, and nothing but the files you name is written.
    """
    session = begin(config or resources.config() / SHIPPED, verbose=verbose)
    share = _number("--positive-share", positive_share, most=Decimal(1))
    desk = _desk(session, data, split, model, assumed)
    if sweep:
        _sweep(desk, sweep, jobs, output)
        return ExitCode.DONE
    results = _run(desk, generate_years, share, decisions)

    from hedger.cli.backtest_shown import show

    show(desk, results, output)
    if png is not None:
        from hedger.backtest.report import pictures, write

        for path, picture in pictures(png, results).items():
            write(path, picture)
            say(f"equity and drawdown are in {path}")
    return ExitCode.DONE


def _desk(
    session: Session, data: Path, split: str | None, model: Path | None, given: Mapping[str, Any]
) -> "Desk":
    from hedger.backtest.costs import Assumptions
    from hedger.backtest.desk import prepare
    from hedger.domain.ids import Symbol

    slippage = given["slippage_bps"]
    return prepare(
        session.settings,
        data,
        split=split,
        model=model,
        assumed=Assumptions(
            size_usd=_number("--size-usd", given["size_usd"], least=Decimal(1)),
            slippage_bps=None if slippage is None else _number("--slippage-bps", slippage),
            taker_fee=_fees(given["taker_fee_bps"], session.settings.venues.order),
            seed=given["seed"],
        ),
        naive_apy=given["naive_apy"],
        symbols=[Symbol(one) for one in given["symbols"]],
    )


def _fees(given: Sequence[str], venues: "Sequence[VenueId]") -> "dict[VenueId, Decimal]":
    found = {}
    for text in given:
        name, equals, bps = text.partition("=")
        venue = next((one for one in venues if one == name), None)
        if not equals or venue is None:
            raise UsageError(
                f"--taker-fee-bps {text!r}: is not VENUE=BPS; name one of {', '.join(venues)}"
            )
        found[venue] = _number("--taker-fee-bps", bps, most=Decimal(100)) / 10_000
    return found


def _number(
    option: str, text: str, *, least: Decimal = Decimal(0), most: Decimal = Decimal(10**9)
) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not least <= value <= most:
        raise UsageError(f"{option} is {text!r}, which is not between {least} and {most:f}")
    return value


def _run(
    desk: "Desk", years: int, positive_share: Decimal, decisions: Path | None
) -> "list[Result]":
    from rich.console import Console
    from rich.progress import Progress

    from hedger.backtest.decisions import begun, log
    from hedger.backtest.study import run

    parts = desk.recorded() + ([desk.generated(years, positive_share)] if years else [])
    policy = desk.policy
    console = Console(stderr=True)
    results = []
    begun(decisions)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("market-hours", total=sum(part.hours for part in parts))
        for part in parts:
            with log(decisions, part.name) as sink:
                results.append(
                    run(
                        part,
                        desk.package,
                        policy,
                        desk.assumed,
                        naive_apy=desk.naive_apy,
                        sink=sink,
                        progress=lambda hours: bar.advance(task, hours),
                    )
                )
    return results


def _sweep(desk: "Desk", given: Sequence[str], jobs: int | None, output: Format) -> None:
    import os

    from rich.console import Console
    from rich.progress import Progress

    from hedger.backtest.sweep import Job, points, swept

    combinations = points(given, desk.settings, desk.assumed)
    job = Job(
        folder=desk.record.folder,
        venues=desk.package.venues,
        model=desk.model,
        split_at=desk.split_at,
        fitted=desk.fitted,
        symbols=tuple(desk.record.series),
    )
    found: dict[int, list[dict[str, Any]]] = {}
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("combinations", total=len(combinations))
        for place, rows in swept(job, combinations, jobs or os.cpu_count() or 1):
            found[place] = rows
            bar.advance(task)
    emit([row for place in sorted(found) for row in found[place]], output)
    say("the values that did best on the fitted part are chosen by it: judge by the held-out part")
