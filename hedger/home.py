"""
The state directory: where it is, who may read it, and who owns it now.

``HEDGER_HOME`` names it. Without, it is the platform's state directory with one folder per
environment, so that sandbox and mainnet never share a ledger. Everything in it is owner-only
(reliability.md §6, S11), and a lock admits one writer (S20).
"""

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hedger.errors import LockedError, StateError

OWNER_ONLY_DIRECTORY = 0o700
OWNER_ONLY_FILE = 0o600
OWNER_ONLY_UMASK = 0o077
LOCK_TRIES = 5  # ``holder`` of another process has the lock for an instant, too
LOCK_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Home:
    """Paths in one state directory. Making one touches nothing."""

    root: Path

    @classmethod
    def locate(cls, environment: str, environ: Mapping[str, str]) -> "Home":
        """Where the state of this environment lives."""
        named = environ.get("HEDGER_HOME")
        if named:
            return cls(Path(named).expanduser().absolute())
        import platformdirs

        return cls(Path(platformdirs.user_state_dir("hedger", appauthor=False)) / environment)

    @property
    def ledger(self) -> Path:
        """The SQLite file."""
        return self.root / "ledger.db"

    @property
    def lock_file(self) -> Path:
        """Holds the pid of the one process that may write."""
        return self.root / "lock"

    @property
    def control_socket(self) -> Path:
        """Where the daemon listens, unless that path is too long (``hedger/control.py``)."""
        return self.root / "control.sock"

    @property
    def sandbox(self) -> Path:
        """What the running sandbox said of itself, with its keys."""
        return self.root / "sandbox.json"

    @property
    def kill_file(self) -> Path:
        """While it is there, no new hedge is opened (``hedger/switches.py``)."""
        return self.root / "KILL"

    @property
    def secrets(self) -> Path:
        """Keys of real venues, if they are not in the environment."""
        return self.root / "secrets.yaml"

    @property
    def log(self) -> Path:
        """The newest log file."""
        return self.root / "hedger.log"

    def prepare(self, environment: str) -> None:
        """
        Make the directory if it is not there, owner-only, and claim it for one environment.

        From here on, every file this process makes is owner-only.

        Raises:
            StateError: it cannot be made, others may write to it, it belongs to another
                environment, or nothing says to which.
        """
        os.umask(OWNER_ONLY_UMASK)
        try:
            self.root.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)
            _refuse_shared(self.root)
            self._claim(environment)
        except OSError as error:
            reason = error.strerror or str(error)
            raise StateError(
                f"{self.root}: cannot be used as the state directory ({reason}); "
                "name another one with HEDGER_HOME"
            ) from error

    def refuse_other(self, environment: str) -> None:
        """
        The same check for what only looks; makes nothing.

        Raises:
            StateError: the directory belongs to another environment, or nothing says to which.
        """
        if (self.root / "environment").exists():
            self._check_claim(environment)

    def _claim(self, environment: str) -> None:
        marker = self.root / "environment"
        if not marker.exists():  # complete or not at all: two first starts may meet here
            with tempfile.NamedTemporaryFile("w", dir=self.root, encoding="utf-8") as file:
                file.write(environment + "\n")
                file.flush()
                os.fsync(file.fileno())
                with suppress(FileExistsError):
                    os.link(file.name, marker)
        self._check_claim(environment)

    def _check_claim(self, environment: str) -> None:
        marker = self.root / "environment"
        claimed = marker.read_text(encoding="utf-8").strip()
        if not claimed:
            raise StateError(
                f"{marker}: is empty, so nothing says which environment this ledger belongs to;"
                f" write its name into it ({environment} if you are sure) or name another"
                " directory with HEDGER_HOME"
            )
        if claimed != environment:
            raise StateError(
                f"{self.root}: belongs to environment {claimed}, and this configuration is for "
                f"{environment}; name another directory with HEDGER_HOME"
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """
        Be the only writer while this is held; the system lets go of it when we die.

        Raises:
            LockedError: another process holds it; the text names its pid.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            handle = os.open(self.lock_file, flags, OWNER_ONLY_FILE)
        except OSError as error:
            raise StateError(
                f"{self.lock_file}: cannot be used as a lock ({error.strerror});"
                " it has to be a file of its own: remove it while no hedger runs here"
            ) from error
        try:
            if not _take(handle):
                raise LockedError(self._refusal(handle))
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(handle)

    def holder(self) -> int | None:
        """The pid of the process that holds the lock now; None when nobody does."""
        try:
            handle = os.open(self.lock_file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(
                f"{self.lock_file}: cannot be read ({error.strerror}); it has to be a file"
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid_in(handle)
        else:
            return None
        finally:
            os.close(handle)

    def _refusal(self, handle: int) -> str:
        pid = _pid_in(handle)
        named = f"process {pid}" if pid else "another process"
        return (
            f"{self.root}: {named} is working with this state directory; wait for it, "
            + (f"stop it with kill {pid}, " if pid else "")
            + "or name another directory with HEDGER_HOME"
        )


def _take(handle: int) -> bool:
    for _ in range(LOCK_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(LOCK_PAUSE_S)  # noqa: TID251 - another process holds us up, no clock of ours
    return False


def _pid_in(handle: int) -> int | None:
    """The pid written in a lock file; None in the instant before it is written."""
    text = os.pread(handle, 32, 0).decode("ascii", errors="replace").strip()
    return int(text) if text.isdigit() else None


def _refuse_shared(root: Path) -> None:
    """
    Whoever may write here could replace the ledger or the keys.

    Raises:
        StateError: the directory is not ours, or others may write to it.
    """
    found = root.stat()
    if found.st_uid != os.geteuid():
        raise StateError(
            f"{root}: belongs to another user; name a directory of your own with HEDGER_HOME"
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StateError(f"{root}: others may write to it; run chmod 700 {root}")
