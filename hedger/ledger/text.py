"""
Exact values as text, for the database and for the audit alike.

Instants are ISO 8601 in UTC with always six decimals and a Z, 27 characters. Not integers:
a fixed width sorts as it should in every database, a person reads it with any tool, and the
audit streams it without converting.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Clamped, Context, Decimal, FloatOperation, Inexact, InvalidOperation, Overflow

from hedger.common.masking import redact
from hedger.common.words import clean
from hedger.domain.money import plain

EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, Overflow, Clamped, FloatOperation])
"""Arithmetic that is exact or raises: 120 digits hold any sum of products the ledger makes."""

MAX_TEXT = 120
PROSE_MAX = 4_000


def decimal_text(value: Decimal) -> str:
    """
    The shortest plain text of a finite decimal.

    Raises:
        ValueError: it is not finite, or absurdly long.
    """
    if not value.is_finite():
        raise ValueError(f"{value} is not an amount")
    if abs(value.adjusted()) > MAX_TEXT or len(text := plain(value)) > MAX_TEXT:
        raise ValueError(f"{value!r} has more than {MAX_TEXT} digits")
    return text


def prose_text(value: str) -> str:
    """A sentence as it is kept: without secrets, printable, and not longer than is ever read."""
    return clean(redact(str(value)), PROSE_MAX)


def instant_text(value: datetime) -> str:
    """``2026-01-02T21:30:05.000000Z``; the instant must be aware."""
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ" % (  # noqa: UP031 - twice as fast as isoformat
        value.year,
        value.month,
        value.day,
        value.hour,
        value.minute,
        value.second,
        value.microsecond,
    )


def parse_instant(text: str) -> datetime:
    """The inverse of ``instant_text``."""
    return datetime.fromisoformat(text)


def sum_texts(values: Iterable[str | None]) -> str | None:
    """The exact sum of decimals as text; None when one of them is unknown."""
    total = Decimal(0)
    for value in values:
        if value is None:
            return None
        total = EXACT.add(total, Decimal(value))
    return decimal_text(total)
