"""``hedger run``: the daemon."""

import asyncio
import signal
from pathlib import Path

import click

from hedger.cli.configuration import Session, begin, log_to_file, permit_trading
from hedger.cli.options import config_option, live_options


@click.command()
@config_option
@live_options
def run(*, config: Path | None, verbose: bool, live: bool, confirm: str | None) -> None:
    """
    Run the daemon until SIGTERM.

    It recovers and reconciles before it trades, and finishes what it began before it ends.
    """
    session = begin(config, verbose=verbose, quiet=False)
    permit_trading(session, live=live, confirm=confirm)
    asyncio.run(_serve(session))


async def _serve(session: Session) -> None:
    from loguru import logger

    from hedger.app import App

    stop = asyncio.Event()

    def on_signal(name: str) -> None:
        logger.info("{}: stopping, after what has begun is finished", name)
        stop.set()

    loop = asyncio.get_running_loop()
    session.home.prepare(session.settings.environment)
    with session.home.locked():
        log_to_file(session, quiet=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal, number.name)
        async with App.open(session.settings, session.home, mode="trade") as app:
            await app.run_daemon(stop)
