"""
Promise 2, over all lives and whichever copy of the ledger they had: no id is made twice.

An order id ends in the start of the ledger that made it and in a number; Lighter's client index is
both of them in 48 bits. One pair belongs to one order on one venue, and an id of a hedge to one
hedge, for ever: a venue asked by an id that two orders have tells of the wrong one.
"""

from tests.simulation.oracles.parts import Broken, Ledger, Sent

PROMISE = "2 ids"
NUMBER_BITS = 12
_BEGUN = "SELECT created_at FROM hedges WHERE id = :hedge AND requested_usd <> '0'"
"""Not of one that was made anew for orders that the ledger had lost: it has their hedge's id."""


class Ids:
    """Remembers every id that ever left."""

    def __init__(self, ledger: Ledger, broken: Broken) -> None:
        self._ledger = ledger
        self._broken = broken
        self._payloads: dict[tuple[str, str], str] = {}
        self._orders: dict[tuple[int, int], tuple[str, str]] = {}
        self._hedges: dict[str, str] = {}

    def sent(self, sent: Sent) -> None:
        """An order leaves."""
        key = (sent.venue, sent.client_id)
        if self._payloads.setdefault(key, sent.payload) != sent.payload:
            self._broken(PROMISE, f"{sent.venue} {sent.client_id} is the id of two orders")
        order = (sent.venue, sent.order)
        for pair in sorted({_of_order(sent.order), _of_client(sent)}):
            before = self._orders.setdefault(pair, order)
            if before != order:
                start, number = pair
                self._broken(
                    PROMISE,
                    f"number {number} of start {start} is in {before[1]} on {before[0]}"
                    f" and in {sent.order} on {sent.venue}",
                )
        for (begun,) in self._ledger.rows(_BEGUN, hedge=sent.hedge):
            if self._hedges.setdefault(sent.hedge, str(begun)) != str(begun):
                self._broken(PROMISE, f"{sent.hedge} is the id of two hedges")


def _of_order(order: str) -> tuple[int, int]:
    start, number = order.rsplit("-", 2)[1:]
    return int(start, 36), int(number)


def _of_client(sent: Sent) -> tuple[int, int]:
    if not sent.client_id.isdigit():
        return _of_order(sent.client_id)
    start, number = divmod(int(sent.client_id), 1 << NUMBER_BITS)
    return start, number
