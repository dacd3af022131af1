"""Whether the ledger that a command is about to read is the one that is in use."""

import asyncio
from collections.abc import Mapping
from typing import Any

from hedger.cli.configuration import Session
from hedger.cli.exit_codes import ExitCode
from hedger.cli.output import Format, emit, emit_object, say

ANSWER_S = 5.0


def in_use(session: Session) -> dict[str, Any]:
    """
    ``trouble``: one sentence where the ledger at its path is not the one in use, else None.

    ``live``: rows of the hedges that the process with the right one holds; None where no process
    told them.

    Raises:
        StateError: the state directory belongs to another environment.
    """
    session.home.refuse_other(session.settings.environment)
    told = asyncio.run(_ask(session)) if session.home.holder() is not None else None
    if told is not None and told["trouble"] is not None:
        return told
    from hedger.ledger.starts import StartFile, lost

    path = session.home.ledger
    gone = not path.exists() and StartFile(path).read() is not None
    return {"trouble": lost(path) if gone else None, "live": None}


def show(session: Session, in_use: Mapping[str, Any], output: Format) -> int:
    """What is at the path says nothing of what is open: never shown as if it did."""
    if output is Format.JSON:
        known = {"environment": session.settings.environment, "home": str(session.home.root)}
        whole = {
            "pid": session.home.holder(),
            "ledger": in_use["trouble"],
            "hedges": in_use["live"],
        }
        emit_object(known | whole, output)
        return ExitCode.EXPOSED
    say(in_use["trouble"])
    if in_use["live"] is not None:
        emit(in_use["live"], output, empty="the process that runs here holds no hedge open")
    return ExitCode.EXPOSED


async def _ask(session: Session) -> dict[str, Any] | None:
    """What the daemon says; None where there is none, it does not answer, or it is an older one."""
    from hedger import control
    from hedger.errors import HedgerError

    try:
        async with asyncio.timeout(ANSWER_S):
            return await control.call(
                session.home.control_socket,
                "ledger_in_use",
                {},
                lambda _: None,
                environment=session.settings.environment,
            )
    except (HedgerError, TimeoutError):
        return None
