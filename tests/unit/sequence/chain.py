"""
Exchanges whose accounts have dense sequences, and our side of them: intents in the real ledger.

``Chain`` follows what Cosmos and XRPL do (seeds 000 and 001): an account expects exactly one
value; a later one is refused with the expected one in the text; a refusal for another reason
(the fee, the queue) does not use the value.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

from hedger.clock import Clock
from hedger.domain.ids import LaneId, VenueId
from hedger.domain.money import ZERO
from hedger.domain.order import Filled, Prepared, Reason, Refused
from hedger.ledger.store import Store
from hedger.sequence import Carrier, Dense, Lane
from hedger.settings_sequence import Sequence as Rules
from tests.unit.ledger.build import LIGHTER, a_hedge, a_store, an_order

CHAIN = VenueId("chain")


class Chain:
    """One account; ``refuse`` gives refusals that are not about the value."""

    def __init__(self, first: int, refuse: Callable[[int, int], str] = lambda _n, _v: "") -> None:
        self.expected = first
        self.seen: list[int] = []
        self.landed: list[int] = []
        self._refuse = refuse

    def submit(self, value: int) -> str:
        self.seen.append(value)
        if why := self._refuse(len(self.seen), value):
            return why
        if value != self.expected:
            return f"account sequence mismatch, expected {self.expected}, got {value}"
        self.expected += 1
        self.landed.append(value)
        return ""

    async def next_value(self) -> int:
        return self.expected


class Books:
    """The ledger with a hedge for each order, because a leg may have one open order only."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.store: Store = a_store(folder, clock)
        self._numbers: Iterator[int] = count()

    def commit(self, lane: LaneId, value: int) -> Prepared:
        """The intent that has to be on the disk before the first byte."""
        number = next(self._numbers)
        hedge = a_hedge(f"h{self.store.epoch}-{number}", symbol=f"S{self.store.epoch}X{number}")
        self.store.plan(hedge)
        order = an_order(hedge.id, venue=LIGHTER, nonce=value, symbol=hedge.symbol)
        prepared = replace(order, lane=lane)
        self.store.intend(prepared)
        return prepared

    def landed(self, prepared: Prepared) -> None:
        self.store.settle(Filled(prepared, ZERO, (), None, "ok"))

    def refused(self, prepared: Prepared, why: str) -> None:
        self.store.settle(Refused(prepared, Reason.OTHER, "refused", why))

    def values(self, lane: LaneId) -> Dense:
        return Dense(lambda: self.store.lane_high(lane))


class Account:
    """One account of a chain with its lane: what an adapter of such a venue would be."""

    def __init__(
        self, books: Books, clock: Clock, chain: Chain, *, name: str = "a", width: int = 100
    ) -> None:
        self.chain = chain
        self._books = books
        self._clock = clock
        self.id = LaneId(f"chain:{name}:0")
        self.lane = Lane(
            self.id,
            books.values(self.id),
            venue=CHAIN,
            carries="everything",
            journal=books.store,
            clock=clock,
            rules=Rules(),
            width=width,
        )
        self.carrier = Carrier(lane=self.lane, read=chain.next_value, clock=clock)

    async def send(self, value: int) -> str:
        prepared = self._books.commit(self.id, value)
        await asyncio.sleep(0)  # the transaction is on its way
        if said := self.chain.submit(value):
            self._books.refused(prepared, said)
        else:
            self._books.landed(prepared)
        return said
