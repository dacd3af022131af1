"""Reading single fields of Lighter's JSON: exact, tolerant of extra fields, never guessing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hedger.common.bounds import INTEGER_BELOW, OutOfBoundsError, exact, whole
from hedger.common.words import TEXT_MAX, shown
from hedger.domain.ids import VenueId
from hedger.errors import DriftError

HOUR = timedelta(hours=1)

Row = Mapping[str, Any]

CURSOR_MAX = 2_048
LAST_S = 32_503_680_000  # the year 3000: sums of earlier instants cannot leave the calendar


class UnreadableError(ValueError):
    """A field is missing or is not what it always was. Never to be read as zero."""


@contextmanager
def reading(venue: VenueId, what: str) -> Iterator[None]:
    """Turn an unreadable field into the error that takes the venue out of use."""
    try:
        yield
    except UnreadableError as error:
        raise DriftError(venue, f"{what}: {error}") from error
    except ArithmeticError as error:
        told = f"{what}: numbers that do not fit together ({type(error).__name__})"
        raise DriftError(venue, told) from error


def field(row: Row, key: str) -> Any:
    """A field that must be there. The SDK's own models answer None for one that is not."""
    try:
        value = row[key]
    except KeyError:
        value = None
    if value is None:
        raise UnreadableError(f"field {key} is missing")
    return value


def decimal_of(row: Row, key: str) -> Decimal:
    """An exact number from text, from an integer, or from JSON parsed without floats."""
    try:
        return exact(field(row, key))
    except OutOfBoundsError as error:
        raise UnreadableError(f"field {key} {error}") from None


def int_of(row: Row, key: str) -> int:
    """A whole number; text of one is taken as well (``*_str`` and ``*_id`` twins)."""
    if type(value := row.get(key)) is int and -INTEGER_BELOW < value < INTEGER_BELOW:
        return value
    try:
        return whole(field(row, key))
    except OutOfBoundsError as error:
        raise UnreadableError(f"field {key} {error}") from None


def text_of(row: Row, key: str, most: int = TEXT_MAX) -> str:
    """A text that is not empty."""
    value = field(row, key)
    if not isinstance(value, str) or not value:
        raise UnreadableError(f"field {key} is {shown(value)}, not a text")
    if len(value) > most:
        raise UnreadableError(f"field {key} is longer than {most} characters")
    return value


def cursor_of(data: object) -> str | None:
    """Where the next page begins; None where there is none."""
    value = data.get("next_cursor") if isinstance(data, dict) else None
    if not value:
        return None
    if not isinstance(value, str | int) or len(text := str(value)) > CURSOR_MAX:
        raise UnreadableError(f"the cursor is {shown(value)}")
    return text


def flag_of(row: Row, key: str) -> bool:
    """A truth value; the signer writes 0 and 1 where the API writes false and true."""
    value = field(row, key)
    if value not in (True, False):
        raise UnreadableError(f"field {key} is {shown(value)}, not true or false")
    return bool(value)


def row_of(data: object) -> Row:
    """A JSON object."""
    if not isinstance(data, (dict, Mapping)):
        raise UnreadableError(f"{type(data).__name__} instead of an object")
    return data


def rows_of(data: object, key: str) -> list[Row]:
    """
    A list of objects that must be there.

    The venue writes an empty list as ``null`` in places (Go's nil slice), so the key has to
    exist but may hold null.
    """
    row = row_of(data)
    if key not in row:
        raise UnreadableError(f"field {key} is missing")
    value = row[key]
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnreadableError(f"field {key} is not a list")
    return [row_of(item) for item in value]


def instant(value: int) -> datetime:
    """
    A moment from seconds, milliseconds or microseconds since 1970.

    Lighter mixes the three from endpoint to endpoint (lighter.md §9, #115); between 1973 and
    5138 the magnitude tells which it is.
    """
    if value <= 0:
        raise UnreadableError(f"{value} is not a moment")
    unit = 1 if value < 10**11 else 10**3 if value < 10**14 else 10**6
    seconds, rest = divmod(value, unit)
    if seconds >= LAST_S:
        raise UnreadableError(f"{value} is not a moment")
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=rest * 10**6 // unit)


def on_the_hour(at: datetime) -> datetime:
    """The nearest full hour: settlements are stamped up to some seconds after it."""
    floor = at.replace(minute=0, second=0, microsecond=0)
    return floor + HOUR if at - floor >= HOUR / 2 else floor
