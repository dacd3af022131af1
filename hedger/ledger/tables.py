"""
The schema, as SQLAlchemy declares it. ``migrations/`` builds exactly this; a test holds them
together. How amounts and instants are kept: see ``columns.py``.
"""

from typing import Any

import sqlalchemy as sa

from hedger.domain.hedge import TERMINAL
from hedger.ledger.columns import (
    document,
    exact,
    hedge,
    instant,
    metadata,
    number,
    prose,
    text,
    where,
    word,
)
from hedger.ledger.records import NONCE_FREE_STATES, OPEN_STATES


def _in(values: frozenset[Any]) -> str:
    return "(" + ", ".join(f"'{value}'" for value in sorted(values)) + ")"


LIVE = f"state NOT IN {_in(TERMINAL)}"
NONCE_TAKEN = f"state NOT IN {_in(NONCE_FREE_STATES)}"
UNSETTLED = f"state IN {_in(OPEN_STATES)}"
FUNDING_DUE = "funding_due"
"""
Conditions of partial indexes. A query has to say them word for word, without bound values, for
the database to see that the index answers it.
"""

meta = sa.Table(
    "meta", metadata, sa.Column("key", sa.Text, primary_key=True), document("value"), instant("at")
)

hedges = sa.Table(
    "hedges",
    metadata,
    number(),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    text("symbol"),
    text("venue_a"),
    text("venue_b"),
    word("side_a"),
    exact("requested_usd"),
    exact("planned_size"),
    word("state"),
    word("target"),
    prose("reason"),
    instant("created_at"),
    instant("updated_at"),
    instant("opened_at", null=True),
    instant("closed_at", null=True),
    instant("first_settlement_a", null=True),
    instant("first_settlement_b", null=True),
    instant("last_settlement_a", null=True),
    instant("last_settlement_b", null=True),
    exact("expected_net_bps", null=True),
    sa.Index("ix_hedges_created_at", "created_at"),
    sa.Index("ix_hedges_symbol", "symbol"),
    # one hedge per market: the venue nets positions, so two could not be told apart
    sa.Index(
        "uq_hedges_live_symbol",
        "symbol",
        unique=True,
        **where(LIVE),
    ),
)

legs = sa.Table(
    "legs",
    metadata,
    sa.Column("hedge_id", sa.Text, sa.ForeignKey("hedges.id"), primary_key=True),
    sa.Column("venue", sa.Text, primary_key=True),
    # per purpose of the order: signed coins, signed cash (a buy is negative), fees paid
    *(
        exact(f"{purpose}_{what}")
        for purpose in ("open", "close", "rollback")
        for what in ("size", "usd", "fees_usd")
    ),
    exact("funding_usd"),
    instant("funding_through", null=True),  # market clock: complete up to here
    sa.Column("funding_due", sa.Boolean, nullable=False),  # some of it is not known yet
    sa.Index("ix_legs_funding_due", "hedge_id", **where(FUNDING_DUE)),
)

days = sa.Table(
    "days",
    metadata,
    sa.Column("day", sa.Text, primary_key=True),  # UTC date of the fill, or of the settlement
    sa.Column("venue", sa.Text, primary_key=True),
    sa.Column("fills", sa.Integer, nullable=False),
    exact("traded_usd"),
    exact("cash_usd"),
    exact("fees_usd"),
    sa.Column("payments", sa.Integer, nullable=False),
    exact("funding_usd"),
)

reservations = sa.Table(
    "reservations",
    metadata,
    sa.Column("hedge_id", sa.Text, sa.ForeignKey("hedges.id"), primary_key=True),
    sa.Column("venue", sa.Text, primary_key=True),
    exact("amount_usd"),
    instant("at"),
)

