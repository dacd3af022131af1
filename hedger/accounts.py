"""
The venues' own books of our accounts, read page by page and kept beside ours.

One reading of a venue is: its cash, then what is new in its lists, then its cash again. Only
when the cash did not move meanwhile does it belong to the entries, and is kept. What a list
does not show yet is waited for; what stays unexplained for ``difference_s`` is booked as such
and alerted. When a hedge is over and its entries are settled, its three views are compared
(``hedger.audit.views``), and a difference is alerted once.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from loguru import logger

from hedger.audit import legrows, views
from hedger.audit.charges import Lack
from hedger.clock import Clock
from hedger.domain.account import Books, HistoryPage, Stream
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Balance
from hedger.domain.money import plain
from hedger.errors import VenueError
from hedger.ledger.accounts import CHECKS_AT_ONCE
from hedger.ledger.store import Store
from hedger.ownlists import OwnLists
from hedger.ownrates import OwnRates
from hedger.ports import QuoteSource, Venue

OVERLAP = {
    Stream.TRADES: timedelta(minutes=10),
    Stream.POSITIONS: timedelta(minutes=10),
    Stream.FUNDING: timedelta(hours=2),
}
"""How far back a list is read again: rows that came into it late are not missed."""

QUESTIONS_PER_RUN = 20  # for rates; what is left follows with the next run
TRIES = 3  # at a moment in which the cash stands still
WALK_AT_LEAST = timedelta(minutes=10)  # also where the cash says that there is nothing new


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far one list is read: everything before ``since``, and a walk that is under way."""

    since: datetime
    cursor: str | None = None
    newest: datetime | None = None  # that the walk has seen
    hold: datetime | None = None  # the oldest row that may still change

    def after(self, page: HistoryPage, overlap: timedelta) -> "Mark":
        """Once a page is booked."""
        newest = max(filter(None, (self.newest, page.newest)), default=None)
        hold = min(filter(None, (self.hold, page.open_since)), default=None)
        if page.cursor is not None and page.oldest is not None and page.oldest >= self.since:
            return replace(self, cursor=page.cursor, newest=newest, hold=hold)
        through = self.since if newest is None else max(self.since, newest - overlap)
        return Mark(since=through if hold is None else max(self.since, min(through, hold)))

    def text(self) -> str:
        """For the ledger."""
        return json.dumps(
            {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in asdict(self).items()
            }
        )

    @classmethod
    def of(cls, text: str) -> "Mark":
        """The inverse of ``text``."""
        stored = json.loads(text)
        instants = {
            name: datetime.fromisoformat(stored[name]) if stored[name] else None
            for name in ("newest", "hold")
        }
        since = datetime.fromisoformat(stored["since"])
        return cls(since=since, cursor=stored["cursor"], **instants)


@dataclass(slots=True)
class _Look:
    """One look at a venue, over several runs where its lists are long."""

    cash_usd: Decimal
    started_at: datetime
    left: set[Stream]
    begun: set[Stream] = field(default_factory=set)


