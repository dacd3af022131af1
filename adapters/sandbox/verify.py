"""
Hold a ledger's rows against what the venues truly did: order by order, to the last decimal.

Pure: the rows are those of ``hedger audit orders|fills|funding``, the truth is ``GET /state``.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]
VENUES = ("x10", "lighter")
EXECUTED = frozenset({"filled", "partial", "zero"})
OPEN = frozenset({"prepared", "unresolved"})


def differences(
    orders: Sequence[Row], fills: Sequence[Row], payments: Sequence[Row], state: Mapping[str, Any]
) -> list[str]:
    """
    One sentence for everything on which the ledger and the venues disagree.

    Rows of another account, such as that of an earlier sandbox, are not these venues' matter.
    """
    found: list[str] = []
    for venue in VENUES:
        truth = state[venue]
        mine = [row for row in _at(venue, orders) if row["account"] == truth["account"]]
        known = {row["id"] for row in mine}
        filled = [row for row in _at(venue, fills) if row["order_id"] in known]
        hedges = {row["hedge_id"] for row in mine}
        paid = [row for row in _at(venue, payments) if row["hedge_id"] in hedges]
        found += _orders(venue, mine, truth["orders"])
        found += _fills(venue, filled, truth["trades"])
        found += _payments(venue, paid, truth["payments"])
        found += _positions(venue, filled, truth["positions"])
    return found


def exposed(state: Mapping[str, Any]) -> list[str]:
    """One sentence for every position that is not flat."""
    return [
        f"{venue} holds {position['size']} {symbol}"
        for venue in VENUES
        for symbol, position in state[venue]["positions"].items()
    ]


def _at(venue: str, rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["venue"] == venue]


def _differ(what: str, pairs: Mapping[str, tuple[Any, Any]]) -> list[str]:
    """Figures that are not equal as exact decimals."""
    return [
        f"{what}: {name} is {ours} in the ledger and {theirs} at the venue"
        for name, (ours, theirs) in pairs.items()
        if Decimal(ours or 0) != Decimal(theirs or 0)
    ]


def _orders(venue: str, ours: Sequence[Row], theirs: Sequence[Row]) -> list[str]:
    there = {row["client_id"]: row for row in theirs}
    found: list[str] = []
    for row in ours:
        name = f"{venue} order {row['id']}"
        order = there.pop(row["client_id"], None)
        if row["state"] in OPEN:
            found.append(f"{name} has no proven end")
        elif row["state"] not in EXECUTED:
            if order is not None and Decimal(order["filled"]) != 0:
                found.append(f"{name} is {row['state']} in the ledger, filled at the venue")
        elif order is None:
            if Decimal(row["filled_size"] or 0) != 0:
                found.append(f"{name} is filled in the ledger, unknown at the venue")
        else:
            found += _differ(
                name,
                {
                    "filled": (row["filled_size"], order["filled"]),
                    "value": (row["filled_usd"], order["filled_value"]),
                    "fee": (row["fee_usd"], order["fee"]),
                },
            )
    found += [f"{venue} order {name} is not in the ledger" for name in there]
    return found


def _fills(venue: str, ours: Sequence[Row], theirs: Sequence[Row]) -> list[str]:
    there = {row["id"]: row for row in theirs}
    found: list[str] = []
    for row in ours:
        trade = there.pop(row["trade_id"], None)
        if trade is None:
            found.append(f"{venue} trade {row['trade_id']} is unknown at the venue")
            continue
        found += _differ(
            f"{venue} trade {row['trade_id']}",
            {
                "size": (row["size"], trade["size"]),
                "price": (row["price"], trade["price"]),
                "fee": (row["fee_usd"], trade["fee"]),
            },
        )
    found += [f"{venue} trade {name} is not in the ledger" for name in there]
    return found


def _payments(venue: str, ours: Sequence[Row], theirs: Sequence[Row]) -> list[str]:
    """What is booked must be true; what is not booked yet is not a difference."""
    there = {(row["symbol"], _hour(row["settlement_ms"])): row for row in theirs}
    found: list[str] = []
    for row in ours:
        payment = there.get((row["symbol"], row["settlement_at"][:13]))
        if payment is None:
            found.append(f"{venue} payment {row['payment_id']} is unknown at the venue")
        else:
            found += _differ(
                f"{venue} payment {row['payment_id']}",
                {"amount": (row["amount_usd"], payment["amount"])},
            )
    return found


def _hour(ms: int) -> str:
    """A settlement as the ledger's text begins: ``2026-01-02T22``."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()[:13]


def _positions(venue: str, fills: Sequence[Row], held: Mapping[str, Row]) -> list[str]:
    booked: dict[str, Decimal] = defaultdict(Decimal)
    for row in fills:
        sign = 1 if row["side"] == "buy" else -1
        booked[row["symbol"]] += sign * Decimal(row["size"])
    found: list[str] = []
    for symbol in sorted(booked.keys() | held.keys()):
        size = held[symbol]["size"] if symbol in held else "0"
        found += _differ(f"{venue} {symbol}", {"position": (booked.get(symbol), size)})
    return found
