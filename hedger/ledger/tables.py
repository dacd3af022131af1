"""
The schema, as SQLAlchemy declares it. ``migrations/`` builds exactly this; a test holds them
together.

Amounts are text: ``sa.Numeric`` on SQLite goes through a float. Instants are text of a fixed
width, see ``text.py``. Nothing here is SQLite's alone except the names of two options that
other databases have under their own.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from hedger.domain.hedge import TERMINAL
from hedger.ledger.records import NONCE_FREE_STATES, OPEN_STATES
from hedger.ledger.text import decimal_text, instant_text, parse_instant

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


class Exact(sa.types.TypeDecorator[Decimal]):
    """An exact decimal as plain text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: sa.Dialect) -> str | None:
        if value is None:
            return None
        assert isinstance(value, Decimal)
        return decimal_text(value)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware instant, UTC, to the microsecond, as text that sorts."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else instant_text(value)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else parse_instant(value)


class Word(sa.Text):
    """One word of an enumeration. Read, it is text."""


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


def _where(condition: str) -> Mapping[str, Any]:
    """A partial index, for both databases that have them."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


def _word(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, Word, nullable=null)


def _exact(name: str, *, null: bool = False) -> sa.Column[Decimal]:
    return sa.Column(name, Exact, nullable=null)


def _instant(name: str, *, null: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, Instant, nullable=null)


def _number(name: str = "seq") -> sa.Column[int]:
    """Counts up in the order of recording."""
    return sa.Column(name, sa.Integer, primary_key=True)


def _hedge(*, null: bool = False) -> sa.Column[str]:
    return sa.Column("hedge_id", sa.Text, sa.ForeignKey("hedges.id"), nullable=null)


meta = sa.Table(
    "meta", metadata, sa.Column("key", sa.Text, primary_key=True), _text("value"), _instant("at")
)

hedges = sa.Table(
    "hedges",
    metadata,
    _number(),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    _text("symbol"),
    _text("venue_a"),
    _text("venue_b"),
    _word("side_a"),
    _exact("requested_usd"),
    _exact("planned_size"),
    _word("state"),
    _word("target"),
    _text("reason"),
    _instant("created_at"),
    _instant("updated_at"),
    _instant("opened_at", null=True),
    _instant("closed_at", null=True),
    _instant("first_settlement_a", null=True),
    _instant("first_settlement_b", null=True),
    _instant("last_settlement_a", null=True),
    _instant("last_settlement_b", null=True),
    _exact("expected_net_bps", null=True),
    sa.Index("ix_hedges_created_at", "created_at"),
    sa.Index("ix_hedges_symbol", "symbol"),
    # one hedge per market: the venue nets positions, so two could not be told apart
    sa.Index(
        "uq_hedges_live_symbol",
        "symbol",
        unique=True,
        **_where(LIVE),
    ),
)

legs = sa.Table(
    "legs",
    metadata,
    sa.Column("hedge_id", sa.Text, sa.ForeignKey("hedges.id"), primary_key=True),
    sa.Column("venue", sa.Text, primary_key=True),
    # per purpose of the order: signed coins, signed cash (a buy is negative), fees paid
    *(
        _exact(f"{purpose}_{what}")
        for purpose in ("open", "close", "rollback")
        for what in ("size", "usd", "fees_usd")
    ),
    _exact("funding_usd"),
    _instant("funding_through", null=True),  # market clock: complete up to here
    sa.Column("funding_due", sa.Boolean, nullable=False),  # some of it is not known yet
    sa.Index("ix_legs_funding_due", "hedge_id", **_where(FUNDING_DUE)),
)

days = sa.Table(
    "days",
    metadata,
    sa.Column("day", sa.Text, primary_key=True),  # UTC date of the fill, or of the settlement
    sa.Column("venue", sa.Text, primary_key=True),
    sa.Column("fills", sa.Integer, nullable=False),
    _exact("traded_usd"),
    _exact("cash_usd"),
    _exact("fees_usd"),
    sa.Column("payments", sa.Integer, nullable=False),
    _exact("funding_usd"),
)

reservations = sa.Table(
    "reservations",
    metadata,
    sa.Column("hedge_id", sa.Text, sa.ForeignKey("hedges.id"), primary_key=True),
    sa.Column("venue", sa.Text, primary_key=True),
    _exact("amount_usd"),
    _instant("at"),
)

orders = sa.Table(
    "orders",
    metadata,
    _number(),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    _hedge(),
    _text("venue"),
    _text("symbol"),
    _word("purpose"),
    sa.Column("attempt", sa.Integer, nullable=False),
    _word("side"),
    _exact("size"),
    _exact("limit_price"),
    _instant("order_expires_at"),
    _word("state"),
    _exact("filled_size"),
    _exact("filled_usd"),
    _exact("avg_price", null=True),
    _exact("fee_usd"),
    _text("venue_order_id", null=True),
    _text("status", null=True),
    _text("detail", null=True),
    _instant("prepared_at"),
    _instant("done_at", null=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    _text("account"),
    _text("client_id"),
    _instant("expires_at"),
    _text("lane", null=True),
    sa.Column("nonce", sa.BigInteger, nullable=True),
    _text("tx_hash", null=True),
    _text("payload_sha256"),
    _text("payload"),  # long, and last, so that a scan need not read it
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
        **_where(NONCE_TAKEN),
    ),
    # nothing new on a leg while it is unknown what an earlier order did
    sa.Index(
        "uq_orders_open_leg",
        "hedge_id",
        "venue",
        unique=True,
        **_where(UNSETTLED),
    ),
)

burns = sa.Table(
    "burns",
    metadata,
    _number(),
    sa.Column("order_id", sa.Text, sa.ForeignKey("orders.id"), nullable=False, index=True),
    _text("client_id"),
    _instant("expires_at"),
    _text("lane", null=True),
    sa.Column("nonce", sa.BigInteger, nullable=True),
    _text("tx_hash", null=True),
    _text("payload"),
    _word("state"),  # prepared | settled, with the order it stands for
    _instant("prepared_at"),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Index("ix_burns_lane", "lane"),
)

fillers = sa.Table(  # harmless transactions under nonces that no order of ours has
    "fillers",
    metadata,
    _number(),
    _text("lane"),
    sa.Column("nonce", sa.BigInteger, nullable=False),
    _text("tx_hash"),
    _text("payload"),
    _instant("expires_at"),
    _instant("prepared_at"),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Index("ix_fillers_lane_nonce", "lane", "nonce"),
)

lanes = sa.Table(
    "lanes",
    metadata,
    _number(),
    sa.Column("lane", sa.Text, nullable=False, unique=True),
    _text("venue"),
    _text("carries"),
    _word("state"),
    _text("reason"),
    _instant("changed_at"),
    _instant("cool_down_until", null=True),
    *(
        sa.Column(name, sa.Integer, nullable=False)
        for name in ("mismatches", "resyncs", "drifts", "gaps", "cool_downs")
    ),
    sa.Column("reserved", sa.BigInteger, nullable=True),  # only where gaps are legal
)

fills = sa.Table(
    "fills",
    metadata,
    _number(),
    _text("venue"),
    _text("trade_id"),
    sa.Column("order_id", sa.Text, sa.ForeignKey("orders.id"), nullable=False, index=True),
    _hedge(),
    _text("symbol"),
    _word("side"),
    _exact("size"),
    _exact("price"),
    _exact("fee_usd"),
    _instant("at"),
    sa.Column("is_maker", sa.Boolean, nullable=True),  # null: not recorded
    sa.UniqueConstraint("venue", "trade_id"),
    sa.Index("ix_fills_hedge_id", "hedge_id"),
    sa.Index("ix_fills_at", "at"),
)

position_observations = sa.Table(
    "position_observations",
    metadata,
    _number(),
    _hedge(null=True),
    _text("venue"),
    _text("symbol"),
    _exact("size"),
    _exact("entry_price", null=True),
    _instant("read_started_at"),
    _instant("as_of"),
    _text("source"),
    sa.Index(
        "ix_position_observations_venue_symbol_read_started_at",
        "venue",
        "symbol",
        "read_started_at",
    ),
    sa.Index("ix_position_observations_hedge_id", "hedge_id"),
    sa.Index("ix_position_observations_as_of", "as_of"),
)

funding_observations = sa.Table(
    "funding_observations",
    metadata,
    _number(),
    _text("venue"),
    _text("symbol"),
    _exact("rate_1h"),
    _instant("next_settlement_at"),
    sa.Column("interval_s", sa.Integer, nullable=False),
    _exact("mark_price"),
    _exact("index_price", null=True),
    _exact("open_interest_usd", null=True),
    _instant("as_of"),
    _text("source"),
    sa.Index("ix_funding_observations_as_of", "as_of"),
)

funding_payments = sa.Table(
    "funding_payments",
    metadata,
    _number(),
    _text("venue"),
    _text("symbol"),
    _text("payment_id"),
    _instant("settlement_at"),
    _exact("amount_usd"),
    _exact("rate_1h"),
    _exact("size"),
    _hedge(null=True),
    _instant("booked_at"),
    _exact("mark_price", null=True),  # where the venue tells what it was computed with
    sa.UniqueConstraint("venue", "payment_id"),
    sa.UniqueConstraint("venue", "symbol", "settlement_at"),
    sa.Index("ix_funding_payments_hedge_id", "hedge_id"),
    sa.Index("ix_funding_payments_settlement_at", "settlement_at"),
)

events = sa.Table(
    "events",
    metadata,
    _number(),
    _instant("at"),
    sa.Column("epoch", sa.Integer, nullable=False),
    _text("level"),
    _text("kind"),
    _hedge(null=True),
    _word("from_state", null=True),
    _word("to_state", null=True),
    _text("text"),
    _text("data"),  # one JSON object
    sa.Index("ix_events_hedge_id", "hedge_id"),
    sa.Index("ix_events_at", "at"),
)

alerts = sa.Table(
    "alerts",
    metadata,
    _number(),
    _instant("at"),
    _hedge(null=True),
    _text("text"),
    _text("data"),
    _instant("acknowledged_at", null=True),
)

decisions = sa.Table(  # one row is an hour of one reason on one market
    "decisions",
    metadata,
    _number(),
    _instant("hour"),
    _text("symbol"),
    _text("about"),
    _word("code"),
    _instant("first_at"),
    _instant("last_at"),
    _text("text"),
    sa.Column("times", sa.Integer, nullable=False),
    _exact("value_usd", null=True),
    sa.UniqueConstraint("hour", "symbol", "about", "code"),
    sa.Index("ix_decisions_last_at", "last_at"),
)
