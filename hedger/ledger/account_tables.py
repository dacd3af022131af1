"""What the venues' own books say, as tables; see ``columns.py`` for how amounts are kept."""

import sqlalchemy as sa

from hedger.ledger.columns import Exact, Instant, metadata, prose

account_entries = sa.Table(  # append only: what grows is booked as its increase, in parts
    "account_entries",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("venue", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("ref", sa.Text, nullable=False),
    sa.Column("part", sa.Integer, nullable=False),
    sa.Column("symbol", sa.Text, nullable=False),
    sa.Column("hedge_id", sa.Text, sa.ForeignKey("hedges.id"), nullable=True),
    sa.Column("amount_usd", Exact, nullable=False),  # as it changes our cash
    sa.Column("size", Exact, nullable=True),
    sa.Column("price", Exact, nullable=True),
    sa.Column("at", Instant, nullable=False),  # the venue's clock; of funding its settlement
    sa.Column("order_ref", sa.Text, nullable=True),
    prose("note"),
    sa.Column("booked_at", Instant, nullable=False),
    sa.UniqueConstraint("venue", "account", "kind", "ref", "part"),
    sa.Index("ix_account_entries_venue_account_seq", "venue", "account", "seq"),
    sa.Index("ix_account_entries_hedge_id", "hedge_id"),
    sa.Index("ix_account_entries_at", "at"),
)

balance_readings = sa.Table(  # one row as long as neither the cash nor the entries change
    "balance_readings",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("venue", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("cash_usd", Exact, nullable=False),
    sa.Column("equity_usd", Exact, nullable=False),
    sa.Column("base_usd", Exact, nullable=False),  # cash before the first entry
    sa.Column("entries_usd", Exact, nullable=False),  # of all entries up to ``through``
    sa.Column("through", sa.Integer, nullable=False),
    sa.Column("differs_since", Instant, nullable=True),  # null: base and entries make the cash
    sa.Column("read_started_at", Instant, nullable=False),
    sa.Column("as_of", Instant, nullable=False),
    sa.Column("until", Instant, nullable=False),  # the last reading that said the same
    sa.Index("ix_balance_readings_venue_account_as_of", "venue", "account", "as_of"),
    sa.Index("ix_balance_readings_venue_account_until", "venue", "account", "until"),
)

account_checks = sa.Table(  # hedges that are over, once their three views are known
    "account_checks",
    metadata,
    sa.Column("hedge_id", sa.Text, sa.ForeignKey("hedges.id"), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),  # agree | differ
    prose("text"),
    sa.Column("at", Instant, nullable=False),
)

fee_rates = sa.Table(  # a new row where they differ from the one before
    "fee_rates",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("venue", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("symbol", sa.Text, nullable=False),
    sa.Column("maker", Exact, nullable=False),  # fractions of the value traded
    sa.Column("taker", Exact, nullable=False),
    sa.Column("as_of", Instant, nullable=False),
    sa.Column("until", Instant, nullable=False),  # the last reading that was kept and said the same
    sa.Index("ix_fee_rates_venue_account_symbol", "venue", "account", "symbol"),
)

settled_rates = sa.Table(  # from the public lists, of markets and hours in which we held something
    "settled_rates",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("venue", sa.Text, nullable=False),
    sa.Column("symbol", sa.Text, nullable=False),
    sa.Column("settlement_at", Instant, nullable=False),  # market clock
    sa.Column("rate_1h", Exact, nullable=False),
    sa.Column("per_coin_usd", Exact, nullable=True),  # where the venue tells rate times price
    sa.Column("read_at", Instant, nullable=False),
    sa.UniqueConstraint("venue", "symbol", "settlement_at"),
)
