"""Exact arithmetic of prices, sizes and steps. Everything is ``Decimal``, never ``float``."""

import decimal
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from math import gcd

ZERO = Decimal(0)
ONE = Decimal(1)
BPS = Decimal(10_000)
PLAIN_DIGITS_MAX = 120


def exact_context() -> None:
    """
    Make float arithmetic on money raise, here and in every task started from here.

    The default 28 digits hold any product of a price and a size that a venue accepts.
    """
    decimal.getcontext().traps[decimal.FloatOperation] = True


def to_step(value: Decimal, step: Decimal, rounding: str = ROUND_FLOOR) -> Decimal:
    """
    Round to a whole number of steps by divide, round, multiply.

    ``quantize`` would look only at the number of decimal places of the step, which is wrong
    for steps such as 10, 5 or 0.25 (x10.md §3.2).
    """
    assert step > ZERO
    return (value / step).to_integral_value(rounding=rounding) * step


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The largest whole number of steps that is not above ``value``."""
    return to_step(value, step, ROUND_FLOOR)


def ceil_to_step(value: Decimal, step: Decimal) -> Decimal:
    """The smallest whole number of steps that is not below ``value``."""
    return to_step(value, step, ROUND_CEILING)


def nearest_step(value: Decimal, step: Decimal) -> Decimal:
    """The nearest whole number of steps."""
    return to_step(value, step, ROUND_HALF_EVEN)


def is_on_step(value: Decimal, step: Decimal) -> bool:
    """Whether ``value`` is a whole number of steps."""
    return value % step == ZERO


def common_step(first: Decimal, second: Decimal) -> Decimal:
    """
    The smallest step that is a whole number of steps on both venues.

    For the real markets this is simply the coarser of the two; the least common multiple is
    right for any pair.
    """
    a, b = Fraction(first), Fraction(second)
    numerator = a.numerator * b.numerator // gcd(a.numerator, b.numerator)
    lcm = Fraction(numerator, gcd(a.denominator, b.denominator))
    return Decimal(lcm.numerator) / Decimal(lcm.denominator)


def tidy(value: Decimal) -> Decimal:
    """The same number without trailing zeros and without an exponent."""
    return Decimal(plain(value))


def plain(value: Decimal) -> str:
    """The shortest text without an exponent: ``77260`` and not ``7.726E+4``; of sane numbers."""
    if abs(value.adjusted()) > PLAIN_DIGITS_MAX:
        return str(value)  # absurd, and a zero for each of its places would be as long
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def rounded(value: Decimal, digits: int = 8) -> str:
    """Text without an exponent, of so many significant digits at most."""
    return plain(Decimal(f"{value:.{digits}g}"))
