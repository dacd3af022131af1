"""Public figures of a market that are computed when somebody asks."""

from decimal import Decimal

from adapters.sandbox.engine.funding import settled_row
from adapters.sandbox.engine.ladder import best_ticks
from adapters.sandbox.engine.market_types import FundingRow, MarketStats
from adapters.sandbox.engine.overrides import Liquidity
from adapters.sandbox.engine.state import VenueState
from adapters.sandbox.noise import STEPS

_DAY_HOURS = 24
_TURNOVER = 3  # modelled: a day's volume is three times the open interest
_MOST_ROWS = 10_000  # x10.md §2.1: what one answer holds at most


def stats(state: VenueState, symbol: str) -> MarketStats:
    """The figures of the last 24 market hours, as far as the session reaches back."""
    mark = state.mark(symbol)
    hours = range(max(0, state.hour - _DAY_HOURS + 1), state.hour + 1)
    marks = [state.mark_at(symbol, hour * STEPS) for hour in hours]
    interest = state.open_interest(symbol)
    rules = state.rules_of(symbol)
    params = state.liquidity.get(symbol, Liquidity()).params(state.params)
    bid, ask = best_ticks(rules, params, mark)
    last = (mark / rules.price_tick).to_integral_value() * rules.price_tick
    base = (interest / mark / rules.size_step).to_integral_value() * rules.size_step
    return MarketStats(
        mark=mark,
        index=state.index(symbol),
        last_price=last,
        bid=bid * rules.price_tick,
        ask=ask * rules.price_tick,
        low=min(*marks, mark),
        high=max(*marks, mark),
        price_change=mark - marks[0],
        volume_base=base * _TURNOVER,
        volume=interest * _TURNOVER,
        open_interest_base=base,
        open_interest=interest,
        predicted_rate=predicted_rate(state, symbol),
        last_rate=state.tape.rate(state.venue, symbol, state.hour - 1),
        next_settlement_ms=next_settlement_ms(state),
    )


def predicted_rate(state: VenueState, symbol: str) -> Decimal:
    """The rate that will be charged at the end of this market hour, a fraction per hour."""
    state.rules_of(symbol)
    return state.tape.rate(state.venue, symbol, state.hour)


def next_settlement_ms(state: VenueState) -> int:
    """Market time of the next settlement, on the hour."""
    return state.tape.bucket_ms((state.hour + 1) * STEPS)


def funding_rows(
    state: VenueState, symbol: str, *, from_ms: int | None, to_ms: int | None, limit: int | None
) -> list[FundingRow]:
    """Settled rows with ``from_ms <= settlement_ms <= to_ms``, the newest ``limit`` of them."""
    state.rules_of(symbol)
    first, last = 1, state.hour
    start = state.tape.bucket_ms(0)
    hour_ms = state.tape.bucket_ms(STEPS) - start
    if from_ms is not None:
        first = max(first, -((start - from_ms) // hour_ms))
    if to_ms is not None:
        last = min(last, (to_ms - start) // hour_ms)
    first = max(first, last + 1 - min(limit or _MOST_ROWS, _MOST_ROWS))
    return [settled_row(state, symbol, hour) for hour in range(first, last + 1)]
