"""
The sandbox as a process of its own, shared by every command of one state directory.

    absent ──ensure_running──► starting ──announced──► running ──stop, SIGTERM──► absent
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from loguru import logger

from adapters.sandbox.options import SandboxOptions
from adapters.sandbox.record import (
    OWNER_ONLY,
    holder,
    log_path,
    make_home,
    record_path,
    status,
)
from hedger.clock import Clock
from hedger.errors import StateError

__all__ = ["ensure_running", "log_path", "record_path", "status", "stop"]

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0
HEALTH_TIMEOUT_S: Final = 2.0
POLL_S: Final = 0.05
LOG_TAIL_CHARS: Final = 600
COMMAND: Final = (sys.executable, "-P", "-m", "hedger", "sandbox")
_OURS: Final = ("pid", "options")  # what the record has beside the announcement

_children: list[subprocess.Popen[bytes]] = []
"""Sandboxes this process started. They outlive it; while it lives, it reaps them."""


async def ensure_running(
    home: Path,
    options: SandboxOptions,
    clock: Clock,
    *,
    command: Sequence[str] = COMMAND,
    timeout_s: float = START_TIMEOUT_S,
) -> dict[str, Any]:
    """
    The announcement of the running sandbox; starts one in the background if there is none.

    A sandbox that is already running keeps the options it was started with.

    Raises:
        StateError: it did not come up within ``timeout_s``, or the one that runs is deaf.
    """
    _reap()
    make_home(home)
    deadline_s = clock.monotonic_s() + timeout_s
    async with _one_starter(home, clock, deadline_s):
        process: subprocess.Popen[bytes] | None = None
        while clock.monotonic_s() < deadline_s:
            record = status(home)
            if record is not None:
                await _hears(record, home, clock, deadline_s)
                _warn_if_other(record, options)
                return {key: value for key, value in record.items() if key not in _OURS}
            if process is None and not holder(home):
                process = _start(home, options, command)
            if process is not None and process.poll() is not None:
                raise StateError(
                    f"the sandbox ended at once with status {process.returncode}; "
                    f"{log_path(home)} says: {_tail(home)}"
                )
            await clock.sleep(POLL_S)
        if process is not None:
            _end(process)
    raise StateError(
        f"the sandbox did not come up within {timeout_s:g} s; see {log_path(home)}: {_tail(home)}"
    )


async def stop(home: Path, clock: Clock, *, timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """
    End the sandbox of this directory; False when none was running.

    Raises:
        StateError: it still runs after ``timeout_s``.
    """
    pid = holder(home)
    if not pid:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline_s = clock.monotonic_s() + timeout_s
    while holder(home) == pid:
        if clock.monotonic_s() >= deadline_s:
            raise StateError(
                f"sandbox process {pid} did not end within {timeout_s:g} s; "
                f"end it with kill -9 {pid}"
            )
        await clock.sleep(POLL_S)
    _reap()
    return True


@asynccontextmanager
async def _one_starter(home: Path, clock: Clock, deadline_s: float) -> AsyncIterator[None]:
    """Only one command at a time starts a sandbox; the others wait for it, within bounds."""
    path = home / "sandbox.start"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if clock.monotonic_s() >= deadline_s:
                    raise StateError(
                        f"{path}: another command has been starting the sandbox for too long; "
                        "try again"
                    ) from None
                await clock.sleep(POLL_S)
        yield
    finally:
        os.close(handle)


def _start(home: Path, options: SandboxOptions, command: Sequence[str]) -> subprocess.Popen[bytes]:
    """In a session of its own: a Ctrl-C at our terminal, or our end, does not reach it."""
    log = os.open(log_path(home), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, OWNER_ONLY)
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and checked options
            [*command, *options.command_line()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # it records the line itself, even if we die first
            stderr=log,
            env={**os.environ, "HEDGER_HOME": str(home)},
            start_new_session=True,
        )
    finally:
        os.close(log)
    _children.append(process)
    logger.info("starting the sandbox", pid=process.pid, log=str(log_path(home)))
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    """A sandbox that never came up; nothing depends on it yet."""
    process.kill()
    process.wait(timeout=STOP_TIMEOUT_S)
    _reap()


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]


async def _hears(record: Mapping[str, Any], home: Path, clock: Clock, deadline_s: float) -> None:
    """Ask until it answers as the process that holds the lock."""
    import httpx

    url = f"{record['control_url']}/health"
    async with httpx.AsyncClient(timeout=HEALTH_TIMEOUT_S, trust_env=False) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError, ValueError):
                if (await client.get(url)).json().get("pid") == record["pid"]:
                    return
            if clock.monotonic_s() >= deadline_s:
                raise StateError(
                    f"sandbox process {record['pid']} runs but does not answer at {url}; "
                    f"run hedger sandbox stop (its log is {log_path(home)})"
                )
            await clock.sleep(POLL_S)


def _warn_if_other(record: Mapping[str, Any], options: SandboxOptions) -> None:
    running = record.get("options")
    if running != options.command_line():
        logger.warning(
            "the sandbox that is running was started with other options; "
            "run hedger sandbox stop to have the ones of this configuration"
        )


def _tail(home: Path) -> str:
    """The end of the log, as one line."""
    try:
        text = log_path(home).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(no log)"
    return " / ".join(text[-LOG_TAIL_CHARS:].split("\n")).strip(" /") or "(nothing)"
