"""Reading the body of a control request strictly: what is wrong is one clear sentence."""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

MAX_TEXT: Final = 500
MAX_DECIMAL: Final = Decimal(10) ** 30


class BadRequestError(Exception):
    """The body makes no sense; the text is one sentence."""


def wrong(name: str, value: object, allowed: str) -> BadRequestError:
    """The complaint about one key."""
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:80]}..."
    return BadRequestError(f"{name} is {shown}; it must be {allowed}")


class Fields:
    """
    One JSON object with known keys.

    Raises:
        BadRequestError: it is no object, or has a key that ``allowed`` does not name.
    """

    def __init__(self, raw: object, allowed: Collection[str], what: str = "the body") -> None:
        if not isinstance(raw, Mapping):
            raise BadRequestError(f"{what} must be an object with {', '.join(allowed)}")
        for key in raw:
            if key not in allowed:
                raise BadRequestError(
                    f"{what} has no key {key!r}; its keys are {', '.join(allowed)}"
                )
        self._raw: Mapping[str, Any] = raw

    def has(self, name: str) -> bool:
        """Whether the key is there with something in it."""
        return self._raw.get(name) is not None

    def given(self) -> Iterable[str]:
        """The keys that are there, ``null`` included."""
        return tuple(self._raw)

    def raw(self, name: str) -> Any:
        """What stands there, unchecked; None where nothing does."""
        return self._raw.get(name)

    def text(self, name: str, *, longest: int = MAX_TEXT) -> str:
        """A text that is not empty."""
        value = self._needed(name, None)
        if not isinstance(value, str) or not 0 < len(value) <= longest:
            raise wrong(name, value, f"a text of 1 to {longest} characters")
        return value

    def choice(self, name: str, allowed: Iterable[str], default: str | None = None) -> str:
        """One of some words."""
        value = self._needed(name, default)
        words = tuple(allowed)
        if not isinstance(value, str) or value not in words:
            raise wrong(name, value, f"one of {', '.join(words)}")
        return value

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number."""
        value = self._needed(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise wrong(name, value, f"a whole number from {low} to {high}")
        return value

    def seconds(self, name: str, high: float, default: float | None = None) -> float:
        """A duration in seconds."""
        value = self._needed(name, default)
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not 0 <= value <= high:  # also refuses NaN
            raise wrong(name, value, f"a number of seconds from 0 to {high:g}")
        return float(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false, and nothing like it."""
        value = self._needed(name, default)
        if not isinstance(value, bool):
            raise wrong(name, value, "true or false")
        return value

    def decimal(self, name: str, *, low: Decimal | None = None) -> Decimal:
        """An exact number above 0, or from ``low`` on."""
        return exact(name, self._needed(name, None), low=low)

    def _needed(self, name: str, default: Any) -> Any:
        value = self._raw.get(name)
        if value is None:
            if default is None:
                raise BadRequestError(f"the key {name} is missing; add it")
            return default
        return value


def exact(name: str, value: object, *, low: Decimal | None = None) -> Decimal:
    """
    An exact number above 0, or from ``low`` on.

    Raises:
        BadRequestError: it is something else.
    """
    floor = "above 0" if low is None else f"from {low} on"
    allowed = f'a decimal {floor}, such as "0.01"'
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise wrong(name, value, allowed)
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise wrong(name, value, allowed) from None
    if not number.is_finite() or number > MAX_DECIMAL:
        raise wrong(name, value, allowed)
    if number <= 0 if low is None else number < low:
        raise wrong(name, value, allowed)
    return number
