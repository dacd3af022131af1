"""Rounding of USD amounts and prices inside the engine."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

ZERO = Decimal(0)
_CENT_OF_CENT = Decimal("0.000001")  # X10 rounds payments to it (data.md §1); so do we, always
_ENTRY_PLACES = Decimal("1e-16")  # as X10 prints mean prices (x10.md §2.3)
_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)


def usd(amount: Decimal) -> Decimal:
    """A USD amount as it is booked: six decimals, half to even, never minus zero."""
    return amount.quantize(_CENT_OF_CENT, rounding=ROUND_HALF_EVEN) + ZERO


def entry(value: Decimal, size: Decimal) -> Decimal:
    """An averaged price, value over size: sixteen decimals."""
    return _WIDE.quantize(_WIDE.divide(value, size), _ENTRY_PLACES) + ZERO


def share(value: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The part of a USD value that belongs to ``part`` coins of ``whole``, as it is booked."""
    if part == whole:
        return value
    exact = _WIDE.divide(_WIDE.multiply(value, part), whole)
    return _WIDE.quantize(exact, _CENT_OF_CENT)


def sign(value: Decimal) -> int:
    """-1, 0 or 1."""
    return (value > ZERO) - (value < ZERO)
