"""``hedger db``: care of the ledger file."""

from pathlib import Path

import click

from hedger.cli.configuration import begin
from hedger.cli.options import config_option


@click.group()
def db() -> None:
    """Care for the ledger."""


@db.command()
@config_option
def upgrade(*, config: Path | None, verbose: bool) -> None:
    """Create the ledger, or bring it to this version after a backup copy."""
    session = begin(config, verbose=verbose)
    session.home.prepare(session.settings.environment)

    from hedger.clock import SystemClock
    from hedger.ledger import migrate

    with session.home.locked():
        done = migrate.upgrade(session.home.ledger, SystemClock())
    if done.before == done.after:
        click.echo(f"{session.home.ledger} is at version {done.after} already")
    else:
        click.echo(f"{session.home.ledger} is now at version {done.after}")
    if done.backup is not None:
        click.echo(f"the copy from before is {done.backup}")
