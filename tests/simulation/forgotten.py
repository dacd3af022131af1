"""
What a ledger may have forgotten, because an older one stands in its place or a new one.

The rows of orders that are gone are kept in mind: what they were cannot be asked for any more. At
the end none of them may be missing all the same that a venue executed (promise 3): what the venues
know has to be in the ledger again.
"""

import sqlite3
from collections import defaultdict
from contextlib import suppress
from decimal import Decimal

Orders = set[tuple[str, str]]


class Forgotten:
    """
    Orders by venue and client id.

    Attributes:
        orders: those whose rows were in a ledger that another one stands in the place of.
        known: those that were in the ledger when it was taken from its path; None: it is there.
        any: whether another ledger was ever used.
        traded: what each order of ours has traded, signed.
    """

    def __init__(self) -> None:
        self.orders: Orders = set()
        self.known: Orders | None = None
        self.any = False
        self.traded: dict[tuple[str, str], Decimal] = defaultdict(Decimal)

    def compare(self, before: sqlite3.Connection, after: sqlite3.Connection) -> None:
        """Another ledger is used from now on."""
        self.any = True
        self.orders |= _orders(before)
        self.orders -= _orders(after)

    def displaced(self, ledger: sqlite3.Connection) -> None:
        """It is taken from its path: of what is written from now on, nothing may be left."""
        self.known = _orders(ledger)

    def may_forget(self, venue: str, client_id: str) -> bool:
        """Whether the row of an order was only written since."""
        return self.known is not None and (venue, client_id) not in self.known

    def nothing(self, ledger: sqlite3.Connection) -> Orders:
        """Orders whose rows are gone and stay so, and which executed nothing: nobody owes them."""
        return {key for key in self.orders - _orders(ledger) if not self.traded[key]}


def _orders(ledger: sqlite3.Connection) -> Orders:
    with suppress(sqlite3.DatabaseError):  # it may be the damaged one that is left
        return set(ledger.execute("SELECT venue, client_id FROM orders"))
    return set()
