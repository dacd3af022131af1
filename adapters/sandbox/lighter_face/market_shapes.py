"""
Markets, books, figures and funding rates as Lighter's JSON shows them (lighter.md §2, §10).

Three units of one rate: ``/funding-rates`` has a signed fraction per 8 hours, ``/fundings`` an
unsigned percentage per hour with a direction, ``market_stats`` a signed percentage per hour.

Floats appear only where the venue sends JSON numbers; nothing is computed with them.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from adapters.sandbox.clock import HOUR_MS
from adapters.sandbox.engine.exchange import Exchange
from adapters.sandbox.engine.types import FundingRow, Level, MarketStats, PublicTrade, Rules
from adapters.sandbox.lighter_face.face import block_at
from adapters.sandbox.lighter_face.shapes import (
    MARKET_MAKER,
    USD_PLACES,
    fixed,
    truncated,
    usd,
)

HOURS_PER_RATE = 8
NO_LIMIT_QUOTE = "281474976710.655"
NO_LIMIT_INTEREST = "72057594037927936.000000"
RATE_PLACES = 4
ORDER_LIFE_MS = 28 * 86_400_000
_BPS = 10_000
_CREATED_MS = 1_731_000_000_000  # before any recording; nothing depends on it


def order_book_json(rules: Rules, maker_fee: Decimal, taker_fee: Decimal) -> dict[str, Any]:
    """A row of ``/orderBooks``. Fees are percentages."""
    return {
        "symbol": rules.name,
        "market_id": rules.market_id,
        "market_type": "perp",
        "base_asset_id": 0,
        "quote_asset_id": 3,
        "status": rules.status or ("active" if rules.active else "inactive"),
        "taker_fee": fixed(taker_fee * 100, RATE_PLACES),
        "maker_fee": fixed(maker_fee * 100, RATE_PLACES),
        "is_taker_fee_enabled": bool(taker_fee),
        "is_maker_fee_enabled": bool(maker_fee),
        "liquidation_fee": fixed(rules.liquidation_fee * 100, RATE_PLACES),
        "min_base_amount": fixed(rules.min_size, rules.size_decimals),
        "min_quote_amount": fixed(rules.min_notional or Decimal(0), USD_PLACES),
        "order_quote_limit": NO_LIMIT_QUOTE,
        "supported_size_decimals": rules.size_decimals,
        "supported_price_decimals": rules.price_decimals,
        "supported_quote_decimals": USD_PLACES,
        "created_at": str(_CREATED_MS),
        "multiplier": "1",
    }


def detail_rules_json(rules: Rules, maker_fee: Decimal, taker_fee: Decimal) -> dict[str, Any]:
    """What never changes in a row of ``/orderBookDetails``. Margin fractions are basis points."""
    return {
        **order_book_json(rules, maker_fee, taker_fee),
        "size_decimals": rules.size_decimals,
        "price_decimals": rules.price_decimals,
        "quote_multiplier": 10 ** (USD_PLACES - rules.size_decimals - rules.price_decimals)
        if rules.size_decimals + rules.price_decimals <= USD_PLACES
        else 1,
        "default_initial_margin_fraction": int(rules.initial_fraction * _BPS),
        "min_initial_margin_fraction": int(_BPS / rules.max_leverage),
        "maintenance_margin_fraction": int(rules.maintenance_fraction * _BPS),
        "closeout_margin_fraction": int(rules.closeout_fraction * _BPS),
        "daily_trades_count": 0,
        "daily_chart": {},
        "market_config": {
            "market_margin_mode": 0,
            "insurance_fund_account_index": MARKET_MAKER,
            "liquidation_mode": 0,
            "force_reduce_only": rules.reduce_only,
            "trading_hours": "",
            "hidden": False,
            "rfq_enabled": False,
        },
        "strategy_index": 0,
        "market_flags": 0,
        "funding_clamp_small": "0.0500",
        "funding_clamp_big": "4.0000",
        "base_interest_rate": "0.0100",
        "funding_premium_multiplier": 100,
    }


def detail_figures_json(rules: Rules, stats: MarketStats) -> dict[str, Any]:
    """The rest of that row."""
    return {
        **_daily(stats),
        "last_trade_price": float(stats.last_price),
        "open_interest": float(stats.open_interest_base),
        "mark_price": fixed(stats.mark, rules.price_decimals),
        "index_price": fixed(stats.index, rules.price_decimals),
    }


def book_orders_text(rules: Rules, levels: Iterable[Level], version: int, now_ms: int) -> str:
    """
    The rows of one side of ``/orderBookOrders`` as JSON: one synthetic order per level, best first.

    They are written straight: a book is asked for before every order, and is long.
    """
    first, sizes, prices = version << 12, rules.size_decimals, rules.price_decimals
    stamps = f'"order_expiry": {now_ms + ORDER_LIFE_MS}, "transaction_time": {now_ms * 1000}}}'
    rows: list[str] = []
    for index, (price, coins) in enumerate(levels, first):
        size = fixed(coins, sizes)
        rows.append(
            f'{{"order_index": {index}, "order_id": "{index}",'
            f' "owner_account_index": {MARKET_MAKER}, "initial_base_amount": "{size}",'
            f' "remaining_base_amount": "{size}", "price": "{fixed(price, prices)}", {stamps}'
        )
    return ", ".join(rows)


def levels_json(rules: Rules, levels: Iterable[Level]) -> list[dict[str, str]]:
    """Price levels as the streams send them."""
    return [
        {
            "price": fixed(level.price, rules.price_decimals),
            "size": fixed(level.size, rules.size_decimals),
        }
        for level in levels
    ]


def public_trade_json(rules: Rules, trade: PublicTrade) -> dict[str, Any]:
    """A trade as everybody sees it; accounts and orders of it are not ours to tell."""
    ids = {
        f"{side}_{name}": value
        for side in ("ask", "bid")
        for name, value in (
            ("id", trade.id),
            ("id_str", str(trade.id)),
            ("client_id", 0),
            ("client_id_str", "0"),
            ("account_id", MARKET_MAKER),
        )
    }
    return {
        "trade_id": trade.id,
        "trade_id_str": str(trade.id),
        "tx_hash": f"{trade.id:080x}",
        "type": trade.kind.value,
        "market_id": rules.market_id,
        "size": fixed(trade.size, rules.size_decimals),
        "price": fixed(trade.price, rules.price_decimals),
        "usd_amount": usd(trade.price * trade.size),
        "is_maker_ask": trade.taker_is_buy,
        "block_height": block_at(trade.at_ms),
        "timestamp": trade.at_ms,
        "transaction_time": trade.at_ms * 1000,
        **ids,
    }


def funding_rate_rows(rules: Rules, rate_1h: Decimal) -> list[dict[str, Any]]:
    """
    The rows of one market in ``/funding-rates``: four exchanges, Lighter last.

    The other three are made up and differ from Lighter's on purpose: a client that takes the
    first row of a market takes the wrong one.
    """
    per_8h = rate_1h * HOURS_PER_RATE
    made_up = {
        "binance": Decimal("0.0001") - per_8h * 3,
        "bybit": Decimal("0.00008") - per_8h * 2,
        "hyperliquid": Decimal("0.0007"),
    }
    return [
        {
            "market_id": rules.market_id,
            "exchange": exchange,
            "symbol": rules.name,
            "rate": float(rate),
        }
        for exchange, rate in (*made_up.items(), ("lighter", per_8h))
    ]


def funding_row_json(row: FundingRow) -> dict[str, Any]:
    """
    A row of ``/fundings``: percent per hour without a sign, cut to four places.

    ``value`` is what a coin is charged, in full, so that payments follow from it exactly. How
    many places the venue gives it is not documented.
    """
    return {
        "timestamp": row.settlement_ms // 1000,
        "value": f"{abs(row.rate) * row.price:f}",
        "rate": truncated(abs(row.rate) * 100, RATE_PLACES),
        "direction": "short" if row.rate < 0 else "long",
    }


def settled_rows(exchange: Exchange, symbol: str) -> list[FundingRow]:
    """
    Settled rates, oldest first.

    Before the first settlement of a session the hour boundary at which market time stood last
    is there with the last known rate, so that a client can always tell the next settlement.
    """
    rows = exchange.funding_rows(symbol)
    if rows:
        return list(rows)
    return [
        FundingRow(
            symbol=symbol,
            settlement_ms=exchange.next_settlement_ms() - HOUR_MS,
            rate=exchange.tape.rate(exchange.venue, symbol, exchange.hour() - 1),
            price=exchange.index(symbol),
        )
    ]


def market_stats_json(rules: Rules, stats: MarketStats) -> dict[str, Any]:
    """``market_stats``: rates in signed percent per hour; the time is the last settlement's."""
    places = rules.price_decimals
    return {
        "symbol": rules.name,
        "market_id": rules.market_id,
        "index_price": fixed(stats.index, places),
        "mark_price": fixed(stats.mark, places),
        "mid_price": fixed((stats.bid + stats.ask) / 2, places),
        "best_bid_price": fixed(stats.bid, places),
        "best_ask_price": fixed(stats.ask, places),
        "open_interest": usd(stats.open_interest),
        "open_interest_limit": NO_LIMIT_INTEREST,
        "funding_clamp_small": "0.0500",
        "funding_clamp_big": "4.0000",
        "base_interest_rate": "0.0100",
        "premium": truncated(stats.predicted_rate * 100 * HOURS_PER_RATE, RATE_PLACES),
        "last_trade_price": fixed(stats.last_price, places),
        "current_funding_rate": truncated(stats.predicted_rate * 100, RATE_PLACES),
        "funding_rate": truncated(stats.last_rate * 100, RATE_PLACES),
        "funding_timestamp": stats.next_settlement_ms - HOUR_MS,
        **_daily(stats),
    }


def _daily(stats: MarketStats) -> dict[str, float]:
    before = stats.last_price - stats.price_change
    change = stats.price_change / before * 100 if before else Decimal(0)
    return {
        "daily_base_token_volume": float(stats.volume_base),
        "daily_quote_token_volume": float(stats.volume),
        "daily_price_low": float(stats.low),
        "daily_price_high": float(stats.high),
        "daily_price_change": float(change),
    }
