"""
Sequence lanes: where each one stands, and what used up nonces that no order has.

What a lane's next value is does not stand here: it follows from the intents.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lanes",
        *_integers("seq"),
        *_texts("lane venue carries state reason changed_at"),
        *_texts("cool_down_until", null=True),
        *_integers("mismatches resyncs drifts gaps cool_downs"),
        sa.Column("reserved", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name="pk_lanes"),
        sa.UniqueConstraint("lane", name="uq_lanes_lane"),
    )
    op.create_table(
        "fillers",
        *_integers("seq"),
        *_texts("lane"),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        *_texts("tx_hash payload expires_at prepared_at"),
        *_integers("epoch"),
        sa.PrimaryKeyConstraint("seq", name="pk_fillers"),
    )
    op.create_index("ix_fillers_lane_nonce", "fillers", ["lane", "nonce"])
    op.create_index("ix_orders_lane_state", "orders", ["lane", "state"])


def downgrade() -> None:
    op.drop_index("ix_orders_lane_state", "orders")
    op.drop_table("fillers")
    op.drop_table("lanes")


def _texts(names: str, *, null: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=null) for name in names.split()]


def _integers(names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), nullable=False) for name in names.split()]
