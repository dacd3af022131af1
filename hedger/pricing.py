"""Limit prices of immediate-or-cancel orders: pure."""

from decimal import Decimal

from hedger.domain.market import Instrument, OrderBook
from hedger.domain.money import BPS, ONE, ZERO, ceil_to_step, floor_to_step
from hedger.domain.order import Side

BAND_KEPT = Decimal("0.9")  # stay inside the venue's price band with a tenth to spare


def worst_price(
    side: Side, book: OrderBook, instrument: Instrument, slippage_bps: Decimal
) -> Decimal | None:
    """
    The worst price we accept: the best opposite price plus slippage, on a tick.

    It stays within the venue's band around the mid, and is rounded outwards so that slippage is
    never below what was asked for. None when the opposite side is empty.
    """
    levels = book.asks if side is Side.BUY else book.bids
    if not levels:
        return None
    best = levels[0].price
    return worst_price_from(side, best, book.mid or best, instrument, slippage_bps)


def worst_price_from(
    side: Side, best: Decimal, mid: Decimal, instrument: Instrument, slippage_bps: Decimal
) -> Decimal:
    """The same from the price expected and the middle of the market."""
    share = slippage_bps / BPS
    if side is Side.BUY:
        price = best * (ONE + share)
        if instrument.price_band is not None:
            price = min(price, mid * (ONE + instrument.price_band * BAND_KEPT))
        return ceil_to_step(price, instrument.price_tick)
    price = best * (ONE - share)
    if instrument.price_band is not None:
        price = max(price, mid * (ONE - instrument.price_band * BAND_KEPT))
    rounded = floor_to_step(price, instrument.price_tick)
    return rounded if rounded > ZERO else instrument.price_tick
