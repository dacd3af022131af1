"""
What one hedge earned on one venue, told three times from rows that none of them shares.

``fills``    our own orders' fills and the funding payments we booked, with the price result
             computed as the venue books it (average entry, rounding);
``history``  the venue's own lists: fees, price results and funding as it tells them;
``balance``  what the cash of the account was before and after, less the entries of hedges that
             lived beside it.

Equal means equal to the last decimal. What is not known yet is None, never zero.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from hedger.audit.pnl import of_hedge
from hedger.audit.queries import KINDS, Filters, compose
from hedger.domain import hedge as domain
from hedger.domain.account import Books, EntryKind, Holding
from hedger.domain.money import ZERO, plain
from hedger.ledger import sqlite
from hedger.ledger.records import REVISION
from hedger.ledger.text import EXACT, instant_text, parse_instant

SETTLED = timedelta(seconds=5)
"""How long after the end of a hedge a reading of the cash is believed to have seen it."""

TOLD = 3  # single differences in a sentence
PARTS = (EntryKind.FEE, EntryKind.REALISED, EntryKind.FUNDING)
Row = dict[str, Any]


class State(StrEnum):
    """Whether the views say the same."""

    OPEN = "open"  # the hedge is not over
    UNKNOWN = "unknown"
    AGREE = "agree"
    UNREAD = "two agree"  # fills and history do; the cash before it was not read
    DIFFER = "differ"


@dataclass(slots=True, kw_only=True)
class View:
    """Fees, price result and funding, signed as they change our cash; None is unknown."""

    fee: Decimal | None
    realised: Decimal | None
    funding: Decimal | None

    @property
    def net(self) -> Decimal | None:
        """What it comes to."""
        parts = (self.fee, self.realised, self.funding)
        return None if None in parts else _total(part for part in parts if part is not None)


@dataclass(slots=True, kw_only=True)
class Leg:
    """A hedge on one venue. ``why`` is empty unless the views differ."""

    hedge: str
    symbol: str
    venue: str
    fills: View
    history: View
    balance: Decimal | None
    state: State
    why: str = ""

    def row(self) -> Row:
        """For tables and programs."""
        parts = {
            f"{part}_{name}_usd": _text(getattr(view, part))
            for part in PARTS
            for name, view in (("fills", self.fills), ("history", self.history))
        }
        return {
            "hedge_id": self.hedge,
            "symbol": self.symbol,
            "venue": self.venue,
            "fills_usd": _text(self.fills.net),
            "history_usd": _text(self.history.net),
            "balance_usd": _text(self.balance),
            "state": self.state.value,
            **parts,
            "why": self.why,
        }


@dataclass(slots=True, kw_only=True)
class _Found:
    """The rows of one leg."""

    venue: str
    account: str
    fills: list[Row]
    payments: list[Row]
    entries: list[Row]
    books: Books
    problems: list[str] = field(default_factory=list)


def books_key(venue: str) -> str:
    """Where the ledger keeps how a venue rounds."""
    return f"books:{venue}"


def books_text(books: Books) -> str:
    """How a venue rounds, for the ledger."""
    step = books.entry_step
    return json.dumps(
        {"usd_step": plain(books.usd_step), "entry_step": None if step is None else plain(step)}
    )


def of_hedges(path: Path, filters: Filters | None = None, *, hedge: str = "") -> Iterator[Leg]:
    """
    Both legs of every hedge that traded, oldest first.

    Raises:
        StateError: there is no ledger at ``path``, or not one of this version.
        UsageError: a filter has no meaning here.
    """
    asked = filters or Filters(hedge=hedge, limit=0)
    sqlite.check_revision(path, REVISION)
    with contextlib.closing(sqlite.connect(path, readonly=True)) as connection:
        connection.row_factory = sqlite3.Row
        kind = KINDS["pnl"]
        wanted = Filters(
            since=asked.since,
            until=asked.until,
            market=asked.market,
            hedge=asked.hedge,
            limit=asked.limit,
        )
        for found in _ask(connection, *compose(kind, wanted)):
            for name in "ab":
                leg = _leg(connection, found, name)
                if leg is not None and asked.venue in (None, leg.venue):
                    yield leg


def _leg(connection: sqlite3.Connection, hedge: Row, name: str) -> Leg | None:
    venue = hedge[f"venue_{name}"]
    orders = _ask(
        connection,
        "SELECT account FROM orders WHERE hedge_id = ? AND venue = ? ORDER BY seq LIMIT 1",
        [hedge["id"], venue],
    )
    if not orders:
        return None
    account = orders[0]["account"]
    found = _Found(
        venue=venue,
        account=account,
        fills=_ask(
            connection,
            "SELECT trade_id, side, size, price, fee_usd FROM fills"
            " WHERE hedge_id = ? AND venue = ? ORDER BY at, CAST(trade_id AS INTEGER)",
            [hedge["id"], venue],
        ),
        payments=_ask(
            connection,
            "SELECT payment_id, amount_usd, size FROM funding_payments"
            " WHERE hedge_id = ? AND venue = ?",
            [hedge["id"], venue],
        ),
        entries=_ask(
            connection,
            "SELECT seq, kind, ref, amount_usd, note FROM account_entries"
            " WHERE hedge_id = ? AND venue = ? AND account = ? ORDER BY seq",
            [hedge["id"], venue, account],
        ),
        books=_books(connection, venue),
    )
    over = domain.State(hedge["state"]).terminal
    ours = _ours(found, hedge, over=over)
    settled = _settled(connection, hedge, found) if over else None
    theirs = _theirs(found) if settled or not over else View(fee=None, realised=None, funding=None)
    balance = _balance(connection, hedge, found, settled) if settled else None
    leg = Leg(
        hedge=hedge["id"],
        symbol=hedge["symbol"],
        venue=venue,
        fills=ours,
        history=theirs,
        balance=balance,
        state=State.UNKNOWN if over else State.OPEN,
    )
    if over and ours.net is not None and theirs.net is not None:
        _judge(leg, found)
    return leg


def _judge(leg: Leg, found: _Found) -> None:
    """Line by line, then the sums; the balance only where there was a reading before, too."""
    _compare_fees(found)
    _compare_results(found)
    _compare_funding(found)
    for part in PARTS:
        ours, theirs = getattr(leg.fills, part), getattr(leg.history, part)
        if ours != theirs and not found.problems:
            found.problems.append(_differ(part, ours, theirs))
    net = leg.history.net
    if leg.balance is not None and net is not None and leg.balance != net:
        found.problems.append(
            f"the cash changed by {plain(leg.balance)} USD, the entries come to {plain(net)} USD"
        )
    agree = State.UNREAD if leg.balance is None else State.AGREE
    leg.state = State.DIFFER if found.problems else agree
    more = len(found.problems) - TOLD
    leg.why = ", ".join(found.problems[:TOLD]) + (f", and {more} more" if more > 0 else "")


def _compare_fees(found: _Found) -> None:
    theirs = _by_ref(found, EntryKind.FEE)
    for fill in found.fills:
        fee = theirs.pop(fill["trade_id"], None)
        ours = -Decimal(fill["fee_usd"])
        if fee is None:
            found.problems.append(f"the venue's list lacks trade {fill['trade_id']}")
        elif fee != ours:
            found.problems.append(_differ(f"fee of trade {fill['trade_id']}", ours, fee))
    found.problems += [f"we know nothing of trade {ref}" for ref in theirs]


def _compare_results(found: _Found) -> None:
    """One by one where the venue tells them by trade; sums are compared in any case."""
    theirs = _by_ref(found, EntryKind.REALISED)
    known = {fill["trade_id"] for fill in found.fills}
    if not theirs or not set(theirs) <= known:
        return
    for ref, ours in _results(found):
        result = theirs.pop(ref, ZERO)
        if result != ours:
            found.problems.append(_differ(f"result of trade {ref}", ours, result))


def _compare_funding(found: _Found) -> None:
    theirs = _by_ref(found, EntryKind.FUNDING)
    held = _sizes(found)
    for payment in found.payments:
        name, ours = payment["payment_id"], Decimal(payment["amount_usd"])
        amount = theirs.pop(name, None)
        if amount is None:
            found.problems.append(f"the venue's list lacks payment {name}")
        elif amount != ours:
            found.problems.append(_differ(f"payment {name}", ours, amount))
        if Decimal(payment["size"]) not in held:
            found.problems.append(f"payment {name} is for {payment['size']} coins, never held")
    found.problems += [f"payment {ref} is not in our books" for ref in theirs]


def _ours(found: _Found, hedge: Row, *, over: bool) -> View:
    results = _results(found)
    left = _sizes(found)[-1]
    funding = of_hedge(dict(hedge))["funding_usd"] if over else ""
    known = funding is not None
    return View(
        fee=-_total(Decimal(fill["fee_usd"]) for fill in found.fills),
        # coins that are left although it is over: their entry was not ours
        realised=None if over and left != ZERO else _total(result for _, result in results),
        funding=_total(Decimal(row["amount_usd"]) for row in found.payments) if known else None,
    )


def _theirs(found: _Found) -> View:
    sums = {
        part: _total(
            Decimal(entry["amount_usd"]) for entry in found.entries if entry["kind"] == part
        )
        for part in PARTS
    }
    return View(
        fee=sums[EntryKind.FEE],
        realised=sums[EntryKind.REALISED],
        funding=sums[EntryKind.FUNDING],
    )


def _settled(connection: sqlite3.Connection, hedge: Row, found: _Found) -> Row | None:
    """The first reading after the end that base and entries make, with all of this hedge's."""
    ended = parse_instant(hedge["closed_at"]) if hedge["closed_at"] else None
    if ended is None:
        return None
    newest = max((entry["seq"] for entry in found.entries), default=0)
    rows = _ask(
        connection,
        "SELECT cash_usd, through FROM balance_readings WHERE venue = ? AND account = ?"
        " AND until >= ? AND through >= ? AND differs_since IS NULL ORDER BY until LIMIT 1",
        [found.venue, found.account, instant_text(ended + SETTLED), newest],
    )
    return rows[0] if rows else None


