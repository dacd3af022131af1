"""``settle``: the way out by hand for a hedge that the program cannot bring to rest."""

import getpass
from pathlib import Path

import click

from hedger.cli.configuration import begin, permit_trading
from hedger.cli.exit_codes import ExitCode
from hedger.cli.options import config_option, format_option, live_options
from hedger.cli.output import Format, emit_object
from hedger.cli.running import carry_out


@click.command()
@click.argument("hedge")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the ledger.")
@click.option("--force", is_flag=True, help="Even though the venues still show exposure.")
@format_option
@config_option
@live_options
def settle(
    *,
    hedge: str,
    reason: str,
    force: bool,
    output: Format,
    config: Path | None,
    verbose: bool,
    live: bool,
    confirm: str | None,
) -> int:
    """
    Close an escalated HEDGE in the ledger, without orders.

    For what no order can bring to rest, such as a delisted market. Who settled it and why is
    kept. With --force, what the venues still hold is yours to look after.
    """
    session = begin(config, verbose=verbose)
    permit_trading(session, live=live, confirm=confirm)
    args = {"hedge": hedge, "who": getpass.getuser(), "reason": reason, "force": force}
    emit_object(carry_out(session, "settle", args, verbose=verbose), output)
    return ExitCode.DONE
