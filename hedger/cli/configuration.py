"""From the options of a command to settings, state directory and the permission to trade."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hedger import crashpoints
from hedger.errors import ConfigError, UsageError
from hedger.home import Home

if TYPE_CHECKING:
    from hedger.settings import Settings

HOME = "hedger.home"
"""Where a command's context keeps its state directory, for what is said of its errors."""

PLACEHOLDER = "REPLACE"
ACCOUNT_OPTIONS = ("account", "vault", "account_index")  # how venues call the account they trade


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What every command starts from."""

    settings: "Settings"
    source: str  # the configuration file, for messages
    home: Home


def begin(config: Path | None, *, verbose: bool = False, quiet: bool = True) -> Session:
    """
    Load the configuration and start logging to standard error.

    Raises:
        ConfigError: the file cannot be used.
    """
    from hedger import log, resources
    from hedger.settings import load

    path = config if config is not None else resources.config() / "sandbox.yaml"
    settings = load(path)
    level = "WARNING" if quiet and not verbose else settings.log.level
    log.configure(level=level)
    home = Home.locate(settings.environment, os.environ)
    if (context := click.get_current_context(silent=True)) is not None:
        context.meta[HOME] = home
    return Session(settings=settings, source=str(path), home=home)


def log_to_file(session: Session, *, verbose: bool = False, quiet: bool = True) -> None:
    """Also keep a log in the state directory; only the holder of its lock may."""
    from hedger import log

    kept = session.settings.log
    log.configure(
        level="WARNING" if quiet and not verbose else kept.level,
        file=session.home.log,
        file_level=kept.level,
        file_max_mb=kept.file_max_mb,
        file_keep=kept.file_keep,
    )


def refuse_placeholders(session: Session) -> None:
    """
    Values that a shipped file leaves to its user must have been filled in.

    Raises:
        ConfigError: one of them was not.
    """
    for venue, options in session.settings.venues.options.items():
        for name, value in options.items():
            if isinstance(value, str) and value.startswith(PLACEHOLDER):
                raise ConfigError(
                    f"{session.source}: venues.options.{venue}.{name} is still {value!r}; "
                    "put your own value there (the comment beside it says where to find it)"
                )


def permit_trading(session: Session, *, live: bool, confirm: str | None) -> None:
    """
    Let sandbox and testnet pass; real money needs ``--live`` and the accounts by name.

    What real money is says ``hedger.service.gate``, for the crash points, too.

    Raises:
        ConfigError: a placeholder was left in the file, or what it says of networks is
            contradictory or not encrypted.
        UsageError: the confirmation is missing or names other accounts, or this process is
            to be crashed on purpose.
    """
    refuse_placeholders(session)
    real = is_real_money(session)
    crashpoints.arm(os.environ, real_money=live or real)
    if not real:
        return
    expected = accounts(session)
    if not live:
        raise UsageError(
            f"{session.source} trades real money; if that is meant, add --live --confirm {expected}"
        )
    if confirm is None and sys.stdin.isatty():
        click.echo(f"This trades real money on {expected}.", err=True)
        confirm = click.prompt("Type these accounts to go on", err=True)
    if confirm is None or _parse(confirm) != _parse(expected):
        said = "is missing" if confirm is None else f"names {confirm}"
        raise UsageError(
            f"--confirm {said}, but {session.source} trades {expected}; "
            f"correct the file or give --confirm {expected}"
        )


def is_real_money(session: Session) -> bool:
    """
    Whether this configuration trades real money.

    Raises:
        ConfigError: see ``hedger.service.gate.real_money``; the text names the file, too.
    """
    from hedger.service import gate

    try:
        return gate.real_money(session.settings)
    except ConfigError as error:
        raise ConfigError(f"{session.source}: {error}") from None


def accounts(session: Session) -> str:
    """
    The configured account of each venue: ``x10:10002,lighter:65``.

    Raises:
        ConfigError: a venue has none.
    """
    venues = session.settings.venues
    return ",".join(
        f"{venue}:{_account(session.source, venue, venues.options.get(venue, {}))}"
        for venue in venues.order
    )


def _account(source: str, venue: str, options: Mapping[str, object]) -> object:
    for name in ACCOUNT_OPTIONS:
        if name in options:
            return options[name]
    raise ConfigError(
        f"{source}: venues.options.{venue} names no account; add one of "
        f"{', '.join(ACCOUNT_OPTIONS)}"
    )


def _parse(confirm: str) -> frozenset[str]:
    return frozenset(part.strip() for part in confirm.split(",") if part.strip())
