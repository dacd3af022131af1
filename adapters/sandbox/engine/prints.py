"""The public trade tape of a market: our fills, and modelled trades of everybody else."""

from collections import deque
from decimal import Decimal

from adapters.sandbox.engine.order_types import PublicTrade, TradeKind, TradeView
from adapters.sandbox.engine.state import VenueState
from adapters.sandbox.noise import draw_below

KEPT = 200


def record_print(state: VenueState, trade: TradeView) -> None:
    """Show a taker fill of ours to the public."""
    _prints(state, trade.symbol).append(
        PublicTrade(
            id=trade.id,
            symbol=trade.symbol,
            taker_is_buy=trade.is_buy,
            price=trade.price,
            size=trade.size,
            kind=trade.kind,
            at_ms=trade.at_ms,
        )
    )


def public_trades(state: VenueState, symbol: str, limit: int) -> list[PublicTrade]:
    """
    The newest trades, newest last.

    At most one modelled trade is made per bucket, when somebody looks: at the touch, with a
    drawn side and size.
    """
    state.rules_of(symbol)
    prints = _prints(state, symbol)
    if state.printed.get(symbol) != state.bucket:
        state.printed[symbol] = state.bucket
        made = _modelled(state, symbol)
        if made is not None:
            prints.append(made)
    return list(prints)[-limit:]


def _modelled(state: VenueState, symbol: str) -> PublicTrade | None:
    ladder = state.ladder(symbol)
    draw = draw_below(state.tape.seed, f"print|{state.venue}|{symbol}|{state.bucket}", 200)
    is_buy = draw % 2 == 0
    side = ladder.asks if is_buy else ladder.bids
    if not side:
        return None
    step = state.rules[symbol].size_step
    steps = max(1, int(side[0].size / step) * (draw // 2 + 1) // 200)
    return PublicTrade(
        id=state.next_id(),
        symbol=symbol,
        taker_is_buy=is_buy,
        price=side[0].price,
        size=step * Decimal(steps),
        kind=TradeKind.TRADE,
        at_ms=state.now_ms,
    )


def _prints(state: VenueState, symbol: str) -> deque[PublicTrade]:
    found = state.prints.get(symbol)
    if found is None:
        found = state.prints[symbol] = deque(maxlen=KEPT)
    return found
