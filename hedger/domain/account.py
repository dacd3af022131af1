"""
What a venue's own books say about our account: entries that change its cash, page by page.

Cash is what was paid in plus everything realised; the profit of open positions is not in it.
Every change of it is an entry: a fee, a price result, a funding payment.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from typing import Final

from hedger.domain.ids import Symbol, VenueId
from hedger.domain.money import ZERO

WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)


class Stream(StrEnum):
    """One list of a venue's history, newest first."""

    TRADES = "trades"
    POSITIONS = "positions"
    FUNDING = "funding"


class EntryKind(StrEnum):
    """Why the cash changed."""

    FEE = "fee"
    REALISED = "realised"  # the price result of coins that were given back
    FUNDING = "funding"
    UNEXPLAINED = "unexplained"  # no list of the venue says why; booked by us, with an alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """
    How a venue keeps an account's books. Data, so that the core never asks which venue it is.

    ``entry_step`` is the precision of an averaged entry price; None where the USD value of what
    is held is kept instead, and a share of it is taken off when coins are given back.
    """

    usd_step: Decimal = Decimal("0.000001")  # the smallest amount that is booked
    entry_step: Decimal | None = Decimal("1e-16")
    streams: tuple[Stream, ...] = ()  # lists that together tell every entry, trades first

    def usd(self, amount: Decimal) -> Decimal:
        """An amount as it is booked, half to even."""
        return WIDE.quantize(amount, self.usd_step) + ZERO


UNTOLD: Final = Books()
"""Of a venue that has no lists of its own books."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One line of a venue's books; ``amount_usd`` is signed as it changes our cash.

    ``ref`` is the venue's id of what it is about: a trade, a position, a payment. With
    ``running`` the amount is the total of ``ref`` so far, and is listed again when it grows.
    """

    venue: VenueId
    kind: EntryKind
    ref: str
    symbol: Symbol
    amount_usd: Decimal
    at: datetime  # the venue's stamp; of a funding payment its settlement, on the market clock
    since: datetime | None = None  # when the position began, where the entry is about one
    size: Decimal | None = None  # signed coins
    price: Decimal | None = None
    order_ref: str | None = None  # the venue's number of the order
    running: bool = False
    note: str = ""  # the venue's word where it is not a trade of ours: LIQUIDATION and the like


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """
    One page of a stream. ``oldest`` and ``newest`` are of its rows, None when it has none.

    ``open_since`` is the oldest of its rows that may still change.
    """

    entries: tuple[Entry, ...]
    oldest: datetime | None
    newest: datetime | None
    cursor: str | None  # of the next page; None when this was the last
    open_since: datetime | None = None


@dataclass(slots=True)
class Holding:
    """A position as the venue's books keep it; only for fills in the order they happened."""

    books: Books
    size: Decimal = ZERO
    price: Decimal = ZERO  # averaged entry, unless the books keep the value
    value: Decimal = ZERO  # what the open part cost

    def fill(self, delta: Decimal, price: Decimal) -> Decimal:
        """Take a fill of ``delta`` signed coins; the price result that it books."""
        result = ZERO
        if self.size * delta < ZERO:
            closing = -self.size if abs(delta) > abs(self.size) else delta
            result = self._give_back(closing, price)
            delta -= closing
        if delta != ZERO:
            self._take(delta, price)
        return result

    def _give_back(self, delta: Decimal, price: Decimal) -> Decimal:
        if self.books.entry_step is not None:
            result = self.books.usd(WIDE.multiply(WIDE.subtract(price, self.price), -delta))
        else:
            cost = self.value
            if -delta != self.size:
                cost = self.books.usd(
                    WIDE.divide(WIDE.multiply(self.value, abs(delta)), abs(self.size))
                )
            brought = self.books.usd(WIDE.multiply(abs(delta), price))
            result = (brought - cost) * (1 if self.size > ZERO else -1)
            self.value -= cost
        self.size += delta
        return result

    def _take(self, delta: Decimal, price: Decimal) -> None:
        held, added = abs(self.size), abs(delta)
        self.value += self.books.usd(WIDE.multiply(added, price))
        if self.books.entry_step is not None:
            paid = WIDE.add(WIDE.multiply(held, self.price), WIDE.multiply(added, price))
            self.price = WIDE.quantize(WIDE.divide(paid, held + added), self.books.entry_step)
        self.size += delta
