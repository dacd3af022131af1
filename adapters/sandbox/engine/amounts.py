"""Rounding of USD amounts and prices inside the engine."""

from decimal import ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)
_CENT_OF_CENT = Decimal("0.000001")  # X10 rounds payments to it (data.md §1); so do we, always
_ENTRY_PLACES = Decimal("0.000000000001")


def usd(amount: Decimal) -> Decimal:
    """A USD amount as it is booked: six decimals, half to even, never minus zero."""
    return amount.quantize(_CENT_OF_CENT, rounding=ROUND_HALF_EVEN) + ZERO


def entry(price: Decimal) -> Decimal:
    """An averaged entry price: twelve decimals."""
    return price.quantize(_ENTRY_PLACES, rounding=ROUND_HALF_EVEN)


def sign(value: Decimal) -> int:
    """-1, 0 or 1."""
    return (value > ZERO) - (value < ZERO)
