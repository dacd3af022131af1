"""JSON of our values: exact decimals and instants as text, the same everywhere."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from itertools import islice

from hedger.domain.money import plain

BATCH = 500  # rows per piece of a stream


def as_text(value: object) -> str:
    """
    One value as programs read it: ``0.1``, ``2026-01-02T21:00:00.000000Z``.

    Raises:
        TypeError: we have no text for it.
    """
    match value:
        case Decimal():
            return plain(value)
        case datetime():
            assert value.tzinfo is not None
            instant = value.astimezone(UTC).isoformat(timespec="microseconds")
            return instant.replace("+00:00", "Z")
        case Enum():
            return str(value.value)
        case _:
            raise TypeError(f"{type(value).__name__} has no text")


def dumps(value: object, *, indent: int | None = None) -> str:
    """``value`` as JSON; without ``indent`` it is a single line."""
    return json.dumps(value, default=as_text, ensure_ascii=False, indent=indent)


def stream(rows: Iterable[object]) -> Iterator[str]:
    """One JSON array in pieces, one row per line, however many rows there are."""
    encode = json.JSONEncoder(default=as_text, ensure_ascii=False).encode
    remaining = iter(rows)
    before = "[\n"
    while batch := list(islice(remaining, BATCH)):
        yield before + ",\n".join(map(encode, batch))
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"
