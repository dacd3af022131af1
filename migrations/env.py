"""
Alembic's entry: run the migrations, or compare them with the declared schema.

The connection comes from ``hedger.ledger.migrate`` (or a test) with a transaction begun, so that
all of it happens or nothing; there is no ini file. Our column types are written as what they
store, so that an old migration outlives the code.
"""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from hedger.ledger import account_tables, tables  # noqa: F401 - they fill the metadata
from hedger.ledger.columns import Exact, Instant, metadata


def render_item(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    if kind == "type" and isinstance(item, Exact | Instant):
        return "sa.Text()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_item=render_item,
    render_as_batch=True,  # SQLite cannot ALTER
)
with context.begin_transaction():
    context.run_migrations()
