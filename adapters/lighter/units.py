"""
Lighter's units, each turned into ours in exactly one place.

======================================  =================================  ==================
endpoint and field                      unit                               ours
======================================  =================================  ==================
``/funding-rates`` ``rate``             fraction per 8 h, signed           / 8
``/fundings`` ``rate`` + ``direction``  percent per hour, unsigned         / 100, signed
``/fundings`` ``value``                 USDC per coin and hour, unsigned   signed
``market_stats`` ``*funding_rate``      percent per hour, signed           / 100
``/positionFunding`` ``rate``           fraction per hour, sign from cash  sign of the payment
fee ticks, ``taker_fee``/``maker_fee``  parts per million                  / 1,000,000
margin fractions of a market            basis points                       / 10,000
======================================  =================================  ==================

Our rate is a signed fraction per hour; positive means that longs pay shorts. Mistaking one for
another reversed the direction of the trade in six of the tools that were looked at
(peers.md §7, lighter.md §10).
"""

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import Final

from adapters.lighter.fields import UnreadableError
from hedger.domain.money import ZERO

FUNDING_RATES_HOURS: Final = 8
PERCENT: Final = 100
PPM: Final = 1_000_000
FRACTION_UNIT: Final = Decimal(10_000)  # margin fractions of markets are in basis points
USDC_QUANTUM: Final = Decimal("0.000001")
"""USDC has six decimals; the venue books no smaller amount."""

DIRECTIONS: Final = {"long": 1, "short": -1}  # who paid: "long" means that longs paid


def rate_1h_of_funding_rates(rate: Decimal) -> Decimal:
    """``GET /funding-rates``: fraction per 8 h for every exchange that it lists."""
    return rate / FUNDING_RATES_HOURS


def rate_1h_of_fundings(rate: Decimal, direction: str) -> Decimal:
    """
    ``GET /fundings``: percent per hour without a sign; ``direction`` says who paid.

    Raises:
        UnreadableError: the rate has a sign after all, or the direction is not one we know.
    """
    return _directed("rate", rate, direction) / PERCENT


def per_coin_of_fundings(value: Decimal, direction: str) -> Decimal:
    """
    ``GET /fundings`` ``value``: USDC per coin for the hour, unsigned like the rate beside it.

    Raises:
        UnreadableError: it has a sign after all, or the direction is not one we know.
    """
    return _directed("value", value, direction)


def _directed(name: str, amount: Decimal, direction: str) -> Decimal:
    if amount < ZERO:
        raise UnreadableError(f"{name} {amount} has a sign, which belongs in direction")
    if amount == ZERO:
        return ZERO
    if direction not in DIRECTIONS:
        raise UnreadableError(f"direction {direction!r} is neither long nor short")
    return DIRECTIONS[direction] * amount


def rate_1h_of_market_stats(rate: Decimal) -> Decimal:
    """WebSocket ``market_stats``, ``funding_rate`` and ``current_funding_rate``."""
    return rate / PERCENT


def cap_1h_of_clamp(percent_8h: Decimal) -> Decimal:
    """``funding_clamp_big``: percent before the division by eight (lighter.md §10)."""
    return percent_8h / PERCENT / FUNDING_RATES_HOURS


RATE_CAP_1H: Final = cap_1h_of_clamp(Decimal(4))
"""0.5 % an hour, the documented clamp of every market; one that names its own has that."""


def rate_1h_of_payment(rate: Decimal, amount_usd: Decimal, size: Decimal) -> Decimal:
    """
    ``GET /positionFunding``: the size of the rate, with its sign taken from the cash.

    payment = -size * index * rate (lighter.md §10), so received cash on a long means a
    negative rate. Whether the venue signs the field is not documented; this holds either way.
    """
    if ZERO in (amount_usd, size):
        return rate
    return abs(rate) if (amount_usd > ZERO) != (size > ZERO) else -abs(rate)


def fraction_of_ppm(ticks: int) -> Decimal:
    """Fee ticks: 40 is 0.004 percent, 0.00004."""
    return Decimal(ticks) / PPM


def fee_usd(value_usd: Decimal, ticks: int) -> Decimal:
    """The fee of one trade, to the venue's smallest amount. A negative one is a rebate."""
    return (value_usd * ticks / PPM).quantize(USDC_QUANTUM, rounding=ROUND_HALF_EVEN)


def margin_bps(leverage: Decimal) -> int:
    """The least margin fraction, in whole basis points, that allows no more than ``leverage``."""
    return int((FRACTION_UNIT / leverage).to_integral_value(ROUND_CEILING))