class Accounts:
    """Reads both venues' books, and compares them with ours."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        quotes: Mapping[VenueId, QuoteSource],
        store: Store,
        clock: Clock,
        difference_s: float,
        pages_per_run: int,
    ) -> None:
        self._venues = venues
        self._quotes = quotes
        self._store = store
        self._clock = clock
        self._difference_s = difference_s
        self._pages = pages_per_run
        self._walked: dict[VenueId, datetime] = {}
        self._looks: dict[VenueId, _Look] = {}
        self._compared = 0  # the number of the hedge after which the next turn begins
        self._lists = OwnLists(clock)
        self._rates = OwnRates(venues=venues, quotes=quotes, store=store, clock=clock)

    async def run(self) -> int:
        """One reading of both venues; the number of entries that were new."""
        new = 0
        for venue in self._venues.values():
            if not venue.capabilities.books.streams:
                continue
            try:
                new += await self._read(venue)
            except VenueError as error:
                logger.warning("the books of {} stay unread for now: {}", venue.id, error)
        await self._compare()
        return new

    async def _read(self, venue: Venue) -> int:
        new = 0
        self._note_books(venue.id, venue.capabilities.books)
        for _ in range(TRIES):
            started_at = self._clock.now()
            before = await venue.balance()
            if before.cash_usd is None:
                logger.warning("{} does not tell its cash, so its books are not compared", venue.id)
                return new
            if self._is_known(venue, before):
                self._note(venue, before, started_at)
                return new
            look = self._look(venue, before.cash_usd, started_at)
            new += await self._walk(venue, look)
            if look.left:
                return new  # the rest with the next run
            balance = await venue.balance()
            del self._looks[venue.id]
            if balance.cash_usd == look.cash_usd:
                self._walked[venue.id] = look.started_at
                self._note(venue, balance, look.started_at)
                return new
        return new

    def _look(self, venue: Venue, cash_usd: Decimal, started_at: datetime) -> "_Look":
        """The look that an earlier run could not finish, if the cash is still the same."""
        look = self._looks.get(venue.id)
        if look is None or look.cash_usd != cash_usd:
            left = set(venue.capabilities.books.streams)
            look = self._looks[venue.id] = _Look(cash_usd, started_at, left)
        return look

    def _is_known(self, venue: Venue, balance: Balance) -> bool:
        """Whether the lists need not be asked: the cash is that of the last settled reading."""
        walked = self._walked.get(venue.id)
        if walked is None or self._clock.now() - walked > WALK_AT_LEAST:
            return False
        if self._store.unchecked(self._clock.now()):
            return False
        assert balance.cash_usd is not None
        return self._store.meta(_cash_key(venue)) == plain(balance.cash_usd)

    def _note(self, venue: Venue, balance: Balance, started_at: datetime) -> None:
        reading = self._store.note_reading(
            balance, venue.account, started_at, give_up_s=self._difference_s
        )
        settled = plain(reading.cash_usd) if reading.differs_since is None else ""
        if settled != (self._store.meta(_cash_key(venue)) or ""):
            self._store.set_meta(_cash_key(venue), settled)
        if reading.differs_since is not None:
            logger.info(
                "{}: {} USD of its cash are in none of its lists yet",
                venue.id,
                plain(reading.difference_usd),
            )

    async def _walk(self, venue: Venue, look: "_Look") -> int:
        """
        Read on in every list that is left; how many entries were new.

        A list is done once a walk that began in this look has reached its known part. One comes
        after the other: whose position it is, its trades say.
        """
        new = 0
        for stream in [s for s in venue.capabilities.books.streams if s in look.left]:
            key = f"account_mark:{venue.id}:{venue.account}:{stream}"
            stored = self._store.meta(key)
            mark = Mark.of(stored) if stored else await self._first(venue, stream)
            for _ in range(self._pages):
                if mark.cursor is None:
                    look.begun.add(stream)
                page = await venue.history(stream, mark.since, mark.cursor)
                if stream is Stream.FUNDING and not self._is_believed(venue, page):
                    break  # it is read again with the next run
                mark = mark.after(page, OVERLAP[stream])
                new += self._store.book_entries(venue.account, page.entries, (key, mark.text()))
                if mark.cursor is None and stream in look.begun:
                    look.left.discard(stream)
                    break
            else:
                logger.info("{} {}: read in part, the rest follows", venue.id, stream)
                break  # what a later list tells is understood by the earlier one
        if new:
            logger.info("{} entries of {} booked", new, venue.id)
        return new

    def _is_believed(self, venue: Venue, page: HistoryPage) -> bool:
        """Nothing is booked of a page without a row, whose ever it is."""
        if not page.entries:
            return True
        known = self._store.recognizes_entries(venue.account, page.entries)
        return self._lists.believes(venue.id, known=known, length=len(page.entries))

    async def _first(self, venue: Venue, stream: Stream) -> Mark:
        """From our first hedge on; without one, from now. Settlements are on the market clock."""
        made, settlement = self._store.beginnings(venue.id)
        if stream is not Stream.FUNDING:
            return Mark(since=(made or self._clock.now()) - OVERLAP[stream])
        upcoming = await self._quotes[venue.id].next_settlement()
        return Mark(since=min(settlement or upcoming, upcoming) - OVERLAP[stream])

    def _note_books(self, venue: VenueId, books: Books) -> None:
        """The audit rounds as the venue does, and knows no venue."""
        text = legrows.books_text(books)
        if self._store.meta(legrows.books_key(venue)) != text:
            self._store.set_meta(legrows.books_key(venue), text)

    async def _compare(self) -> None:
        """
        Every hedge that is over is compared once, as soon as all is known.

        Those whose turn it is: what stays unknown for long does not keep the others waiting.
        """
        questions = QUESTIONS_PER_RUN
        now = self._clock.now()
        turn = self._store.unchecked(now, self._compared)
        if not turn and self._compared:
            turn = self._store.unchecked(now)
        self._compared = turn[-1][0] if len(turn) == CHECKS_AT_ONCE else 0
        for _, hedge in turn:
            found = list(views.of_hedges(self._store.path, hedge=hedge))
            for leg in found:
                if leg.lacks and questions > 0:
                    questions -= len(leg.lacks)
                    await self._ask(leg)
            if any(leg.lacks for leg in found):
                found = list(views.of_hedges(self._store.path, hedge=hedge))  # with the answers
            if not found or any(leg.state is views.State.UNKNOWN for leg in found):
                continue
            problems = [f"{leg.venue}: {leg.why}" for leg in found if leg.why]
            self._store.note_check(hedge, "; ".join(problems))

    async def _ask(self, leg: views.Leg) -> None:
        """For what our own view of a leg is computed with."""
        venue, symbol = VenueId(leg.venue), Symbol(leg.symbol)
        if Lack.FEES in leg.lacks:
            await self._rates.fees(venue, leg.account, symbol)
        if Lack.RATES in leg.lacks and leg.rates_since is not None:
            await self._rates.settled(venue, symbol, leg.rates_since)


def _cash_key(venue: Venue) -> str:
    return f"account_cash:{venue.id}:{venue.account}"
