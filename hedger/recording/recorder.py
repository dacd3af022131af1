"""
Look at both venues at intervals and write down what they quote.

Rates and marks of all markets come with every look, books of a few markets in turn. A venue that
does not answer is left out of that look: a hole in the file, never a repeated or made-up row.
Requests stay within the venue's budget; when its share is used up, the remaining books wait for
the next look.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from loguru import logger

from hedger.clock import Clock
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import FundingQuote, Instrument
from hedger.errors import UnavailableError, VenueError
from hedger.ports import QuoteSource
from hedger.recording import rows
from hedger.recording.files import MonthlyCsv

MARKETS = "markets.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look brought."""

    rates: int
    books: int
    absent: Mapping[VenueId, str]


class Recorder:
    """Writes into one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        quotes: Mapping[VenueId, QuoteSource],
        venues: tuple[VenueId, VenueId],
        clock: Clock,
        books_per_look: int,
        max_mb: int,
    ) -> None:
        self._folder = folder
        self._quotes = quotes
        self._venues = venues
        self._clock = clock
        self._books_per_look = books_per_look
        self._rates = {
            venue: MonthlyCsv(folder, f"funding_{venue}", rows.RATE_COLUMNS, max_mb=max_mb)
            for venue in venues
        }
        self._books = MonthlyCsv(folder, "books", rows.BOOK_COLUMNS, max_mb=max_mb)
        self._turn: list[Symbol] = []  # markets whose books come next

    async def look(self) -> Look:
        """
        Ask both venues once and write what they said.

        Raises:
            StateError: it cannot be written.
        """
        quoted: dict[VenueId, Mapping[Symbol, FundingQuote]] = {}
        absent: dict[VenueId, str] = {}
        for venue in self._venues:
            try:
                quoted[venue] = await self._quotes[venue].funding()
            except VenueError as error:
                absent[venue] = error.detail
                logger.warning("record: {} is left out of this look: {}", venue, error.detail)
        written = sum(self._write(venue, quotes) for venue, quotes in quoted.items())
        books = 0 if absent else await self._look_at_books(quoted)
        return Look(rates=written, books=books, absent=absent)

    def _write(self, venue: VenueId, quotes: Mapping[Symbol, FundingQuote]) -> int:
        by_month: dict[str, list[FundingQuote]] = {}
        for symbol in sorted(quotes):
            at = rows.in_its_hour(quotes[symbol])
            by_month.setdefault(f"{at:%Y-%m}", []).append(quotes[symbol])
        for month in by_month.values():
            self._rates[venue].append(rows.in_its_hour(month[0]), [rows.of_quote(q) for q in month])
        return sum(map(len, by_month.values()))

    async def _look_at_books(self, quoted: Mapping[VenueId, Mapping[Symbol, FundingQuote]]) -> int:
        """Both books of the next markets, stamped with the hour that their venue is in."""
        a, b = (quoted[venue] for venue in self._venues)
        common = sorted(a.keys() & b.keys())
        self._turn = [symbol for symbol in self._turn if symbol in common] or common
        chosen = self._turn[: self._books_per_look]
        count = 0
        for symbol in chosen:
            for venue in self._venues:
                try:
                    book = await self._quotes[venue].book(symbol)
                except UnavailableError as error:
                    logger.info("record: books wait for the next look: {}", error)
                    return count
                except VenueError as error:
                    logger.warning("record: no book of {}: {}", symbol, error)
                    continue
                at = rows.in_its_hour(quoted[venue][symbol])
                row = rows.of_book(book, at)
                if row is not None:
                    self._books.append(at, [row])
                    count += 1
            self._turn.remove(symbol)
        return count

    async def write_rules(self) -> int:
        """
        ``markets.csv``, anew: the rules of the markets that both venues have now.

        Raises:
            VenueError: a venue did not answer.
        """
        a, b = [await self._quotes[venue].instruments() for venue in self._venues]
        marks = {
            symbol: quote.mark_price
            for symbol, quote in (await self._quotes[self._venues[0]].funding()).items()
        }
        return write_rules(self._folder, self._venues, a, b, marks)

    async def run(self, *, interval_s: float, looks: int | None) -> int:
        """Look every ``interval_s`` until told otherwise; ``looks`` None: for ever."""
        done = 0
        while looks is None or done < looks:
            began_s = self._clock.monotonic_s()
            found = await self.look()
            done += 1
            logger.info("record: {} rates, {} books", found.rates, found.books)
            if looks is None or done < looks:
                spent_s = self._clock.monotonic_s() - began_s
                await self._clock.sleep(max(0.0, interval_s - spent_s))
        return done


def write_rules(
    folder: Path,
    venues: tuple[VenueId, VenueId],
    a: Mapping[Symbol, Instrument],
    b: Mapping[Symbol, Instrument],
    marks: Mapping[Symbol, Decimal],
) -> int:
    """Replace ``markets.csv`` in one step, so that a kill leaves the old or the new one."""
    common = sorted(a.keys() & b.keys())
    lines = [",".join(rows.rules_header(venues))]
    lines += [
        ",".join(
            "" if cell is None else str(cell) for cell in rows.of_rules(s, (a[s], b[s]), marks)
        )
        for s in common
    ]
    fresh = folder / f"{MARKETS}.new"
    fresh.write_text("\n".join(lines) + "\n", encoding="utf-8")
    fresh.replace(folder / MARKETS)
    return len(common)
