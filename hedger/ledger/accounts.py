"""
Rows of the venues' own books; inside a transaction.

Entries are only ever added; what grows is added as its increase. Nothing here reads our fills
or payments, so that the venues' books and ours share no rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from hedger.domain.account import Entry, EntryKind
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.market import Balance
from hedger.domain.money import ZERO, plain
from hedger.ledger import account_tables as at
from hedger.ledger import events, funding
from hedger.ledger import tables as t
from hedger.ledger.account_owners import owner_of
from hedger.ledger.connection import Connection
from hedger.ledger.session import Session
from hedger.ledger.statements import Query, Statement, given, inserting
from hedger.ledger.text import EXACT

READINGS_MAX = 200_000
CHECK_DAYS = 3  # what is not known by then stays unknown, and ``audit reconcile`` says so
CHECKS_AT_ONCE = 50
NO_SYMBOL = Symbol("")

_ENTRY, _READING, _CHECK, _HEDGE = (
    at.account_entries.c,
    at.balance_readings.c,
    at.account_checks.c,
    t.hedges.c,
)
_OF_ACCOUNT = (_READING.venue == given("venue"), _READING.account == given("account"))
_LAST = Query(
    sa.select(at.balance_readings)
    .where(*_OF_ACCOUNT)
    .order_by(_READING.as_of.desc(), _READING.seq.desc())
    .limit(1)
)
_CARRY_ON = Statement(
    at.balance_readings.update().where(_READING.seq == given("number")), ["equity_usd", "until"]
)
_NEW_READING = inserting(at.balance_readings)
_OLD_READINGS = events.older(at.balance_readings)
_NEW_CHECK = inserting(at.account_checks)
_UNCHECK = Statement(at.account_checks.delete().where(_CHECK.hedge_id == given("hedge")))
_UNCHECKED = Query(
    sa.select(_HEDGE.seq, _HEDGE.id)
    .outerjoin(at.account_checks, _CHECK.hedge_id == _HEDGE.id)
    .where(
        _HEDGE.created_at >= given("since"),
        _HEDGE.seq > given("after"),
        sa.text(f"NOT (hedges.{t.LIVE})"),
        _CHECK.hedge_id.is_(None),
        sa.exists().where(t.fills.c.hedge_id == _HEDGE.id),
    )
    .order_by(_HEDGE.seq)
    .limit(CHECKS_AT_ONCE)
)
_FIRST_A = Query(
    sa.select(sa.func.min(_HEDGE.first_settlement_a)).where(_HEDGE.venue_a == given("venue"))
)
_FIRST_B = Query(
    sa.select(sa.func.min(_HEDGE.first_settlement_b)).where(_HEDGE.venue_b == given("venue"))
)
_MADE = Query(sa.select(_HEDGE.created_at).order_by(_HEDGE.seq).limit(1))
_KNOWN = Query(
    sa.select(_ENTRY.amount_usd).where(
        _ENTRY.venue == given("venue"),
        _ENTRY.account == given("account"),
        _ENTRY.kind == given("kind"),
        _ENTRY.ref == given("ref"),
    )
)
_NEW_ENTRY = inserting(at.account_entries)
_SINCE = Query(
    sa.select(_ENTRY.seq, _ENTRY.amount_usd)
    .where(
        _ENTRY.venue == given("venue"),
        _ENTRY.account == given("account"),
        _ENTRY.seq > given("through"),
    )
    .order_by(_ENTRY.seq)
)
_TOLD = Query(
    sa.select(t.events.c.seq)
    .where(t.events.c.kind == "alert", t.events.c.text == given("sentence"))
    .limit(1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The cash of an account beside what its entries make of it."""

    cash_usd: Decimal
    booked_usd: Decimal  # the cash before the first entry, and every entry since
    differs_since: datetime | None
    changed: bool  # against the reading before

    @property
    def difference_usd(self) -> Decimal:
        """What no entry explains (yet)."""
        return EXACT.subtract(self.cash_usd, self.booked_usd)


def book(session: Session, account: str, entries: Sequence[Entry]) -> int:
    """Book what is new; how many rows that were."""
    booked = 0
    for entry in sorted(entries, key=lambda entry: (entry.at, entry.kind, entry.ref)):
        known = _known(session.conn, account, entry)
        amount = entry.amount_usd
        if known:
            total = sum((row.amount_usd for row in known), ZERO)
            if total == amount:
                continue
            if not entry.running:
                _complain(session, entry, total)
                continue
            amount = EXACT.subtract(amount, total)
        elif entry.running and amount == ZERO:
            continue
        _insert(session, account, entry, amount, len(known))
        booked += 1
    return booked


def is_of_ours(conn: Connection, account: str, payments: Sequence[Entry]) -> bool:
    """
    Whether one of these payments is known to be ours: it is booked already, or is on a size that
    we have held.
    """
    if any(_is_booked(conn, account, entry) for entry in payments):
        return True
    return any(
        entry.size is not None and funding.was_held(conn, entry.venue, entry.symbol, entry.size)
        for entry in payments
    )


