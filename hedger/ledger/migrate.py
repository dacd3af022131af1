"""Bring the ledger's schema to what the program declares, after a copy of the file."""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hedger import resources
from hedger.clock import Clock
from hedger.errors import StateError
from hedger.ledger import sqlite
from hedger.ledger.records import REVISION

KEPT_BACKUPS = 5
MIN_AGE = timedelta(hours=1)
"""
A daemon that is restarted every second must not push out the good copies: without a migration
to do, a new copy is made only when the newest is older than this.
"""
STAMP = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What an upgrade did."""

    before: str | None  # schema; None when there was none
    after: str
    backup: Path | None


def upgrade(path: Path, clock: Clock) -> Upgrade:
    """
    Create the ledger, or bring it to the newest schema after a backup copy of the file.

    The copies stand beside the file as ``<name>.<instant>.bak``, owner-only, the newest
    ``KEPT_BACKUPS`` of them. A migration happens as a whole or not at all.

    Raises:
        StateError: the file is damaged, unusable or newer than this program.
    """
    existed = path.exists() and path.stat().st_size > 0
    before = sqlite.revision(path) if existed else None
    due = before != REVISION
    if before is not None and due and before > REVISION:
        sqlite.check_revision(path, REVISION)
    backup = None
    if existed:
        sqlite.check_sound(path)
        if due or _backup_is_due(path, clock.now()):
            backup = back_up(path, clock)
    if due:
        _migrate(path)
    else:
        sqlite.make_private(path)
    return Upgrade(before=before, after=REVISION, backup=backup)


def back_up(path: Path, clock: Clock) -> Path:
    """Copy the live file beside itself and forget the oldest copies beyond the bound."""
    to = path.with_name(f"{path.name}.{clock.now().astimezone(UTC).strftime(STAMP)}.bak")
    try:
        sqlite.copy(path, to)
    except OSError as error:
        raise StateError(
            f"{to} cannot be written ({error.strerror}); nothing was changed, make room first"
        ) from error
    for old in backups(path)[:-KEPT_BACKUPS]:
        old.unlink(missing_ok=True)
    return to


def backups(path: Path) -> list[Path]:
    """The copies beside the file, oldest first."""
    return sorted(path.parent.glob(f"{path.name}.*.bak"))


def _backup_is_due(path: Path, now: datetime) -> bool:
    for newest in backups(path)[-1:]:
        with contextlib.suppress(ValueError):  # not a name of ours
            stamp = newest.name.removeprefix(path.name + ".").removesuffix(".bak")
            return now - datetime.strptime(stamp, STAMP).replace(tzinfo=UTC) >= MIN_AGE
    return True


def _migrate(path: Path) -> None:
    from alembic import command  # half a second: only when there is something to do
    from alembic.config import Config

    engine = sqlite.engine(path, foreign_keys=False)
    try:
        with sqlite.explained(path), engine.begin() as connection:
            config = Config()
            config.set_main_option(
                "script_location", str(resources.migrations()).replace("%", "%%")
            )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            sqlite.check_references(connection)
    finally:
        engine.dispose()
