"""``hedger sandbox fault|advance|control|verify``: what only a sandbox can be asked for."""

import json
import sys
from pathlib import Path
from typing import Any

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
@click.argument("method", type=click.Choice(["GET", "POST", "DELETE"], case_sensitive=False))
@click.argument("path")
@click.argument("body", required=False)
@click.pass_context
def control(context: click.Context, method: str, path: str, body: str | None) -> None:
    """
    Ask the control API anything: METHOD, PATH, and BODY as JSON.

    A BODY of @FILE is read from that file, one of - from standard input. For example POST /market
    '{"venue": "lighter", "symbol": "ETH", "status": "inactive"}'. Paths and bodies are in
    docs/sandbox-control.md.
    """
    from hedger import app

    if not path.startswith("/"):
        raise UsageError(f"the path {path!r} must begin with /, such as /market")
    answer = app.ask_sandbox(context.obj.home, method.upper(), path, _json_of(body))
    click.echo(json.dumps(answer, indent=2))


def _json_of(text: str | None) -> Any:
    if text is None:
        return None
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text()
        return json.loads(text)
    except OSError as error:
        raise UsageError(f"the body cannot be read: {error}") from error
    except ValueError as error:
        raise UsageError(f"the body is not JSON ({error}); quote it for your shell") from error


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
