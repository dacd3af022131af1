"""
Room on the disk that is kept back for exits.

An order may only leave once its intent is on the disk, so a full disk would stop exits too. A
file of ``RESERVE_BYTES`` beside the ledger is therefore given up as soon as less than
``LOW_BYTES`` are free: from then on no new hedge is opened, and what is open can be closed in
the room that this makes. The file comes back by itself when the disk has room again (S56).
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hedger.ledger.sqlite import OWNER_ONLY

RESERVE_BYTES: Final = 16 * 1024 * 1024  # thousands of exits with all their readings
LOW_BYTES: Final = 8 * 1024 * 1024
MB: Final = 1_000_000

FreeBytes = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """What this user may still write to the disk of ``folder``, in bytes."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class Room:
    """The reserve of one ledger; ``look`` is cheap enough to stand before every write."""

    def __init__(self, ledger: Path, free: FreeBytes = free_bytes) -> None:
        self._file = ledger.with_name(ledger.name + ".reserve")
        self._folder = ledger.parent
        self._free = free
        self.trouble: str | None = None

    def look(self) -> str | None:
        """
        Give the reserve up or take it back; one sentence when that has just begun or ended.

        ``trouble`` says why for as long as it lasts.
        """
        free = self._free(self._folder)
        if free < LOW_BYTES:
            self._file.unlink(missing_ok=True)
            return self._short("full", free)
        if not self._file.exists() and (free < LOW_BYTES + RESERVE_BYTES or not self._take()):
            return self._short("nearly full", free)
        if self.trouble is None:
            return None
        self.trouble = None
        return f"the disk of {self._folder} has room again"

    def _short(self, how: str, free: int) -> str | None:
        if self.trouble is not None:
            return None
        self.trouble = (
            f"the disk of {self._folder} is {how} ({free // MB} MB were free);"
            " exits go on in the room kept for them; make room on it"
        )
        return f"no new hedges: {self.trouble}"

    def _take(self) -> bool:
        """Allocate the file; False when the disk does not give that much after all."""
        part = self._file.with_name(self._file.name + ".part")
        handle = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, OWNER_ONLY)
        try:
            os.posix_fallocate(handle, 0, RESERVE_BYTES)
        except OSError:
            part.unlink(missing_ok=True)
            return False
        finally:
            os.close(handle)
        part.replace(self._file)
        return True
