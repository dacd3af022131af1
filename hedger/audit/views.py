"""
What one hedge earned on one venue, told three times from rows that none of them shares.

``fills``    our own orders' fills, with fees, price result and funding computed from them as the
             venue books them (rates, average entry, rounding; ``charges`` says what from);
``history``  the venue's own lists: fees, price results and funding as it tells them;
``balance``  what the cash of the account was before and after, less the entries of hedges that
             lived beside it.

Equal means equal to the last decimal. What is not known yet is None, never zero.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from hedger.audit import charges
from hedger.audit.charges import Charged, Lack
from hedger.audit.legrows import (
    LOOK_BACK,
    LegRows,
    ask,
    balance,
    by_ref,
    by_settlement,
    entry_is_ours,
    results,
    rows_of_leg,
    settled,
    sizes,
    total,
)
from hedger.audit.pnl import of_hedge
from hedger.audit.queries import KINDS, Filters, compose
from hedger.domain import hedge as domain
from hedger.domain.account import EntryKind
from hedger.domain.money import ZERO, plain
from hedger.ledger import sqlite
from hedger.ledger.records import REVISION
from hedger.ledger.text import parse_instant

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
        return None if None in parts else total(part for part in parts if part is not None)


@dataclass(slots=True, kw_only=True)
class Leg:
    """A hedge on one venue. ``why`` tells a difference, or what is still asked for."""

    hedge: str
    symbol: str
    venue: str
    fills: View
    history: View
    balance: Decimal | None
    state: State
    account: str = ""
    lacks: frozenset[Lack] = frozenset()  # what has to be asked for before it can be judged
    rates_since: datetime | None = None  # from when settled rates are needed (market clock)
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
        for found in ask(connection, *compose(kind, wanted)):
            for name in "ab":
                leg = _leg(connection, found, name)
                if leg is not None and asked.venue in (None, leg.venue):
                    yield leg


def _leg(connection: sqlite3.Connection, hedge: Row, name: str) -> Leg | None:
    venue = hedge[f"venue_{name}"]
    orders = ask(
        connection,
        "SELECT account FROM orders WHERE hedge_id = ? AND venue = ? ORDER BY seq LIMIT 1",
        [hedge["id"], venue],
    )
    if not orders:
        return None
    found = rows_of_leg(connection, hedge, venue, orders[0]["account"])
    if not (found.fills or found.payments or found.entries):
        return None
    over = domain.State(hedge["state"]).terminal
    first, last = (hedge[f"{end}_settlement_{name}"] for end in ("first", "last"))
    charged = charges.of_leg(found, first, last, over=over)
    ours = _ours(found, charged, hedge, over=over)
    after = settled(connection, hedge, found) if over else None
    theirs = _theirs(found) if after or not over else View(fee=None, realised=None, funding=None)
    cash = balance(connection, hedge, found, after) if after else None
    leg = Leg(
        hedge=hedge["id"],
        symbol=hedge["symbol"],
        venue=venue,
        fills=ours,
        history=theirs,
        balance=cash,
        state=State.UNKNOWN if over else State.OPEN,
        account=found.account,
    )
    if over:
        paid = _funding_is_known(hedge)  # before that, the rates need not be listed either
        leg.lacks = charged.lacks if paid else charged.lacks - {Lack.RATES}
        leg.rates_since = None if first is None else parse_instant(first) - LOOK_BACK
        leg.why = _awaited(leg, paid=paid, read=after is not None)
    if over and theirs.net is not None and (ours.net is not None or charged.problems):
        _judge(leg, found, charged)
    return leg


def _awaited(leg: Leg, *, paid: bool, read: bool) -> str:
    """What is still asked for; a leg that is judged nevertheless tells its differences instead."""
    awaited = [str(lack) for lack in sorted(leg.lacks)]
    awaited += [] if paid else ["all of its funding payments"]
    awaited += [] if read else ["a reading of the cash after it"]
    return f"{', '.join(awaited)}: not known yet" if awaited else ""


def _judge(leg: Leg, found: LegRows, charged: Charged) -> None:
    """Line by line, then the sums; the balance only where there was a reading before, too."""
    for part, compare in zip(
        PARTS, (_compare_fees, _compare_results, _compare_funding), strict=True
    ):
        told = len(found.problems)
        compare(found, charged)
        ours, theirs = getattr(leg.fills, part), getattr(leg.history, part)
        if None not in (ours, theirs) and ours != theirs and len(found.problems) == told:
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


def _compare_fees(found: LegRows, charged: Charged) -> None:
    """As we compute it, as we were told it with the fill, and as the venue's list has it."""
    theirs = by_ref(found, EntryKind.FEE)
    for fill, computed in zip(found.fills, charged.fees, strict=True):
        fee = theirs.pop(fill["trade_id"], None)
        told = -Decimal(fill["fee_usd"])
        if fee is None:
            found.problems.append(f"the venue's list lacks trade {fill['trade_id']}")
        elif fee != told:
            found.problems.append(_differ(f"fee of trade {fill['trade_id']}", told, fee))
        elif fee != computed and computed is not None:
            what = f"fee of trade {fill['trade_id']} at our rates"
            found.problems.append(_differ(what, computed, fee))
    found.problems += [f"we know nothing of trade {ref}" for ref in theirs]


def _compare_results(found: LegRows, _: Charged) -> None:
    """One by one where the venue tells them by trade; sums are compared in any case."""
    theirs = by_ref(found, EntryKind.REALISED)
    known = {fill["trade_id"] for fill in found.fills}
    if not theirs or not set(theirs) <= known:
        return
    for ref, ours in results(found):
        result = theirs.pop(ref, ZERO)
        if result != ours:
            found.problems.append(_differ(f"result of trade {ref}", ours, result))


def _compare_funding(found: LegRows, charged: Charged) -> None:
    """By the venue's ids as it told us twice, and by settlement as we compute it."""
    found.problems += charged.problems
    entries = by_settlement(found)
    for at, computed in charged.payments.items():
        listed = entries.pop(at, ZERO)
        if computed is not None and listed != computed:
            found.problems.append(_differ(f"payment at {at} by our position", computed, listed))
    found.problems += [f"we held nothing at {at}" for at in entries]
    theirs = by_ref(found, EntryKind.FUNDING)
    held = sizes(found)
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


def _ours(found: LegRows, charged: Charged, hedge: Row, *, over: bool) -> View:
    booked = results(found)
    known = not over or _funding_is_known(hedge)
    return View(
        fee=charged.fee,
        realised=total(result for _, result in booked) if entry_is_ours(found) else None,
        funding=charged.funding if known else None,
    )


def _funding_is_known(hedge: Row) -> bool:
    return of_hedge(dict(hedge))["funding_usd"] is not None


def _theirs(found: LegRows) -> View:
    sums = {
        part: total(
            Decimal(entry["amount_usd"]) for entry in found.entries if entry["kind"] == part
        )
        for part in PARTS
    }
    return View(
        fee=sums[EntryKind.FEE],
        realised=sums[EntryKind.REALISED],
        funding=sums[EntryKind.FUNDING],
    )


def _differ(what: str, ours: Decimal, theirs: Decimal) -> str:
    return f"{what} is {plain(ours)} USD in our books and {plain(theirs)} USD in the venue's"


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
