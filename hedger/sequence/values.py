"""
Where the next value of a sequence comes from: the families of sequences.

* ``Dense``: every value once and none left out (Lighter, Cosmos, XRPL, EVM). The next one is
  not a counter but follows from the stored intents: one above the highest that was or may have
  been used. A value that provably was not used is given again, so nothing can run apart (the
  error of seed 001).
* ``Increasing``: every value above the last one, gaps are legal (Kraken; our own client ids).
  A block of values is reserved durably and then handed out from memory; what a crash leaves of
  it is lost, which is legal here and would block a dense sequence for ever (reliability.md
  §2.6). Values begin at the present time, and never below what was reserved before, so a
  restart with the clock set back repeats nothing (seed 003).
"""

import threading
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from hedger.clock import Clock
from hedger.domain.ids import LaneId

JUMP_S: Final = 60
BLOCK: Final = 1_000
SHOWN_DIGITS: Final = 4
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Values(Protocol):
    """One sequence. Every method is safe from threads."""

    @property
    def gaps(self) -> bool:
        """Whether values may be left out."""

    def following(self, in_flight: Collection[int] = ()) -> int:
        """The next value, given those that were taken and have no end yet."""

    def correct(self, expected: int | None) -> tuple[int, int]:
        """Take over what the venue expects; the next value before and after."""

    def shown(self, value: int) -> str:
        """The value as logs and events may have it."""


class Vault(Protocol):
    """Where a reservation is kept; the ledger."""

    def reserve_values(self, lane: LaneId, through: int) -> None:
        """Every value up to ``through`` counts as used, on the disk when this returns."""

    def reserved_values(self, lane: LaneId) -> int | None:
        """The highest reserved value; None when there is none yet."""


class Dense:
    """``high`` gives the highest value that a stored intent used or may have used."""

    gaps = False

    def __init__(self, high: Callable[[], int | None]) -> None:
        self._high = high
        self._floor: int | None = None

    @property
    def fresh(self) -> bool:
        """Nothing of ours was ever on this sequence: only the venue knows where it stands."""
        return self._high() is None and self._floor is None

    def following(self, in_flight: Collection[int] = ()) -> int:
        known = [self._high(), *in_flight]
        ours = max((value for value in known if value is not None), default=-1) + 1
        return ours if self._floor is None else max(ours, self._floor)

    def correct(self, expected: int | None) -> tuple[int, int]:
        """
        Go up to the venue's value; never down on its word.

        Its reading may lag. Down goes the sequence only by intents that are proven unused.
        """
        before = self.following()
        self._floor = expected
        return before, self.following()

    def shown(self, value: int) -> str:
        return str(value)


class Increasing:
    """
    Microseconds since 1970, from blocks of ``block`` values.

    ``jump_s`` is how far an error sends it ahead: the venue has seen a larger value than ours,
    from another program or before a clock was set back.
    """

    gaps = True

    def __init__(
        self,
        lane: LaneId,
        vault: Vault,
        clock: Clock,
        *,
        block: int = BLOCK,
        jump_s: int = JUMP_S,
    ) -> None:
        assert block >= 1
        self._lane = lane
        self._vault = vault
        self._clock = clock
        self._block = block
        self._jump = jump_s * 1_000_000
        self._mutex = threading.Lock()
        self._next = 0
        self._end = 0  # first value that is not ours; equal to _next when nothing is left

    def following(self, in_flight: Collection[int] = ()) -> int:
        with self._mutex:
            if self._next == self._end:
                self._reserve(0)
            value = self._next
            self._next += 1
            return value

    def correct(self, expected: int | None) -> tuple[int, int]:
        """Jump ahead of now, of everything reserved and of what the venue expects."""
        with self._mutex:
            before = self._next
            self._reserve(self._jump, expected or 0)
            return before, self._next

    def shown(self, value: int) -> str:
        """A time-based nonce is half of a signature's input: only its last digits."""
        return "…" + str(value)[-SHOWN_DIGITS:]

    def _reserve(self, ahead: int, least: int = 0) -> None:
        last = self._vault.reserved_values(self._lane) or 0
        now = (self._clock.now() - _EPOCH) // _MICROSECOND
        first = max(max(last, now) + ahead, last + 1, least)
        self._vault.reserve_values(self._lane, first + self._block - 1)
        self._next, self._end = first, first + self._block
