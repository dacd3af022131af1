"""Whether somebody watches what is open: said after a command that ran without a daemon."""

from collections.abc import Sequence

from hedger.cli.configuration import Session
from hedger.cli.exit_codes import ExitCode
from hedger.cli.output import say

NAMED_MAX = 3
GRAVER = (ExitCode.EXPOSED, ExitCode.VENUE)
"""What is said instead of "nobody watches", where both are so."""


def unless_watched(session: Session, code: ExitCode) -> ExitCode:
    """
    The exit code of a command, or ``UNWATCHED`` with a sentence where hedges stand unwatched.

    Whoever holds the lock of the state directory watches; a command that holds it for a moment
    says the same when it ends.
    """
    if session.home.holder() is not None or not (left := _live(session)):
        return code
    say(sentence(left))
    return code if code in GRAVER else ExitCode.UNWATCHED


def sentence(hedges: Sequence[str]) -> str:
    """What stands there, and what to do."""
    named = ", ".join(hedges[:NAMED_MAX]) + (", ..." if len(hedges) > NAMED_MAX else "")
    one = len(hedges) == 1
    return (
        f"nobody watches {'the open hedge' if one else f'{len(hedges)} open hedges'} ({named}):"
        " no daemon is running, so a leg that is lost stays alone; start one with `hedger run`,"
        f" or take {'it' if one else 'them'} off with `hedger close`"
    )


def _live(session: Session) -> list[str]:
    if not session.home.ledger.exists():
        return []
    from hedger.clock import SystemClock
    from hedger.ledger.store import open_store

    with open_store(session.home.ledger, SystemClock(), readonly=True) as ledger:
        return [hedge.id for hedge in ledger.live()]
