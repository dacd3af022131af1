"""The values a fault may hold, each read strictly: a wrong one is one clear sentence."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from hedger.errors import ConfigError

MAX_SECONDS: Final = 86_400.0
MAX_COUNT: Final = 1_000_000
REJECT_REASONS: Final = ("margin", "no_liquidity", "slippage", "reduce_only")


class BadFaultError(ConfigError):
    """A fault that makes no sense; the text names what is wrong and what is allowed."""


class Op(StrEnum):
    """What a request is about."""

    __hash__ = str.__hash__  # the enum's own is written in Python, and every request asks for it

    ORDER = "order"
    CANCEL = "cancel"
    POSITIONS = "positions"
    ORDERS = "orders"
    NONCE = "nonce"
    BALANCE = "balance"
    STREAM = "stream"
    PUBLIC = "public"


_READS = (Op.POSITIONS, Op.ORDERS, Op.NONCE, Op.BALANCE)
_WRITES = (Op.ORDER, Op.CANCEL)

Parser = Callable[[str, object], Any]
"""Takes the key and what was posted under it; raises ``BadFaultError``."""


def wrong(name: str, value: object, allowed: str) -> BadFaultError:
    """The complaint about one key."""
    return BadFaultError(f"fault key {name} is {value!r}; it must be {allowed}")


def number(name: str, value: object, *, low: float, high: float) -> float:
    """A number of seconds or the like."""
    allowed = f"a number from {low:g} to {high:g}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(name, value, allowed)
    if not low <= value <= high:  # also refuses NaN
        raise wrong(name, value, allowed)
    return float(value)


def whole(name: str, value: object, *, low: int = 0, high: int = MAX_COUNT) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise wrong(name, value, f"a whole number from {low} to {high}")
    return value


def flag(name: str, value: object) -> bool:
    """True or false, and nothing like it."""
    if not isinstance(value, bool):
        raise wrong(name, value, "true or false")
    return value


def text(name: str, value: object) -> str:
    """Any text."""
    if not isinstance(value, str):
        raise wrong(name, value, "a text")
    return value


def choice(name: str, value: object, allowed: tuple[str, ...]) -> str:
    """One of some words."""
    if not isinstance(value, str) or value not in allowed:
        raise wrong(name, value, f"one of {', '.join(allowed)}")
    return value


def code(name: str, value: object) -> int:
    """A venue's error code, as a number or as its digits."""
    if isinstance(value, str) and len(value) <= 6 and value.isascii() and value.isdecimal():
        value = int(value)
    return whole(name, value, low=1, high=999_999)


def fraction(name: str, value: object) -> Decimal:
    """An exact part of a whole."""
    allowed = 'a text such as "0.4", from 0 to 1'
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise wrong(name, value, allowed)
    try:
        part = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise wrong(name, value, allowed) from None
    if not part.is_finite() or not 0 <= part <= 1:
        raise wrong(name, value, allowed)
    return part


def throttle(name: str, value: object) -> int:
    """How a venue says that there were too many requests."""
    if not isinstance(value, int) or value not in {429, 405}:
        raise wrong(name, value, "429 or 405")
    return value


def _ops(name: str, value: object, allowed: tuple[Op, ...]) -> frozenset[Op]:
    names = [value] if isinstance(value, str) else value
    words = tuple(op.value for op in allowed)
    if not isinstance(names, list | tuple) or not names:
        raise wrong(name, value, f"a list of some of {', '.join(words)}")
    return frozenset(Op(choice(name, item, words)) for item in names)


def status(name: str, value: object) -> int:
    """An HTTP status that is not a success."""
    return whole(name, value, low=400, high=599)


def server_status(name: str, value: object) -> int:
    """An HTTP status that blames the server."""
    return whole(name, value, low=500, high=599)


def seconds(name: str, value: object) -> float:
    """A duration."""
    return number(name, value, low=0, high=MAX_SECONDS)


def when(name: str, value: object) -> str:
    """On which side of the effect."""
    return choice(name, value, ("before", "after"))


def reason(name: str, value: object) -> str:
    """Why the exchange cancels an accepted order."""
    return choice(name, value, REJECT_REASONS)


def op(name: str, value: object) -> frozenset[Op]:
    """Which requests, streams aside."""
    return _ops(name, value, (*_WRITES, *_READS, Op.PUBLIC))


def what(name: str, value: object) -> frozenset[Op]:
    """Which reads of the account."""
    return _ops(name, value, _READS)


def what_or_public(name: str, value: object) -> frozenset[Op]:
    """Which reads, public ones among them."""
    return _ops(name, value, (*_READS, Op.PUBLIC))
