"""Rows of hedges, their legs and what they reserve; inside a transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from hedger.domain.hedge import TERMINAL, Hedge, State, Target, check_transition
from hedger.domain.ids import HedgeId, VenueId
from hedger.domain.money import ZERO
from hedger.domain.order import Side
from hedger.errors import IllegalTransitionError, StateError, UsageError
from hedger.ledger import events
from hedger.ledger import tables as t
from hedger.ledger.records import Changes, MarketBusyError, Shortfall
from hedger.ledger.session import Session
from hedger.ledger.text import EXACT
from hedger.ports import Margin

SHOWN = 5


def insert(session: Session, hedge: Hedge) -> None:
    """A new hedge with two empty legs; its market must be free."""
    other = next((h for h in live(session.conn) if h.symbol == hedge.symbol), None)
    if other is not None:
        raise MarketBusyError(
            f"{hedge.symbol} already has the hedge {other.id} ({other.state}); "
            "close it first, or choose another market"
        )
    values = {name: getattr(hedge, name) for name in Hedge.__dataclass_fields__}
    try:
        session.conn.execute(t.hedges.insert().values(**values))
    except sa.exc.IntegrityError as error:
        raise StateError(f"hedge {hedge.id} is in the ledger already") from error
    empty = {c.name: ZERO for c in t.legs.c if isinstance(c.type, t.Exact)}
    session.conn.execute(
        t.legs.insert(),
        [
            {"hedge_id": hedge.id, "venue": venue, "funding_due": True, **empty}
            for venue in hedge.venues
        ],
    )
    text = f"hedge {hedge.id} on {hedge.symbol} is {hedge.state}: {hedge.reason}"
    events.append(session, "transition", text, hedge=hedge.id, step=(None, hedge.state))


def move(
    session: Session,
    hedge: Hedge,
    to: State,
    reason: str,
    *,
    text: str | None = None,
    data: Mapping[str, object] | None = None,
    changes: Changes | None = None,
) -> Hedge:
    """Compare and set the state, with its event; returns the hedge as it is now."""
    check_transition(hedge, to)
    row = t.hedges.c
    changed = session.conn.execute(
        t.hedges.update()
        .where(row.id == hedge.id, row.state == hedge.state)
        .values({**(changes or {}), "state": to, "reason": reason, "updated_at": session.now})
    )
    if changed.rowcount != 1:
        raise IllegalTransitionError(
            f"hedge {hedge.id} is no longer {hedge.state}: it cannot go to {to} from there"
        )
    if to.at_rest:
        release(session, hedge.id)
    if to.terminal:
        review_funding(session, hedge.id)
    events.append(
        session,
        "transition",
        text or reason,
        hedge=hedge.id,
        level="error" if to is State.ESCALATED else "info",
        data={"reason": reason, **(data or {})},
        step=(hedge.state, to),
    )
    return get(session.conn, hedge.id)


def reopen(session: Session, hedge: Hedge, reason: str) -> Hedge:
    """
    Take up a hedge that was over, because an order of it executed late after all.

    The one way back from a terminal state, so it is not in the table of ``domain.hedge``.
    """
    other = next((h for h in live(session.conn) if h.symbol == hedge.symbol), None)
    if other is not None:
        raise MarketBusyError(f"{hedge.symbol} already has the hedge {other.id} ({other.state})")
    row = t.hedges.c
    ended = {"closed_at": None, "last_settlement_a": None, "last_settlement_b": None}
    after = {"state": State.CONVERGING, "target": Target.FLAT, "reason": reason}
    changed = session.conn.execute(
        t.hedges.update()
        .where(row.id == hedge.id, row.state == hedge.state, row.state.in_(sorted(TERMINAL)))
        .values({**ended, **after, "updated_at": session.now})
    )
    if changed.rowcount != 1:
        raise IllegalTransitionError(f"hedge {hedge.id} is no longer {hedge.state}")
    review_funding(session, hedge.id)
    step = (hedge.state, State.CONVERGING)
    events.append(session, "transition", reason, hedge=hedge.id, level="error", step=step)
    return get(session.conn, hedge.id)


def note(session: Session, hedge: Hedge, changes: Changes) -> Hedge:
    """Change what does not belong to a state."""
    row = t.hedges.c
    session.conn.execute(
        t.hedges.update().where(row.id == hedge.id).values({**changes, "updated_at": session.now})
    )
    noted = get(session.conn, hedge.id)
    if noted.state.terminal:
        review_funding(session, hedge.id)
    return noted


def review_funding(session: Session, hedge_id: HedgeId) -> None:
    """
    Work out anew which legs still wait for funding payments.

    A leg waits while its hedge lives, and afterwards until payments were read through the last
    settlement; one that never held anything does not.
    """
    hedge = get(session.conn, hedge_id)
    for venue, last in zip(
        hedge.venues, (hedge.last_settlement_a, hedge.last_settlement_b), strict=True
    ):
        this = (t.legs.c.hedge_id == hedge_id, t.legs.c.venue == venue)
        leg = session.conn.execute(sa.select(t.legs).where(*this)).one()
        held = any((leg.open_size, leg.close_size, leg.rollback_size))
        known = None not in {last, leg.funding_through} and leg.funding_through >= last
        due = not hedge.state.terminal or (held and not known)
        if due != leg.funding_due:
            session.conn.execute(t.legs.update().where(*this).values(funding_due=due))


def get(conn: sa.Connection, hedge_id: HedgeId) -> Hedge:
    """One hedge by its full id."""
    row = conn.execute(sa.select(t.hedges).where(t.hedges.c.id == hedge_id)).first()
    if row is None:
        raise StateError(f"there is no hedge {hedge_id} in the ledger")
    return _hedge(row)


def find(conn: sa.Connection, prefix: str) -> Hedge:
    """One hedge by its id or the beginning of it."""
    row = t.hedges.c
    found = conn.execute(
        sa.select(t.hedges)
        .where(row.id.startswith(prefix, autoescape=True))
        .order_by(row.id != prefix, row.id)
        .limit(SHOWN + 1)
    ).all()
    if not prefix or not found:
        raise UsageError(f"no hedge begins with {prefix!r}; `hedger audit hedges` lists them")
    if len(found) > 1 and found[0].id != prefix:
        names = ", ".join(r.id for r in found[:SHOWN]) + (" ..." if len(found) > SHOWN else "")
        raise UsageError(f"several hedges begin with {prefix!r}: {names}; give more of the id")
    return _hedge(found[0])


def live(conn: sa.Connection) -> list[Hedge]:
    """Every hedge that is not terminal, oldest first."""
    found = conn.execute(sa.select(t.hedges).where(sa.text(t.LIVE))).all()
    return [_hedge(row) for row in sorted(found, key=lambda row: row.seq)]


def trades_of(conn: sa.Connection, hedge_id: HedgeId, venue: VenueId) -> dict[str, datetime]:
    """Trade ids of our fills on one leg and their stamps, on the venue's clock."""
    fill = t.fills.c
    rows = conn.execute(
        sa.select(fill.trade_id, fill.at)
        .where(fill.hedge_id == hedge_id, fill.venue == venue)
        .order_by(fill.at, fill.trade_id)
    )
    return {row.trade_id: row.at for row in rows}


