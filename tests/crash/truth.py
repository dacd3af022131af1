"""What must not be in the venues' own account of themselves; pure, from ``GET /state``."""

import copy
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from adapters.sandbox import verify

Row = Mapping[str, Any]


def doubled(state: Row) -> list[str]:
    """Client ids that a venue executed more than once, and nonces that carry two orders."""
    found: list[str] = []
    for venue in verify.VENUES:
        ids = Counter(order["client_id"] for order in state[venue]["orders"])
        found += [f"{venue} has {n} orders {name}" for name, n in ids.items() if n > 1]
    nonces = Counter(
        (order["api_key_index"], order["nonce"])
        for order in state["lighter"]["orders"]
        if "nonce" in order and "api_key_index" in order
    )
    found += [f"lighter key {key} has nonce {n} twice" for (key, n), k in nonces.items() if k > 1]
    return found


def naked(state: Row, hedges: Sequence[Row], events: Sequence[Row]) -> list[str]:
    """Positions that no open hedge explains, or whose legs differ by more than told dust."""
    net: dict[str, Decimal] = {}
    for venue in verify.VENUES:
        for symbol, position in state[venue]["positions"].items():
            net[symbol] = net.get(symbol, Decimal(0)) + Decimal(position["size"])
    held = {row["symbol"]: row["id"] for row in hedges if row["state"] == "open"}
    dust = {
        (row["hedge_id"], Decimal(row["data"]["dust"]))
        for row in events
        if row["kind"] == "dust"  # less than one size step of the venue
    }
    return [f"{s} is held and no hedge is open" for s in net if s not in held] + [
        f"{s} is naked by {n}" for s, n in net.items() if n != 0 and (held.get(s), n) not in dust
    ]


def working(state: Row) -> list[str]:
    """Client ids of orders that a venue may still fill."""
    return [
        order["client_id"]
        for venue in verify.VENUES
        for order in state[venue]["orders"]
        if order["status"].lower() in {"new", "partially_filled"}
    ]


def filled_though_dead(state: Row, orders: Sequence[Row]) -> list[str]:
    """Orders that the ledger believes dead and a venue has filled, wholly or in part."""
    dead = {order["client_id"] for order in orders if order["state"] == "dead"}
    return [
        order["client_id"]
        for venue in verify.VENUES
        for order in state[venue]["orders"]
        if order["client_id"] in dead and Decimal(order["filled"]) > 0
    ]


def without(state: Row, foreign: Collection[str]) -> dict[str, Any]:
    """
    The same as if somebody else had not traded on the account.

    What took it off again is ours and stays, so the position is made up accordingly.
    """
    left: dict[str, Any] = copy.deepcopy(dict(state))
    for venue in verify.VENUES:
        there = left[venue]
        theirs = {o["id"] for o in there["orders"] if o["client_id"] in foreign}
        for trade in there["trades"]:
            if trade["order_id"] in theirs:
                sign = 1 if trade["side"] == "buy" else -1
                held = there["positions"].setdefault(trade["symbol"], {"size": "0"})
                held["size"] = str(Decimal(held["size"]) - sign * Decimal(trade["size"]))
        there["orders"] = [o for o in there["orders"] if o["id"] not in theirs]
        there["trades"] = [t for t in there["trades"] if t["order_id"] not in theirs]
    return left
