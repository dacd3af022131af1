"""A market's rules as texts by name, as the ledger keeps them for live hedges, and back."""

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Final

from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Instrument, MarketStatus
from hedger.domain.money import plain

UNTOLD: Final = frozenset({"venue", "symbol", "market_id"})


def facts_of(rules: Instrument) -> dict[str, str]:
    """Everything that can change of a market, as texts by name; empty for what it has not."""
    values = {f.name: getattr(rules, f.name) for f in fields(rules) if f.name not in UNTOLD}
    return {name: _text(value) for name, value in values.items()}


def rules_of(venue: VenueId, symbol: Symbol, facts: Mapping[str, str]) -> Instrument:
    """
    The rules that ``facts_of`` made the texts of, without the venue's number.

    Raises:
        KeyError: they are from a version that knew less of a market.
    """

    def maybe(name: str) -> Decimal | None:
        return Decimal(facts[name]) if facts[name] else None

    return Instrument(
        venue=venue,
        symbol=symbol,
        name=facts["name"],
        status=MarketStatus(facts["status"]),
        size_step=Decimal(facts["size_step"]),
        price_tick=Decimal(facts["price_tick"]),
        min_size=Decimal(facts["min_size"]),
        min_notional_usd=Decimal(facts["min_notional_usd"]),
        minima_bind_takers=facts["minima_bind_takers"] == str(True),
        max_order_value_usd=maybe("max_order_value_usd"),
        price_band=maybe("price_band"),
        max_leverage=maybe("max_leverage"),
        maintenance=maybe("maintenance"),
        identity=facts["identity"],
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    return plain(value) if isinstance(value, Decimal) else str(value)
