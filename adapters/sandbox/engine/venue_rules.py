"""Market rules of both venues from the packaged recording."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from adapters.sandbox.engine.market_types import Rules
from adapters.sandbox.recording import Recording
from adapters.sandbox.tape import VenueName

_X10_MARKET_BAND = Decimal("0.05")  # orders of type MARKET, x10.md §3.2
_LIGHTER_BAND = Decimal("0.05")  # lighter.md §3, codes 21733 and 21734

# Lighter's margin fractions are not in the recorded /orderBooks, so they are modelled from X10's
# maximum leverage of the same market. 50x is recorded (ETH: 500/200/120/80 bps); the others keep
# its proportions: maintenance 0.6 and close-out 0.4 of the least initial fraction.
_LIGHTER_DEFAULT_INITIAL = {
    Decimal(50): Decimal("0.05"),
    Decimal(25): Decimal("0.10"),
    Decimal(20): Decimal("0.10"),
    Decimal(10): Decimal("0.20"),
    Decimal(5): Decimal("0.20"),
}
_LIGHTER_LEAST_INITIAL = {
    Decimal(50): Decimal("0.02"),
    Decimal(25): Decimal("0.04"),
    Decimal(20): Decimal("0.05"),
    Decimal(10): Decimal("0.10"),
    Decimal(5): Decimal("0.20"),
}
_MAINTENANCE = Decimal("0.6")
_CLOSEOUT = Decimal("0.4")


def load_rules(venue: VenueName, recording: Recording) -> dict[str, Rules]:
    """The rules of every recorded market, by our symbol."""
    make = _x10 if venue == "x10" else _lighter
    return {
        symbol: make(symbol, market["x10"], market["lighter"])
        for symbol, market in recording.markets.items()
    }


def _x10(symbol: str, own: Mapping[str, Any], lighter: Mapping[str, Any]) -> Rules:
    initial = Decimal(own["risk_factor"])
    return Rules(
        symbol=symbol,
        name=own["name"],
        market_id=lighter["market_id"],  # X10 has no numbers; one serves both
        size_step=Decimal(own["size_step"]),
        price_tick=Decimal(own["price_tick"]),
        min_size=Decimal(own["min_size"]),
        max_market_value=Decimal(own["max_market_value"]),
        max_limit_value=Decimal(own["max_limit_value"]),
        max_position_value=Decimal(own["max_position_value"]),
        max_open_orders=own["max_open_orders"],
        max_leverage=Decimal(own["max_leverage"]),
        initial_fraction=initial,
        maintenance_fraction=initial / 2,  # half of initial in the group tables, x10.md §9
        price_band=Decimal(own["price_band"]),
        market_price_band=_X10_MARKET_BAND,
        category=own["category"],
        asset_precision=own["asset_precision"],
        synthetic_id=own["synthetic_id"],
        synthetic_resolution=own["synthetic_resolution"],
    )


def _lighter(symbol: str, x10: Mapping[str, Any], own: Mapping[str, Any]) -> Rules:
    leverage = Decimal(x10["max_leverage"])
    least = _LIGHTER_LEAST_INITIAL[leverage]
    return Rules(
        symbol=symbol,
        name=own["name"],
        market_id=own["market_id"],
        size_step=Decimal(1).scaleb(-own["size_decimals"]),
        price_tick=Decimal(1).scaleb(-own["price_decimals"]),
        min_size=Decimal(own["min_size"]),
        min_notional=Decimal(own["min_notional"]),
        max_leverage=1 / least,
        initial_fraction=_LIGHTER_DEFAULT_INITIAL[leverage],
        maintenance_fraction=least * _MAINTENANCE,
        closeout_fraction=least * _CLOSEOUT,
        price_band=_LIGHTER_BAND,
        market_price_band=_LIGHTER_BAND,
        category=x10["category"],
        size_decimals=own["size_decimals"],
        price_decimals=own["price_decimals"],
        liquidation_fee=Decimal(own["liquidation_fee_pct"]) / 100,
    )
