"""
Which of the engine's orders a Lighter client can see, since when, and under which index.

An order is admitted to the engine when its transaction is accepted, so that its arrival is on
record, and becomes visible when the transaction is executed. An order whose transaction failed
stays invisible for ever: on Lighter only the transaction tells of it.
"""

from collections.abc import Iterable

from adapters.sandbox.engine.types import OrderView

MAX_CLIENT_INDEX = (1 << 48) - 1


class OrderDirectory:
    """Visibility and indexes of orders."""

    def __init__(self) -> None:
        self._visible_since_ms: dict[int, int | None] = {}
        self._index_of: dict[int, int] = {}
        self.changed_ms = 0  # when an order became visible or was replaced, the last time

    def accepted(self, order_id: int) -> None:
        """Hide an order until its transaction is executed."""
        self._visible_since_ms[order_id] = None

    def executed(self, order_id: int, at_ms: int) -> None:
        """Show it from now on."""
        self._visible_since_ms[order_id] = at_ms
        self.changed_ms = at_ms

    def replaced(self, old_id: int, new_id: int, at_ms: int) -> None:
        """A modified order keeps its index; the engine's new order takes the place of the old."""
        self._index_of[new_id] = self.index(old_id)
        self._visible_since_ms[old_id] = None
        self._visible_since_ms[new_id] = at_ms
        self.changed_ms = at_ms

    def index(self, order_id: int) -> int:
        """``order_index``: the engine's id, which lies between 2**48 and 2**60."""
        return self._index_of.get(order_id, order_id)

    def visible(self, orders: Iterable[OrderView], as_of_ms: int) -> list[OrderView]:
        """Those a reader saw at that instant. Orders of the venue's own making always show."""
        return [order for order in orders if self._shows(order, as_of_ms)]

    def find(self, orders: Iterable[OrderView], index: int) -> OrderView | None:
        """The newest of these with this order index or client order index."""
        found: OrderView | None = None
        for order in orders:
            if index > MAX_CLIENT_INDEX:
                hit = self.index(order.id) == index
            else:
                hit = order.new.client_id == str(index)
            if hit:
                found = order
        return found

    def _shows(self, order: OrderView, as_of_ms: int) -> bool:
        if order.id not in self._visible_since_ms:
            return True
        since_ms = self._visible_since_ms[order.id]
        return since_ms is not None and since_ms <= as_of_ms
