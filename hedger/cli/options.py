"""Options that several commands share, spelt and explained once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from hedger.cli.output import Format
from hedger.errors import UsageError

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


def config_option(command: Command, shipped: str = "sandbox.yaml") -> Command:
    """``--config PATH`` and ``--verbose``; ``shipped`` is what is used without the first."""
    command = click.option(
        "-v", "--verbose", is_flag=True, help="Show the log as it is written, on standard error."
    )(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="PATH",
        help=f"Configuration file; default: the {shipped} that comes with hedger.",
    )(command)


def format_option(command: Command) -> Command:
    """``--format table|json|csv``, handed over as ``output``."""
    return click.option(
        "--format",
        "output",
        type=click.Choice([str(one) for one in Format]),
        default=str(Format.TABLE),
        show_default=True,
        callback=lambda _context, _parameter, value: Format(value),
        help="table for people; json and csv for programs.",
    )(command)


def live_options(command: Command) -> Command:
    """``--live`` and ``--confirm``: what trading real money needs."""
    command = click.option(
        "--confirm",
        metavar="ACCOUNTS",
        help="On mainnet: the accounts to trade, as x10:VAULT,lighter:ACCOUNT.",
    )(command)
    return click.option("--live", is_flag=True, help="On mainnet: trade real money.")(command)


def named_market(text: str, where: str) -> str:
    """
    A market as the command line names it, in the spelling of the configuration.

    Raises:
        UsageError: it cannot be a market's name.
    """
    from hedger.config.names import market_name

    try:
        return market_name(text)
    except ValueError as error:
        raise UsageError(f"{where} is {text!r}: {error}") from None


def yes_option(command: Command) -> Command:
    """``--yes``: do not ask."""
    return click.option("--yes", is_flag=True, help="Do not ask before trading.")(command)
