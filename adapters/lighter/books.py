"""
Lighter's own books of our account, page by page (lighter.md §2): trades, which tell fee and
realised result of our side, and funding.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from adapters.lighter import accountwire, units
from adapters.lighter.fields import (
    Row,
    UnreadableError,
    cursor_of,
    decimal_of,
    flag_of,
    instant,
    int_of,
    reading,
    rows_of,
    text_of,
)
from adapters.lighter.gateway import Gateway
from adapters.lighter.reads import PAGE, Reads
from hedger.domain.account import Books, Entry, EntryKind, HistoryPage, Stream
from hedger.domain.ids import Symbol, VenueId
from hedger.domain.money import ZERO

BOOKS: Final = Books(entry_step=None, streams=(Stream.TRADES, Stream.FUNDING))
"""USDC has six decimals; ``entry_quote_before`` shows that the value of what is held is kept."""


class History:
    """Pages of both lists; nothing is repeated."""

    def __init__(self, venue: VenueId, account: int, gateway: Gateway, reads: Reads) -> None:
        self._venue = venue
        self._account = account
        self._gateway = gateway
        self._reads = reads

    async def page(self, stream: Stream, cursor: str | None) -> HistoryPage:
        """One page, newest first."""
        if stream is Stream.TRADES:
            return await self._trades(cursor)
        return await self._funding(cursor)

    async def _trades(self, cursor: str | None) -> HistoryPage:
        what = "GET /trades"
        call = self._gateway.orders.trades_without_preload_content
        data = await self._read(what, call, cursor, sort_by="timestamp")
        entries: list[Entry] = []
        with reading(self._venue, what):
            rows = rows_of(data, "trades")
            stamps = [instant(int_of(row, "timestamp")) for row in rows]
        for row in rows:
            symbol = await self._symbol(what, row)
            with reading(self._venue, what):
                entries += trade_entries(row, self._venue, symbol, self._account)
        return _page(self._venue, entries, stamps, data)

    async def _funding(self, cursor: str | None) -> HistoryPage:
        what = "GET /positionFunding"
        call = self._gateway.accounts.position_funding_without_preload_content
        data = await self._read(what, call, cursor)
        entries: list[Entry] = []
        with reading(self._venue, what):
            rows = rows_of(data, "position_fundings")
        for row in rows:
            symbol = await self._symbol(what, row)
            with reading(self._venue, what):
                entries.append(funding_entry(row, self._venue, symbol))
        return _page(self._venue, entries, [entry.at for entry in entries], data)

    async def _read(self, what: str, call: Any, cursor: str | None, **arguments: Any) -> Any:
        if cursor is not None:
            arguments["cursor"] = cursor
        return await self._gateway.read(
            what,
            call,
            account_index=self._account,
            limit=PAGE,
            authorization=await self._gateway.token(),
            **arguments,
        )

    async def _symbol(self, what: str, row: Row) -> Symbol:
        with reading(self._venue, what):
            market = int_of(row, "market_id")
        return await self._reads.symbol_of(market)


def trade_entries(row: Row, venue: VenueId, symbol: Symbol, account: int) -> list[Entry]:
    """
    The fee of one trade, and what it realised where it reduced a position.

    ``bid_account_pnl`` is what the buyer realised by reducing a short, ``ask_account_pnl`` what
    the seller did by reducing a long; each is told to the account that asks.
    """
    bought = int_of(row, "bid_account_id") == account
    if not bought and int_of(row, "ask_account_id") != account:
        raise UnreadableError(f"trade {int_of(row, 'trade_id')} is not ours")
    is_maker = flag_of(row, "is_maker_ask") != bought
    key = "maker_fee" if is_maker else "taker_fee"
    ticks = int_of(row, key) if row.get(key) is not None else 0
    kind = text_of(row, "type")
    entry = Entry(
        venue=venue,
        kind=EntryKind.FEE,
        ref=str(int_of(row, "trade_id")),
        symbol=symbol,
        amount_usd=-units.fee_usd(decimal_of(row, "usd_amount"), ticks),
        at=instant(int_of(row, "timestamp")),
        size=decimal_of(row, "size") * (1 if bought else -1),
        price=decimal_of(row, "price"),
        order_ref=str(int_of(row, "bid_id" if bought else "ask_id")),
        note="" if kind == "trade" else kind.upper(),
    )
    realised = decimal_of(row, "bid_account_pnl" if bought else "ask_account_pnl")
    if realised == ZERO:
        return [entry]
    return [entry, replace(entry, kind=EntryKind.REALISED, amount_usd=realised)]


def funding_entry(row: Row, venue: VenueId, symbol: Symbol) -> Entry:
    """One funding payment at its hour."""
    payment = accountwire.payment(row, venue, symbol)
    return Entry(
        venue=venue,
        kind=EntryKind.FUNDING,
        ref=payment.payment_id,
        symbol=symbol,
        amount_usd=payment.amount_usd,
        at=payment.settlement_at,
        size=payment.size,
    )


def _page(venue: VenueId, entries: list[Entry], stamps: list[datetime], data: Any) -> HistoryPage:
    with reading(venue, "next_cursor"):
        following = cursor_of(data)
    return HistoryPage(
        entries=tuple(entries),
        oldest=min(stamps, default=None),
        newest=max(stamps, default=None),
        cursor=following if stamps else None,
    )