def _balance(
    connection: sqlite3.Connection, hedge: Row, found: _Found, after: Row
) -> Decimal | None:
    """What the cash changed by, less the entries of other hedges; None without a reading before."""
    rows = _ask(
        connection,
        "SELECT cash_usd, through FROM balance_readings WHERE venue = ? AND account = ?"
        " AND as_of <= ? AND differs_since IS NULL ORDER BY as_of DESC, seq DESC LIMIT 1",
        [found.venue, found.account, hedge["created_at"]],
    )
    if not rows or any(entry["seq"] <= rows[0]["through"] for entry in found.entries):
        return None
    others = _ask(
        connection,
        "SELECT amount_usd FROM account_entries WHERE venue = ? AND account = ?"
        " AND seq > ? AND seq <= ? AND hedge_id IS NOT NULL AND hedge_id <> ?",
        [found.venue, found.account, rows[0]["through"], after["through"], hedge["id"]],
    )
    change = EXACT.subtract(Decimal(after["cash_usd"]), Decimal(rows[0]["cash_usd"]))
    return EXACT.subtract(change, _total(Decimal(row["amount_usd"]) for row in others))


def _results(found: _Found) -> list[tuple[str, Decimal]]:
    """What each of our fills realised, as the venue rounds it."""
    holding = Holding(found.books)
    return [
        (fill["trade_id"], holding.fill(_signed(fill), Decimal(fill["price"])))
        for fill in found.fills
    ]


