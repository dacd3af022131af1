"""
Send through a lane with several values in flight: dense account sequences (Cosmos, XRPL, EVM)
and time-based nonces (Kraken).

The venue says what it thinks of a value in words. A refusal about the sequence pauses the lane:
nothing new is taken, what is in flight comes to its end, two readings agree, and what provably
did not land and is still wanted goes on under fresh values. When other lanes of the account
turn out to be out of step as well, all of them are read again (seed 001, "global re-sync").
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from hedger.clock import Clock
from hedger.errors import HedgerError, UnavailableError
from hedger.ledger.records import LaneState
from hedger.sequence.lane import Lane, Read
from hedger.sequence.trouble import Trouble, classify, expected

TRIES_MAX: Final = 4

Send = Callable[[int], Awaitable[str]]
"""
Commit an intent with the value, send it, follow it to its proof, record that.

Comes back with the venue's refusal, or empty when it landed.
"""


class NotLandedError(HedgerError):
    """Proven not taken, and not to be repaired here; the text is the venue's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """
    One lane with its way to ask the venue; None where the venue cannot be asked (Kraken).

    ``fence_s`` is how long an expired transaction may still land.
    """

    lane: Lane
    read: Read | None
    clock: Clock
    fence_s: float = 5.0
    others: Sequence["Carrier"] = ()
    gate: asyncio.Lock = field(default_factory=asyncio.Lock)  # one recovery at a time

    def __post_init__(self) -> None:
        assert self.read is not None or self.lane.values.gaps

    async def start(self) -> None:
        """
        Ask the venue where the sequence stands.

        Raises:
            VenueError: it does not answer.
        """
        await self._resynchronise(None, "start")

    async def carry(
        self, send: Send, *, wanted: Callable[[], bool] = lambda: True, reducing: bool = False
    ) -> int:
        """
        Send one thing to its proof; the value under which it landed.

        A cool-down after errors holds back everything that is not ``reducing``.

        Raises:
            NotLandedError: it did not, and is not wanted any more or is not ours to repair.
            VenueError: the sequence could not be brought into step.
        """
        for _ in range(TRIES_MAX):
            value, seen, said = await self._once(send, reducing=reducing)
            if not said:
                self.lane.succeeded()
                return value
            await self._repair(value, seen, said)
            if classify(said) is Trouble.OTHER or not wanted():
                raise NotLandedError(self._not_landed(value, said))
        raise NotLandedError(f"{self.lane.id}: {TRIES_MAX} values in a row did not land")

    async def _once(self, send: Send, *, reducing: bool) -> tuple[int, int, str]:
        """The value, how often the lane had been resynchronised, and the refusal, if any."""
        async with self.lane.turns.task(urgent=reducing):
            await self._until_ready(reducing=reducing)
            value, seen = self.lane.take(), self.lane.resyncs
            try:
                return value, seen, await send(value)
            finally:
                self.lane.end(value)

    def _not_landed(self, value: int, said: str) -> str:
        return f"value {self.lane.values.shown(value)} of {self.lane.id}: {said}"

    async def _until_ready(self, *, reducing: bool) -> None:
        """Wait for a recovery that another task is at; begin one when nobody is."""
        if not reducing and (cooling_s := self.lane.cooling_s()) > 0:
            await self.clock.sleep(cooling_s)
        while self.lane.state is not LaneState.READY:
            await self._recover(self.lane.resyncs, None, "it was paused")

    async def _repair(self, value: int, seen: int, said: str) -> None:
        """What each class needs; an unused value is a hole below the later ones."""
        trouble, shown = classify(said), self.lane.values.shown(value)
        why = f"value {shown} was refused: {trouble}"
        if trouble is Trouble.OTHER:
            if self.lane.values.gaps or not any(v > value for v in self.lane.in_flight):
                return
            why = f"value {shown} was not used, and later ones are in flight"
        elif trouble is Trouble.EXPIRED:
            await self.clock.sleep(self.fence_s)
        await self._recover(seen, expected(said), why)

    async def _recover(self, seen: int, hint: int | None, why: str) -> None:
        """Once for all that were refused by the same break: the first one does it."""
        async with self.gate:
            if self.lane.resyncs != seen:
                return
            self.lane.pause("lane_paused", f"lane {self.lane.id} is paused: {why}", "mismatches")
            self.lane.failed(why)
            out = [other for other in self.others if await other.is_out_of_step()]
            await self._resynchronise(hint, why)
        for other in out:
            await other.recover_too(self.lane)

    async def recover_too(self, first: Lane) -> None:
        """The same for another lane of the account that was found out of step."""
        await self._recover(self.lane.resyncs, None, f"{first.id} was out of step, and so is this")

    async def is_out_of_step(self) -> bool:
        """Whether the venue expects less than was given out, with nothing left in flight below."""
        if self.read is None or self.lane.state is not LaneState.READY:
            return False
        pending = self.lane.in_flight
        return min(pending, default=self.lane.values.following()) > await self.read()

    async def _resynchronise(self, hint: int | None, why: str) -> None:
        await self.lane.drain()
        if self.read is None:
            self.lane.resume(hint, why)
            return
        agreed, ours = await self.lane.agreed(self.read), self.lane.values.following()
        began_s = self.clock.monotonic_s()
        while agreed < ours and self.clock.monotonic_s() - began_s < self.fence_s:
            agreed = await self.lane.agreed(self.read)
        if agreed < ours:
            raise UnavailableError(
                self.lane.venue,
                f"waits for value {agreed} of {self.lane.id}, which an intent of ours has",
            )
        self.lane.resume(agreed, why)
