"""`hedger status` as the command reads it: its own code, over the memory that is the ledger."""

import contextlib
from pathlib import Path

from hedger import audit, standing
from hedger.clock import Clock
from hedger.domain.hedge import State
from hedger.ledger import sqlite
from hedger.ledger.reader import Reader
from tests.simulation.oracles.shown import Status
from tests.simulation.store import readable


def status(path: Path, clock: Clock, *, dedicated: bool) -> Status:
    """What the command would show now; reads only."""
    with contextlib.closing(sqlite.opened(readable(path), readonly=True)) as connection:
        ledger = Reader(connection, path, clock)
        held = standing.held(ledger, clock.now(), dedicated=dedicated)
        found = standing.standing(ledger)
        rows = [
            {**row, **held.get(row["id"], {})}
            for state in State
            if not state.terminal
            for row in audit.answers(connection, "hedges", audit.Filters(state=state, limit=0))
        ]
    return Status(
        hedges=rows,
        in_doubt=frozenset(doubt["venue"] for doubt in found["in_doubt"]),
        blocked=frozenset(found["blocked_markets"]),
        behind=bool(found["behind"]),
    )
