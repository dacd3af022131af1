"""
What each v1 stream says: events of the engine in, frames without ``ts`` and ``seq`` out.

A topic is made for one connection. Frames are as recorded from the live venue (x10.md §4).
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, Protocol

from adapters.sandbox.engine.types import (
    BalanceChanged,
    Book,
    BookChanged,
    Event,
    FundingSettled,
    Level,
    MarkChanged,
    OrderChanged,
    PositionChanged,
    PositionView,
    TradeMade,
)
from adapters.sandbox.x10_face import market_shapes, shapes
from adapters.sandbox.x10_face.context import Face
from adapters.sandbox.x10_face.shapes import Json, text

SNAPSHOT_EVERY_MS: Final = 60_000
_BOOK_DEPTH: Final = 200
_TRADES_KEPT: Final = 100


class Topic(Protocol):
    """One stream's content."""

    def wants(self, event: Event) -> bool:
        """Whether the event may concern this stream; cheap, called for every event."""

    def opening(self) -> list[Json]:
        """What is said on connect."""

    def on_event(self, event: Event) -> list[Json]:
        """What an event leads to; often nothing."""


class AccountTopic:
    """/account: three snapshots, then every change. Nothing missed meanwhile is replayed."""

    def __init__(self, face: Face) -> None:
        self._face = face

    def wants(self, event: Event) -> bool:
        """Changes of our account."""
        account = self._face.account
        match event:
            case OrderChanged(order):
                return order.account == account
            case TradeMade(trade):
                return trade.account == account
            case PositionChanged(position):
                return position.account == account
            case BalanceChanged(balance):
                return balance.account == account
            case _:
                return False

    def opening(self) -> list[Json]:
        """ORDER, BALANCE, POSITION."""
        exchange, account = self._face.exchange, self._face.account
        orders = [
            shapes.order(view, self._name(view.new.symbol))
            for view in exchange.orders(account, open_only=True)
        ]
        positions = [self._position(view) for view in exchange.positions(account)]
        balance = shapes.balance(exchange.balance(account))
        return [
            _account_frame("ORDER", "orders", orders, is_snapshot=True),
            _account_frame("BALANCE", "balance", balance, is_snapshot=True),
            _account_frame("POSITION", "positions", positions, is_snapshot=True),
        ]

    def on_event(self, event: Event) -> list[Json]:
        """One frame per change."""
        match event:
            case OrderChanged(order):
                row = shapes.order(order, self._name(order.new.symbol))
                return [_account_frame("ORDER", "orders", [row])]
            case TradeMade(trade):
                row = shapes.trade(trade, self._name(trade.symbol), streamed=True)
                return [_account_frame("TRADE", "trades", [row])]
            case PositionChanged(position):
                return [_account_frame("POSITION", "positions", [self._position(position)])]
            case BalanceChanged(balance):
                return [_account_frame("BALANCE", "balance", shapes.balance(balance))]
            case _:
                return []

    def _name(self, symbol: str) -> str:
        return self._face.exchange.rules_of(symbol).name

    def _position(self, view: PositionView) -> Json:
        exchange, name = self._face.exchange, self._name(view.symbol)
        mark = exchange.mark(view.symbol)
        if view.size:
            liquidation = exchange.liquidation_price(view.account, view.symbol)
            return shapes.position(view, name, mark, liquidation)
        closed = [c for c in exchange.closed_positions(view.account) if c.id == view.id]
        return shapes.closed_frame(closed[-1], name, mark)


class BookTopic:
    """
    /orderbooks: a snapshot, then changes; with ``top_only`` always a snapshot of depth 1.

    In a change ``q`` is what is added to the level and ``c`` what it then holds. A snapshot
    comes again about every minute.
    """

    def __init__(self, face: Face, symbol: str, *, top_only: bool) -> None:
        self._face = face
        self._symbol = symbol
        self._depth = 1 if top_only else _BOOK_DEPTH
        self._name = face.exchange.rules_of(symbol).name
        self._sent: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
        self._snapshot_ms = 0

    def wants(self, event: Event) -> bool:
        """Changes of this book."""
        return isinstance(event, BookChanged) and event.symbol == self._symbol

    def opening(self) -> list[Json]:
        """The whole book."""
        return [self._snapshot(self._book())]

    def on_event(self, event: Event) -> list[Json]:
        """What has changed since the last frame."""
        book = self._book()
        now = (_levels(book.bids), _levels(book.asks))
        if now == self._sent:
            return []
        due = self._face.exchange.wire_now_ms() - self._snapshot_ms >= SNAPSHOT_EVERY_MS
        if due or self._depth == 1:
            return [self._snapshot(book)]
        before, self._sent = self._sent, now
        return [self._frame("DELTA", _changes(before[0], now[0]), _changes(before[1], now[1]))]

    def _book(self) -> Book:
        return self._face.exchange.book(self._symbol, self._depth)

    def _snapshot(self, book: Book) -> Json:
        self._sent = (_levels(book.bids), _levels(book.asks))
        self._snapshot_ms = self._face.exchange.wire_now_ms()
        bids, asks = (
            [{"q": text(level.size), "p": text(level.price)} for level in side]
            for side in (book.bids, book.asks)
        )
        return self._frame("SNAPSHOT", bids, asks)

    def _frame(self, kind: str, bids: list[Json], asks: list[Json]) -> Json:
        data = {"t": kind, "m": self._name, "b": bids, "a": asks, "d": "f"}
        return {"type": kind, "data": data}


