"""The venues' own books: entries, readings of the balance, and which hedges were compared."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_entries",
        sa.Column("seq", sa.Integer(), nullable=False),
        *_texts("venue account kind ref"),
        sa.Column("part", sa.Integer(), nullable=False),
        *_texts("symbol"),
        *_texts("hedge_id", null=True),
        *_texts("amount_usd"),
        *_texts("size price", null=True),
        *_texts("at"),
        *_texts("order_ref", null=True),
        *_texts("note booked_at"),
        sa.ForeignKeyConstraint(["hedge_id"], ["hedges.id"], name="fk_account_entries_hedge_id"),
        sa.PrimaryKeyConstraint("seq", name="pk_account_entries"),
        sa.UniqueConstraint(
            "venue",
            "account",
            "kind",
            "ref",
            "part",
            name="uq_account_entries_venue_account_kind_ref_part",
        ),
    )
    _index("account_entries", "venue", "account", "seq")
    _index("account_entries", "hedge_id")
    _index("account_entries", "at")
    op.create_table(
        "balance_readings",
        sa.Column("seq", sa.Integer(), nullable=False),
        *_texts("venue account cash_usd equity_usd base_usd entries_usd"),
        sa.Column("through", sa.Integer(), nullable=False),
        *_texts("differs_since", null=True),
        *_texts("read_started_at as_of until"),
        sa.PrimaryKeyConstraint("seq", name="pk_balance_readings"),
    )
    _index("balance_readings", "venue", "account", "as_of")
    _index("balance_readings", "venue", "account", "until")
    op.create_table(
        "account_checks",
        *_texts("hedge_id state text at"),
        sa.ForeignKeyConstraint(["hedge_id"], ["hedges.id"], name="fk_account_checks_hedge_id"),
        sa.PrimaryKeyConstraint("hedge_id", name="pk_account_checks"),
    )


def downgrade() -> None:
    op.drop_table("account_checks")
    op.drop_table("balance_readings")
    op.drop_table("account_entries")


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


def _texts(names: str, *, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=null) for name in names.split()]
