"""Stream channels of one account (lighter.md §5). No order is promised between channels."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from adapters.sandbox.engine.types import (
    BalanceChanged,
    BalanceView,
    FundingSettled,
    MarkChanged,
    OrderChanged,
    OrderView,
    PaymentView,
    PositionChanged,
    TradeMade,
    TradeView,
)
from adapters.sandbox.faults import Op
from adapters.sandbox.lighter_face import shapes
from adapters.sandbox.lighter_face.account import account_json, position_rows
from adapters.sandbox.lighter_face.channels import Channel, Happening
from adapters.sandbox.lighter_face.face import Face
from adapters.sandbox.lighter_face.http import Look
from adapters.sandbox.lighter_face.txlog import Entry
from adapters.sandbox.lighter_face.txs import tx_json

SNAPSHOT_TRADES = 100


def _now(face: Face) -> Look:
    """Streams are never old: they are held back or cut instead."""
    return Look(face.now_ms(), 0, dict.fromkeys(Op, ()))


class AccountChannel:
    """Keeps the account's changes until they are sent."""

    symbol: str | None = None

    def __init__(self, face: Face, account: int) -> None:
        self._face = face
        self._account = face.known_account(account)
        self._orders: dict[int, OrderView] = {}
        self._trades: list[TradeView] = []
        self._payments: list[PaymentView] = []
        self._entries: list[Entry] = []
        self._positions: set[str] = set()
        self._money = False

    def feed(self, happening: Happening) -> bool:
        """Sort what concerns this account."""
        mine = self._account
        if isinstance(happening, OrderChanged) and happening.order.account == mine:
            self._orders[happening.order.id] = happening.order
        elif isinstance(happening, TradeMade) and happening.trade.account == mine:
            self._trades.append(happening.trade)
        elif isinstance(happening, PositionChanged) and happening.position.account == mine:
            self._positions.add(happening.position.symbol)
        elif isinstance(happening, BalanceChanged) and happening.balance.account == mine:
            self._money = True
        elif isinstance(happening, FundingSettled):
            self._payments += [p for p in happening.payments if p.account == mine]
        elif isinstance(happening, Entry) and happening.tx.account == mine:
            self._entries.append(happening)
        elif isinstance(happening, MarkChanged):
            self._revalue(happening.symbol)
        return self._has_news()

    def _revalue(self, symbol: str) -> None:
        """A mark moved; most channels do not care."""

    def _has_news(self) -> bool:
        raise NotImplementedError

    def _visible(self) -> list[OrderView]:
        taken = list(self._orders.values())
        self._orders.clear()
        return self._face.directory.visible(taken, self._face.now_ms())

    def _order_rows(self, orders: list[OrderView]) -> dict[str, list[Any]]:
        face = self._face
        return shapes.by_market(face, ((o.new.symbol, shapes.order_json(face, o)) for o in orders))

    def _trade_rows(self, trades: list[TradeView]) -> dict[str, list[Any]]:
        face = self._face
        return shapes.by_market(face, ((t.symbol, shapes.trade_json(face, t)) for t in trades))

    def _payment_rows(self, payments: list[PaymentView]) -> dict[str, list[Any]]:
        rules = self._face.exchange.rules
        return shapes.by_market(
            self._face,
            (
                (p.symbol, shapes.payment_json(rules[p.symbol], p, self._face.options.stamp_late_s))
                for p in payments
            ),
        )

    def _position_rows(self, symbols: set[str] | None = None) -> dict[str, Any]:
        names = None if symbols is None else {self._face.exchange.rules[s].name for s in symbols}
        return {
            str(row["market_id"]): row
            for row in position_rows(self._face, _now(self._face), self._account)
            if names is None or row["symbol"] in names
        }


class AccountAllOrders(AccountChannel):
    """``account_all_orders/{account}``: working orders, then every order that changes."""

    def snapshot(self) -> dict[str, Any]:
        self._orders.clear()
        now_ms = self._face.now_ms()
        orders = self._face.orders(self._account, now_ms, open_only=True)
        return {"orders": self._order_rows(orders)}

    def update(self) -> dict[str, Any] | None:
        rows = self._order_rows(self._visible())
        return {"orders": rows} if rows else None

    def _has_news(self) -> bool:
        return bool(self._orders)


class AccountOrders(AccountAllOrders):
    """``account_orders/{market}/{account}``; frames name only the market in ``channel``."""

    def __init__(self, face: Face, market_id: int, account: int) -> None:
        super().__init__(face, account)
        self.symbol = face.rules(market_id).symbol
        self._market = str(market_id)

    def snapshot(self) -> dict[str, Any]:
        return self._narrowed(super().snapshot()["orders"].get(self._market, []))

    def update(self) -> dict[str, Any] | None:
        frame = super().update()
        rows = [] if frame is None else frame["orders"].get(self._market, [])
        return self._narrowed(rows) if rows else None

    def _narrowed(self, rows: list[Any]) -> dict[str, Any]:
        return {
            "account": self._account,
            "nonce": self._face.now_ms(),
            "orders": {self._market: rows},
        }


