"""``hedger sandbox fault|advance|verify``: what only a sandbox can be asked for."""

import json

import click

from hedger.cli.exit_codes import ExitCode
from hedger.cli.output import say
from hedger.cli.sandbox import sandbox
from hedger.errors import UsageError

__all__ = ["sandbox"]  # with the commands below


@sandbox.command()
@click.argument("fault", required=False)
@click.option("--clear", is_flag=True, help="Take all faults away first.")
@click.pass_context
def fault(context: click.Context, fault: str | None, *, clear: bool) -> None:
    """
    Make a venue go wrong: FAULT is JSON.

    For example '{"venue": "lighter", "kind": "refuse", "code": 21739, "market": "ETH"}'.
    """
    from hedger import app

    if fault is None and not clear:
        raise UsageError("name a fault as JSON, or take all away with --clear")
    try:
        body = None if fault is None else json.loads(fault)
    except ValueError as error:
        raise UsageError(f"the fault is not JSON ({error}); quote it for your shell") from error
    if clear:
        app.ask_sandbox(context.obj.home, "DELETE", "/faults")
    if body is not None:
        answer = app.ask_sandbox(context.obj.home, "POST", "/faults", body)
        say(f"posted {', '.join(answer['ids'])}")


@sandbox.command()
@click.argument("hours", type=click.FloatRange(min=0, min_open=True))
@click.pass_context
def advance(context: click.Context, hours: float) -> None:
    """Move the venues' market clock by HOURS; every hour that is crossed is settled."""
    from hedger import app

    app.ask_sandbox(context.obj.home, "POST", "/clock/advance", {"hours": hours})
    say(f"market time moved by {hours:g} h")


@sandbox.command()
@click.option("--flat", is_flag=True, help="A position that is open counts as a difference, too.")
@click.pass_context
def verify(context: click.Context, *, flat: bool) -> int:
    """
    Hold the ledger against what the venues truly did.

    Order by order, fill by fill, payment by payment, to the last decimal.
    """
    from hedger import app

    counted, differences = app.verify_sandbox(context.obj.home, flat=flat)
    for text in differences:
        click.echo(text)
    if differences:
        return ExitCode.EXPOSED
    positions = "every position is flat and " if flat else ""
    click.echo(f"{positions}the ledger equals the venues: {counted}")
    return ExitCode.DONE
