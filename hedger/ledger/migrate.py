"""Bring the ledger's schema to what the program declares, after a copy of the file."""

from dataclasses import dataclass
from pathlib import Path

from hedger import resources
from hedger.clock import Clock
from hedger.ledger import copies, sqlite
from hedger.ledger.records import REVISION


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What an upgrade did."""

    before: str | None  # schema; None when there was none
    after: str
    backup: Path | None


def upgrade(path: Path, clock: Clock) -> Upgrade:
    """
    Create the ledger, or bring it to the newest schema after a backup copy of the file.

    A migration happens as a whole or not at all.

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
        now = clock.now()
        if due or copies.is_due(path, now):
            backup = copies.back_up(path, now)
    if due:
        _migrate(path)
    else:
        sqlite.make_private(path)
    return Upgrade(before=before, after=REVISION, backup=backup)


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
