"""
The first schema.

Never edited after merge: a change is a new file. Amounts and instants are text (exact decimals;
ISO 8601 in UTC with six decimals), so ``sa.Text`` is all that is needed here, and this file
outlives the code.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "meta",
    "hedges",
    "legs",
    "days",
    "reservations",
    "orders",
    "burns",
    "fills",
    "position_observations",
    "funding_observations",
    "funding_payments",
    "events",
    "alerts",
)


def upgrade() -> None:
    _hedges()
    _totals()
    _orders()
    _observations()
    _funding()
    _events()


def downgrade() -> None:
    for name in reversed(TABLES):
        op.drop_table(name)


def _hedges() -> None:
    op.create_table("meta", *_texts("key value at"), _primary("meta", "key"))
    op.create_table(
        "hedges",
        _seq(),
        *_texts("id symbol venue_a venue_b side_a requested_usd planned_size state target reason"),
        *_texts("created_at updated_at"),
        *_texts("opened_at closed_at first_settlement_a first_settlement_b", null=True),
        *_texts("last_settlement_a last_settlement_b expected_net_bps", null=True),
        _primary("hedges", "seq"),
        _unique("hedges", "id"),
    )
    _index("hedges", "created_at")
    _index("hedges", "symbol")
    _partial(
        "uq_hedges_live_symbol",
        "hedges",
        ["symbol"],
        "state NOT IN ('closed', 'closed_flat', 'refused')",
        unique=True,
    )


def _totals() -> None:
    op.create_table(
        "legs",
        *_texts("hedge_id venue"),
        *_texts("open_size open_usd open_fees_usd close_size close_usd close_fees_usd"),
        *_texts("rollback_size rollback_usd rollback_fees_usd funding_usd"),
        *_texts("funding_through", null=True),
        sa.Column("funding_due", sa.Boolean(), nullable=False),
        _hedge("legs"),
        _primary("legs", "hedge_id", "venue"),
    )
    _partial("ix_legs_funding_due", "legs", ["hedge_id"], "funding_due", unique=False)
    op.create_table(
        "days",
        *_texts("day venue"),
        _integer("fills"),
        *_texts("traded_usd cash_usd fees_usd"),
        _integer("payments"),
        *_texts("funding_usd"),
        _primary("days", "day", "venue"),
    )
    op.create_table(
        "reservations",
        *_texts("hedge_id venue amount_usd at"),
        _hedge("reservations"),
        _primary("reservations", "hedge_id", "venue"),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        _seq(),
        *_texts("id hedge_id venue symbol purpose"),
        _integer("attempt"),
        *_texts("side size limit_price order_expires_at state filled_size filled_usd"),
        *_texts("avg_price", null=True),
        *_texts("fee_usd"),
        *_texts("venue_order_id status detail", null=True),
        *_texts("prepared_at"),
        *_texts("done_at", null=True),
        _integer("epoch"),
        *_texts("account client_id expires_at"),
        *_texts("lane", null=True),
        sa.Column("nonce", sa.BigInteger(), nullable=True),
        *_texts("tx_hash", null=True),
        *_texts("payload_sha256 payload"),
        _hedge("orders"),
        _primary("orders", "seq"),
        _unique("orders", "id"),
        _unique("orders", "venue", "client_id"),
    )
    for column in ("hedge_id", "prepared_at", "symbol", "state"):
        _index("orders", column)
    free = "state NOT IN ('abandoned', 'refused')"
    _partial("uq_orders_lane_nonce", "orders", ["lane", "nonce"], free, unique=True)
    unsettled = "state IN ('prepared', 'unresolved')"
    _partial("uq_orders_open_leg", "orders", ["hedge_id", "venue"], unsettled, unique=True)
    op.create_table(
        "burns",
        _seq(),
        *_texts("order_id client_id expires_at"),
        *_texts("lane", null=True),
        sa.Column("nonce", sa.BigInteger(), nullable=True),
        *_texts("tx_hash", null=True),
        *_texts("payload state prepared_at"),
        _integer("epoch"),
        _order("burns"),
        _primary("burns", "seq"),
    )
    _index("burns", "order_id")
    _index("burns", "lane")
    op.create_table(
        "fills",
        _seq(),
        *_texts("venue trade_id order_id hedge_id symbol side size price fee_usd at"),
        _order("fills"),
        _hedge("fills"),
        _primary("fills", "seq"),
        _unique("fills", "venue", "trade_id"),
    )
    for column in ("order_id", "hedge_id", "at"):
        _index("fills", column)


def _observations() -> None:
    op.create_table(
        "position_observations",
        _seq(),
        *_texts("hedge_id", null=True),
        *_texts("venue symbol size"),
        *_texts("entry_price", null=True),
        *_texts("read_started_at as_of source"),
        _hedge("position_observations"),
        _primary("position_observations", "seq"),
    )
    _index("position_observations", "venue", "symbol", "read_started_at")
    _index("position_observations", "hedge_id")
    _index("position_observations", "as_of")


def _funding() -> None:
    op.create_table(
        "funding_observations",
        _seq(),
        *_texts("venue symbol rate_1h next_settlement_at"),
        _integer("interval_s"),
        *_texts("mark_price"),
        *_texts("index_price open_interest_usd", null=True),
        *_texts("as_of source"),
        _primary("funding_observations", "seq"),
    )
    _index("funding_observations", "as_of")
    op.create_table(
        "funding_payments",
        _seq(),
        *_texts("venue symbol payment_id settlement_at amount_usd rate_1h size"),
        *_texts("hedge_id", null=True),
        *_texts("booked_at"),
        _hedge("funding_payments"),
        _primary("funding_payments", "seq"),
        _unique("funding_payments", "venue", "payment_id"),
        _unique("funding_payments", "venue", "symbol", "settlement_at"),
    )
    _index("funding_payments", "hedge_id")
    _index("funding_payments", "settlement_at")


def _events() -> None:
    op.create_table(
        "events",
        _seq(),
        *_texts("at"),
        _integer("epoch"),
        *_texts("level kind"),
        *_texts("hedge_id from_state to_state", null=True),
        *_texts("text data"),
        _hedge("events"),
        _primary("events", "seq"),
    )
    _index("events", "hedge_id")
    _index("events", "at")
    op.create_table(
        "alerts",
        _seq(),
        *_texts("at"),
        *_texts("hedge_id", null=True),
        *_texts("text data"),
        *_texts("acknowledged_at", null=True),
        _hedge("alerts"),
        _primary("alerts", "seq"),
    )


def _texts(names: str, *, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=null) for name in names.split()]


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _seq() -> sa.Column[int]:
    return _integer("seq")


def _hedge(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["hedge_id"], ["hedges.id"], name=f"fk_{table}_hedge_id")


def _order(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=f"fk_{table}_order_id")


def _primary(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def _partial(name: str, table: str, columns: list[str], where: str, *, unique: bool) -> None:
    """An index over some rows; SQLite and PostgreSQL both have them."""
    condition = sa.text(where)
    op.create_index(
        name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition
    )
