"""
X10's own books of our account, page by page (x10.md §2.3): trades with their fees, positions
with what they realised, funding.

Trades do not say what they realised; ``positions/history`` does, per position, and it goes on
growing while the position is open.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from adapters.x10 import wire
from adapters.x10.fields import Row, rows_of, to_ms
from adapters.x10.http import LIMIT, AccountHttp
from adapters.x10.names import Names
from hedger.clock import Clock
from hedger.domain.account import Books, Entry, EntryKind, HistoryPage, Stream
from hedger.domain.ids import VenueId

BOOKS: Final = Books(streams=(Stream.TRADES, Stream.POSITIONS, Stream.FUNDING))
"""
Amounts to 1e-6 (data.md §1), mean prices with 16 decimals (x10.md §2.3).
"""

_PATHS: Final = {
    Stream.TRADES: "/user/trades",
    Stream.POSITIONS: "/user/positions/history",
    Stream.FUNDING: "/user/funding/history",
}
_STAMPS: Final = {
    Stream.TRADES: "createdTime",
    Stream.POSITIONS: "createdTime",
    Stream.FUNDING: "paidTime",
}


class History:
    """Pages of the three lists; nothing is repeated."""

    def __init__(self, venue: VenueId, http: AccountHttp, names: Names, clock: Clock) -> None:
        self._venue = venue
        self._http = http
        self._names = names
        self._clock = clock

    async def page(self, stream: Stream, since: datetime, cursor: str | None) -> HistoryPage:
        """
        One page, newest first by id.

        ``since`` is only for funding, which cannot be asked for without it; X10 has had two names
        for it (x10.md §2.4).
        """
        params = [LIMIT]
        if stream is Stream.FUNDING:
            from_ms = str(to_ms(since - wire.PAID_EARLY))
            params += [("fromTime", from_ms), ("startTime", from_ms)]
        if cursor is not None:
            params.append(("cursor", cursor))
        path = _PATHS[stream]
        answer = await self._http.content(path, params)
        rows = rows_of(self._venue, f"GET {path}", answer.data)
        parse: Callable[[Row], Entry] = {
            Stream.TRADES: self._fee,
            Stream.POSITIONS: self._realised,
            Stream.FUNDING: self._funding,
        }[stream]
        stamps = [row.instant(_STAMPS[stream]) for row in rows]
        return HistoryPage(
            entries=tuple(parse(row) for row in rows),
            oldest=min(stamps, default=None),
            newest=max(stamps, default=None),
            cursor=answer.cursor if rows else None,
            open_since=min(_open_since(rows), default=None) if stream is Stream.POSITIONS else None,
        )

    def _fee(self, row: Row) -> Entry:
        side = row.word("side").upper()
        if side not in {"BUY", "SELL"}:
            raise row.drift(f"side {side!r} of a trade")
        kind = row.word_or("tradeType", "TRADE").upper()
        return Entry(
            venue=self._venue,
            kind=EntryKind.FEE,
            ref=row.id("id"),
            symbol=self._names.past_symbol(row.word("market")),
            amount_usd=-row.decimal("fee"),
            at=row.instant("createdTime"),
            size=row.positive("qty") * (1 if side == "BUY" else -1),
            price=row.positive("price"),
            order_ref=row.id("orderId"),
            note="" if kind == "TRADE" else kind,
        )

    def _realised(self, row: Row) -> Entry:
        """The price result alone; fees and funding have lists of their own."""
        closed = row.has("closedTime")
        kind = row.word_or("exitType", "TRADE").upper()
        return Entry(
            venue=self._venue,
            kind=EntryKind.REALISED,
            ref=row.id("id"),
            symbol=self._names.past_symbol(row.word("market")),
            amount_usd=row.row("realisedPnlBreakdown").decimal("tradePnl"),
            at=row.instant("closedTime") if closed else self._clock.now(),
            since=row.instant("createdTime"),
            running=True,
            note="" if kind == "TRADE" else kind,
        )

    def _funding(self, row: Row) -> Entry:
        payment = wire.payment(self._venue, row, self._names)
        return Entry(
            venue=self._venue,
            kind=EntryKind.FUNDING,
            ref=payment.payment_id,
            symbol=payment.symbol,
            amount_usd=payment.amount_usd,
            at=payment.settlement_at,
            size=payment.size,
        )


def _open_since(rows: Sequence[Row]) -> list[datetime]:
    return [row.instant("createdTime") for row in rows if not row.has("closedTime")]