orders = sa.Table(
    "orders",
    metadata,
    number(),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    hedge(),
    text("venue"),
    text("symbol"),
    word("purpose"),
    sa.Column("attempt", sa.Integer, nullable=False),
    word("side"),
    exact("size"),
    exact("limit_price"),
    instant("order_expires_at"),
    word("state"),
    exact("filled_size"),
    exact("filled_usd"),
    exact("avg_price", null=True),
    exact("fee_usd"),
    text("venue_order_id", null=True),
    prose("status", null=True),
    prose("detail", null=True),
    instant("prepared_at"),
    instant("done_at", null=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    text("account"),
    text("client_id"),
    instant("expires_at"),
    text("lane", null=True),
    sa.Column("nonce", sa.BigInteger, nullable=True),
    text("tx_hash", null=True),
    text("payload_sha256"),
    text("payload"),  # long, and last, so that a scan need not read it
    sa.UniqueConstraint("venue", "client_id"),
    sa.Index("ix_orders_hedge_id", "hedge_id"),
    sa.Index("ix_orders_prepared_at", "prepared_at"),
    sa.Index("ix_orders_symbol", "symbol"),
    sa.Index("ix_orders_state", "state"),
    sa.Index("ix_orders_lane_state", "lane", "state"),
    sa.Index(
        "uq_orders_lane_nonce",
        "lane",
        "nonce",
        unique=True,
        **where(NONCE_TAKEN),
    ),
    # nothing new on a leg while it is unknown what an earlier order did
    sa.Index(
        "uq_orders_open_leg",
        "hedge_id",
        "venue",
        unique=True,
        **where(UNSETTLED),
    ),
)

burns = sa.Table(
    "burns",
    metadata,
    number(),
    sa.Column("order_id", sa.Text, sa.ForeignKey("orders.id"), nullable=False, index=True),
    text("client_id"),
    instant("expires_at"),
    text("lane", null=True),
    sa.Column("nonce", sa.BigInteger, nullable=True),
    text("tx_hash", null=True),
    text("payload"),
    word("state"),  # prepared | settled, with the order it stands for
    instant("prepared_at"),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Index("ix_burns_lane", "lane"),
)

fillers = sa.Table(  # harmless transactions under nonces that no order of ours has
    "fillers",
    metadata,
    number(),
    text("lane"),
    sa.Column("nonce", sa.BigInteger, nullable=False),
    text("tx_hash"),
    text("payload"),
    instant("expires_at"),
    instant("prepared_at"),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Index("ix_fillers_lane_nonce", "lane", "nonce"),
)

lanes = sa.Table(
    "lanes",
    metadata,
    number(),
    sa.Column("lane", sa.Text, nullable=False, unique=True),
    text("venue"),
    text("carries"),
    word("state"),
    prose("reason"),
    instant("changed_at"),
    instant("cool_down_until", null=True),
    *(
        sa.Column(name, sa.Integer, nullable=False)
        for name in ("mismatches", "resyncs", "drifts", "gaps", "cool_downs")
    ),
    sa.Column("reserved", sa.BigInteger, nullable=True),  # only where gaps are legal
)

fills = sa.Table(
    "fills",
    metadata,
    number(),
    text("venue"),
    text("trade_id"),
    sa.Column("order_id", sa.Text, sa.ForeignKey("orders.id"), nullable=False, index=True),
    hedge(),
    text("symbol"),
    word("side"),
    exact("size"),
    exact("price"),
    exact("fee_usd"),
    instant("at"),
    sa.Column("is_maker", sa.Boolean, nullable=True),  # null: not recorded
    sa.UniqueConstraint("venue", "trade_id"),
    sa.Index("ix_fills_hedge_id", "hedge_id"),
    sa.Index("ix_fills_at", "at"),
)

position_observations = sa.Table(
    "position_observations",
    metadata,
    number(),
    hedge(null=True),
    text("venue"),
    text("symbol"),
    exact("size"),
    exact("entry_price", null=True),
    instant("read_started_at"),
    instant("as_of"),
    text("source"),
    sa.Index("ix_position_observations_venue_symbol", "venue", "symbol"),
    sa.Index("ix_position_observations_hedge_id", "hedge_id"),
    sa.Index("ix_position_observations_as_of", "as_of"),
)

funding_observations = sa.Table(
    "funding_observations",
    metadata,
    number(),
    text("venue"),
    text("symbol"),
    exact("rate_1h"),
    instant("next_settlement_at"),
    sa.Column("interval_s", sa.Integer, nullable=False),
    exact("mark_price"),
    exact("index_price", null=True),
    exact("open_interest_usd", null=True),
    instant("as_of"),
    text("source"),
    sa.Index("ix_funding_observations_as_of", "as_of"),
)

funding_payments = sa.Table(
    "funding_payments",
    metadata,
    number(),
    text("venue"),
    text("symbol"),
    text("payment_id"),
    instant("settlement_at"),
    exact("amount_usd"),
    exact("rate_1h"),
    exact("size"),
    hedge(null=True),
    instant("booked_at"),
    exact("mark_price", null=True),  # where the venue tells what it was computed with
    sa.UniqueConstraint("venue", "payment_id"),
    sa.UniqueConstraint("venue", "symbol", "settlement_at"),
    sa.Index("ix_funding_payments_hedge_id", "hedge_id"),
    sa.Index("ix_funding_payments_settlement_at", "settlement_at"),
)

events = sa.Table(
    "events",
    metadata,
    number(),
    instant("at"),
    sa.Column("epoch", sa.Integer, nullable=False),
    text("level"),
    text("kind"),
    hedge(null=True),
    word("from_state", null=True),
    word("to_state", null=True),
    prose("text"),
    document("data"),  # one JSON object
    sa.Index("ix_events_hedge_id", "hedge_id"),
    sa.Index("ix_events_at", "at"),
)

alerts = sa.Table(
    "alerts",
    metadata,
    number(),
    instant("at"),
    hedge(null=True),
    prose("text"),
    document("data"),
    instant("acknowledged_at", null=True),
)

decisions = sa.Table(  # one row is an hour of one reason on one market
    "decisions",
    metadata,
    number(),
    instant("hour"),
    text("symbol"),
    text("about"),
    word("code"),
    instant("first_at"),
    instant("last_at"),
    prose("text"),
    sa.Column("times", sa.Integer, nullable=False),
    exact("value_usd", null=True),
    sa.UniqueConstraint("hour", "symbol", "about", "code"),
    sa.Index("ix_decisions_last_at", "last_at"),
)
