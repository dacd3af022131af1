"""The public quotes of both venues over a simulated wire: all but the socket is the product's."""

from collections.abc import Mapping

import httpx

from adapters.http_quotes import PublicHttp
from adapters.lighter.names import Names as LighterNames
from adapters.lighter.quotes import INTERVAL, LighterQuotes
from adapters.upcoming import Upcoming
from adapters.x10.names import Names
from adapters.x10.quotes import XQuotes
from hedger.clock import Clock
from hedger.domain.ids import VenueId
from tests.simulation.clients import (
    LIGHTER,
    TIMEOUT_S,
    X10,
    BrokenError,
    NoConnectionError,
    Wire,
    bounded,
)


class SimPublicHttp(PublicHttp):
    """The public endpoints of one venue."""

    def __init__(self, venue: VenueId, wire: Wire) -> None:
        self._budget = None
        self._venue = venue
        self._timeout_s = TIMEOUT_S
        self._wire = wire

    async def _fetch(self, path: str, params: Mapping[str, str | int]) -> tuple[int, str]:
        query = [(name, str(value)) for name, value in params.items()]
        try:
            if self._venue == X10:
                status, text, _ = await self._wire.x10("GET", path, query, None)
            else:
                name = path.removeprefix("/api/v1/")
                status, text, _ = await self._wire.lighter(name, query, None)
        except NoConnectionError:
            raise httpx.ConnectError("refused") from None
        except BrokenError:
            raise httpx.RemoteProtocolError("disconnected") from None
        return status, bounded(text)


class SimXQuotes(XQuotes):
    """X10's quotes."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self._id = X10
        self._names = Names({})
        self._clock = clock
        self._http = SimPublicHttp(X10, wire)
        self._upcoming = Upcoming(clock, INTERVAL)


class SimLighterQuotes(LighterQuotes):
    """Lighter's quotes."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        self._id = LIGHTER
        self._names = LighterNames({})
        self._clock = clock
        self._markets = self._markets_data = None
        self._last_settlement = None
        self._upcoming = Upcoming(clock, INTERVAL)
        self._http = SimPublicHttp(LIGHTER, wire)