def _sizes(found: _Found) -> list[Decimal]:
    """Every size that our fills made, the last one last."""
    sizes = [ZERO]
    for fill in found.fills:
        sizes.append(sizes[-1] + _signed(fill))
    return sizes


def _signed(fill: Row) -> Decimal:
    size = Decimal(fill["size"])
    return size if fill["side"] == "buy" else -size


def _by_ref(found: _Found, kind: EntryKind) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for entry in found.entries:
        if entry["kind"] == kind:
            amount = Decimal(entry["amount_usd"])
            sums[entry["ref"]] = EXACT.add(sums.get(entry["ref"], ZERO), amount)
    return sums


def _books(connection: sqlite3.Connection, venue: str) -> Books:
    rows = _ask(connection, "SELECT value FROM meta WHERE key = ?", [books_key(venue)])
    if not rows:
        return Books()
    stored: Mapping[str, str | None] = json.loads(rows[0]["value"])
    step = stored["entry_step"]
    return Books(
        usd_step=Decimal(str(stored["usd_step"])),
        entry_step=None if step is None else Decimal(step),
    )


def _ask(connection: sqlite3.Connection, sql: str, values: list[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(sql, values)]


def _differ(what: str, ours: Decimal, theirs: Decimal) -> str:
    return f"{what} is {plain(ours)} USD in our books and {plain(theirs)} USD in the venue's"


def _total(values: Any) -> Decimal:
    total = ZERO
    for value in values:
        total = EXACT.add(total, value)
    return total


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
