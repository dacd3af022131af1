"""
What has to be true after every scenario, read from the venues' truth and from the ledger.

The invariants I1 to I5 of scenarios.md: nothing is left naked and nothing was for long; no order
without an intent before it; the ledger's fills are the venues'; what takes exposure off is
reduce-only and never turns a position round; an open hedge has two equal legs.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate
from typing import Any

from hedger.domain.hedge import Hedge, State
from tests.desk import Desk
from tests.world import LIGHTER, X10

VENUES = (X10, LIGHTER)
NAKED_MAX_S = 20.0
"""
How long one fault may leave a leg alone. An X10 order whose answer was lost is dead 11 s after
it was signed (expiry, the venue's own clocks, read lag), and nothing may be decided before.
"""

Row = dict[str, Any]

ANY_FAULT: dict[str, dict[str, Any]] = {
    "refused": {"kind": "refuse", "code": 1140},  # 21739 on Lighter
    "no margin": {"kind": "reject", "reason": "margin"},
    "nothing to reduce": {"kind": "reject", "reason": "reduce_only"},
    "partly filled": {"kind": "partial_fill", "fraction": "0.37"},
    "not filled": {"kind": "no_fill"},
    "hanging": {"kind": "hang", "seconds": 12},
    "dropped before": {"kind": "drop_answer", "when": "before"},
    "dropped after": {"kind": "drop_answer", "when": "after"},
    "429": {"kind": "rate_limit", "status": 429},
    "405 page": {"kind": "rate_limit", "status": 405, "html": True},
    "500 before": {"kind": "server_error", "status": 500, "when": "before"},
    "504 page after": {"kind": "server_error", "status": 504, "when": "after", "html": True},
    "matched late": {"kind": "slow_match", "seconds": 6},
    "stolen nonce": {"kind": "steal_nonce"},  # not filled on X10, which has no nonces
    "old positions": {"kind": "lag", "what": ["positions"], "seconds": 4, "times": 0},
    "old orders": {"kind": "lag", "what": ["orders"], "seconds": 4, "times": 0},
    "old nonces": {"kind": "lag", "what": ["nonce"], "seconds": 4, "times": 0},
    "unreadable orders": {"kind": "bad_reads", "what": ["orders"], "times": 6},
    "unreadable positions": {"kind": "bad_reads", "what": ["positions"], "skip": 1, "times": 6},
    "unreadable nonces": {"kind": "bad_reads", "what": ["nonce"], "times": 2},
    "empty orders": {"kind": "empty_reads", "what": ["orders"], "times": 2},
    "empty positions": {"kind": "empty_reads", "what": ["positions"], "skip": 1},
}
"""Every kind of fault that a request can meet, once or for a while."""


def assert_in_order(desk: Desk, hedge: Hedge, *, naked_max_s: float = NAKED_MAX_S) -> None:
    """The hedge is at rest, open with equal legs or flat, and I1 to I5 hold."""
    assert hedge.state.at_rest, hedge.reason
    assert (desk.position(X10, hedge.symbol) != 0) == (hedge.state is State.OPEN)
    assert (desk.position(LIGHTER, hedge.symbol) != 0) == (hedge.state is State.OPEN)
    assert abs(desk.naked(hedge.symbol)) < coarser_step(desk, hedge)
    assert (desk.naked(hedge.symbol) != 0) <= (desk.events("dust") != [])
    assert longest_naked_s(desk, hedge) <= naked_max_s
    desk.assert_ledger_is_true()
    assert_orders_are_ours(desk)
    assert_never_turned_round(desk)


def coarser_step(desk: Desk, hedge: Hedge) -> Decimal:
    """The coarser size step of both venues: what is less stands at most on that one (I5)."""
    return max(desk.world.exchange(venue).rules[hedge.symbol].size_step for venue in VENUES)


def longest_naked_s(desk: Desk, hedge: Hedge) -> float:
    """The longest stretch in which the venues differed by a step or more, until now."""
    trades = sorted(
        (trade["at_ms"], Decimal(trade["size"]) * (1 if trade["side"] == "buy" else -1))
        for venue in VENUES
        for trade in desk.world.state()[venue]["trades"]
        if trade["symbol"] == hedge.symbol
    )
    longest_ms, net = 0, Decimal(0)
    since_ms: int | None = None
    for at_ms, size in [*trades, (desk.world.state()["wire_ms"], Decimal(0))]:
        if since_ms is not None:
            longest_ms = max(longest_ms, at_ms - since_ms)
        net += size
        naked = abs(net) >= coarser_step(desk, hedge)
        since_ms = (at_ms if since_ms is None else since_ms) if naked else None
    return longest_ms / 1000


def assert_orders_are_ours(desk: Desk) -> None:
    """Each order of the venues was an intent first, and is reduce-only unless it opens."""
    intents = {row["client_id"]: row for row in desk.rows("orders")}
    for venue in VENUES:
        for order in desk.world.orders(venue):
            intent = intents[order["client_id"]]
            assert order["arrived_ms"] >= ms(intent["prepared_at"])
            assert order["reduce_only"] == (intent["purpose"] != "open")
            assert Decimal(order["size"]) == Decimal(intent["size"])


def assert_never_turned_round(desk: Desk) -> None:
    """Neither position ever changed its sign: no close was larger than what was there."""
    for venue in VENUES:
        sizes = positions_after_each_trade(desk, venue)
        assert not (any(size > 0 for size in sizes) and any(size < 0 for size in sizes))


def positions_after_each_trade(desk: Desk, venue: str) -> list[Decimal]:
    """The venue's true position on the one market of the test, trade by trade."""
    trades = sorted(desk.world.state()[venue]["trades"], key=lambda trade: int(trade["at_ms"]))
    assert len({trade["symbol"] for trade in trades}) <= 1
    return list(
        accumulate(
            Decimal(trade["size"]) * (1 if trade["side"] == "buy" else -1) for trade in trades
        )
    )


def sent(desk: Desk, venue: str, *purposes: str) -> list[Row]:
    """The ledger's orders on a venue, oldest first."""
    return [row for row in desk.rows("orders", venue=venue) if row["purpose"] in purposes]


def taken(desk: Desk, venue: str, *, reduce_only: bool) -> list[Row]:
    """The orders that a venue really took in, oldest first."""
    return [order for order in desk.world.orders(venue) if order["reduce_only"] == reduce_only]


def looks(desk: Desk, venue: str) -> list[Row]:
    """Every reading of a position on a venue that the ledger keeps, oldest first."""
    return desk.rows("positions", venue=venue)


def states(desk: Desk) -> list[str]:
    """The states that the hedges went through, in order."""
    return [row["to_state"] for row in desk.events("transition")]


def number_of(desk: Desk, kind: str, order: Row) -> int:
    """Where the event of this kind about an order stands among all events."""
    (event,) = [row for row in desk.events(kind) if row["data"].get("order") == order["id"]]
    return int(event["seq"])


def instant(text: str) -> datetime:
    """A stamp of the audit."""
    return datetime.fromisoformat(text).astimezone(UTC)


def ms(text: str) -> int:
    """A stamp of the audit as the venues count time."""
    return int(instant(text).timestamp() * 1000)


def total(rows: Sequence[Row], key: str) -> Decimal:
    """The exact sum of one column."""
    return sum((Decimal(row[key]) for row in rows), Decimal(0))
