"""
Starts: what makes the ids of orders unique, whichever copy of the ledger is opened.

A start is 36 bits: 12 that the ledger drew once, and 24 that only ever grow, the minutes since
2024, or one more than the start before. Every order id carries its start and a number since then.
A copy of the ledger knows an older start, and takes a later one when it is opened; so nothing it
sends has the id of an order that it has forgotten (reliability.md §2.2).

The last start is also kept in a small file beside the ledger. It tells that the ledger is older
than one that worked here before, or that there was one, though the clock may have gone back.
"""

import contextlib
import os
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Final

from hedger.domain.ids import START_BITS
from hedger.errors import StateError

META: Final = "start"
AGE_BITS: Final = 24
AGE_MAX: Final = 2**AGE_BITS - 1
NOT_DRAWN: Final = range(24, 32)
"""Bots take the milliseconds since 1970 for ids: as 48 bits, those of 2022 to 2039 begin so."""
BEGAN: Final = datetime(2024, 1, 1, tzinfo=UTC)
OWNER_ONLY: Final = 0o600


def age_of(start: int) -> int:
    """The part that only grows."""
    return start & AGE_MAX


def same_ledger(start: int, other: int) -> bool:
    """Whether two starts are of one ledger or of copies of it."""
    return start >> AGE_BITS == other >> AGE_BITS


def following(now: datetime, before: int | None) -> int:
    """
    The start after another one; the first one of a ledger draws its own 12 bits from the instant.

    Raises:
        StateError: there have been 2^24 of them.
    """
    minutes = max(1, (now - BEGAN) // timedelta(minutes=1))
    if before is None:
        drawn = blake2b(now.isoformat().encode(), digest_size=2).digest()
        tag = int.from_bytes(drawn) % 2 ** (START_BITS - AGE_BITS) or 1
        tag += len(NOT_DRAWN) if tag in NOT_DRAWN else 0
        age = minutes
    else:
        tag, age = before >> AGE_BITS, max(minutes, age_of(before) + 1)
    if age > AGE_MAX:
        raise StateError("there is no start left for new order ids; set this machine's clock")
    return tag << AGE_BITS | age


class StartFile:
    """The last start of the ledger at a path, beside it; survives a ledger that is lost."""

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_name(ledger.name + ".start")

    def read(self) -> int | None:
        """None where there is none, or none that can be read."""
        with contextlib.suppress(OSError, ValueError):
            found = int(self.path.read_bytes()[:32].decode("ascii"))
            return found if 0 < found < 2**START_BITS else None
        return None

    def write(self, start: int) -> None:
        """
        On the disk when it returns.

        Raises:
            StateError: it cannot be written.
        """
        part = self.path.with_name(self.path.name + ".part")
        try:
            handle = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, OWNER_ONLY)
            try:
                os.write(handle, f"{start}\n".encode("ascii"))
                os.fsync(handle)
            finally:
                os.close(handle)
            part.replace(self.path)
        except OSError as error:
            raise StateError(f"{self.path} cannot be written ({error.strerror})") from error


def lost(path: Path) -> str:
    """What is said of a ledger that is not there any more; its file of starts still is."""
    return (
        f"the ledger {path} is gone, though one worked here before: hedges may be open that"
        " nothing here knows of; put it or a copy of it back, or start without one"
        " (hedger then looks for its orders at the venues)"
    )
