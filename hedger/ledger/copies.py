"""
Verified copies of the ledger beside it, made before a migration and every hour while it is used.

``<name>.<instant>.bak``, owner-only, each one file that can be put back as it is. The newest
``NEWEST`` stay and, of the days before, the newest one of each of ``DAYS`` days.
"""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hedger.errors import StateError, UnwritableError
from hedger.ledger import sqlite
from hedger.ledger.damage import copies
from hedger.ledger.room import LOW_BYTES, MB, RESERVE_BYTES, FreeBytes, free_bytes

NEWEST = 5
DAYS = 7
MIN_AGE = timedelta(hours=1)
"""
A daemon that is restarted every second must not push out the good copies: without a migration
to do, a new copy is made only when the newest is older than this.
"""
STAMP = "%Y%m%dT%H%M%S%fZ"


def is_due(path: Path, now: datetime) -> bool:
    """Whether the newest copy is older than ``MIN_AGE``; one from the future counts as none."""
    for newest in copies(path)[-1:]:
        made = _made_at(path, newest)
        return made is None or not timedelta(0) <= now - made < MIN_AGE
    return True


def back_up(path: Path, now: datetime) -> Path:
    """
    Copy the live file beside itself, read the copy back, and forget the oldest beyond the bound.

    Another thread may write to the ledger meanwhile.

    Raises:
        StateError: the copy cannot be written, or what was copied is damaged; no other copy is
            given up for it.
    """
    to = path.with_name(f"{path.name}.{now.astimezone(UTC).strftime(STAMP)}.bak")
    try:
        sqlite.copy(path, to)
    except OSError as error:
        raise StateError(
            f"{to} cannot be written ({error.strerror}); nothing was changed, make room first"
        ) from error
    for old in surplus(path, copies(path)):
        old.unlink(missing_ok=True)
    return to


def back_up_in_use(path: Path, now: datetime, free: FreeBytes = free_bytes) -> Path:
    """
    The same while hedges are open: the room that is kept for exits is not touched.

    Raises:
        StateError: as ``back_up``; ``UnwritableError`` where there is no room for it.
    """
    needed = sqlite.database_bytes(path) + RESERVE_BYTES + LOW_BYTES
    if (left := free(path.parent)) < needed:
        raise UnwritableError(
            f"no copy of {path} is made: {left // MB} MB are free and {needed // MB + 1} MB are"
            " needed; make room on the disk"
        )
    return back_up(path, now)


def surplus(path: Path, found: Sequence[Path]) -> list[Path]:
    """Which copies are given up, of those found, the oldest first."""
    older, days = found[:-NEWEST], set[str]()
    gone = []
    for copy in reversed(older):
        made = _made_at(path, copy)
        day = f"{made:%Y%m%d}" if made is not None else ""
        if not day or day in days or len(days) == DAYS:
            gone.append(copy)
        days.add(day)
    return gone


def _made_at(path: Path, copy: Path) -> datetime | None:
    """None: it is not a name of ours."""
    stamp = copy.name.removeprefix(path.name + ".").removesuffix(".bak")
    with contextlib.suppress(ValueError):
        return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    return None
