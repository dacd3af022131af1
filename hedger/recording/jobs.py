"""The two commands as wholes: a folder that is held, and what is done in it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hedger.clock import Clock
from hedger.domain.ids import Symbol, VenueId
from hedger.ports import History, QuoteSource
from hedger.recording.fetching import Fetcher, Progress
from hedger.recording.files import held
from hedger.recording.recorder import Recorder, write_rules

Row = dict[str, Any]


async def record(
    folder: Path,
    *,
    quotes: Mapping[VenueId, QuoteSource],
    venues: tuple[VenueId, VenueId],
    clock: Clock,
    interval_s: float,
    books: int,
    max_mb: int,
    looks: int | None,
) -> Row:
    """
    Write the rules of the markets once, and rates, marks and books at every look.

    Raises:
        LockedError: another process records into this folder.
        StateError: it cannot be written.
        VenueError: a venue did not say its rules.
    """
    with held(folder):
        recorder = Recorder(
            folder,
            quotes=quotes,
            venues=venues,
            clock=clock,
            books_per_look=books,
            max_mb=max_mb,
        )
        markets = await recorder.write_rules()
        done = await recorder.run(interval_s=interval_s, looks=looks)
    return {"folder": str(folder), "markets": markets, "looks": done}


async def fetch(
    folder: Path,
    *,
    quotes: Mapping[VenueId, QuoteSource],
    histories: Mapping[VenueId, History],
    venues: tuple[VenueId, VenueId],
    clock: Clock,
    symbols: Sequence[Symbol],
    since: datetime | None,
    until: datetime | None,
    days: int,
    max_mb: int,
    progress: Progress,
) -> Row:
    """
    Every settlement of the markets that both venues have, or of ``symbols``.

    ``until`` None: all that are settled; ``since`` None: ``days`` before that.

    Raises:
        LockedError: another process records into this folder.
        StateError: it cannot be written.
        VenueError: a venue did not answer.
    """
    a, b = [await quotes[venue].instruments() for venue in venues]
    chosen = list(symbols) or sorted(a.keys() & b.keys())
    end = until or await quotes[venues[0]].next_settlement()
    begin = since or end - timedelta(days=days)
    with held(folder):
        write_rules(folder, venues, a, b, {})
        fetcher = Fetcher(folder, histories=histories, clock=clock, max_mb=max_mb)
        found = await fetcher.fetch(chosen, begin, end, progress)
    return {
        "folder": str(folder),
        "since": begin,
        "until": end,
        "markets": len(chosen),
        "rows": found.rows,
        "refused": list(found.refused),
    }
