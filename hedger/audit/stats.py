"""
How well hedges go: the table of seed 004 (rollbacks, size errors, balance errors, success).

Counted from what the venues answered, as the ledger has it. An *attempt* is a hedge of which an
order was sent. Why a hedge was rolled back is told by its opening orders: one was refused by the
venue, one was taken but not (fully) filled, one was lost on the way; else it is our own doing.
Hours are those between the first and the last order.
"""

import contextlib
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hedger.audit.queries import Filters
from hedger.domain.order import Purpose, Reason
from hedger.errors import UsageError
from hedger.ledger import sqlite
from hedger.ledger.records import REVISION, OrderState
from hedger.ledger.text import instant_text, parse_instant

COLUMNS = ("metric", "value", "unit", "count", "of", "target", "seed_before", "met")
SIZE_WORDS = re.compile(r"quantity|qty|\bsize|amount|position", re.IGNORECASE)
SIZE_STATUS = re.compile(r"reduce[-_]only", re.IGNORECASE)
MARGIN_STATUS = re.compile(r"margin|not_enough_funds|invalid[-_]balance", re.IGNORECASE)
HOUR = timedelta(hours=1)
Row = dict[str, Any]


@dataclass(slots=True)
class _Hedge:
    """What became of one attempt."""

    opened: bool = False
    exposed: bool = False  # some coins were bought or sold to open
    rolled_back: bool = False
    ends: set[str] = field(default_factory=set)  # of its opening orders

    @property
    def cause(self) -> str:
        """Why it was rolled back, the surest reason first."""
        if OrderState.REFUSED in self.ends:
            return "refused"
        if self.ends & {OrderState.ZERO, OrderState.PARTIAL}:
            return "not filled"
        if self.ends & {OrderState.DEAD, OrderState.UNRESOLVED, OrderState.PREPARED}:
            return "lost"
        return "own"


@dataclass(slots=True)
class _Counts:
    """Everything that is counted."""

    hedges: dict[str, _Hedge] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    hours: Decimal = Decimal(0)


def rows(path: Path, filters: Filters) -> Iterator[Row]:
    """
    The table, of hedges that began in the span.

    Raises:
        UsageError: only ``since``, ``until`` and ``market`` have a meaning here.
        StateError: there is no ledger at ``path``, or not one of this version.
    """
    for name in ("venue", "hedge", "state"):
        if getattr(filters, name) is not None:
            raise UsageError(f"stats count whole hedges; leave --{name} out")
    sqlite.check_revision(path, REVISION)
    with contextlib.closing(sqlite.connect(path, readonly=True)) as connection:
        connection.row_factory = sqlite3.Row
        counts = _count(connection, filters)
    yield from _table(counts)


def _count(connection: sqlite3.Connection, filters: Filters) -> _Counts:
    conditions, values = ["1 = 1"], []
    for condition, value in (
        ("h.created_at >= ?", filters.since and instant_text(filters.since)),
        ("h.created_at < ?", filters.until and instant_text(filters.until)),
        ("h.symbol = ?", filters.market),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    cursor = connection.execute(
        "SELECT o.hedge_id, h.opened_at, o.venue, o.purpose, o.state, o.filled_size, o.status,"  # noqa: S608 (our own words)
        " o.detail, o.prepared_at FROM orders o JOIN hedges h ON h.id = o.hedge_id"
        f" WHERE {' AND '.join(conditions)} ORDER BY o.seq",
        values,
    )
    counts, first, last = _Counts(), "", ""
    while batch := cursor.fetchmany(500):
        for order in batch:
            first, last = first or order["prepared_at"], order["prepared_at"]
            _take(counts, order)
    if first:
        passed = parse_instant(last) - parse_instant(first)
        counts.hours = Decimal(str(passed / HOUR))
    return counts


def _take(counts: _Counts, order: sqlite3.Row) -> None:
    hedge = counts.hedges.setdefault(order["hedge_id"], _Hedge())
    hedge.opened = order["opened_at"] is not None
    filled = Decimal(order["filled_size"]) != 0
    if order["purpose"] == Purpose.OPEN:
        hedge.ends.add(order["state"])
        hedge.exposed |= filled
    elif order["purpose"] == Purpose.ROLLBACK:
        hedge.rolled_back |= filled
    if order["state"] == OrderState.REFUSED:
        counts.refused[order["venue"]] += 1
    if error := _error(order):
        counts.errors[error] += 1


def _error(order: sqlite3.Row) -> str | None:
    """Whether a venue complained of our size or of our balance; both are our own mistakes."""
    reason, _, detail = (order["detail"] or "").partition(":")
    status = order["status"] or ""
    if order["state"] == OrderState.REFUSED:
        if reason == Reason.MARGIN:
            return "balance"
        wrong_size = reason == Reason.RULES and SIZE_WORDS.search(detail)
        return "size" if wrong_size or reason == Reason.REDUCE_ONLY else None
    if order["state"] in {OrderState.ZERO, OrderState.PARTIAL}:
        if MARGIN_STATUS.search(status):
            return "balance"
        return "size" if SIZE_STATUS.search(status) else None
    return None


def _table(counts: _Counts) -> Iterator[Row]:
    hedges = list(counts.hedges.values())
    attempts = len(hedges)
    rolled = [hedge for hedge in hedges if hedge.rolled_back]
    causes = Counter(hedge.cause for hedge in rolled)
    opened = sum(hedge.opened for hedge in hedges)
    exposed = sum(hedge.exposed for hedge in hedges)
    yield _share("rollback rate", len(rolled), attempts, before="~30")
    yield _share("… a venue refused a leg", causes["refused"], attempts)
    yield _share("… a leg was taken and not filled", causes["not filled"], attempts)
    yield _share("… a leg was lost on the way", causes["lost"], attempts)
    yield _share("… our own doing", causes["own"], attempts)
    unrefused = len(rolled) - causes["refused"]
    yield _share("… all but those that a venue refused", unrefused, attempts, most=5)
    yield _count_row("size errors", counts.errors["size"], most=0, before="~10/h")
    yield _per_hour("balance errors", counts.errors["balance"], counts.hours, 1, "~15")
    for venue in sorted(counts.refused):
        yield _per_hour(f"orders refused by {venue}", counts.refused[venue], counts.hours)
    yield _share(
        "trade success: opened, of those with a first leg", opened, exposed, least=95, before="~70"
    )
    yield _share("opened, of all attempts", opened, attempts)


def _share(
    metric: str,
    count: int,
    of: int,
    *,
    most: int | None = None,
    least: int | None = None,
    before: str = "",
) -> Row:
    value = Decimal(100) * count / of if of else None
    met = None
    if value is not None and most is not None:
        met = value < most
    if value is not None and least is not None:
        met = value > least
    target = f"< {most}" if most is not None else f"> {least}" if least is not None else ""
    shown = None if value is None else f"{value:.2f}"
    return _row(metric, shown, "%", count, of, target, before, met)


def _count_row(metric: str, count: int, *, most: int, before: str) -> Row:
    return _row(metric, str(count), "", count, None, str(most), before, count <= most)


def _per_hour(
    metric: str, count: int, hours: Decimal, most: int | None = None, before: str = ""
) -> Row:
    """Unknown while no time has passed, unless there was none at all."""
    value = count / hours if hours else None if count else Decimal(0)
    met = None if most is None or value is None else value < most
    shown = None if value is None else f"{value:.2f}"
    target = "" if most is None else f"< {most}"
    return _row(metric, shown, "per hour", count, f"{hours:.2f} h", target, before, met)


def _row(*values: Any) -> Row:
    return dict(zip(COLUMNS, values, strict=True))
