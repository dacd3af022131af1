"""
CSV files by month, bounded, that a kill at any moment cannot spoil.

Rows are appended and brought to the disk together. What a kill left of a last line is cut off
when the file is opened again. A file never grows beyond its bound: then recording ends with a
sentence rather than filling the disk.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from hedger.errors import LockedError, StateError

LOCK = ".recording"
CUT_STEP = 64 * 1024
Field = object


class MonthlyCsv:
    """``<stem>-2026-01.csv`` and so on in one folder, with one header."""

    def __init__(self, folder: Path, stem: str, header: Sequence[str], *, max_mb: int) -> None:
        self._folder = folder
        self._stem = stem
        self._header = ",".join(header) + "\n"
        self._most = max_mb * 1_000_000
        self._whole: set[Path] = set()  # files whose last line is known to be complete

    def path(self, month_of: datetime) -> Path:
        """The file of a month."""
        return self._folder / f"{self._stem}-{month_of:%Y-%m}.csv"

    def append(self, month_of: datetime, rows: Sequence[Sequence[Field]]) -> None:
        """
        Rows to the file of a month, on the disk when this returns.

        Raises:
            StateError: the file cannot be written, or would grow beyond its bound.
        """
        path = self.path(month_of)
        text = "".join(",".join(map(_text, row)) + "\n" for row in rows)
        try:
            if path not in self._whole:
                mend(path)
                self._whole.add(path)
            with path.open("ab") as file:
                size = file.tell()
                data = (text if size else self._header + text).encode()
                if size + len(data) > self._most:
                    raise StateError(
                        f"{path}: has {size // 1_000_000} MB and may not grow beyond "
                        f"{self._most // 1_000_000}; move it away or raise --max-mb"
                    )
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self._whole.discard(path)
            raise StateError(
                f"{path}: cannot be written ({error.strerror or error}); "
                "free the disk or name another folder"
            ) from error


def _text(value: Field) -> str:
    """No quoting: no field of ours has a comma; one that had would shift every column."""
    text = "" if value is None else str(value)
    assert not any(sign in text for sign in ',"\r\n'), text
    return text


def mend(path: Path) -> None:
    """Cut off what a kill left of a last line."""
    try:
        file = path.open("r+b")
    except FileNotFoundError:
        return
    with file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - CUT_STEP)
            file.seek(start)
            place = file.read(end - start).rfind(b"\n")
            if place >= 0:
                file.truncate(start + place + 1)
                return
            end = start
        file.truncate(0)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """
    Make the folder and be the only one that records into it.

    Raises:
        LockedError: another process does.
        StateError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(
            f"{folder}: cannot be used ({error.strerror or error}); name another folder"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(
                f"{folder}: another process records into this folder; wait for it or name another"
            ) from None
        yield
    finally:
        os.close(handle)
