"""The last reading of a position is the one that was kept last, whatever our clock said then."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLE = "position_observations"
_BEFORE = "ix_position_observations_venue_symbol_read_started_at"
_AFTER = "ix_position_observations_venue_symbol"


def upgrade() -> None:
    op.drop_index(_BEFORE, table_name=_TABLE)
    op.create_index(_AFTER, _TABLE, ["venue", "symbol"])


def downgrade() -> None:
    op.drop_index(_AFTER, table_name=_TABLE)
    op.create_index(_BEFORE, _TABLE, ["venue", "symbol", "read_started_at"])
