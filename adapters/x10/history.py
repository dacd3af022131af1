"""X10's rates as they were charged: ``GET /info/{market}/funding``, newest first, by cursor."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from adapters.common.door import guarded
from adapters.x10 import wire
from adapters.x10.fields import rows_of, to_ms
from adapters.x10.quotes import XQuotes
from hedger.domain.ids import Symbol
from hedger.domain.market import SettledRate
from hedger.errors import DriftError

PAGE_ROWS: Final = 100
MAX_PAGES: Final = 200
STAMPED_OFF: Final = timedelta(minutes=1)
"""Rows are stamped a second after their hour, and payments up to 41 s (x10.md §9)."""

HOUR: Final = timedelta(hours=1)


@guarded
class XHistory(XQuotes):
    """The ``History`` port."""

    async def settled_between(
        self, symbol: Symbol, since: datetime, until: datetime
    ) -> Sequence[SettledRate]:
        """Every page of the window; what lies outside of it is left out here."""
        market = self._names.market(symbol)
        path = f"/info/{market}/funding"
        found: dict[datetime, SettledRate] = {}
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            params: dict[str, str | int] = {
                "startTime": to_ms(since - STAMPED_OFF),
                "endTime": to_ms(until + STAMPED_OFF),
                "limit": PAGE_ROWS,
            }
            if cursor is not None:
                params["cursor"] = cursor
            body = await self._http.get_json(path, params)
            page = wire.unwrap(self._id, f"GET {path}", body)
            rows = rows_of(self._id, f"GET {path}", page.data)
            fresh = 0
            for row in rows:
                at = _on_the_hour(row.instant("T"))
                fresh += at not in found
                found[at] = SettledRate(
                    venue=self._id, symbol=symbol, settlement_at=at, rate_1h=row.decimal("f")
                )
            if not fresh or page.cursor is None or min(found) < since:
                return [found[at] for at in sorted(found) if since <= at < until]
            cursor = page.cursor
        raise DriftError(self._id, f"GET {path}: more than {MAX_PAGES} pages")


def _on_the_hour(stamp: datetime) -> datetime:
    floor = stamp.replace(minute=0, second=0, microsecond=0)
    return floor + HOUR if stamp - floor >= HOUR / 2 else floor
