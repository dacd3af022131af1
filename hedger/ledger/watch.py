"""
Whether the ledger that is open is still the one at its path.

An open file outlives its name. What is written to a ledger that was removed or moved is gone with
the process, and what is written over one in place mixes two ledgers. So the file and its log are
compared with what stands at the path, by device and inode, and the file's size and time with what
the last own write left: nobody else writes to it.
"""

import os
from pathlib import Path
from typing import Final

REMEDY: Final = (
    "no new hedge is opened and exits go on; do not stop the process with a hedge open:"
    " close everything (`hedger rollback --all`), then stop it, put the right file back and start"
)

Identity = tuple[int, int]
Content = tuple[int, int]


class Watch:
    """Looks at one opened ledger; ``look`` costs two calls of the system."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._file_at, self._log_at = str(path), str(self._log)  # made once: it looks often
        self._file_is: Identity | None = None
        self._log_is: Identity | None = None
        self._content: Content | None = None
        self.trouble: str | None = None

    def opened(self) -> None:
        """The ledger was just opened and written to: it is what stands at the path now."""
        self._file_is, self._content = _seen(self._file_at)
        self._log_is, _ = _seen(self._log_at)

    def written(self) -> None:
        """Our own write is over; what it left is not somebody else's."""
        if self.trouble is None:
            _, self._content = _seen(self._file_at)

    def look(self) -> str | None:
        """
        One sentence when the trouble has just begun or ended.

        ``trouble`` says what is wrong for as long as it lasts.
        """
        found = self._compare()
        if (found is None) == (self.trouble is None):
            return None
        self.trouble = found
        return found or f"{self._path} is the ledger in use again"

    def _compare(self) -> str | None:
        file_is, content = _seen(self._file_at)
        log_is, _ = _seen(self._log_at)
        if file_is is None:
            return f"the ledger {self._path} is gone while it is in use: {REMEDY}"
        if file_is != self._file_is:
            return f"{self._path} was replaced by another file while it is in use: {REMEDY}"
        if log_is != self._log_is:
            return f"{self._log} was removed or replaced while it is in use: {REMEDY}"
        if content != self._content:
            return f"{self._path} was written over by somebody else while it is in use: {REMEDY}"
        return None


def _seen(path: str) -> tuple[Identity | None, Content | None]:
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path's own takes twice as long
    except OSError:
        return None, None
    return (found.st_dev, found.st_ino), (found.st_size, found.st_mtime_ns)
