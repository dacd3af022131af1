"""Why hedges were opened or not, held or left: counted per hour, market and reason."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decisions",
        sa.Column("seq", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("hour", "symbol", "about", "code", "first_at", "last_at", "text")
        ),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("value_usd", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name="pk_decisions"),
        sa.UniqueConstraint(
            "hour", "symbol", "about", "code", name="uq_decisions_hour_symbol_about_code"
        ),
    )
    op.create_index("ix_decisions_last_at", "decisions", ["last_at"])


def downgrade() -> None:
    op.drop_table("decisions")
