"""
Which columns a table shows of each kind of row; JSON and CSV always have all of them.

A column that is not in the row is left out, so that a renamed key is missed and not made up.
"""

HEDGES = (
    "id", "symbol", "state", "side_a", "size_a", "size_b", "requested_usd", "opened_at",
    "closed_at", "reason",
)  # fmt: skip

HELD = (
    "id", "symbol", "state", "side_a", "size_a", "size_b", "stay_usd", "leave_usd",
    "break_even_h", "naive_apy", "opened_at", "reason",
)  # fmt: skip

AUDIT = {
    "hedges": HEDGES,
    "orders": (
        "id", "venue", "symbol", "purpose", "side", "size", "limit_price", "state",
        "filled_size", "avg_price", "fee_usd", "prepared_at", "status",
    ),
    "fills": (
        "order_id", "venue", "symbol", "purpose", "side", "size", "price", "fee_usd", "at",
    ),
    "funding": (
        "settlement_at", "venue", "symbol", "amount_usd", "rate_1h", "size", "hedge_id",
    ),
    "rates": (
        "as_of", "venue", "symbol", "rate_1h", "next_settlement_at", "mark_price",
    ),
    "positions": (
        "as_of", "venue", "symbol", "size", "entry_price", "hedge_id", "source",
    ),
    "decisions": ("hour", "symbol", "about", "code", "times", "value_usd", "text"),
    "events": ("at", "level", "kind", "hedge_id", "from_state", "to_state", "text"),
    "lanes": (
        "lane", "carries", "state", "last_nonce", "issued", "confirmed", "refused", "dead",
        "mismatches", "resyncs", "drifts", "success_rate",
    ),
    "pnl": (
        "id", "symbol", "state", "size_a", "size_b", "price_usd", "fees_usd", "funding_usd",
        "rollback_cost_usd", "net_usd", "lost_usd",
    ),
}  # fmt: skip
