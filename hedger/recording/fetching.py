"""
Pull what the venues remember of their settled rates, window by window, and go on after a kill.

What is on disk says what is still missing: per market, everything before the oldest settlement
and after the newest one that an earlier run wrote. A window is written when it is complete.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import SettledRate
from hedger.errors import DeniedError, UnavailableError
from hedger.ports import History
from hedger.recording import rows
from hedger.recording.files import MonthlyCsv, mend

WINDOW = timedelta(days=30)  # what is lost at most when it is killed
HOUR = timedelta(hours=1)
PATIENCE_S = 300.0
PAUSE_S = 5.0
Span = tuple[datetime, datetime]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What was done. ``refused`` are markets that a venue does not list."""

    rows: int
    windows: int
    refused: Sequence[str]


class Fetcher:
    """Fetches into one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        histories: Mapping[VenueId, History],
        clock: Clock,
        max_mb: int,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._folder = folder
        self._histories = histories
        self._clock = clock
        self._patience_s = patience_s
        self._files = {
            venue: MonthlyCsv(folder, f"funding_{venue}", rows.RATE_COLUMNS, max_mb=max_mb)
            for venue in histories
        }

    async def fetch(
        self,
        symbols: Sequence[Symbol],
        since: datetime,
        until: datetime,
        progress: Progress = lambda _: None,
    ) -> Fetched:
        """
        Every settlement of these markets from ``since`` on and before ``until``.

        Raises:
            VenueError: a venue did not answer for ``patience_s``, or not understandably.
            StateError: it cannot be written.
        """
        count = windows = 0
        refused = []
        for venue, history in self._histories.items():
            there = self._on_disk(venue)
            for symbol in symbols:
                for gap in missing(there.get(symbol), since, until):
                    try:
                        found = await self._ask(history, symbol, gap.first, gap.end)
                    except DeniedError as error:
                        logger.warning("fetch-history: {} is left out: {}", symbol, error)
                        refused.append(f"{venue} {symbol}")
                        break
                    self._write(venue, found[::-1] if gap.before else found)
                    windows += 1
                    count += len(found)
                progress(f"{venue} {symbol}")
        return Fetched(rows=count, windows=windows, refused=refused)

    async def _ask(
        self, history: History, symbol: Symbol, first: datetime, end: datetime
    ) -> Sequence[SettledRate]:
        """A venue that is busy, or whose budget is used up for now, is asked again."""
        deadline_s = self._clock.monotonic_s() + self._patience_s
        while True:
            try:
                return await history.settled_between(symbol, first, end)
            except UnavailableError as error:
                if self._clock.monotonic_s() >= deadline_s:
                    raise
                logger.info("fetch-history: asking again in {:.0f} s: {}", PAUSE_S, error)
                await self._clock.sleep(PAUSE_S)

    def _write(self, venue: VenueId, found: Sequence[SettledRate]) -> None:
        by_month: dict[str, list[SettledRate]] = {}
        for rate in found:
            by_month.setdefault(f"{rate.settlement_at:%Y-%m}", []).append(rate)
        for month in by_month.values():
            self._files[venue].append(
                month[0].settlement_at, [rows.of_settled(rate) for rate in month]
            )

    def _on_disk(self, venue: VenueId) -> dict[Symbol, Span]:
        """Oldest and newest settlement that an earlier run wrote, per market."""
        found: dict[Symbol, Span] = {}
        for path in sorted(self._folder.glob(f"funding_{venue}-????-??.csv")):
            mend(path)
            with path.open(encoding="utf-8") as file:
                next(file, None)
                for line in file:
                    _, market, stamp, *_, source = line.rstrip("\n").split(",")
                    if source != rows.HISTORY:
                        continue
                    at = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
                    first, last = found.get(Symbol(market), (at, at))
                    found[Symbol(market)] = (min(first, at), max(last, at))
        return found


@dataclass(frozen=True, slots=True)
class Gap:
    """A window to be fetched; ``before``: it ends where what is on disk begins."""

    first: datetime
    end: datetime
    before: bool = False


def missing(there: Span | None, since: datetime, until: datetime) -> Iterator[Gap]:
    """
    The windows still to be fetched, each growing what is there at one of its ends.

    Windows before what is there come newest first, and their rows are written so: wherever a
    kill falls, what is on disk has no hole in it.
    """
    if there is None:
        yield from (Gap(*one) for one in windows(since, until))
        return
    oldest, newest = there
    yield from (
        Gap(*one, before=True) for one in reversed(list(windows(since, min(oldest, until))))
    )
    yield from (Gap(*one) for one in windows(max(newest + HOUR, since), until))


def windows(since: datetime, until: datetime) -> Iterator[Span]:
    """``since`` to ``until`` in pieces."""
    while since < until:
        end = min(since + WINDOW, until)
        yield since, end
        since = end
