"""What the last start found unfinished, and what was done about it; for ``hedger status``."""

import contextlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from hedger.common.words import instant
from hedger.ledger import sqlite
from hedger.ledger.records import REVISION
from hedger.ledger.text import instant_text

CRASH_FOUND = "crash_found"
TAKEN_UP = "taken_up"
RECOVERED = "recovered"

_SQL = """
SELECT at, kind, hedge_id, text, data FROM events
WHERE kind IN (?, ?, ?) AND at >= ?
  AND epoch = (SELECT max(epoch) FROM events WHERE kind IN (?, ?, ?))
ORDER BY seq
"""


def last_recovery(path: Path, since: datetime) -> dict[str, Any] | None:
    """
    The last start that found something, if it was not before ``since``.

    ``crash`` is the sentence about how the earlier daemon ended (None: a command was cut off).
    ``hedges`` has what each was found like and what was done; None while that is under way.

    Raises:
        StateError: the ledger cannot be read.
    """
    sqlite.check_revision(path, REVISION)
    kinds = (CRASH_FOUND, TAKEN_UP, RECOVERED)
    values: list[Any] = [*kinds, instant_text(since), *kinds]
    with contextlib.closing(sqlite.connect(path, readonly=True)) as connection:
        found = list(sqlite.rows(connection, _SQL, values))
    if not found:
        return None
    hedges: dict[str, dict[str, Any]] = {}
    for at, kind, hedge, text, data in found:
        if kind == TAKEN_UP:
            told = {"hedge": hedge, "at": at, "found": text, "done": None, "is": None}
            hedges[hedge] = told | json.loads(data)
        elif kind == RECOVERED:
            hedges[hedge] |= {"done": text} | json.loads(data)
    crash = next((text for _, kind, _, text, _ in found if kind == CRASH_FOUND), None)
    return {"at": found[0][0], "crash": crash, "hedges": list(hedges.values())}


def sentences(recovery: Mapping[str, Any] | None) -> list[str]:
    """The same for people; nothing where nothing was found."""
    if recovery is None:
        return []
    lines = [
        f"at {instant(recovery['at'])}: {recovery['crash'] or 'work that was cut off was found'}"
    ]
    for row in recovery["hedges"]:
        lines += [f"  {row['hedge']}: {row['found']}", f"    {row['done'] or 'still at it'}"]
    if not recovery["hedges"]:
        lines.append("  no hedge was unfinished")
    return lines
