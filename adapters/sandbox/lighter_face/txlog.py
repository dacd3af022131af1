"""Every transaction that was accepted, and what became of it."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from adapters.sandbox.lighter_face.txinfo import Tx


class TxStatus(IntEnum):
    """``status`` of a transaction (lighter.md §2)."""

    FAILED = 0
    PENDING = 1
    EXECUTED = 2


@dataclass(slots=True)
class Entry:
    """One accepted transaction. Times are wire time, ms."""

    tx: Tx
    hash: str
    sequence: int
    received_ms: int
    due_ms: int
    order_id: int | None = None  # of the engine, where it creates an order
    status: TxStatus = TxStatus.PENDING
    executed_ms: int | None = None
    event_info: str = ""

    def status_at(self, as_of_ms: int) -> TxStatus:
        """Its status as a reader saw it at that instant."""
        if self.executed_ms is None or self.executed_ms > as_of_ms:
            return TxStatus.PENDING
        return self.status


class TxLog:
    """Accepted transactions by hash and by sequence index, oldest first."""

    def __init__(self) -> None:
        self._by_hash: dict[str, Entry] = {}
        self._by_sequence: dict[int, Entry] = {}
        self._sequence = itertools.count(1)

    def add(self, tx: Tx, tx_hash: str, received_ms: int, due_ms: int) -> Entry:
        """Record an accepted transaction."""
        entry = Entry(tx, tx_hash, next(self._sequence), received_ms, due_ms)
        self._by_hash[tx_hash] = entry
        self._by_sequence[entry.sequence] = entry
        return entry

    def by_hash(self, tx_hash: str) -> Entry | None:
        """The transaction with this hash."""
        return self._by_hash.get(tx_hash.removeprefix("0x").lower())

    def by_sequence(self, sequence: int) -> Entry | None:
        """The transaction with this sequence index."""
        return self._by_sequence.get(sequence)

    def newest_first(self) -> Iterator[Entry]:
        """All of them."""
        return reversed(self._by_sequence.values())
