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
from hedger.domain.hedge import TERMINAL
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.market import Balance
from hedger.domain.money import ZERO, plain
from hedger.ledger import account_tables as at
from hedger.ledger import events
from hedger.ledger import tables as t
from hedger.ledger.account_owners import owner_of
from hedger.ledger.session import Session
from hedger.ledger.text import EXACT

READINGS_MAX = 200_000
CHECK_DAYS = 3  # what is not known by then stays unknown, and ``audit reconcile`` says so
CHECKS_AT_ONCE = 50
NO_SYMBOL = Symbol("")


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
    values = {"equity_usd": balance.equity_usd, "until": started_at}
    if same and last is not None:
        table = at.balance_readings
        session.conn.execute(table.update().where(table.c.seq == last.seq).values(**values))
    else:
        session.conn.execute(
            at.balance_readings.insert().values(
                venue=balance.venue,
                account=account,
                cash_usd=balance.cash_usd,
                base_usd=base_usd,
                entries_usd=entries_usd,
                through=through,
                differs_since=since,
                read_started_at=started_at,
                as_of=balance.as_of,
                **values,
            )
        )
        events.keep_newest(session, at.balance_readings, READINGS_MAX)
    return Reading(
        cash_usd=balance.cash_usd,
        booked_usd=booked_usd,
        differs_since=since,
        changed=last is None or last.cash_usd != balance.cash_usd,
    )


def last_reading(conn: sa.Connection, venue: VenueId, account: str) -> sa.Row[Any] | None:
    """The newest reading of an account."""
    c = at.balance_readings.c
    query = sa.select(at.balance_readings).where(c.venue == venue, c.account == account)
    return conn.execute(query.order_by(c.as_of.desc(), c.seq.desc()).limit(1)).first()


def check(session: Session, hedge: HedgeId, problem: str) -> None:
    """Note that the three views of a hedge were compared; a difference is alerted."""
    state = "differ" if problem else "agree"
    session.conn.execute(
        at.account_checks.insert().values(hedge_id=hedge, state=state, text=problem, at=session.now)
    )
    if problem:
        events.alert(session, f"the books of hedge {hedge} differ: {problem}", hedge, None)


def unchecked(conn: sa.Connection, since: datetime) -> list[HedgeId]:
    """Hedges that are over and traded, and were not compared yet; oldest first."""
    h, c = t.hedges.c, at.account_checks.c
    traded = sa.exists().where(t.fills.c.hedge_id == h.id)
    query = (
        sa.select(h.id)
        .outerjoin(at.account_checks, c.hedge_id == h.id)
        .where(h.created_at >= since, h.state.in_(sorted(TERMINAL)), c.hedge_id.is_(None), traded)
        .order_by(h.seq)
        .limit(CHECKS_AT_ONCE)
    )
    return [HedgeId(row.id) for row in conn.execute(query)]


def beginnings(conn: sa.Connection, venue: VenueId) -> tuple[datetime | None, datetime | None]:
    """When our first hedge was made, and its first settlement on a venue (market clock)."""
    h = t.hedges.c
    settlements = [
        conn.execute(sa.select(sa.func.min(first)).where(where == venue)).scalar()
        for first, where in (
            (h.first_settlement_a, h.venue_a),
            (h.first_settlement_b, h.venue_b),
        )
    ]
    made = conn.execute(sa.select(h.created_at).order_by(h.seq).limit(1)).scalar()
    known = [value for value in settlements if value is not None]
    return made, min(known, default=None)


def _known(conn: sa.Connection, account: str, entry: Entry) -> Sequence[sa.Row[Any]]:
    c = at.account_entries.c
    return conn.execute(
        sa.select(c.amount_usd).where(
            c.venue == entry.venue,
            c.account == account,
            c.kind == entry.kind,
            c.ref == entry.ref,
        )
    ).all()


def _insert(session: Session, account: str, entry: Entry, amount: Decimal, part: int) -> int:
    """One row; a hedge that was compared already is compared again."""
    owner = owner_of(session.conn, account, entry)
    if owner is not None:
        c = at.account_checks.c
        session.conn.execute(at.account_checks.delete().where(c.hedge_id == owner))
    result = session.conn.execute(
        at.account_entries.insert().values(
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
    )
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def _complain(session: Session, entry: Entry, known: Decimal) -> None:
    """Once: the same contradiction will be read again and again."""
    text = (
        f"{entry.venue} now tells {entry.kind} {entry.ref} as {plain(entry.amount_usd)} USD, "
        f"the ledger has {plain(known)} USD"
    )
    c = t.events.c
    told = sa.select(c.seq).where(c.kind == "alert", c.text == text).limit(1)
    if session.conn.execute(told).first() is None:
        events.alert(session, text, None, None)


def _since(
    conn: sa.Connection, venue: VenueId, account: str, last: sa.Row[Any] | None
) -> tuple[int, Decimal]:
    """The newest entry of an account, and the sum of those that a reading did not have yet."""
    through = last.through if last is not None else 0
    c = at.account_entries.c
    query = sa.select(c.seq, c.amount_usd).where(
        c.venue == venue, c.account == account, c.seq > through
    )
    total = ZERO
    for row in conn.execute(query.order_by(c.seq)):
        through, total = row.seq, EXACT.add(total, row.amount_usd)
    return through, total


def _differs_since(last: sa.Row[Any] | None, difference: Decimal, now: datetime) -> datetime | None:
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
