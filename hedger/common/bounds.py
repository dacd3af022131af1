"""
Numbers and JSON from outside, within bounds that no honest sender reaches.

``1e999999`` is eight characters and a million digits as an integer; a hundred thousand brackets
overrun the stack of the parser. What is beyond the bounds is found out before it is computed
with, so it costs neither time nor memory.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Never

from hedger.common.words import printable, shown

EXPONENT_MAX: Final = 30
"""The largest amount is 10^30."""
EXPONENT_MIN: Final = -40
DIGITS_MAX: Final = 40
INTEGER_BELOW: Final = 2**63
NUMBER_CHARS_MAX: Final = 100
LEVELS_MAX: Final = 100
CHARS_MAX: Final = 4_000_000
ELEMENTS_MAX: Final = 200_000

_TOP: Final = Decimal(10) ** EXPONENT_MAX
_NUMBERS: Final = (str, int, Decimal)  # a tuple, because every number is held against it
_SAFE_CHARS: Final = 18  # digits that are within every bound if they are no exponent

_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS: Final = re.compile(r"[^\[\]{}]+")


class OutOfBoundsError(ValueError):
    """A number or a document that is not computed with; the text says why."""


class OutOfBounds:
    """
    Stands in a parsed document where a number was beyond the bounds.

    Nothing that reads numbers takes it, so only the field is unreadable that nobody may have
    asked for.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text[:NUMBER_CHARS_MAX]

    def __repr__(self) -> str:
        return f"a number out of bounds ({shown(self._text)})"


def within(number: Decimal) -> bool:
    """Whether a number is finite, at most 10^30 either way, and of at most 40 digits."""
    if not number.is_finite() or not EXPONENT_MIN <= (size := number.adjusted()) <= EXPONENT_MAX:
        return False
    if size == EXPONENT_MAX and abs(number) > _TOP:
        return False
    _, digits, exponent = number.as_tuple()
    return len(digits) <= DIGITS_MAX and isinstance(exponent, int) and exponent >= EXPONENT_MIN


def exact(value: object) -> Decimal:
    """
    An exact, finite number within the bounds, from text, integer or decimal.

    Raises:
        OutOfBoundsError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        raise OutOfBoundsError(f"is {shown(value)}, not an exact number")
    if isinstance(value, str) and len(value) > NUMBER_CHARS_MAX:
        raise OutOfBoundsError(f"is {shown(value)}, too long for a number")
    if isinstance(value, int) and not -INTEGER_BELOW < value < INTEGER_BELOW:
        raise OutOfBoundsError("is an integer beyond 2^63")
    try:
        number = Decimal(value)
    except (InvalidOperation, ValueError):
        raise OutOfBoundsError(f"is {shown(value)}, not a number") from None
    if not number.is_finite():
        raise OutOfBoundsError(f"is {shown(value)}, not a finite number")
    if not _is_short(value) and not within(number):
        raise OutOfBoundsError(f"is {shown(value)}, beyond what is believed of a number")
    return number


def _is_short(value: object) -> bool:
    """Text of so few characters, none of them an exponent, that no bound can be passed."""
    return type(value) is str and len(value) <= _SAFE_CHARS and "e" not in value.lower()


def whole(value: object) -> int:
    """
    A whole number below 2^63, from text, integer or decimal.

    Raises:
        OutOfBoundsError: it is none.
    """
    number = exact(value)
    if number != number.to_integral_value():
        raise OutOfBoundsError(f"is {shown(value)}, not a whole number")
    if not -INTEGER_BELOW < number < INTEGER_BELOW:
        raise OutOfBoundsError(f"is {shown(value)}, an integer beyond 2^63")
    return int(number)


def too_deep(text: str, most: int = LEVELS_MAX) -> bool:
    """
    Whether JSON is nested deeper than ``most`` levels, or its brackets do not match.

    Counted without parsing and without recursion: what is in strings is taken out, then level
    by level from the inside.
    """
    if text.count("[") + text.count("{") <= most:
        return False
    marks = _NO_BRACKETS.sub("", _STRING.sub("", text))
    for _ in range(most):
        if not marks:
            return False
        marks = marks.replace("{}", "").replace("[]", "")
    return bool(marks)


def loads(text: str, *, ours: bool = False) -> Any:
    """
    One JSON document without floats; numbers beyond the bounds stand as ``OutOfBounds``.

    Texts in it are freed of control characters and of halves of characters, unless they are
    ``ours`` and have to be what they were.

    Raises:
        ValueError: it is not JSON, or larger or deeper than anything that is asked for.
    """
    if len(text) > CHARS_MAX or text.count(",") > ELEMENTS_MAX:
        raise OutOfBoundsError("larger than anything that is asked for")
    if too_deep(text):
        raise OutOfBoundsError(f"nested deeper than {LEVELS_MAX} levels")
    value = _DECODER.decode(text)
    return value if ours or (text.isascii() and "\\" not in text) else _cleaned(value)


def _cleaned(value: Any) -> Any:
    """Only as deep as ``LEVELS_MAX``."""
    match value:
        case str():
            return printable(value)
        case list():
            return [_cleaned(part) for part in value]
        case dict():
            return {printable(key): _cleaned(part) for key, part in value.items()}
        case _:
            return value


def _fraction(text: str) -> Decimal | OutOfBounds:
    if _is_short(text):
        return Decimal(text)
    try:
        return exact(text)
    except OutOfBoundsError:
        return OutOfBounds(text)


def _integer(text: str) -> int | OutOfBounds:
    if len(text) <= _SAFE_CHARS:
        return int(text)
    try:
        return whole(text)
    except OutOfBoundsError:
        return OutOfBounds(text)


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not a number that we can count with")


_DECODER: Final = json.JSONDecoder(
    parse_float=_fraction, parse_int=_integer, parse_constant=_no_constant
)
