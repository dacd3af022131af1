"""
The ledger held against both venues, by the same code as ``hedger sandbox verify``.

What others traded in the same account is left out: only what we sent is compared.
"""

from collections.abc import Set as AbstractSet
from decimal import Decimal
from pathlib import Path
from typing import Any

from adapters.sandbox import verify
from hedger import audit
from tests.simulation.exchange import Venues

ZERO = Decimal(0)


def compared(
    path: Path,
    venues: Venues,
    sent: AbstractSet[tuple[str, str]],
    given_up: AbstractSet[str] = frozenset(),
) -> tuple[list[str], list[str]]:
    """
    What was executed twice, and where the ledger says something else than a venue.

    Of client ids that are ``given_up`` only what is booked is compared: a fill that the ledger has
    was executed, and one that it never could have been told is not owed.
    """
    everything = audit.Filters(limit=0)
    orders, fills, payments = (
        list(audit.rows(path, kind, everything)) for kind in ("orders", "fills", "funding")
    )
    orders = [row for row in orders if row["client_id"] not in given_up]
    booked_trades = {(row["venue"], row["trade_id"]) for row in fills}
    state = venues.state()
    twice: list[str] = []
    found: list[str] = []
    for venue in verify.VENUES:
        truth: dict[str, Any] = state[venue]
        theirs = [
            o
            for o in truth["orders"]
            if (venue, o["client_id"]) in sent and o["client_id"] not in given_up
        ]
        traded = [
            t
            for t in truth["trades"]
            if (venue, t["client_id"]) in sent
            and (t["client_id"] not in given_up or (venue, t["id"]) in booked_trades)
        ]
        twice += _twice(venue, theirs)
        mine = verify._at(venue, orders)
        found += verify._orders(venue, mine, theirs)
        found += verify._fills(venue, verify._at(venue, fills), traded)
        booked = [row for row in verify._at(venue, payments) if row["hedge_id"]]
        found += verify._payments(venue, booked, truth["payments"])
    return twice, found


def _twice(venue: str, theirs: list[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    seen: set[str] = set()
    for row in theirs:
        if Decimal(row["filled"]) == ZERO:
            continue
        if row["client_id"] in seen:
            found.append(f"{venue} {row['client_id']} was executed twice")
        seen.add(row["client_id"])
    return found
