"""``acknowledge``: a person has seen an alert, and ``status`` names it no longer."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hedger.cli.configuration import begin
from hedger.cli.exit_codes import ExitCode
from hedger.cli.options import config_option, format_option
from hedger.cli.output import Format, emit, say
from hedger.cli.running import in_the_ledger

if TYPE_CHECKING:
    from hedger.clock import Clock
    from hedger.ledger.store import Store


@click.command()
@click.argument("numbers", metavar="NUMBER...", type=click.IntRange(min=1), nargs=-1, required=True)
@format_option
@config_option
def acknowledge(
    *, numbers: tuple[int, ...], output: Format, config: Path | None, verbose: bool
) -> int:
    """
    Say that alerts were seen.

    Each NUMBER is one that `hedger status` names. Who saw it and when is kept. Changes nothing
    else: what is wrong goes on being wrong. Works without a daemon and without the venues.
    """
    session = begin(config, verbose=verbose)
    who = getpass.getuser()

    def here(store: "Store", _clock: "Clock") -> dict[str, Any]:
        from hedger import alerts

        rows = alerts.acknowledge(store, numbers, who=who)
        for row in rows:
            say(alerts.seen(row))
        return {"rows": rows}

    args = {"alerts": list(numbers), "who": who}
    emit(in_the_ledger(session, "acknowledge", args, here)["rows"], output)
    return ExitCode.DONE
