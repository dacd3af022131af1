"""
The life of one hedge: every row of the ledger that is about it, or that happened beside it.

Readings are many and mostly say the same: those that decided are kept, and the rest is counted.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from hedger.audit.bundlerows import Ledger, Row
from hedger.ledger.records import LOST
from hedger.ledger.text import instant_text, parse_instant

AROUND: Final = timedelta(seconds=60)  # before and after its life: what else happened
NEAR: Final = timedelta(seconds=30)  # of a step: every reading is kept
BEFORE_PLAN: Final = timedelta(minutes=10)
ROWS_MAX: Final = 4_000  # of one kind; the first and the last are kept
KNOWN_AS: Final = "facts:"  # meta key of the rules of a market while a hedge on it lives


@dataclass
class Life:
    """Everything of one hedge, oldest first; ``left_out`` says in sentences what is not here."""

    hedge: Row
    legs: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    burns: list[Row] = field(default_factory=list)
    fillers: list[Row] = field(default_factory=list)
    lanes: list[Row] = field(default_factory=list)
    fills: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    alerts: list[Row] = field(default_factory=list)
    reads: list[Row] = field(default_factory=list)
    rates: list[Row] = field(default_factory=list)
    payments: list[Row] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)
    fees: list[Row] = field(default_factory=list)
    decisions: list[Row] = field(default_factory=list)
    metas: list[Row] = field(default_factory=list)
    epochs: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def life(ledger: Ledger, hedge: Row) -> Life:
    """Read everything there is of a hedge."""
    name, symbol = hedge["id"], hedge["symbol"]
    told = Life(hedge)
    own = ledger.rows("events", "hedge_id = ? ORDER BY seq", name)
    told.orders = ledger.rows("orders", "hedge_id = ? ORDER BY seq", name)
    begin, end = _span(hedge, own)
    told.legs = ledger.rows("legs", "hedge_id = ? ORDER BY venue", name)
    told.fills = ledger.rows("fills", "hedge_id = ? ORDER BY at, seq", name)
    beside = ledger.rows(
        "events", "hedge_id IS NULL AND at BETWEEN ? AND ? ORDER BY seq", *_around(begin, end)
    )
    told.events = _bounded(told, "events", sorted(own + beside, key=lambda row: int(row["seq"])))
    told.alerts = ledger.rows(
        "alerts",
        "hedge_id = ? OR (hedge_id IS NULL AND at BETWEEN ? AND ?) ORDER BY seq",
        name,
        *_around(begin, end),
    )
    _lanes(ledger, told, begin, end)
    _readings(ledger, told, begin, end)
    told.payments = ledger.rows("funding_payments", "hedge_id = ? ORDER BY seq", name)
    told.entries = ledger.rows("account_entries", "hedge_id = ? ORDER BY seq", name)
    told.fees = ledger.rows("fee_rates", "symbol = ? AND as_of <= ? ORDER BY seq", symbol, end)
    told.decisions = ledger.rows(
        "decisions",
        "symbol = ? AND last_at >= ? AND first_at <= ? ORDER BY seq",
        symbol,
        begin,
        end,
    )
    told.metas = ledger.rows(
        "meta",
        "value <> '' AND (key IN (?, ?, ?, ?) OR key IN (?, ?))",
        *(f"{kind}{name}:{venue}" for kind in ("taken:", LOST) for venue in _venues(hedge)),
        *(f"{KNOWN_AS}{venue}:{symbol}" for venue in _venues(hedge)),
    )
    numbers = [row["epoch"] for row in (*own, *told.orders)]
    if numbers:
        told.epochs = ledger.epochs(min(numbers), max(numbers))
    told.left_out += ledger.lacks
    return told


def _venues(hedge: Row) -> tuple[str, str]:
    return hedge["venue_a"], hedge["venue_b"]


def _span(hedge: Row, own: Sequence[Row]) -> tuple[str, str]:
    """From its plan to the last that was written of it."""
    return hedge["created_at"], max([hedge["updated_at"], *(row["at"] for row in own)])


def _around(begin: str, end: str) -> tuple[str, str]:
    return (
        instant_text(parse_instant(begin) - AROUND),
        instant_text(parse_instant(end) + AROUND),
    )


def _lanes(ledger: Ledger, told: Life, begin: str, end: str) -> None:
    used = sorted({row["lane"] for row in told.orders if row["lane"]})
    for lane in used:
        told.lanes += ledger.rows("lanes", "lane = ?", lane)
        told.fillers += ledger.rows(
            "fillers", "lane = ? AND prepared_at BETWEEN ? AND ? ORDER BY seq", lane,
            *_around(begin, end),
        )  # fmt: skip
    for order in told.orders:
        told.burns += ledger.rows("burns", "order_id = ? ORDER BY seq", order["id"])


def _readings(ledger: Ledger, told: Life, begin: str, end: str) -> None:
    """Readings that decided: where one changed, and all of them near a step."""
    symbol = told.hedge["symbol"]
    steps = [row["at"] for row in told.events if row["to_state"] is not None]
    steps += [row["prepared_at"] for row in told.orders]
    steps += [row["done_at"] for row in told.orders if row["done_at"]]
    reads = ledger.rows(
        "position_observations",
        "symbol = ? AND as_of BETWEEN ? AND ? ORDER BY as_of, seq",
        symbol,
        *_around(begin, end),
    )
    told.reads = _bounded(told, "readings of positions", list(_deciding(reads, steps)))
    if len(reads) > len(told.reads):
        told.left_out.append(
            f"{len(reads) - len(told.reads)} readings of positions that changed nothing"
        )
    since = instant_text(parse_instant(begin) - BEFORE_PLAN)
    rates = ledger.rows(
        "funding_observations",
        "symbol = ? AND as_of BETWEEN ? AND ? ORDER BY as_of, seq",
        symbol,
        since,
        end,
    )
    told.rates = _bounded(told, "estimates of rates", list(_latest(rates, steps)))
    if len(rates) > len(told.rates):
        told.left_out.append(f"{len(rates) - len(told.rates)} estimates of rates between its steps")


def _deciding(reads: Iterable[Row], steps: Sequence[str]) -> Iterator[Row]:
    spans = [
        (instant_text(parse_instant(at) - NEAR), instant_text(parse_instant(at) + NEAR))
        for at in sorted(set(steps))
    ]
    before: dict[str, Row] = {}
    for row in reads:
        last = before.get(row["venue"])
        changed = last is None or last["size"] != row["size"]
        if changed or any(since <= row["as_of"] <= until for since, until in spans):
            yield row
        before[row["venue"]] = row


def _latest(rates: Sequence[Row], steps: Sequence[str]) -> Iterator[Row]:
    """Of each venue the last estimate before each step."""
    kept: set[int] = set()
    for at in sorted(set(steps)):
        latest = {row["venue"]: place for place, row in enumerate(rates) if row["as_of"] <= at}
        kept.update(latest.values())
    return (rates[place] for place in sorted(kept))


def _bounded(told: Life, what: str, rows: list[Row]) -> list[Row]:
    if len(rows) <= ROWS_MAX:
        return rows
    half = ROWS_MAX // 2
    told.left_out.append(f"{len(rows) - 2 * half} {what} between the first and last {half}")
    return rows[:half] + rows[-half:]
