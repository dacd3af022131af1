"""
Which sandbox belongs to a state directory, and what it announced.

The running sandbox holds the lock ``sandbox.lock`` for as long as it lives, so a lock that
is free means that there is none, whatever the files say. What it announced is kept in
``sandbox.json`` (owner-only: it holds keys), together with its pid and options.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from adapters.sandbox.options import SandboxOptions
from hedger.errors import StateError

OWNER_ONLY: Final = 0o600
LOCK_TRIES: Final = 25
LOCK_PAUSE_S: Final = 0.02


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
    return _read(home) if holder(home) else None


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
        os.ftruncate(handle, 0)
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


def make_home(home: Path) -> None:
    """The state directory, owner-only if we are the first to need it."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)


def _lock_file(home: Path, flags: int) -> int:
    return os.open(home / "sandbox.lock", flags | os.O_CLOEXEC, OWNER_ONLY)


def _take_lock(home: Path) -> int | None:
    """
    The held lock with our pid in it, or None where another sandbox holds it.

    Tried for a moment, because ``holder`` of another process holds it for an instant, too.
    """
    make_home(home)
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


def holder(home: Path) -> int:
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
    return record if isinstance(record, dict) and record.get("pid") == holder(home) else None
