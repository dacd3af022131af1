"""Ask a venue whether it would take a reduce-only order: reads, each with its own limit."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Final, TypeVar

from hedger.domain.ability import Ability, Can, unable, unknown
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Instrument, OrderBook
from hedger.domain.money import ZERO
from hedger.errors import DeniedError, VenueError
from hedger.execution.exitproof import LegLook, about, combined, market_of
from hedger.ports import QuoteSource, Venue

T = TypeVar("T")

READ_S: Final = 5.0
BRIEF_S: Final = 2.0  # while a leg stands alone and its venue's return is waited for
DEPTH: Final = 250


class Abilities:
    """Reads of both venues, of which none ever raises: what did not come is unknown."""

    def __init__(
        self,
        *,
        venues: Mapping[VenueId, Venue],
        quotes: Mapping[VenueId, QuoteSource],
    ) -> None:
        self._venues = venues
        self._quotes = quotes

    async def look(self, venue: VenueId, symbol: Symbol, size: Decimal) -> LegLook:
        """Market, book and account of one leg, side by side."""
        rules, book, account = await asyncio.gather(
            self.market(venue, symbol, READ_S),
            self._book(venue, symbol, READ_S),
            self.account(venue, symbol, READ_S),
        )
        return LegLook(
            venue=venue, symbol=symbol, size=size, rules=rules, book=book, account=account
        )

    async def returned(
        self,
        venue: VenueId,
        symbol: Symbol,
        size: Decimal,
        slippage_bps: Decimal,
        before: Ability | None = None,
    ) -> Ability | None:
        """
        What still keeps a venue from taking a leg off, asked briefly; None where nothing does.

        The book counts only where it is empty: a part of a leg alone is better than all of it.
        What was found ``before`` is asked for first: while it lasts, that is one question.
        """
        if before is not None and (still := await self._still(before, symbol, size)) is not None:
            return still
        rules = await self.market(venue, symbol, BRIEF_S)
        market = market_of(venue, symbol, rules)
        if market.can is not Can.YES:
            return market
        book, account = await asyncio.gather(
            self._book(venue, symbol, BRIEF_S), self.account(venue, symbol, BRIEF_S)
        )
        look = LegLook(
            venue=venue, symbol=symbol, size=size, rules=rules, book=book, account=account
        )
        proof = combined(about(look, slippage_bps))
        if _has_other_side(book, size):
            proof = combined([found for found in proof.obstacles if found.code != "book_thin"])
        return proof.obstacles[0] if proof.obstacles else None

    async def _still(self, before: Ability, symbol: Symbol, size: Decimal) -> Ability | None:
        """What was in the way, where it still is; a market is asked for first in any case."""
        if before.code.startswith("market_"):
            return None
        if before.code.startswith("book_"):
            book = await self._book(before.venue, symbol, BRIEF_S)
            return None if _has_other_side(book, size) else before
        account = await self.account(before.venue, symbol, BRIEF_S)
        return None if account.can is Can.YES else account

    async def market(
        self, venue: VenueId, symbol: Symbol, limit_s: float
    ) -> Instrument | str | None:
        """The rules of a market as they are now; a text where they could not be read."""
        quotes = self._quotes[venue]
        read = await _within(limit_s, lambda: quotes.instruments(urgent=True))
        return read if isinstance(read, str) else read.get(symbol)

    async def _book(self, venue: VenueId, symbol: Symbol, limit_s: float) -> OrderBook | str:
        quotes = self._quotes[venue]
        return await _within(limit_s, lambda: quotes.book(symbol, DEPTH, urgent=True))

    async def account(self, venue: VenueId, symbol: Symbol, limit_s: float) -> Ability:
        """Account, margin mode and key, as far as the venue's own word goes."""
        port = self._venues[venue]
        try:
            async with asyncio.timeout(limit_s):
                return await port.ability(symbol)
        except TimeoutError:
            why = f"the account on {venue} cannot be read (no answer within {limit_s:g} s)"
            return unknown(venue, "account_unread", why)
        except DeniedError as error:
            return unable(
                venue,
                "account_refused",
                f"{venue} refuses the account's requests ({error.detail})",
                f"check the keys and the account of {venue}",
            )
        except VenueError as error:
            why = f"the account on {venue} cannot be read ({error.detail})"
            return unknown(venue, "account_unread", why)


def _has_other_side(book: OrderBook | str, size: Decimal) -> bool:
    """Whether there is anybody to trade a leg of ``size`` signed coins with."""
    return isinstance(book, OrderBook) and bool(book.asks if size < ZERO else book.bids)


async def _within(limit_s: float, question: Callable[[], Awaitable[T]]) -> T | str:
    try:
        async with asyncio.timeout(limit_s):
            return await question()
    except TimeoutError:
        return f"no answer within {limit_s:g} s"
    except VenueError as error:
        return error.detail
