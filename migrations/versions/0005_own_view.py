"""What our own view of a hedge needs: fee rates, settled rates, marks of payments."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fee_rates",
        sa.Column("seq", sa.Integer(), nullable=False),
        *_texts("venue account symbol maker taker as_of until"),
        sa.PrimaryKeyConstraint("seq", name="pk_fee_rates"),
    )
    op.create_index(
        "ix_fee_rates_venue_account_symbol", "fee_rates", ["venue", "account", "symbol"]
    )
    op.create_table(
        "settled_rates",
        sa.Column("seq", sa.Integer(), nullable=False),
        *_texts("venue symbol settlement_at rate_1h"),
        *_texts("per_coin_usd", null=True),
        *_texts("read_at"),
        sa.PrimaryKeyConstraint("seq", name="pk_settled_rates"),
        sa.UniqueConstraint(
            "venue",
            "symbol",
            "settlement_at",
            name="uq_settled_rates_venue_symbol_settlement_at",
        ),
    )
    # built anew, so that the statement in the file is the one that the code declares
    with op.batch_alter_table("fills", recreate="always") as fills:
        fills.add_column(sa.Column("is_maker", sa.Boolean(), nullable=True))
    with op.batch_alter_table("funding_payments", recreate="always") as payments:
        payments.add_column(sa.Column("mark_price", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("funding_payments") as payments:
        payments.drop_column("mark_price")
    with op.batch_alter_table("fills") as fills:
        fills.drop_column("is_maker")
    op.drop_table("settled_rates")
    op.drop_table("fee_rates")


def _texts(names: str, *, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=null) for name in names.split()]
