"""``hedger record`` and ``hedger fetch-history``: data for the backtest from public endpoints."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hedger.cli.configuration import begin
from hedger.cli.exit_codes import ExitCode
from hedger.cli.options import Command, config_option, format_option
from hedger.cli.output import Format, emit_object, say
from hedger.errors import UsageError


def _folder_options(command: Command) -> Command:
    command = click.option(
        "--max-mb",
        type=click.IntRange(min=1, max=100_000),
        default=256,
        show_default=True,
        help="No file (one per venue and month) grows beyond this.",
    )(command)
    return click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        required=True,
        metavar="DIR",
        help="Folder to write into; hedger backtest reads it.",
    )(command)


@click.command()
@_folder_options
@click.option(
    "--interval-s",
    type=click.FloatRange(min=1, max=86_400),
    default=300.0,
    show_default=True,
    help="Between two looks at both venues.",
)
@click.option(
    "--books",
    type=click.IntRange(min=0, max=1_000),
    default=5,
    show_default=True,
    help="Markets whose books are read at each look, in turn.",
)
@click.option("--looks", type=click.IntRange(min=1), help="End after so many; default: never.")
@format_option
@config_option
def record(
    *, config: Path | None, verbose: bool, output: Format, data: Path, **options: Any
) -> int:
    """
    Write down rates, marks and books of both venues until interrupted.

    It needs no key. It may be killed at any moment and started again in the same folder.
    """
    session = begin(config, verbose=verbose, quiet=False)
    session.home.prepare(session.settings.environment)

    from hedger.app import App

    async def go() -> dict[str, Any]:
        async with App.open(session.settings, session.home, mode="read") as app:
            return dict(await app.record(data, **options))

    emit_object(asyncio.run(go()), output)
    return ExitCode.DONE


@click.command("fetch-history")
@_folder_options
@click.option(
    "--market", "symbols", multiple=True, metavar="M", help="Only these; may be repeated."
)
@click.option("--days", type=click.IntRange(min=1, max=3_650), default=30, show_default=True,
              help="So far back, where --since is not given.")  # fmt: skip
@click.option("--since", metavar="WHEN", help="From this settlement on, for example 2026-01-01.")
@click.option("--until", metavar="WHEN", help="Before this one; default: all that are settled.")
@format_option
@config_option
def fetch_history(
    *,
    config: Path | None,
    verbose: bool,
    output: Format,
    data: Path,
    max_mb: int,
    symbols: tuple[str, ...],
    days: int,
    since: str | None,
    until: str | None,
) -> int:
    """
    Pull the settled rates that both venues remember, page by page.

    What is in the folder already is not asked for again, so it may be killed and started again.
    """
    session = begin(config, verbose=verbose)
    first, end = _instant("--since", since), _instant("--until", until)
    session.home.prepare(session.settings.environment)

    from rich.console import Console
    from rich.progress import Progress

    from hedger.app import App
    from hedger.domain.ids import Symbol

    console = Console(stderr=True)

    async def go() -> dict[str, Any]:
        async with App.open(session.settings, session.home, mode="read") as app:
            with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
                task = bar.add_task("markets", total=None)
                return dict(
                    await app.fetch_history(
                        data,
                        symbols=[Symbol(one) for one in symbols],
                        since=first,
                        until=end,
                        days=days,
                        max_mb=max_mb,
                        progress=lambda what: bar.update(task, advance=1, description=what),
                    )
                )

    found = asyncio.run(go())
    emit_object(found, output)
    for market in found["refused"]:
        say(f"{market}: not listed there, left out")
    return ExitCode.DONE


def _instant(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} is {text!r}, which is no instant; write 2026-01-01") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
