"""``audit reconcile``, ``statement``, ``stats`` and ``rollbacks``: what is computed from rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hedger.cli.output import Format, Row, emit, say
from hedger.errors import UsageError

KINDS = ("reconcile", "statement", "stats", "rollbacks")
RECONCILE = (
    "hedge_id", "symbol", "venue", "fills_usd", "history_usd", "balance_usd", "state", "why",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line said."""

    path: Path
    filters: Any  # hedger.audit.Filters; loads late
    month: str | None
    by: str
    wide: bool
    output: Format


def show(kind: str, asked: Asked) -> None:
    """
    Print one of the reports.

    Raises:
        UsageError: an option has no meaning for it.
    """
    if kind != "statement" and asked.month is not None:
        raise UsageError(f"--month is for audit statement; {kind} takes --since and --until")
    _REPORTS[kind](asked)


def _reconcile(asked: Asked) -> None:
    from hedger.audit import accounts

    emit(
        accounts.rows(asked.path, asked.filters),
        asked.output,
        empty="no hedge has traded",
        columns=accounts.COLUMNS,
        shown=None if asked.wide else RECONCILE,
    )


def _statement(asked: Asked) -> None:
    from hedger.audit import statement

    filters = asked.filters
    for name in ("since", "until", "hedge", "state"):
        if getattr(filters, name) is not None:
            raise UsageError(f"a statement is of a month; leave --{name} out and give --month")
    by, span = statement.By(asked.by), statement.month(asked.month)

    def rows(by: statement.By, market: str | None = None) -> Iterator[Row]:
        return statement.rows(asked.path, span, by, market=market, venue=filters.venue)

    emit(
        rows(by, filters.market),
        asked.output,
        empty="no entry of the venues' books",
        columns=statement.COLUMNS[by],
        shown=None,
    )
    if asked.output is Format.TABLE and by is not statement.By.VENUE:
        for row in rows(statement.By.VENUE):
            say(balance_sentence(row))


def balance_sentence(row: Row) -> str:
    """How one account's statement stands to its balance."""
    head = f"{row['venue']} {row['account']}: opening {row['opening_usd']} USD"
    if row["difference_usd"] is None:
        return f"{head}: the balance was not read in that span, so nothing is held against it"
    same = Decimal(row["difference_usd"]) == 0
    end = "equal" if same else f"{row['difference_usd']} USD are not explained (yet)"
    return (
        f"{head} and all entries make {row['closing_usd']} USD; "
        f"the venue says {row['reading_usd']} USD: {end}"
    )


def _stats(asked: Asked) -> None:
    from hedger.audit import stats

    emit(stats.rows(asked.path, asked.filters), asked.output, columns=stats.COLUMNS)


def _rollbacks(asked: Asked) -> None:
    from hedger.audit.rollbacks import rollback_costs

    filters = asked.filters
    for name in ("until", "venue", "hedge", "state"):
        if getattr(filters, name) is not None:
            raise UsageError(f"rollbacks are counted since --since; leave --{name} out")
    since = filters.since or datetime(1, 1, 1, tzinfo=UTC)
    found = rollback_costs(asked.path, since)
    rows: list[dict[str, Any]] = [
        {"symbol": symbol, "rollbacks": cost.count, "cost_usd": cost.usd}
        for symbol, cost in sorted(found.items())
        if filters.market in (None, symbol)
    ]
    emit(
        rows,
        asked.output,
        empty="nothing was rolled back",
        columns=("symbol", "rollbacks", "cost_usd"),
    )


_REPORTS: dict[str, Callable[[Asked], None]] = {
    "reconcile": _reconcile,
    "statement": _statement,
    "stats": _stats,
    "rollbacks": _rollbacks,
}