class TradesTopic:
    """/publicTrades: what is traded from now on."""

    def __init__(self, face: Face, symbol: str) -> None:
        self._face = face
        self._symbol = symbol
        self._name = face.exchange.rules_of(symbol).name
        self._last_id = 0

    def wants(self, event: Event) -> bool:
        """Anything after which this market may have traded."""
        match event:
            case BookChanged(symbol) | MarkChanged(symbol):
                return symbol == self._symbol
            case TradeMade(trade):
                return trade.symbol == self._symbol
            case _:
                return False

    def opening(self) -> list[Json]:
        """Nothing: trades before the connection are not told."""
        self._new_trades()
        return []

    def on_event(self, event: Event) -> list[Json]:
        """The trades since the last frame, oldest first."""
        rows = self._new_trades()
        return [{"data": rows}] if rows else []

    def _new_trades(self) -> list[Json]:
        found = self._face.exchange.public_trades(self._symbol, _TRADES_KEPT)
        fresh = [trade for trade in found if trade.id > self._last_id]
        self._last_id = max([self._last_id, *(trade.id for trade in fresh)])
        return [market_shapes.public_trade(trade, self._name) for trade in fresh]


class FundingTopic:
    """/funding: rates as they are applied, once per market hour."""

    def __init__(self, face: Face, symbol: str) -> None:
        self._face = face
        self._symbol = symbol
        self._name = face.exchange.rules_of(symbol).name

    def wants(self, event: Event) -> bool:
        """Settlements."""
        return isinstance(event, FundingSettled)

    def opening(self) -> list[Json]:
        """Nothing until the next settlement."""
        return []

    def on_event(self, event: Event) -> list[Json]:
        """The applied rate; ``T`` is market time."""
        if not isinstance(event, FundingSettled):
            return []
        stamp_ms = event.settlement_ms + self._face.options.rate_delay_ms
        return [
            {"data": market_shapes.funding_row(row, self._name, stamp_ms)}
            for row in event.rows
            if row.symbol == self._symbol
        ]


class PriceTopic:
    """/prices/mark and /prices/index. ``data.ts`` is 0, as on the live venue."""

    def __init__(self, face: Face, symbol: str, *, index: bool) -> None:
        self._price: Callable[[str], Decimal] = face.exchange.index if index else face.exchange.mark
        self._type = "IP" if index else "MP"
        self._symbol = symbol
        self._name = face.exchange.rules_of(symbol).name

    def wants(self, event: Event) -> bool:
        """Changes of the mark, with which the index moves."""
        return isinstance(event, MarkChanged) and event.symbol == self._symbol

    def opening(self) -> list[Json]:
        """The present price."""
        data = {"m": self._name, "p": text(self._price(self._symbol)), "ts": 0}
        return [{"type": self._type, "data": data, "sourceEventId": None}]

    def on_event(self, event: Event) -> list[Json]:
        """The new price."""
        return self.opening()


class ManyTopics:
    """One stream over all markets: what the venue gives when the path names none."""

    def __init__(self, topics: Mapping[str, Topic]) -> None:
        self._topics = topics

    def wants(self, event: Event) -> bool:
        """Anything one of them wants."""
        return any(topic.wants(event) for topic in self._topics.values())

    def opening(self) -> list[Json]:
        """All openings."""
        return [frame for topic in self._topics.values() for frame in topic.opening()]

    def on_event(self, event: Event) -> list[Json]:
        """Those of every topic concerned."""
        return [
            frame
            for topic in self._topics.values()
            if topic.wants(event)
            for frame in topic.on_event(event)
        ]


def _account_frame(kind: str, key: str, content: object, *, is_snapshot: bool = False) -> Json:
    return {"type": kind, "data": {"isSnapshot": is_snapshot, key: content}}


def _levels(side: tuple[Level, ...]) -> dict[Decimal, Decimal]:
    return {level.price: level.size for level in side}


def _changes(before: Mapping[Decimal, Decimal], now: Mapping[Decimal, Decimal]) -> list[Json]:
    """Levels whose size is another one: the change and the new total."""
    zero = Decimal(0)
    return [
        {
            "q": text(now.get(price, zero) - before.get(price, zero)),
            "p": text(price),
            "c": text(now.get(price, zero)),
        }
        for price in sorted({*before, *now})
        if now.get(price, zero) != before.get(price, zero)
    ]
