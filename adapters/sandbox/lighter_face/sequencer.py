"""
The sequencer: executes accepted transactions some time after they were answered.

Transactions of one key are executed in the order of their nonces. Execution uses the nonce up,
also when the order then comes to nothing; only a transaction whose ``ExpiredAt`` passed before
its turn leaves it unused (lighter.md §4.1).
"""

import random
from collections.abc import Callable

from adapters.sandbox.engine.types import CancelReason, NewOrder, Tif
from adapters.sandbox.lighter_face.errors import ApiError, Code
from adapters.sandbox.lighter_face.execution import Execution, Outcome, failure
from adapters.sandbox.lighter_face.face import Face
from adapters.sandbox.lighter_face.txinfo import Tx
from adapters.sandbox.lighter_face.txlog import Entry, TxStatus


class Sequencer:
    """Executes transactions when they are due."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._execution = Execution(face)
        self._latency = random.Random(f"lighter|{face.options.seed}")  # noqa: S311 - a model of latency, not a secret
        self._last_due_ms: dict[int, int] = {}
        self._watchers: list[Callable[[Entry], None]] = []

    def watch(self, callback: Callable[[Entry], None]) -> None:
        """Be told of every transaction that was executed or failed."""
        self._watchers.append(callback)

    def due_ms(self, tx: Tx, order: NewOrder | None, extra_ms: int) -> int:
        """When a transaction that arrives now will be executed; wire time."""
        options = self._face.options
        if order is not None and order.tif is Tif.IOC:
            delay_ms = self._latency.randint(*options.taker_latency_ms)
        else:
            delay_ms = options.sequencer_ms
        own_ms = self._face.now_ms() + delay_ms + extra_ms
        after_ms = self._last_due_ms.get(tx.api_key_index, 0) + 1
        return max(own_ms, after_ms)

    def queue(self, entry: Entry) -> None:
        """Execute it at its time."""
        self._last_due_ms[entry.tx.api_key_index] = entry.due_ms
        self._face.background.start(self._run(entry), f"transaction {entry.sequence}")

    async def _run(self, entry: Entry) -> None:
        wait_ms = entry.due_ms - self._face.now_ms()
        while wait_ms > 0:
            await self._face.clock.sleep(wait_ms / 1000)
            wait_ms = entry.due_ms - self._face.now_ms()
        self._execute(entry)

    def _execute(self, entry: Entry) -> None:
        face, tx = self._face, entry.tx
        now_ms = face.now_ms()
        lane = face.lanes[tx.api_key_index]  # also where the key was revoked meanwhile
        if tx.nonce >= lane.expected:
            outcome = failure(Code.INVALID_NONCE)  # one before it expired unused
            self._drop_order(entry)
        elif tx.expired_at_ms <= now_ms:
            outcome = failure(Code.INVALID_EXPIRY)
            self._drop_order(entry)
            lane.give_back(tx.nonce)
        else:
            try:
                outcome = self._execution.run(entry, now_ms)
            except ApiError as error:  # its market has gone since it was let in
                outcome = failure(Code(error.code))
            lane.executed(tx.nonce, now_ms)
        self._settle(entry, outcome, now_ms)

    def _drop_order(self, entry: Entry) -> None:
        if entry.order_id is not None:
            self._face.exchange.cancel(entry.tx.account, entry.order_id, CancelReason.EXPIRED)

    def _settle(self, entry: Entry, outcome: Outcome, now_ms: int) -> None:
        entry.status = TxStatus.FAILED if outcome.error else TxStatus.EXECUTED
        entry.event_info = outcome.event_info
        entry.executed_ms = now_ms
        for callback in self._watchers:
            callback(entry)
