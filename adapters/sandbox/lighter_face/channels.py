"""
What each stream channel says: a snapshot on subscribing, then updates (lighter.md §5).

A channel is fed every event of the venue, keeps what concerns it, and turns it into at most one
frame when the connection is flushed. Names use ``/`` when subscribing and ``:`` in frames.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from adapters.sandbox.engine.types import BookChanged, Event, Level, MarkChanged, TradeMade
from adapters.sandbox.lighter_face import market_shapes
from adapters.sandbox.lighter_face.face import Face
from adapters.sandbox.lighter_face.txlog import Entry

Happening = Event | Entry
"""What a channel is fed: an event of the engine, or a transaction that was executed."""

BOOK_DEPTH = 250
_NONCE_BASE = 4_000_000_000


class Channel(Protocol):
    """One subscription."""

    symbol: str | None
    """The market it is about, for faults; None when it is about several."""

    def snapshot(self) -> dict[str, Any]:
        """The body of the first frame."""

    def feed(self, happening: Happening) -> bool:
        """Take an event; whether there is now something to say."""

    def update(self) -> dict[str, Any] | None:
        """The body of the next frame, if there is something to say."""


def _same_market(happening: Happening, symbol: str) -> bool:
    return isinstance(happening, BookChanged | MarkChanged) and happening.symbol == symbol


class OrderBookChannel:
    """``order_book/{id}``: a full book, then changed levels, chained by nonces."""

    def __init__(self, face: Face, market_id: int) -> None:
        self._face = face
        self._rules = face.rules(market_id)
        self.symbol: str | None = self._rules.symbol
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}
        self._nonce = 0
        self._offset = 0

    def snapshot(self) -> dict[str, Any]:
        book = self._face.exchange.book(self._rules.symbol, BOOK_DEPTH)
        self._bids = {level.price: level.size for level in book.bids}
        self._asks = {level.price: level.size for level in book.asks}
        self._nonce = _NONCE_BASE + book.version
        return self._frame(book.bids, book.asks, begin_nonce=0)

    def feed(self, happening: Happening) -> bool:
        return _same_market(happening, self._rules.symbol)

    def update(self) -> dict[str, Any] | None:
        book = self._face.exchange.book(self._rules.symbol, BOOK_DEPTH)
        nonce = _NONCE_BASE + book.version
        if nonce == self._nonce:
            return None
        bids = {level.price: level.size for level in book.bids}
        asks = {level.price: level.size for level in book.asks}
        changed = _changes(self._bids, bids), _changes(self._asks, asks)
        begin, self._nonce, self._bids, self._asks = self._nonce, nonce, bids, asks
        return self._frame(*changed, begin_nonce=begin)

    def _frame(self, bids: Any, asks: Any, *, begin_nonce: int) -> dict[str, Any]:
        now_ms = self._face.now_ms()
        self._offset += 1
        book = {
            "code": 0,
            "asks": market_shapes.levels_json(self._rules, asks),
            "bids": market_shapes.levels_json(self._rules, bids),
            "offset": self._offset,
            "nonce": self._nonce,
            "begin_nonce": begin_nonce,
            "last_updated_at": now_ms * 1000,
        }
        return {
            "offset": self._offset,
            "last_updated_at": now_ms * 1000,
            "timestamp": now_ms,
            "order_book": book,
        }


def _changes(before: Mapping[Decimal, Decimal], after: Mapping[Decimal, Decimal]) -> list[Level]:
    """Levels that are new or different, and those that are gone with size zero."""
    changed = [Level(price, size) for price, size in after.items() if before.get(price) != size]
    gone = [Level(price, Decimal(0)) for price in before if price not in after]
    return changed + gone


class TickerChannel:
    """``ticker/{id}``: best bid and ask."""

    def __init__(self, face: Face, market_id: int) -> None:
        self._face = face
        self._rules = face.rules(market_id)
        self.symbol: str | None = self._rules.symbol
        self._last: tuple[Any, Any] | None = None

    def snapshot(self) -> dict[str, Any]:
        self._last = None
        frame = self.update()
        assert frame is not None
        return frame

    def feed(self, happening: Happening) -> bool:
        return _same_market(happening, self._rules.symbol)

    def update(self) -> dict[str, Any] | None:
        book = self._face.exchange.book(self._rules.symbol, 1)
        bids = market_shapes.levels_json(self._rules, book.bids[:1])
        asks = market_shapes.levels_json(self._rules, book.asks[:1])
        if (bids, asks) == self._last:
            return None
        self._last = (bids, asks)
        now_ms = self._face.now_ms()
        none = {"price": "0", "size": "0"}
        ticker = {
            "s": self._rules.name,
            "a": asks[0] if asks else none,
            "b": bids[0] if bids else none,
            "last_updated_at": now_ms * 1000,
        }
        return {
            "nonce": _NONCE_BASE + book.version,
            "ticker": ticker,
            "last_updated_at": now_ms * 1000,
            "timestamp": now_ms,
        }


class MarketStatsChannel:
    """``market_stats/{id}`` and ``market_stats/all``."""

    def __init__(self, face: Face, market_id: int | None) -> None:
        self._face = face
        self.symbol = None if market_id is None else face.rules(market_id).symbol
        self._changed: set[str] = set()

    def snapshot(self) -> dict[str, Any]:
        self._changed = {self.symbol} if self.symbol else set(self._face.exchange.rules)
        frame = self.update()
        assert frame is not None
        return frame

    def feed(self, happening: Happening) -> bool:
        if isinstance(happening, MarkChanged) and self.symbol in {None, happening.symbol}:
            self._changed.add(happening.symbol)
        return bool(self._changed)

    def update(self) -> dict[str, Any] | None:
        if not self._changed:
            return None
        exchange = self._face.exchange
        rows = {
            str(rules.market_id): market_shapes.market_stats_json(rules, exchange.stats(symbol))
            for symbol, rules in exchange.rules.items()
            if symbol in self._changed
        }
        self._changed.clear()
        stats: Any = rows if self.symbol is None else next(iter(rows.values()))
        return {"market_stats": stats, "timestamp": self._face.now_ms()}


class TradeChannel:
    """``trade/{id}``: what was traded, newest last."""

    def __init__(self, face: Face, market_id: int) -> None:
        self._face = face
        self._rules = face.rules(market_id)
        self.symbol: str | None = self._rules.symbol
        self._sent_id = -1

    def snapshot(self) -> dict[str, Any]:
        self._sent_id = -1
        return self.update() or self._frame([])

    def feed(self, happening: Happening) -> bool:
        is_trade = isinstance(happening, TradeMade) and happening.trade.symbol == self.symbol
        return is_trade or _same_market(happening, self._rules.symbol)

    def update(self) -> dict[str, Any] | None:
        trades = self._face.exchange.public_trades(self._rules.symbol)
        fresh = [trade for trade in trades if trade.id > self._sent_id]
        if not fresh:
            return None
        self._sent_id = max(trade.id for trade in fresh)
        return self._frame([market_shapes.public_trade_json(self._rules, trade) for trade in fresh])

    def _frame(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        forced = [row for row in rows if row["type"] != "trade"]
        return {
            "trades": [row for row in rows if row["type"] == "trade"],
            "liquidation_trades": forced,
            "nonce": _NONCE_BASE + self._face.exchange.book(self._rules.symbol, 1).version,
        }


MarketFactory = Callable[[Face, int], Channel]

MARKET_CHANNELS: Mapping[str, MarketFactory] = {
    "order_book": OrderBookChannel,
    "ticker": TickerChannel,
    "market_stats": MarketStatsChannel,
    "trade": TradeChannel,
}
"""Channels that need no account."""
