"""What the judges are given: committed rows, hedges that live, and seconds that count."""

from collections.abc import Callable, Container, Hashable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

ZERO = Decimal(0)
VENUES = ("x10", "lighter")

Broken = Callable[[str, str], None]
"""Notes a promise that was broken, and how."""


class Ledger(Protocol):
    """The committed rows (``oracle.Oracle``)."""

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Everything that answers a query."""


@dataclass(frozen=True, slots=True)
class Held:
    """
    A hedge of the ledger that is not over.

    ``booked`` is what its fills make on X10 and on Lighter, in signed coins; ``unsettled`` are the
    orders of which no end is known.
    """

    id: str
    symbol: str
    state: str
    booked: tuple[Decimal, Decimal]
    unsettled: int
    orders: int

    @property
    def net(self) -> Decimal:
        """What its fills make of both legs together."""
        return sum(self.booked, ZERO)

    def proven_empty(self, venue: str) -> bool:
        """Whether the ledger proves that nothing of it is there, though it was opened by us."""
        at = VENUES.index(venue)
        return bool(self.orders) and not self.unsettled and self.booked[at] == ZERO


@dataclass(frozen=True, slots=True)
class Sent:
    """An order that leaves, as its committed intent has it. ``size`` is in coins."""

    venue: str
    client_id: str
    payload: str
    order: str
    hedge: str
    symbol: str
    purpose: str
    size: Decimal


_SIZES = ("open_size", "close_size", "rollback_size")
_LIVE = (
    "SELECT h.id, h.symbol, h.state, (SELECT count(*) FROM orders o WHERE o.hedge_id = h.id"
    " AND o.state IN ('prepared', 'unresolved')),"
    " (SELECT count(*) FROM orders o WHERE o.hedge_id = h.id AND o.purpose = 'open'), "
    + ", ".join(f"{leg}.{size}" for leg in "ab" for size in _SIZES)
    + " FROM hedges h"
    " JOIN legs a ON a.hedge_id = h.id AND a.venue = 'x10'"
    " JOIN legs b ON b.hedge_id = h.id AND b.venue = 'lighter'"
    " WHERE h.state NOT IN ('refused', 'closed_flat', 'closed') ORDER BY h.seq"
)


def live(ledger: Ledger) -> list[Held]:
    """Every hedge that is not over."""
    return [
        Held(id_, symbol, state, (_sum(sizes[:3]), _sum(sizes[3:])), unsettled, orders)
        for id_, symbol, state, unsettled, orders, *sizes in ledger.rows(_LIVE)
    ]


def _sum(sizes: Iterable[str]) -> Decimal:
    return sum(map(Decimal, sizes), ZERO)


class Stretches:
    """
    For how long things have been so without a break.

    Only time between two looks at which it counted is added: never more than there was.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[float, float, bool]] = {}

    def seconds(self, key: Hashable, now_s: float, *, so: bool, counts: bool = True) -> float:
        """Seconds that counted since it came to be so; 0 where it is not so now."""
        if not so:
            self._known.pop(key, None)
            return 0.0
        sum_s, at_s, counted = self._known.get(key, (0.0, now_s, False))
        if counts and counted:
            sum_s += now_s - at_s
        self._known[key] = (sum_s, now_s, counts)
        return sum_s

    def keep(self, keys: Container[Hashable]) -> None:
        """Forget everything else: what is not looked at may be otherwise meanwhile."""
        self._known = {key: found for key, found in self._known.items() if key in keys}