def read(
    session: Session, balance: Balance, account: str, started_at: datetime, give_up_s: float
) -> Reading:
    """
    Keep a reading of the cash; what no entry explains for ``give_up_s`` is booked and alerted.

    Readings that say the same as the one before only carry its end forward.
    """
    assert balance.cash_usd is not None
    last = last_reading(session.conn, balance.venue, account)
    through, added = _since(session.conn, balance.venue, account, last)
    entries_usd = EXACT.add(last.entries_usd if last is not None else ZERO, added)
    first = EXACT.subtract(balance.cash_usd, entries_usd)
    base_usd = last.base_usd if last is not None else first
    booked_usd = EXACT.add(base_usd, entries_usd)
    difference = EXACT.subtract(balance.cash_usd, booked_usd)
    since = _differs_since(last, difference, started_at)
    if since is not None and (started_at - since).total_seconds() >= give_up_s:
        through = _explain_away(session, balance, account, difference)
        entries_usd = EXACT.add(entries_usd, difference)
        booked_usd, since = balance.cash_usd, None
    same = last is not None and (last.cash_usd, last.through, last.differs_since) == (
        balance.cash_usd,
        through,
        since,
    )
    latest = {"equity_usd": balance.equity_usd, "until": started_at}
    if same and last is not None:
        _CARRY_ON.run(session.conn, number=last.seq, **latest)
    else:
        number = _NEW_READING.add(
            session.conn,
            venue=balance.venue,
            account=account,
            cash_usd=balance.cash_usd,
            base_usd=base_usd,
            entries_usd=entries_usd,
            through=through,
            differs_since=since,
            read_started_at=started_at,
            as_of=balance.as_of,
            **latest,
        )
        if number % events.PRUNE_EVERY == 0:
            _OLD_READINGS.run(session.conn, kept=READINGS_MAX)
    return Reading(
        cash_usd=balance.cash_usd,
        booked_usd=booked_usd,
        differs_since=since,
        changed=last is None or last.cash_usd != balance.cash_usd,
    )


def last_reading(conn: Connection, venue: VenueId, account: str) -> Any | None:
    """The newest reading of an account."""
    return _LAST.first(conn, venue=venue, account=account)


def check(session: Session, hedge: HedgeId, problem: str) -> None:
    """Note that the three views of a hedge were compared; a difference is alerted."""
    state = "differ" if problem else "agree"
    _NEW_CHECK.run(session.conn, hedge_id=hedge, state=state, text=problem, at=session.now)
    if problem:
        events.alert(session, f"the books of hedge {hedge} differ: {problem}", hedge, None)


def unchecked(conn: Connection, since: datetime, after: int) -> list[tuple[int, HedgeId]]:
    """Hedges that are over and traded, and were not compared yet; oldest first, by number."""
    found = _UNCHECKED.all(conn, since=since, after=after)
    return [(row.seq, HedgeId(row.id)) for row in found]


def beginnings(conn: Connection, venue: VenueId) -> tuple[datetime | None, datetime | None]:
    """When our first hedge was made, and its first settlement on a venue (market clock)."""
    settlements = [query.value(conn, venue=venue) for query in (_FIRST_A, _FIRST_B)]
    known = [value for value in settlements if value is not None]
    return _MADE.value(conn), min(known, default=None)


def _known(conn: Connection, account: str, entry: Entry) -> Sequence[Any]:
    return _KNOWN.all(conn, venue=entry.venue, account=account, kind=entry.kind, ref=entry.ref)


def _is_booked(conn: Connection, account: str, entry: Entry) -> bool:
    known = _known(conn, account, entry)
    return bool(known) and sum((row.amount_usd for row in known), ZERO) == entry.amount_usd


def _insert(session: Session, account: str, entry: Entry, amount: Decimal, part: int) -> int:
    """One row; a hedge that was compared already is compared again."""
    owner = owner_of(session.conn, account, entry)
    if owner is not None:
        _UNCHECK.run(session.conn, hedge=owner)
    return _NEW_ENTRY.add(
        session.conn,
        venue=entry.venue,
        account=account,
        kind=entry.kind,
        ref=entry.ref,
        part=part,
        symbol=entry.symbol,
        hedge_id=owner,
        amount_usd=amount,
        size=entry.size,
        price=entry.price,
        at=entry.at,
        order_ref=entry.order_ref,
        note=entry.note,
        booked_at=session.now,
    )


def _complain(session: Session, entry: Entry, known: Decimal) -> None:
    """Once: the same contradiction will be read again and again."""
    text = (
        f"{entry.venue} now tells {entry.kind} {entry.ref} as {plain(entry.amount_usd)} USD, "
        f"the ledger has {plain(known)} USD"
    )
    if _TOLD.first(session.conn, sentence=text) is None:
        events.alert(session, text, None, None)


def _since(conn: Connection, venue: VenueId, account: str, last: Any | None) -> tuple[int, Decimal]:
    """The newest entry of an account, and the sum of those that a reading did not have yet."""
    through = last.through if last is not None else 0
    total = ZERO
    for row in _SINCE.all(conn, venue=venue, account=account, through=through):
        through, total = row.seq, EXACT.add(total, row.amount_usd)
    return through, total


def _differs_since(last: Any | None, difference: Decimal, now: datetime) -> datetime | None:
    """Since when it is this very difference; another one is waited for anew."""
    if difference == ZERO:
        return None
    if last is None or last.differs_since is None:
        return now
    before = EXACT.subtract(last.cash_usd, EXACT.add(last.base_usd, last.entries_usd))
    since: datetime = last.differs_since
    return since if before == difference else now


def _explain_away(session: Session, balance: Balance, account: str, difference: Decimal) -> int:
    text = (
        f"{balance.venue}: the cash changed by {plain(difference)} USD that no list of the venue "
        "explains; a deposit, a withdrawal or a transfer shows so, too"
    )
    number = _insert(
        session,
        account,
        Entry(
            venue=balance.venue,
            kind=EntryKind.UNEXPLAINED,
            ref=f"{session.now.isoformat()}",
            symbol=NO_SYMBOL,
            amount_usd=difference,
            at=balance.as_of,
            note="no entry explains it",
        ),
        difference,
        0,
    )
    events.alert(session, text, None, {"venue": balance.venue, "amount_usd": plain(difference)})
    return number
