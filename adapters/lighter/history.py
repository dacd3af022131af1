"""Lighter's rates as they were charged, ``GET /fundings``: the sign is in ``direction``."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from adapters.common.door import guarded
from adapters.lighter import units
from adapters.lighter.fields import (
    decimal_of,
    instant,
    int_of,
    on_the_hour,
    reading,
    rows_of,
    text_of,
)
from adapters.lighter.quotes import PAGE_ROWS, LighterQuotes
from hedger.domain.ids import Symbol
from hedger.domain.market import SettledRate
from hedger.errors import DriftError

STAMPED_OFF: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)


@guarded
class LighterHistory(LighterQuotes):
    """The ``History`` port."""

    async def settled_between(
        self, symbol: Symbol, since: datetime, until: datetime
    ) -> Sequence[SettledRate]:
        """A full answer may be cut at either end, so its window is asked again in two halves."""
        data = await self._get(
            "fundings",
            market_id=await self._market_id(symbol),
            resolution="1h",
            start_timestamp=_ms(since - STAMPED_OFF),
            end_timestamp=_ms(until + STAMPED_OFF),
            count_back=0,  # all of them
        )
        found: dict[datetime, SettledRate] = {}
        with reading(self._id, "GET /fundings"):
            rows = rows_of(data, "fundings")
            for row in rows:
                at = on_the_hour(instant(int_of(row, "timestamp")))
                rate = units.rate_1h_of_fundings(decimal_of(row, "rate"), text_of(row, "direction"))
                found[at] = SettledRate(
                    venue=self._id, symbol=symbol, settlement_at=at, rate_1h=rate
                )
        if len(rows) < PAGE_ROWS:
            return [found[at] for at in sorted(found) if since <= at < until]
        half = since + timedelta(hours=(until - since) // HOUR // 2)
        if not since < half < until:
            raise DriftError(self._id, f"GET /fundings: {len(rows)} rows within an hour")
        return [
            *await self.settled_between(symbol, since, half),
            *await self.settled_between(symbol, half, until),
        ]


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
