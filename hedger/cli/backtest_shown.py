"""What ``hedger backtest`` prints; loaded when there is something to print."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from hedger.backtest import report
from hedger.backtest.desk import Desk
from hedger.backtest.ours import OURS
from hedger.backtest.study import Result
from hedger.cli.output import Format, emit, emit_object, say


def show(desk: Desk, results: Sequence[Result], output: Format) -> None:
    """Everything as JSON, one row per rule and part as CSV, or tables and curves."""
    whole = report.document(
        desk.record,
        desk.package,
        desk.policy,
        desk.assumed,
        results,
        naive_apy=desk.naive_apy,
        note=desk.note,
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
    mark = " (GENERATED)" if part["generated"] else ""
    for title, rows in (
        ("by market", part["by_market"][OURS]),
        ("by week of closing", part["by_week"][OURS]),
    ):
        click.echo(f"ours, {title}, USD{mark}:")
        emit(report.in_cents(rows), Format.TABLE, empty="no hedge")


def _notes(whole: Mapping[str, Any]) -> None:
    data, model = whole["data"], whole["model"]
    if whole["note"]:
        say(whole["note"])
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
