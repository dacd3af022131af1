"""``hedger backtest``: what the rules would have earned on recorded rates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hedger import resources
from hedger.cli.configuration import Session, begin
from hedger.cli.exit_codes import ExitCode
from hedger.cli.options import config_option, format_option
from hedger.cli.output import Format, emit, emit_object, say
from hedger.errors import UsageError

if TYPE_CHECKING:
    from hedger.backtest.costs import Assumptions
    from hedger.backtest.loading import Record
    from hedger.backtest.package import Package
    from hedger.backtest.study import Part, Result
    from hedger.decay import DecayModel
    from hedger.domain.ids import VenueId

SHARE = Decimal("0.5")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """What a run of the command works with."""

    session: Session
    package: "Package"
    record: "Record"
    assumed: "Assumptions"
    split_at: int | None
    model: "DecayModel"
    naive_apy: float


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
    help="Write equity and drawdown as a picture.",
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
@config_option
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
    session = begin(config or resources.config() / "backtest.yaml", verbose=verbose)
    share = _number("--positive-share", positive_share, most=Decimal(1))
    desk = _desk(session, data, split, model, assumed)
    if sweep:
        _sweep(desk, sweep, jobs, output)
        return ExitCode.DONE
    parts = _parts(desk, generate_years, share)
    results = _run(desk, parts, decisions)
    _show(desk, results, output)
    if png is not None:
        from hedger.backtest.report import picture, write

        write(png, picture(results))
        say(f"equity and drawdown are in {png}")
    return ExitCode.DONE


def _desk(
    session: Session, data: Path, split: str | None, model: Path | None, given: Mapping[str, Any]
) -> _Desk:
    from hedger import decayfile
    from hedger.backtest import loading, package, study
    from hedger.backtest.costs import Assumptions

    venues = session.settings.venues.order
    slippage = given["slippage_bps"]
    assumed = Assumptions(
        size_usd=_number("--size-usd", given["size_usd"], least=Decimal(1)),
        slippage_bps=None if slippage is None else _number("--slippage-bps", slippage),
        taker_fee=_fees(given["taker_fee_bps"], venues),
        seed=given["seed"],
    )
    known = package.load(venues, data)
    record = loading.load(data, known)
    at = _split_at(split, record, fits=model is None)
    fitted = (
        decayfile.load(model)
        if model is not None
        else study.fitted_on(record, study.recorded_parts(record, at)[0])
    )
    return _Desk(
        session=session,
        package=known,
        record=record,
        assumed=assumed,
        split_at=at,
        model=fitted,
        naive_apy=given["naive_apy"],
    )


def _split_at(text: str | None, record: "Record", *, fits: bool) -> int | None:
    from hedger.backtest.columns import HOUR_S
    from hedger.backtest.study import split_hour

    if text == "none" or (text is None and not fits):
        return None
    if text is None:
        return split_hour(record, SHARE)
    try:
        share = Decimal(text)
    except InvalidOperation:
        share = Decimal(0)
    if 0 < share < 1:
        return split_hour(record, share)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--split {text!r}: is neither an instant nor a share between 0 and 1; "
            "give 2026-01-01, 0.5 or none"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return -int(-moment.timestamp() // HOUR_S)  # the first settlement at or after it


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


def _parts(desk: _Desk, years: int, share: Decimal) -> "list[Part]":
    from hedger.backtest.generate import generate
    from hedger.backtest.study import generated_part, recorded_parts

    parts = recorded_parts(desk.record, desk.split_at)
    if years:
        made = generate(
            desk.record,
            desk.package,
            desk.model,
            desk.assumed,
            years=years,
            positive_share=share,
        )
        parts.append(generated_part(made.series, made.note))
    return parts


def _run(desk: _Desk, parts: "Sequence[Part]", decisions: Path | None) -> "list[Result]":
    from rich.console import Console
    from rich.progress import Progress

    from hedger.backtest.decisions import begun, log
    from hedger.backtest.policy import policy_of
    from hedger.backtest.study import run

    policy = policy_of(desk.session.settings, desk.model, size_usd=desk.assumed.size_usd)
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


def _show(desk: _Desk, results: "Sequence[Result]", output: Format) -> None:
    from hedger.backtest import report
    from hedger.backtest.policy import policy_of

    policy = policy_of(desk.session.settings, desk.model, size_usd=desk.assumed.size_usd)
    whole = report.document(
        desk.record, desk.package, policy, desk.assumed, results, naive_apy=desk.naive_apy
    )
    if output is Format.JSON:
        emit_object(whole, output)
        return
    if output is Format.CSV:
        rows = [
            {"part": part["part"], "generated": part["generated"], **row}
            for part in whole["parts"]
            for row in report.rule_rows(part["rules"])
        ]
        emit(rows, output)
        return
    for result, part in zip(results, whole["parts"], strict=True):
        click.echo(report.heading(result.part))
        emit(report.rule_rows(part["rules"]), output)
        _tables(part)
        for line in report.terminal_curves(result):
            click.echo(line)
        click.echo()
    for line in report.sentences(results, desk.assumed.seed):
        say(line)
    _notes(whole)


def _tables(part: Mapping[str, Any]) -> None:
    """Our hedges by market and by week."""
    from hedger.backtest.ours import OURS
    from hedger.backtest.report import in_cents

    mark = " (GENERATED)" if part["generated"] else ""
    for title, rows in (
        ("by market", part["by_market"][OURS]),
        ("by week of closing", part["by_week"][OURS]),
    ):
        click.echo(f"ours, {title}, USD{mark}:")
        emit(in_cents(rows), Format.TABLE, empty="no hedge")


def _notes(whole: Mapping[str, Any]) -> None:
    data, model = whole["data"], whole["model"]
    say(
        f"the longest stretch without a hole is {data['longest_run_h']} h; a hedge that is open "
        "where a stretch ends is closed there at full cost (column cut_off)"
    )
    say(f"decay: {model['origin']}, {model['pairs']} pairs of hours; models, not quotes, price "
        "slippage and basis")  # fmt: skip
    if data["markets_left_out"]:
        say(
            f"{data['rows_left_out']} rows of {data['markets_left_out']} markets are left out: "
            "no rules are known for both venues (a markets.csv in the folder adds them)"
        )


def _sweep(desk: _Desk, given: Sequence[str], jobs: int | None, output: Format) -> None:
    import os

    from rich.console import Console
    from rich.progress import Progress

    from hedger.backtest.sweep import Job, points, swept

    combinations = points(given, desk.session.settings, desk.assumed)
    job = Job(
        folder=desk.record.folder,
        venues=desk.package.venues,
        model=desk.model,
        split_at=desk.split_at,
    )
    found: dict[int, list[dict[str, Any]]] = {}
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("combinations", total=len(combinations))
        for place, rows in swept(job, combinations, jobs or os.cpu_count() or 1):
            found[place] = rows
            bar.advance(task)
    emit([row for place in sorted(found) for row in found[place]], output)
    say("the values that did best on the fitted part are chosen by it: judge by the held-out part")
