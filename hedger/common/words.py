"""
Foreign text, made fit for a sentence: one line, printable, and of bounded length.

A venue's words reach the log, the ledger and a terminal. Control characters there forge lines
and drive terminals; half a surrogate pair cannot even be written.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

TEXT_MAX: Final = 500
SHOWN_MAX: Final = 80
CUT: Final = "…"


def clean(text: str, most: int = TEXT_MAX) -> str:
    """``text`` as one printable line of at most ``most`` characters and a mark of the cut."""
    if len(text) <= most and text.isprintable():
        return text
    line = printable(text[: 4 * most])
    line = " ".join(line.split())
    return line if len(line) <= most and len(text) <= 4 * most else line[:most] + CUT


def printable(text: str) -> str:
    """``text`` with a space for whatever is not printable: control, format and half characters."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text)


def shown(value: object) -> str:
    """A foreign value for a sentence: its text if it is short, else what kind of thing it is."""
    if value is None or isinstance(value, bool | str | int | float | Decimal):
        return clean(repr(value), SHOWN_MAX)
    return f"a {type(value).__name__}"


def instant(at: str) -> str:
    """An ISO 8601 instant for a sentence: UTC, to the second; another text as it is."""
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return at
    return f"{found.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
