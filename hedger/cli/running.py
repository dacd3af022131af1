"""
Carrying a command out: by the daemon if there is one, else by this process under the lock.

Interrupting a command that trades by itself would leave work half done. So the first Ctrl-C
only announces the end, and a second one abandons the work to the recovery of the next start.
A command that the daemon carries out can be left at any time.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from hedger.cli.configuration import Session, log_to_file
from hedger.cli.output import say

if TYPE_CHECKING:
    from hedger.app import App
    from hedger.clock import Clock
    from hedger.ledger.store import Store

Result = dict[str, Any]
InLedger = Callable[["Store", "Clock"], Result]


def carry_out(
    session: Session, command: str, args: Mapping[str, Any], *, verbose: bool = False
) -> Result:
    """
    Have one state-changing command done, telling its progress on standard error.

    Raises:
        HedgerError: it was refused or failed.
        KeyboardInterrupt: the user does not wait for it.
    """
    return asyncio.run(_carry_out(session, command, args, verbose=verbose))


def look(session: Session, command: str, args: Mapping[str, Any]) -> Result:
    """
    Have a command done that changes nothing; without a daemon it needs no lock either.

    Raises:
        HedgerError: it was refused or failed.
    """
    return asyncio.run(_look(session, command, args))


async def _by_daemon(session: Session, command: str, args: Mapping[str, Any]) -> Result | None:
    """What the daemon answers; None where there is no daemon, and we have to do it."""
    from hedger import control

    session.home.prepare(session.settings.environment)
    try:
        return await control.call(
            session.home.control_socket,
            command,
            args,
            say,
            environment=session.settings.environment,
        )
    except control.NoDaemonError:
        return None


async def _carry_out(
    session: Session, command: str, args: Mapping[str, Any], *, verbose: bool
) -> Result:
    if (answer := await _by_daemon(session, command, args)) is not None:
        return answer
    with session.home.locked():
        log_to_file(session, verbose=verbose)
        return await to_its_end(_alone(session, command, args))


async def _alone(session: Session, command: str, args: Mapping[str, Any]) -> Result:
    from hedger.app import App
    from hedger.handlers import handlers

    async with App.open(session.settings, session.home, mode="trade") as app:
        try:
            await app.recover(say)
            return dict(await handlers(app)[command](args, say))
        finally:
            await app.send_alerts()


async def _look(session: Session, command: str, args: Mapping[str, Any]) -> Result:
    from hedger.handlers import handlers

    if (answer := await _by_daemon(session, command, args)) is not None:
        return answer
    async with _reading(session) as reader:
        return dict(await handlers(reader)[command](args, say))


def _reading(session: Session) -> "App":
    from hedger.app import App

    return App.open(session.settings, session.home, mode="read")


def in_the_ledger(
    session: Session, command: str, args: Mapping[str, Any], work: InLedger
) -> Result:
    """
    Have a command done that needs no venue: by the daemon, or by ``work`` under the lock.

    Raises:
        HedgerError: it was refused or failed.
    """
    return asyncio.run(_in_the_ledger(session, command, args, work))


async def _in_the_ledger(
    session: Session, command: str, args: Mapping[str, Any], work: InLedger
) -> Result:
    from hedger.clock import SystemClock
    from hedger.ledger import migrate
    from hedger.ledger.store import open_store

    if (answer := await _by_daemon(session, command, args)) is not None:
        return answer
    clock = SystemClock()
    with session.home.locked():
        migrate.upgrade(session.home.ledger, clock)
        with open_store(session.home.ledger, clock) as store:
            return work(store, clock)


async def to_its_end(work: Coroutine[Any, Any, Result]) -> Result:
    """
    Wait for ``work``; the first SIGINT or SIGTERM waits on, the second one abandons it.

    Raises:
        KeyboardInterrupt: it was abandoned.
    """
    loop = asyncio.get_running_loop()
    here = asyncio.current_task()
    assert here is not None
    asked = 0

    def on_signal() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            say("finishing what has begun; once more abandons it to the next start's recovery")
        else:
            here.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        return await work
    except asyncio.CancelledError:
        if asked > 1:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
