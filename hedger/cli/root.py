"""The group of all commands, and what becomes of errors: one sentence and an exit code."""

import os
import resource
import sys
from collections.abc import Sequence

import click

from hedger import __version__
from hedger.cli import exit_codes
from hedger.cli.acknowledging import acknowledge
from hedger.cli.backtest import backtest
from hedger.cli.configuration import HOME
from hedger.cli.daemon import run as run_command
from hedger.cli.database import db
from hedger.cli.exit_codes import ExitCode
from hedger.cli.fitting import fit
from hedger.cli.output import say
from hedger.cli.queries import audit, scan, status
from hedger.cli.recording import fetch_history, record
from hedger.cli.sandbox_control import sandbox
from hedger.cli.settling import settle
from hedger.cli.switching import pause, resume
from hedger.cli.trading import close, open_, reconcile, rollback
from hedger.errors import DamagedError, HedgerError
from hedger.home import OWNER_ONLY_UMASK, Home

SUMMARY = """
Hedge funding rates across X10 and Lighter: two opposite legs, or none.

\b
A first look, against local venues and without any key:
  hedger scan
  hedger open ETH --usd 100
  hedger status
  hedger rollback --all
  hedger audit hedges
"""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=SUMMARY,
    epilog="\b\nExit codes:\n" + exit_codes.table(),
)
def hedger() -> None:
    """Hedge funding rates across X10 and Lighter: two opposite legs, or none."""


@hedger.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


for command in (
    run_command, scan, fit, open_, close, status, rollback, reconcile, settle, pause, resume,
    acknowledge, audit, backtest, record, fetch_history, db, sandbox,
):  # fmt: skip
    hedger.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Carry one command line out and say how it ended, as an exit code."""
    os.umask(OWNER_ONLY_UMASK)
    _leave_no_core()
    context: click.Context | None = None
    try:
        # not hedger.main(), which turns a closed pipe into exit code 1 by itself
        with hedger.make_context("hedger", list(arguments)) as context:
            result = hedger.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as end:
        return end.exit_code
    except HedgerError as error:
        return _fail(str(error), error.exit_code)
    except click.ClickException as error:
        return _usage(error)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted", ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # what is still buffered must not fail again while Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.NO_READER
    except Exception as error:  # noqa: BLE001 - a bug is told in a sentence, its traceback masked
        return _damage(context) or _bug(error)
    return result if isinstance(result, int) else ExitCode.DONE


def _leave_no_core() -> None:
    """A dump of a crashed process would hold the keys (reliability.md §6, S11)."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))


def _fail(text: str, code: int) -> int:
    from hedger.log import redact

    say(f"hedger: {redact(text)}")
    return int(code)


def _usage(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
    else:
        context = error.ctx if isinstance(error, click.UsageError) else None
        hint = f" ({context.command_path} --help)" if context is not None else ""
        say(f"hedger: {error.format_message()}{hint}")
    return int(ExitCode.USAGE)


def _damage(context: click.Context | None) -> int | None:
    """A damaged ledger may show as any error; None where it is not damaged."""
    home = None if context is None else context.meta.get(HOME)
    if not isinstance(home, Home) or not home.ledger.exists():
        return None
    from hedger.ledger import sqlite

    try:
        sqlite.check_sound(home.ledger)
    except DamagedError as error:
        return _fail(str(error), error.exit_code)
    except HedgerError:
        return None
    return None


def _bug(error: Exception) -> int:
    from loguru import logger

    from hedger import log

    log.ensure()
    logger.opt(exception=error).critical("an error in hedger itself")
    return _fail(f"an error in hedger itself ({type(error).__name__}); see above", ExitCode.BUG)