def leg_size(conn: sa.Connection, hedge_id: HedgeId, venue: VenueId) -> Decimal:
    """The signed sum of our fills on one leg."""
    leg = t.legs.c
    row = conn.execute(
        sa.select(leg.open_size, leg.close_size, leg.rollback_size).where(
            leg.hedge_id == hedge_id, leg.venue == venue
        )
    ).first()
    if row is None:
        raise StateError(f"hedge {hedge_id} has no leg on {venue}")
    return total(row)


def total(values: Sequence[Any]) -> Decimal:
    """An exact sum."""
    result = ZERO
    for value in values:
        result = EXACT.add(result, value)
    return result


def reserved(conn: sa.Connection, venue: VenueId, excluding: HedgeId | None) -> Decimal:
    """What other hedges that are not at rest were promised on one venue."""
    at_rest = sorted(state for state in State if state.at_rest)
    query = (
        sa.select(t.reservations.c.amount_usd)
        .join(t.hedges, t.hedges.c.id == t.reservations.c.hedge_id)
        .where(t.reservations.c.venue == venue, t.hedges.c.state.not_in(at_rest))
    )
    if excluding is not None:
        query = query.where(t.reservations.c.hedge_id != excluding)
    return total(list(conn.execute(query).scalars()))


def reserve(session: Session, hedge_id: HedgeId, margins: Sequence[Margin]) -> Shortfall | None:
    """Reserve margin on every venue, or on none and say where it is short."""
    for margin in margins:
        others = reserved(session.conn, margin.venue, hedge_id)
        if EXACT.add(margin.needed_usd, others) > margin.available_usd:
            return Shortfall(
                venue=margin.venue,
                available_usd=margin.available_usd,
                reserved_usd=others,
                needed_usd=margin.needed_usd,
            )
    for margin in margins:
        release(session, hedge_id, margin.venue)
        session.conn.execute(
            t.reservations.insert().values(
                hedge_id=hedge_id,
                venue=margin.venue,
                amount_usd=margin.needed_usd,
                at=session.now,
            )
        )
    return None


def release(session: Session, hedge_id: HedgeId, venue: VenueId | None = None) -> None:
    """Give back what a hedge reserved, on one venue or on all."""
    row = t.reservations.c
    statement = t.reservations.delete().where(row.hedge_id == hedge_id)
    if venue is not None:
        statement = statement.where(row.venue == venue)
    session.conn.execute(statement)


def _hedge(row: sa.Row[Any]) -> Hedge:
    values = {name: getattr(row, name) for name in Hedge.__dataclass_fields__}
    values |= {
        "side_a": Side(row.side_a),
        "state": State(row.state),
        "target": Target(row.target),
    }
    return Hedge(**values)
