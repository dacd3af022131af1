"""
The sandbox as a process of its own, shared by every command of one state directory.

The running sandbox holds the lock ``sandbox.lock`` for as long as it lives, so a lock that
is free means that there is none, whatever the files say. What it announced is kept in
``sandbox.json`` (owner-only: it holds keys), together with its pid and options.

    absent ──ensure_running──► starting ──announced──► running ──stop, SIGTERM──► absent
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from loguru import logger

from adapters.sandbox.options import SandboxOptions
from hedger.clock import Clock
from hedger.errors import StateError

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0
HEALTH_TIMEOUT_S: Final = 2.0
POLL_S: Final = 0.05
LOG_TAIL_CHARS: Final = 600
LOCK_TRIES: Final = 25
LOCK_PAUSE_S: Final = 0.02
OWNER_ONLY: Final = 0o600
COMMAND: Final = (sys.executable, "-m", "hedger", "sandbox")
_OURS: Final = ("pid", "options")  # what the record has beside the announcement

_children: list[subprocess.Popen[bytes]] = []
"""Sandboxes this process started. They outlive it; while it lives, it reaps them."""


def record_path(home: Path) -> Path:
    """Where the running sandbox says what it is."""
    return home / "sandbox.json"


def log_path(home: Path) -> Path:
    """Where a sandbox that was started in the background logs."""
    return home / "sandbox.log"


def status(home: Path) -> dict[str, Any] | None:
    """
    The announcement of the sandbox of this directory with its ``pid`` and ``options``.

    None when none is running. Nothing is asked over the network.
    """
    return _read(home) if _holder(home) else None


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
    _make(home)
    deadline_s = clock.monotonic_s() + timeout_s
    async with _one_starter(home, clock, deadline_s):
        process: subprocess.Popen[bytes] | None = None
        while clock.monotonic_s() < deadline_s:
            record = status(home)
            if record is not None:
                await _hears(record, home, clock, deadline_s)
                _warn_if_other(record, options)
                return {key: value for key, value in record.items() if key not in _OURS}
            if process is None and not _holder(home):
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
    pid = _holder(home)
    if not pid:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline_s = clock.monotonic_s() + timeout_s
    while _holder(home) == pid:
        if clock.monotonic_s() >= deadline_s:
            raise StateError(
                f"sandbox process {pid} did not end within {timeout_s:g} s; "
                f"end it with kill -9 {pid}"
            )
        await clock.sleep(POLL_S)
    _reap()
    return True


@contextmanager
def recorded(
    home: Path | None, announcement: Mapping[str, Any], options: SandboxOptions
) -> Iterator[bool]:
    """
    Be the sandbox of ``home`` while this is held; says whether we are.

    With no home, or where another sandbox already is it, nothing is written.
    """
    handle = None if home is None else _take_lock(home)
    if home is None or handle is None:
        yield False
        return
    path = record_path(home)
    try:
        record = {**announcement, "pid": os.getpid(), "options": options.command_line()}
        write_owner_only(path, json.dumps(record) + "\n")
        yield True
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def write_owner_only(path: Path, text: str) -> None:
    """Replace a file atomically; nobody else may read it at any moment."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, OWNER_ONLY)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), OWNER_ONLY)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _make(home: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)


def _lock_file(home: Path, flags: int) -> int:
    return os.open(home / "sandbox.lock", flags | os.O_CLOEXEC, OWNER_ONLY)


def _take_lock(home: Path) -> int | None:
    """
    The held lock with our pid in it, or None where another sandbox holds it.

    Tried for a moment, because ``_holder`` of another process holds it for an instant, too.
    """
    _make(home)
    handle = _lock_file(home, os.O_RDWR | os.O_CREAT)
    for _ in range(LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            return handle
        time.sleep(LOCK_PAUSE_S)
    os.close(handle)
    return None


def _holder(home: Path) -> int:
    """The pid of the running sandbox of this directory; 0 when there is none."""
    try:
        handle = _lock_file(home, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(handle, 32, 0).decode("ascii", errors="replace").strip()
        return int(text) if text.isdigit() else 0
    else:
        return 0
    finally:
        os.close(handle)


def _read(home: Path) -> dict[str, Any] | None:
    """The record; None while the sandbox has not announced itself yet."""
    try:
        record = json.loads(record_path(home).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        raise StateError(
            f"{record_path(home)}: is damaged; run hedger sandbox stop, then start again"
        ) from None
    return record if isinstance(record, dict) and record.get("pid") == _holder(home) else None


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


def run_sandbox(options: SandboxOptions, home: Path | None = None) -> int:
    """
    ``hedger sandbox``: both venues until SIGTERM or SIGINT; then status 0.

    When ready it prints exactly one line of JSON on standard output. Logs go to standard error.

    Args:
        options: parameters of the venues.
        home: the state directory whose commands are to use this sandbox, if there is one and
            it has no running sandbox already.
    """
    from adapters.sandbox.runner import run

    return asyncio.run(run(options, home))
