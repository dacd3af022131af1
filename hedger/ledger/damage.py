"""What every command says about a damaged ledger: one sentence, with the way on."""

import contextlib
import sqlite3
from pathlib import Path
from urllib.parse import quote

from hedger.errors import DamagedError


def damaged(path: Path) -> DamagedError:
    """
    The sentence about the file at ``path``, naming the newest copy beside it that is sound.

    Each copy that is looked at is read as a whole.
    """
    aside = f"move it, {path.name}-wal and {path.name}-shm away"
    copy = next((each for each in reversed(copies(path)) if is_sound(each)), None)
    if copy is not None:
        way = (
            f"{aside}, copy {copy} to {path} and start again;"
            " orders that the copy does not know are looked for at the venues and booked"
        )
    else:
        way = (
            f"there is no good copy beside it; {aside} and start again with an empty one:"
            " on dedicated accounts every position is then taken off; on shared ones close the"
            " positions of hedger by hand, at both venues, before the start"
        )
    return DamagedError(f"{path} is damaged or is not a ledger: {way}")


def copies(path: Path) -> list[Path]:
    """The copies beside the file, oldest first."""
    return sorted(path.parent.glob(f"{path.name}.*.bak"))


def is_sound(path: Path) -> bool:
    """Whether a file that nobody writes to is a whole database with a schema in it."""
    address = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    with contextlib.suppress(sqlite3.Error):
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            first = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            known = connection.execute("SELECT count(*) FROM alembic_version").fetchone()[0]
        return bool(first == "ok" and known)
    return False
