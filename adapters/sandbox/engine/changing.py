"""What a person changes about a market while the venue runs."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from adapters.sandbox.engine.errors import EngineError
from adapters.sandbox.engine.events import BookChanged, MarkChanged
from adapters.sandbox.engine.liquidation import liquidate_breaches
from adapters.sandbox.engine.matching import cross_resting
from adapters.sandbox.engine.overrides import Liquidity, PricePath
from adapters.sandbox.engine.state import VenueState


def change_rules(state: VenueState, symbol: str, changes: Mapping[str, Any]) -> None:
    """
    Replace fields of a market's ``Rules``.

    Raises:
        EngineError: another market has that name or number already.
    """
    rules = replace(state.rules_of(symbol), **changes)
    for other in state.rules.values():
        if other.symbol == symbol:
            continue
        if other.name == rules.name or other.market_id == rules.market_id:
            msg = f"{other.symbol} has name {other.name!r} and number {other.market_id} already"
            raise EngineError(msg)
    state.rules = {**state.rules, symbol: rules}
    _changed(state, symbol)


def set_price_path(state: VenueState, symbol: str, points: tuple[tuple[int, Decimal], ...]) -> None:
    """
    Let the mark follow points (ms of market time from now, price); none: the recording again.

    What the first price does at once (fills, liquidations) has been done on return.
    """
    state.rules_of(symbol)
    if points:
        start_ms = state.market_ms
        state.paths[symbol] = PricePath(tuple((start_ms + at_ms, price) for at_ms, price in points))
    else:
        state.paths.pop(symbol, None)
    _changed(state, symbol)


def set_liquidity(state: VenueState, symbol: str, liquidity: Liquidity | None) -> None:
    """Give a book another depth or spread; None: that of the venue again."""
    state.rules_of(symbol)
    if liquidity is None:
        state.liquidity.pop(symbol, None)
    else:
        state.liquidity[symbol] = liquidity
    _changed(state, symbol)


def _changed(state: VenueState, symbol: str) -> None:
    state.forget_prices(symbol)
    state.version += 1
    state.changed_ms = state.now_ms
    state.emit(MarkChanged(symbol))
    state.emit(BookChanged(symbol))
    cross_resting(state)
    liquidate_breaches(state)
