"""What runs inside the sandbox process."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Final, TextIO, cast

from loguru import logger

from adapters.sandbox.options import SandboxOptions
from adapters.sandbox.record import log_path, record_path, recorded
from adapters.sandbox.server import Sandbox
from hedger import log
from hedger.clock import SystemClock

LOG_MAX_BYTES: Final = 5_000_000
RECORD_CHECK_S: Final = 1.0


class BoundedStream:
    """
    Standard error of a background sandbox: its log file starts again when it is full.

    Works because the file was opened for appending; a stream that is not that file is only
    passed on to.
    """

    def __init__(self, stream: TextIO, path: Path | None, max_bytes: int = LOG_MAX_BYTES) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self._bounded = path is not None and _is_file(stream, path)

    def write(self, text: str) -> int:
        """Pass on one line, in an empty file if it was full."""
        if self._bounded and os.fstat(self._stream.fileno()).st_size > self._max_bytes:
            os.ftruncate(self._stream.fileno(), 0)
        return self._stream.write(text)

    def flush(self) -> None:
        """Pass on what is held back."""
        self._stream.flush()


def _is_file(stream: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except OSError:
        return False


def _is_there(path: Path) -> bool:
    return path.exists()


async def _ended(stopping: asyncio.Event, record: Path | None) -> None:
    """
    Until a signal comes, or our record is gone.

    Without the record no command can find or stop us; a deleted state directory would leave
    a sandbox behind for ever.
    """
    while not stopping.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), RECORD_CHECK_S)
        if record is not None and not _is_there(record):
            logger.warning("{} is gone; the sandbox ends", record)
            return


async def run(options: SandboxOptions, home: Path | None) -> int:
    """Serve until a signal comes; prints the announcement when ready."""
    stream = BoundedStream(sys.stderr, None if home is None else log_path(home))
    log.configure(stream=cast("TextIO", stream))  # loguru asks for write and flush only
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    sandbox = Sandbox(options, SystemClock())
    async with sandbox.listening() as announcement:
        with recorded(home, announcement, options) as is_shared:
            if home is not None and not is_shared:
                logger.warning("{} has a running sandbox already; this is another one", home)
            sys.stdout.write(json.dumps(announcement) + "\n")
            sys.stdout.flush()
            logger.info("the sandbox is ready", control_url=announcement["control_url"])
            await _ended(stopping, record_path(home) if home is not None and is_shared else None)
    logger.info("the sandbox has ended")
    return 0
