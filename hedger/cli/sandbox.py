"""``hedger sandbox``: the local venues."""

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from hedger.cli.configuration import begin
from hedger.cli.exit_codes import ExitCode
from hedger.cli.options import config_option
from hedger.cli.output import say
from hedger.errors import UsageError


class Amount(click.ParamType[Decimal]):
    """An exact positive number."""

    name = "amount"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        try:
            amount = Decimal(value)
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount <= 0:
            self.fail(f"{value!r} is not a positive number", param, ctx)
        return amount


class Faults(click.ParamType[tuple[dict[str, Any], ...]]):
    """A JSON list of faults, as ``POST /faults`` takes them."""

    name = "faults"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[dict[str, Any], ...]:
        try:
            faults = json.loads(value)
        except ValueError:
            faults = None
        if not isinstance(faults, list) or not all(isinstance(one, dict) for one in faults):
            self.fail("give a JSON list of faults, for example '[]'", param, ctx)
        return tuple(faults)


PORT = click.IntRange(min=0, max=65_535)
HOUR_S = click.FloatRange(min=0, max=3_600, min_open=True)


@click.group(invoke_without_command=True)
@click.option("--x10-port", type=PORT, default=0, metavar="N", help="Default: a free port.")
@click.option("--lighter-port", type=PORT, default=0, metavar="N", help="Default: a free port.")
@click.option("--control-port", type=PORT, default=0, metavar="N", help="Default: a free port.")
@click.option("--seed", type=int, metavar="N", help="Same seed, same market path.")
@click.option("--hour-s", type=HOUR_S, metavar="S", help="Seconds per hour of market time.")
@click.option("--tier", type=click.Choice(["none", "standard", "premium"]), help="Rate limits.")
@click.option("--balance-usd", type=Amount(), metavar="N", help="Collateral on each venue.")
@click.option("--depth-usd", type=Amount(), metavar="N", help="Each side of each book.")
@click.option("--spread-bps", type=Amount(), metavar="N", help="Between best bid and best ask.")
@click.option(
    "--duplicate-check",
    type=click.Choice(["open", "ever"]),
    help="X10 code 1134: an id may not be that of an open order, or of any ever.",
)
@click.option("--lag-s", type=click.FloatRange(0, 60), metavar="S", help="Lateness of reads.")
@click.option("--faults", type=Faults(), metavar="JSON", help="Faults from the start on.")
@config_option
@click.pass_context
def sandbox(
    context: click.Context, /, *, config: Path | None, verbose: bool, **options: Any
) -> int:
    """
    Run both venues on this machine.

    They run until SIGTERM. When they are ready, one JSON line on standard output tells
    addresses and keys. What is not given comes from the section sandbox of the configuration.
    """
    session = begin(config, verbose=verbose, quiet=False)
    if session.settings.sandbox is None:
        raise UsageError(
            f"{session.source} is for {session.settings.environment} and describes no sandbox; "
            "name config/sandbox.yaml with --config"
        )
    context.obj = session
    if context.invoked_subcommand is not None:
        return ExitCode.DONE

    from hedger import app

    session.home.prepare(session.settings.environment)
    ports = {name: options.pop(name) for name in ("x10_port", "lighter_port", "control_port")}
    given = {name: value for name, value in options.items() if value is not None}
    section = session.settings.sandbox.model_copy(update=given)
    return app.run_sandbox(section, session.home, **ports)


@sandbox.command()
@click.pass_context
def stop(context: click.Context) -> None:
    """End the sandbox of this state directory."""
    import asyncio

    from hedger import app

    stopped = asyncio.run(app.stop_sandbox(context.obj.home))
    say("the sandbox has ended" if stopped else "no sandbox is running")


@sandbox.command()
@click.pass_context
def status(context: click.Context) -> int:
    """Say whether a sandbox is running, and where."""
    from hedger import app

    running = app.sandbox_status(context.obj.home)
    if running is None:
        say("no sandbox is running")
        return ExitCode.NOT_DONE
    click.echo(f"process: {running['pid']}")
    click.echo(f"x10:     {running['x10']['api_base_url']}")
    click.echo(f"lighter: {running['lighter']['url']}")
    click.echo(f"control: {running['control_url']}")
    return ExitCode.DONE
