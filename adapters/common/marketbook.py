"""What a venue says of its markets, read together; each row is kept with its age."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final, Generic, TypeVar

from adapters.common.identities import Listing
from hedger.clock import Clock
from hedger.domain.ids import Symbol, VenueId
from hedger.errors import DriftError, UnlistedError

T = TypeVar("T")
ANY_AGE: Final = inf


@dataclass(frozen=True, slots=True)
class _Told(Generic[T]):
    row: T
    asked_s: float  # on the steady clock
    reading: int


class MarketBook(Generic[T]):
    """
    The latest row of every market that was ever listed.

    A row that has gone from the list, or that is not understood any more, stays as it last was:
    what takes exposure off goes on by it. Whoever names an age gets only what is that young.
    """

    def __init__(
        self, venue: VenueId, clock: Clock, read: Callable[[], Awaitable[Listing[T]]]
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._read = read
        self._known: dict[Symbol, _Told[T]] = {}
        self._drift: Mapping[Symbol, str] = {}
        self._begun = 0
        self._finished = 0
        self._alone = asyncio.Lock()

    def lists(self, symbol: Symbol) -> bool:
        """Whether the market was ever listed."""
        return symbol in self._known

    def known(self) -> Mapping[Symbol, T]:
        """Everything that was ever read, whatever its age."""
        return {symbol: told.row for symbol, told in self._known.items()}

    def forget(self) -> None:
        """What was listed so far stands under wrong symbols: nothing is known any more."""
        self._known, self._drift = {}, {}

    async def get(self, symbol: Symbol, max_age_s: float = ANY_AGE) -> T:
        """
        One market, read no longer ago than that; 0 always asks.

        Raises:
            UnlistedError: the venue does not list it (any more).
            DriftError: it cannot be told which of its markets is meant.
            VenueError: it is not known so freshly, and could not be read.
        """
        told = self._known.get(symbol)
        if told is not None and max_age_s == ANY_AGE:
            return told.row
        clear = told is not None and symbol not in self._drift
        if told is not None and clear and self._clock.monotonic_s() - told.asked_s < max_age_s:
            return told.row
        await self.refresh()
        told = self._known.get(symbol)
        if told is not None and max_age_s == ANY_AGE:
            return told.row
        if why := self._drift.get(symbol):
            raise DriftError(self._venue, why)
        if told is None or told.reading < self._finished:
            raise UnlistedError(self._venue, f"market {symbol} is not listed there")
        return told.row

    async def refresh(self) -> None:
        """
        Read every market; a reading that somebody else begins from now on will do.

        Raises:
            VenueError: they could not be read; what was known before stays.
        """
        begun = self._begun
        async with self._alone:
            if self._finished > begun:
                return
            self._begun += 1
            number, asked_s = self._begun, self._clock.monotonic_s()
            listing = await self._read()
            self._finished = number
            self._drift = listing.drift
            for symbol, row in listing.rows.items():
                if symbol not in listing.drift or symbol not in self._known:
                    self._known[symbol] = _Told(row, asked_s, number)
