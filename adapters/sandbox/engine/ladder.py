"""The synthetic book of one market: what the rest of the world offers around the mark."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from adapters.sandbox.engine.market_types import Level, Rules
from adapters.sandbox.engine.params import VenueParams
from adapters.sandbox.noise import draw_bytes

Depth = tuple[Decimal, Decimal]
"""USD on the bid and on the ask side, in all."""

_BPS = Decimal(10_000)
_JITTER_LEAST = 96  # a level holds between 96/224 and 1.57 of its share: 352/224


@dataclass(frozen=True, slots=True)
class Ladder:
    """Synthetic levels, best price first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


def depth_usd(params: VenueParams, symbol: str, open_interest: Decimal) -> Decimal:
    """How much one side of the book holds in all."""
    if symbol in params.depth_usd_of:
        return params.depth_usd_of[symbol]
    if params.depth_oi_usd is None:
        return params.depth_usd
    scale = open_interest / params.depth_oi_usd
    return params.depth_usd * min(max(scale, params.depth_least), params.depth_most)


def best_ticks(rules: Rules, params: VenueParams, mid: Decimal) -> tuple[int, int]:
    """
    The best bid and the best ask around ``mid``, in ticks.

    Bids are rounded down to the tick and asks up, so the spread is never below the one asked
    for.
    """
    half = mid * params.spread_bps / 2 / _BPS
    bid = int(((mid - half) / rules.price_tick).to_integral_value(rounding=ROUND_FLOOR))
    ask = int(((mid + half) / rules.price_tick).to_integral_value(rounding=ROUND_CEILING))
    return bid, max(ask, bid + 1)


def build_ladder(
    rules: Rules, params: VenueParams, *, mid: Decimal, depth: Depth, seed: int, what: str
) -> Ladder:
    """
    The ladder around ``mid``; the same ``seed`` and ``what`` give the same sizes.

    Every level holds at least one size step; a side of depth 0 is empty.
    """
    tick = rules.price_tick
    best_bid, best_ask = best_ticks(rules, params, mid)
    stride = max(1, int((mid * params.level_step_bps / _BPS / tick).to_integral_value()))
    jitter = draw_bytes(seed, what, 2 * params.levels)
    # Shares grow linearly away from the mid, from half the mean to one and a half of it.
    bid_steps, ask_steps = (int(usd / mid / rules.size_step) // params.levels for usd in depth)
    spread_out = max(1, params.levels - 1)

    def level(place: int, ticks: int, noise: int, steps_per_level: int) -> Level:
        share = steps_per_level * (spread_out + 2 * place) // (2 * spread_out)
        steps = max(1, share * (_JITTER_LEAST + noise) // 224)
        return Level(ticks * tick, steps * rules.size_step)

    bid_places, ask_places = (range(params.levels if usd else 0) for usd in depth)
    bids = (level(i, best_bid - i * stride, jitter[2 * i], bid_steps) for i in bid_places)
    asks = (level(i, best_ask + i * stride, jitter[2 * i + 1], ask_steps) for i in ask_places)
    return Ladder(tuple(item for item in bids if item.price > 0), tuple(asks))
