"""The account's own memory of market rules; the SDK's is filled once and never again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from adapters.x10 import wire
from adapters.x10.fields import Row
from adapters.x10.http import AccountHttp
from adapters.x10.names import Names
from hedger.clock import Clock
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Instrument
from hedger.errors import DeniedError, VenueError

MAX_AGE: Final = timedelta(minutes=15)
RETRY_AFTER: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Market:
    """The rules of one market, and what signing on it needs."""

    instrument: Instrument
    assets: wire.SigningAssets


class Markets:
    """All markets, read together: on the first question, on a miss, and when they are old."""

    def __init__(self, venue: VenueId, http: AccountHttp, names: Names, clock: Clock) -> None:
        self._venue = venue
        self._http = http
        self._names = names
        self._clock = clock
        self._known: dict[Symbol, Market] = {}
        self._refresh_at: datetime = clock.now()

    async def refresh(self) -> None:
        """
        Read the rules of all markets.

        Raises:
            VenueError: they could not be read; what was known before stays.
        """
        page = await self._http.content("/info/markets")
        rows = wire.perpetuals(self._venue, page.data, self._names)
        # a market that is not understood any more keeps its last rules: its exit must stay open
        self._known |= wire.understood(rows, self._market)
        self._refresh_at = self._clock.now() + MAX_AGE

    async def get(self, symbol: Symbol) -> Market:
        """
        One market.

        Raises:
            DeniedError: the venue does not list it, or not in words that we understand.
            VenueError: it is not known yet and could not be read.
        """
        if symbol in self._known:
            await self._refresh_if_old()
        else:
            await self.refresh()
        if (market := self._known.get(symbol)) is None:
            raise DeniedError(self._venue, f"{self._names.market(symbol)} is not listed there")
        return market

    async def _refresh_if_old(self) -> None:
        if self._clock.now() < self._refresh_at:
            return
        try:
            await self.refresh()
        except VenueError:
            # old rules do not stop an exit: the venue refuses what breaks the new ones
            self._refresh_at = self._clock.now() + RETRY_AFTER

    def _market(self, symbol: Symbol, row: Row) -> Market:
        return Market(wire.instrument(self._venue, symbol, row), wire.signing_assets(row))
