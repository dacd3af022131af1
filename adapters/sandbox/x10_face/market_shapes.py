"""The JSON of public market data (x10.md §2.2, §2.3), and of the stream frames about it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from adapters.sandbox.engine.types import (
    FundingRow,
    Level,
    MarketStats,
    PublicTrade,
    Rules,
)
from adapters.sandbox.x10_face.shapes import Json, side, text, usd
from adapters.sandbox.x10_face.signing import COLLATERAL_RESOLUTION

LISTED_MS: Final = 1_752_829_532_673  # createdAt of BTC-USD in the recorded answer
_HUGE_USD: Final = Decimal(10_000_000)  # where the recording has no limit


def market(rules: Rules, stats: Json | None) -> Json:
    """One market with its rules, statistics and settlement constants."""
    return {
        "name": rules.name,
        "uiName": rules.name,
        "type": "PERPETUAL",
        "category": rules.category,
        "subCategory": "",
        "assetName": rules.name.removesuffix("-USD"),
        "assetPrecision": rules.asset_precision,
        "collateralAssetName": "USD",
        "collateralAssetPrecision": 6,
        "description": rules.symbol,
        "active": rules.active,
        "status": _status(rules),
        "isRfq": False,
        "isOffHours": False,
        "tradingHours": "CONTINUOUS",
        "marketStats": stats,
        "tradingConfig": _trading_config(rules),
        "l2Config": {
            "type": "STARKX",
            "collateralId": "0x1",
            "syntheticId": rules.synthetic_id,
            "syntheticResolution": rules.synthetic_resolution,
            "collateralResolution": COLLATERAL_RESOLUTION,
        },
        "visibleOnUi": True,
        "createdAt": LISTED_MS,
    }


def _status(rules: Rules) -> str:
    if rules.status:
        return rules.status
    if not rules.active:
        return "DISABLED"
    return "REDUCE_ONLY" if rules.reduce_only else "ACTIVE"


def _trading_config(rules: Rules) -> Json:
    position_usd = rules.max_position_value or _HUGE_USD
    band = text(rules.price_band)
    return {
        "minOrderSize": text(rules.min_size),
        "minOrderSizeChange": text(rules.size_step),
        "minPriceChange": text(rules.price_tick),
        "maxMarketOrderValue": text(rules.max_market_value or _HUGE_USD),
        "maxLimitOrderValue": text(rules.max_limit_value or _HUGE_USD),
        "maxPositionValue": text(position_usd),
        "maxLeverage": text(rules.max_leverage),
        "hourlyFundingRateCap": "0.25",
        "maxNumOrders": str(rules.max_open_orders),
        "limitPriceCap": band,
        "limitPriceFloor": band,
        "riskFactorConfig": [
            {
                "upperBound": text(position_usd),
                "riskFactor": format((1 / rules.max_leverage).quantize(Decimal("0.0001")), "f"),
                "isAvailableForUsers": True,
            }
        ],
    }


def market_stats(stats: MarketStats) -> Json:
    """``nextFundingRate`` is the time of the next settlement, on the market clock."""
    before = stats.mark - stats.price_change
    change = stats.price_change / before if before > 0 else Decimal(0)
    return {
        "dailyVolume": usd(stats.volume),
        "dailyVolumeBase": text(stats.volume_base),
        "dailyPriceChange": text(stats.price_change),
        "dailyPriceChangePercentage": format(change.quantize(Decimal("0.0001")), "f"),
        "dailyLow": text(stats.low),
        "dailyHigh": text(stats.high),
        "lastPrice": text(stats.last_price),
        "askPrice": text(stats.ask),
        "bidPrice": text(stats.bid),
        "markPrice": text(stats.mark),
        "indexPrice": text(stats.index),
        "fundingRate": text(stats.predicted_rate),
        "nextFundingRate": stats.next_settlement_ms,
        "openInterest": usd(stats.open_interest),
        "openInterestBase": text(stats.open_interest_base),
        "deleverageLevels": {"shortPositions": [], "longPositions": []},
    }


def book(name: str, bids: Sequence[Level], asks: Sequence[Level]) -> Json:
    """The REST order book."""
    return {
        "market": name,
        "bid": [{"qty": text(level.size), "price": text(level.price)} for level in bids],
        "ask": [{"qty": text(level.size), "price": text(level.price)} for level in asks],
    }


def public_trade(trade: PublicTrade, name: str) -> Json:
    """A trade as everybody sees it, with the venue's one-letter names."""
    return {
        "i": trade.id,
        "m": name,
        "S": side(is_buy=trade.taker_is_buy),
        "tT": trade.kind.value.upper(),
        "T": trade.at_ms,
        "p": text(trade.price),
        "q": text(trade.size),
    }


def funding_row(row: FundingRow, name: str, stamp_ms: int) -> Json:
    """An applied hourly rate; ``T`` is market time."""
    return {"m": name, "f": text(row.rate), "T": stamp_ms}


def asset(number: int, rules: Rules) -> Json:
    """A synthetic asset."""
    return {
        "id": number,
        "name": rules.name.removesuffix("-USD"),
        "symbol": rules.symbol,
        "precision": rules.asset_precision,
        "isActive": rules.active,
        "isCollateral": False,
        "starkexId": rules.synthetic_id,
        "starkexResolution": rules.synthetic_resolution,
        "l1Id": "",
        "l1Resolution": 0,
        "version": 1,
        "type": "PERPETUAL",
        "canBeUsedAsCollateral": False,
    }


COLLATERAL_ASSET: Final[Json] = {
    "id": 1,
    "name": "USD",
    "symbol": "USD",
    "precision": 6,
    "isActive": True,
    "isCollateral": True,
    "starkexId": "0x1",
    "starkexResolution": COLLATERAL_RESOLUTION,
    "l1Id": "0x1",
    "l1Resolution": COLLATERAL_RESOLUTION,
    "version": 1,
    "type": "SPOT",
    "canBeUsedAsCollateral": True,
}
