"""
Reading X10's JSON field by field, tolerantly: unknown keys and new enum values do no harm.

What is missing or is not what it should be raises ``DriftError`` and is never replaced by a
zero. Decimals come as JSON strings, ids as integers beyond 2^53 or as strings, instants as
milliseconds (x10.md §2.3).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hedger.common.bounds import INTEGER_BELOW, OutOfBoundsError, exact
from hedger.common.words import TEXT_MAX
from hedger.domain.ids import VenueId
from hedger.errors import DriftError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS_BELOW = 100_000_000_000
"""An instant below this is in seconds: one sample of the documentation is (x10.md §9)."""

LAST = datetime(3000, 1, 1, tzinfo=UTC)
"""No instant of a venue is as late; sums of earlier ones cannot leave the calendar."""


class Row:
    """One JSON object of an answer; ``what`` names it in the sentence of an error."""

    def __init__(self, venue: VenueId, what: str, value: Any) -> None:
        self._venue = venue
        self._what = what
        if not isinstance(value, (dict, Mapping)):
            raise self.drift(f"an object was expected, not {type(value).__name__}")
        self._value: Mapping[str, Any] = value

    def drift(self, complaint: str) -> DriftError:
        """The error that says that this object is not what we know."""
        return DriftError(self._venue, f"{self._what}: {complaint}")

    def has(self, key: str) -> bool:
        """Whether the field is there and not null."""
        return self._value.get(key) is not None

    def row(self, key: str) -> "Row":
        """An object inside this one."""
        return Row(self._venue, f"{self._what}.{key}", self._need(key))

    def decimal(self, key: str) -> Decimal:
        """An exact number."""
        try:
            return exact(self._need(key))
        except OutOfBoundsError as error:
            raise self.drift(f"{key} {error}") from None

    def positive(self, key: str) -> Decimal:
        """An exact number above zero."""
        number = self.decimal(key)
        if number <= 0:
            raise self.drift(f"{key} is not above zero: {number}")
        return number

    def decimal_or_none(self, key: str) -> Decimal | None:
        """An exact number, or None where the venue did not send one."""
        return self.decimal(key) if self.has(key) else None

    def word(self, key: str) -> str:
        """A text that is not empty."""
        value = self._need(key)
        if not isinstance(value, str) or not value:
            raise self.drift(f"{key} is not a text")
        if len(value) > TEXT_MAX:
            raise self.drift(f"{key} is longer than {TEXT_MAX} characters")
        return value

    def word_or(self, key: str, default: str) -> str:
        """A text, or ``default`` where the venue did not send one."""
        return self.word(key) if self.has(key) else default

    def text_or(self, key: str, default: str) -> str:
        """A text of any length, for a sentence, or ``default`` where there is none."""
        value = self._value.get(key)
        return value if isinstance(value, str) else default

    def flag_or(self, key: str, *, default: bool) -> bool:
        """A truth value, or ``default`` where the venue did not send one."""
        value = self._value.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.drift(f"{key} is neither true nor false")
        return value

    def id(self, key: str) -> str:
        """An id as text; it comes as an integer or as a string."""
        value = self._need(key)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise self.drift(f"{key} is not an id")
        if isinstance(value, int) and not -INTEGER_BELOW < value < INTEGER_BELOW:
            raise self.drift(f"{key} is an integer beyond 2^63")
        if len(text := str(value)) > TEXT_MAX:
            raise self.drift(f"{key} is longer than {TEXT_MAX} characters")
        return text

    def instant(self, key: str) -> datetime:
        """An instant, UTC, from milliseconds since 1970."""
        value = self.decimal(key)
        scale = 1000 if abs(value) < SECONDS_BELOW else 1
        try:
            at = EPOCH + timedelta(milliseconds=int(value * scale))
        except OverflowError:
            at = LAST
        if not EPOCH <= at < LAST:
            raise self.drift(f"{key} is not an instant: {value}")
        return at

    def rows(self, key: str) -> tuple["Row", ...]:
        """A list of objects inside this one."""
        return rows_of(self._venue, f"{self._what}.{key}", self._need(key))

    def _need(self, key: str) -> Any:
        value = self._value.get(key)
        if value is None:
            raise self.drift(f"{key} is missing")
        return value


def rows_of(venue: VenueId, what: str, value: Any) -> tuple[Row, ...]:
    """
    A JSON list of objects.

    Raises:
        DriftError: it is not a list, or an element is not an object.
    """
    if not isinstance(value, list):
        raise DriftError(venue, f"{what}: a list was expected, not {type(value).__name__}")
    return tuple(Row(venue, what, item) for item in value)


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970, counted in integers; what is finer is cut off."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


def from_ms(milliseconds: int) -> datetime:
    """The instant, UTC."""
    return EPOCH + timedelta(milliseconds=milliseconds)
