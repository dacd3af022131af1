"""``pause`` and ``resume``: new hedges off and on again; exits are never touched."""

import getpass
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hedger.cli.configuration import Session, begin
from hedger.cli.exit_codes import ExitCode
from hedger.cli.options import config_option, format_option, named_market
from hedger.cli.output import Format, emit_object, say
from hedger.cli.running import in_the_ledger
from hedger.errors import UsageError

if TYPE_CHECKING:
    from hedger.clock import Clock
    from hedger.ledger.store import Store

SCOPES = (
    click.option("--venue", metavar="V", help="Only hedges with a leg on this venue."),
    click.option("--market", metavar="M", help="Only this asset, for example ETH."),
    click.option("--stablecoin", is_flag=True, help="Because the collateral is in doubt."),
)


def _scoped(command: Any) -> Any:
    for option in reversed(SCOPES):
        command = option(command)
    return command


@click.command()
@_scoped
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the ledger.")
@format_option
@config_option
def pause(
    *,
    venue: str | None,
    market: str | None,
    stablecoin: bool,
    reason: str,
    output: Format,
    config: Path | None,
    verbose: bool,
) -> int:
    """
    Open nothing new until `hedger resume`.

    What is open is held, watched and closed as before. Works without a daemon and without the
    venues. A file named KILL in the state directory does the same.
    """
    session = begin(config, verbose=verbose)
    scope = _scope(session, venue, market, stablecoin=stablecoin) or "all"
    args = {"scope": scope, "who": getpass.getuser(), "reason": reason}
    found = in_the_ledger(session, "pause", args, partial(_pause_here, args=args))
    emit_object(found, output)
    return ExitCode.DONE


@click.command()
@_scoped
@click.option("--losses", is_flag=True, help="Count the day's loss and the drawdown anew.")
@format_option
@config_option
def resume(
    *,
    venue: str | None,
    market: str | None,
    stablecoin: bool,
    losses: bool,
    output: Format,
    config: Path | None,
    verbose: bool,
) -> int:
    """
    Undo `hedger pause`: of one scope, or of all where none is named.

    Sends nothing, so it asks for no --live, with --losses neither: but the daemon may open
    hedges again from then on, on mainnet too.
    """
    session = begin(config, verbose=verbose)
    scope = _scope(session, venue, market, stablecoin=stablecoin)
    args = {"scope": scope, "losses": losses, "who": getpass.getuser()}
    found = in_the_ledger(session, "resume", args, partial(_resume_here, args=args))
    emit_object(found, output, rows="resumed")
    if losses:
        say("the loss stop is lifted: the daemon may open hedges again, with real money too")
    if session.home.kill_file.exists():
        say(f"{session.home.kill_file} is still there, and stops new hedges")
    return ExitCode.DONE


def _scope(
    session: Session, venue: str | None, market: str | None, *, stablecoin: bool
) -> str | None:
    if sum((venue is not None, market is not None, stablecoin)) > 1:
        raise UsageError("name at most one of --venue V, --market M and --stablecoin")
    if stablecoin:
        return "stablecoin"
    if market is not None:
        return f"market:{named_market(market, '--market')}"
    if venue is None:
        return None
    if venue not in session.settings.venues.order:
        known = " and ".join(session.settings.venues.order)
        raise UsageError(f"--venue {venue} is none of this configuration's; it has {known}")
    return f"venue:{venue}"


def _pause_here(store: "Store", clock: "Clock", args: Mapping[str, Any]) -> dict[str, Any]:
    from hedger import switches

    off = switches.switch_off(store, clock, args["scope"], who=args["who"], why=args["reason"])
    return {"scope": off.scope, "since": off.since, "who": off.who, "why": off.why}


def _resume_here(store: "Store", clock: "Clock", args: Mapping[str, Any]) -> dict[str, Any]:
    from hedger import switches
    from hedger.funds import EquityBook

    if args["losses"]:
        EquityBook(store, clock).begin_anew()
    scopes = switches.switch_on(store, args["scope"], who=args["who"])
    return {"resumed": [{"scope": each} for each in scopes], "losses": args["losses"]}