class AccountAllTrades(AccountChannel):
    """``account_all_trades/{account}``: recent fills, then each new one."""

    def snapshot(self) -> dict[str, Any]:
        self._trades.clear()
        trades = self._face.exchange.trades(self._account)
        return {"trades": self._trade_rows(trades[-SNAPSHOT_TRADES:]), **_volume(trades)}

    def update(self) -> dict[str, Any] | None:
        if not self._trades:
            return None
        rows = self._trade_rows(self._trades)
        self._trades.clear()
        return {"trades": rows}

    def _has_news(self) -> bool:
        return bool(self._trades)


class AccountAllPositions(AccountChannel):
    """``account_all_positions/{account}``: every market traded so far, then what changes."""

    def snapshot(self) -> dict[str, Any]:
        self._positions.clear()
        return {"positions": self._position_rows(), "shares": []}

    def update(self) -> dict[str, Any] | None:
        if not self._positions:
            return None
        rows = self._position_rows(self._positions)
        self._positions.clear()
        frame: dict[str, Any] = {"positions": rows, "shares": []}
        if self._payments:
            frame["last_funding_round"] = {
                str(self._face.exchange.rules[p.symbol].market_id): str(p.settlement_ms // 1000)
                for p in self._payments
            }
            self._payments.clear()
        return frame

    def _has_news(self) -> bool:
        return bool(self._positions)


class AccountAll(AccountChannel):
    """``account_all/{account}``: positions, fills and payments in one."""

    def snapshot(self) -> dict[str, Any]:
        self._clear()
        trades = self._face.exchange.trades(self._account)
        account = account_json(self._face, _now(self._face), self._account)
        return {
            "account": self._account,
            "assets": {str(asset["asset_id"]): asset for asset in account["assets"]},
            "positions": self._position_rows(),
            "trades": self._trade_rows(trades[-SNAPSHOT_TRADES:]),
            "funding_histories": {},
            "shares": [],
            **_volume(trades),
        }

    def update(self) -> dict[str, Any] | None:
        if not self._has_news():
            return None
        frame: dict[str, Any] = {
            "account": self._account,
            "assets": None,
            "positions": self._position_rows(self._positions),
            "trades": self._trade_rows(self._trades),
            "funding_histories": self._payment_rows(self._payments),
            "shares": [],
        }
        self._clear()
        return frame

    def _clear(self) -> None:
        self._positions.clear()
        self._trades.clear()
        self._payments.clear()

    def _has_news(self) -> bool:
        return bool(self._positions or self._trades or self._payments)


class AccountTx(AccountChannel):
    """``account_tx/{account}``: transactions as they are executed; the snapshot has none."""

    def snapshot(self) -> dict[str, Any]:
        self._entries.clear()
        return {}

    def update(self) -> dict[str, Any] | None:
        if not self._entries:
            return None
        now_ms = self._face.now_ms()
        rows = [tx_json(entry, now_ms) for entry in self._entries]
        self._entries.clear()
        return {"txs": rows}

    def _has_news(self) -> bool:
        return bool(self._entries)


class UserStats(AccountChannel):
    """``user_stats/{account}``: money, margin and leverage."""

    def snapshot(self) -> dict[str, Any]:
        self._money = True
        frame = self.update()
        assert frame is not None
        return frame

    def update(self) -> dict[str, Any] | None:
        if not self._money:
            return None
        self._money = False
        figures = _figures(self._face.exchange.balance(self._account))
        stats = {**figures, "account_trading_mode": 0}
        stats |= {"cross_stats": figures, "total_stats": figures}
        return {"stats": stats, "timestamp": self._face.now_ms()}

    def _has_news(self) -> bool:
        return self._money

    def _revalue(self, symbol: str) -> None:
        if self._face.exchange.position(self._account, symbol) is not None:
            self._money = True


def _figures(balance: BalanceView) -> dict[str, str]:
    equity = balance.equity
    usage = balance.initial_margin / equity * 100 if equity > 0 else Decimal(0)
    leverage = balance.exposure / equity if equity > 0 else Decimal(0)
    return {
        "collateral": shapes.usd(balance.collateral),
        "portfolio_value": shapes.usd(equity),
        "leverage": shapes.fixed(leverage, 2),
        "available_balance": shapes.usd(balance.available),
        "margin_usage": shapes.fixed(usage, 2),
        "buying_power": shapes.usd(balance.available),
    }


def _volume(trades: list[TradeView]) -> dict[str, Any]:
    total = float(sum((trade.value for trade in trades), Decimal(0)))
    figures: dict[str, Any] = {}
    for period in ("daily", "weekly", "monthly", "total"):
        figures |= {f"{period}_trades_count": len(trades), f"{period}_volume": total}
    return figures


AccountFactory = Callable[[Face, int], Channel]

ACCOUNT_CHANNELS: Mapping[str, AccountFactory] = {
    "account_all": AccountAll,
    "account_all_orders": AccountAllOrders,
    "account_all_trades": AccountAllTrades,
    "account_all_positions": AccountAllPositions,
    "account_tx": AccountTx,
    "user_stats": UserStats,
}

PRIVATE = frozenset({"account_all_orders", "account_orders", "account_tx"})
"""Refused without an auth token; the others are open, as on the venue in 2026-09."""
