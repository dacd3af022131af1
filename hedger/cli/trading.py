"""``open``, ``close``, ``rollback``, ``reconcile``: what changes positions."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from hedger.cli import reconciling
from hedger.cli.configuration import Session, begin, is_real_money, permit_trading
from hedger.cli.exit_codes import ExitCode
from hedger.cli.options import (
    config_option,
    format_option,
    live_options,
    named_market,
    yes_option,
)
from hedger.cli.output import Format, emit, emit_object, say, show
from hedger.cli.running import carry_out, look
from hedger.cli.watching import unless_watched
from hedger.errors import HedgerError, UsageError

SETTLED = frozenset({"refused", "closed_flat", "closed"})  # nothing is left open


@click.command("open")
@click.argument("symbol")
@click.option("--usd", required=True, metavar="N", help="Value of each leg in US dollars.")
@yes_option
@format_option
@config_option
@live_options
def open_(  # noqa: PLR0917
    symbol: str,
    usd: str,
    yes: bool,
    output: Format,
    config: Path | None,
    verbose: bool,
    live: bool,
    confirm: str | None,
) -> int:
    """
    Open a hedge on SYMBOL.

    Leg 1 first; leg 2 only once the fill of leg 1 is proven, and of the same size in coins.
    """
    session = begin(config, verbose=verbose)
    permit_trading(session, live=live, confirm=confirm)
    symbol = named_market(symbol, "SYMBOL")
    if is_real_money(session) and not _agreed(
        f"Open a hedge on {symbol} of {usd} USD per leg?", yes=yes
    ):
        return ExitCode.NOT_DONE
    hedge = carry_out(session, "open", {"symbol": symbol, "usd": usd}, verbose=verbose)
    emit_object(hedge, output)
    return unless_watched(session, _after_open(hedge))


@click.command()
@click.argument("hedge")
@click.option(
    "--anyway", is_flag=True, help="Also where a leg would stay alone; shows which, and asks."
)
@yes_option
@format_option
@config_option
@live_options
def close(
    *,
    hedge: str,
    anyway: bool,
    yes: bool,
    output: Format,
    config: Path | None,
    verbose: bool,
    live: bool,
    confirm: str | None,
) -> int:
    """
    Take both legs of HEDGE off.

    It is named by its id, or by a beginning of it that no other hedge has. Nothing is sent unless
    both venues are proven able to take their leg off now.
    """
    session = begin(config, verbose=verbose)
    permit_trading(session, live=live, confirm=confirm)
    if anyway and not _decided(session, hedge, yes=yes):
        return ExitCode.NOT_DONE
    closed = carry_out(session, "close", {"hedge": hedge, "anyway": anyway}, verbose=verbose)
    emit_object(closed, output)
    if closed["state"] == "open":
        return unless_watched(session, ExitCode.VENUE)
    return unless_watched(session, _after_exit([closed]))


@click.command()
@click.argument("hedge", required=False)
@click.option("--market", metavar="M", help="Everything on one market, for example ETH.")
@click.option("--all", "everything", is_flag=True, help="Everything on both venues.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")
@yes_option
@format_option
@config_option
@live_options
def rollback(
    *,
    hedge: str | None,
    market: str | None,
    everything: bool,
    dry_run: bool,
    yes: bool,
    output: Format,
    config: Path | None,
    verbose: bool,
    live: bool,
    confirm: str | None,
) -> int:
    """
    Take exposure off, by its real size.

    Names one HEDGE, one --market or --all. The sizes are what the venues hold now. Shows what it
    would send, and asks first.
    """
    if sum((hedge is not None, market is not None, everything)) != 1:
        raise UsageError("rollback: name exactly one of HEDGE, --market M and --all")
    named = None if market is None else named_market(market, "--market")
    session = begin(config, verbose=verbose)
    if not dry_run:
        permit_trading(session, live=live, confirm=confirm)
        if not yes:
            _need_terminal("add --yes, or look with --dry-run")
    args = {"hedge": hedge, "market": named, "all": everything}
    if dry_run:
        emit(look(session, "preview_rollback", args)["rows"], output, empty="nothing to take off")
        return ExitCode.DONE
    if not _previewed(session, args, yes=yes):
        return ExitCode.NOT_DONE
    rows = carry_out(session, "rollback", args, verbose=verbose)["rows"]
    emit(rows, output, empty=f"nothing is held on {named}" if named else "everything is flat")
    return unless_watched(session, _after_exit(rows))


@click.command()
@format_option
@config_option
@live_options
def reconcile(
    *, output: Format, config: Path | None, verbose: bool, live: bool, confirm: str | None
) -> int:
    """
    Compare the ledger with the venues.

    Exits 6 where they differ or a venue contradicts itself, and 4 where one could not be read.
    """
    session = begin(config, verbose=verbose)
    permit_trading(session, live=live, confirm=confirm)
    result = carry_out(session, "reconcile", {}, verbose=verbose)
    differences, doubts = result.get("differences", []), reconciling.doubts(result)
    if output is Format.TABLE:
        agree = "no difference is proven" if doubts else "the ledger and the venues agree"
        emit(differences, output, empty=agree)
    else:
        emit_object(result, output, rows="differences")
    for line in doubts:
        say(line)
    return reconciling.exit_code(result)


def _previewed(session: Session, args: Mapping[str, Any], *, yes: bool) -> bool:
    """
    Show what would be sent and ask; with ``yes``, no preview is no reason not to go on.

    Raises:
        HedgerError: there is no preview, so nobody can agree to it.
    """
    try:
        preview = look(session, "preview_rollback", args)["rows"]
    except HedgerError as error:
        if not yes:
            raise
        say(f"no preview: {error}")
        return True
    if not preview:
        return True
    show(preview)
    return _agreed("Send these reduce-only orders?", yes=yes)


def _decided(session: Session, hedge: str, *, yes: bool) -> bool:
    """
    Show what closing would send and which leg would stay, and ask for a person's decision.

    Raises:
        HedgerError: there is no preview, so nobody can agree to it.
    """
    from hedger.execution.closepreview import stays_text

    if not yes:
        _need_terminal()
    try:
        rows = look(session, "preview_close", {"hedge": hedge})["rows"]
    except HedgerError as error:
        if not yes:
            raise
        say(f"no preview: {error}")
        return True
    show(rows)
    say(stays_text(rows) or "both legs can come off")
    return _agreed("Send these reduce-only orders, whatever stays?", yes=yes)


def _need_terminal(otherwise: str = "add --yes") -> None:
    """
    Whoever cannot be asked must have said ``--yes``.

    Raises:
        UsageError: there is no terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"there is no terminal to ask at; {otherwise}")


def _agreed(question: str, *, yes: bool) -> bool:
    """
    Ask once, unless that was answered in advance.

    Raises:
        UsageError: nobody can be asked.
    """
    if yes:
        return True
    _need_terminal()
    agreed = click.confirm(question, err=True)
    if not agreed:
        say("nothing was sent")
    return agreed


def _after_open(hedge: Mapping[str, Any]) -> ExitCode:
    if hedge["state"] == "open":
        return ExitCode.DONE
    return ExitCode.NOT_DONE if hedge["state"] in SETTLED else ExitCode.EXPOSED


def _after_exit(rows: Iterable[Mapping[str, Any]]) -> ExitCode:
    over = all(row["state"] in SETTLED | {"open"} for row in rows)
    return ExitCode.DONE if over else ExitCode.EXPOSED
