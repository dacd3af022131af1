"""Rows of hedges, their legs and what they reserve; inside a transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import Any

import sqlalchemy as sa

from hedger.domain.hedge import Hedge, State, Target, check_transition
from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.money import ZERO
from hedger.domain.order import Side
from hedger.errors import IllegalTransitionError, StateError, UsageError
from hedger.ledger import events
from hedger.ledger import tables as t
from hedger.ledger.connection import Connection
from hedger.ledger.records import Changes, MarketBusyError, Shortfall
from hedger.ledger.session import Session
from hedger.ledger.sqlite import IntegrityError
from hedger.ledger.statements import Change, Query, Statement, beginning, given, inserting, members
from hedger.ledger.text import EXACT
from hedger.ledger.totals import EMPTY_LEG
from hedger.ports import Margin

SHOWN = 5
AT_REST = ", ".join(f"'{state}'" for state in State if state.at_rest)

_HEDGE, _LEG, _RESERVATION = t.hedges.c, t.legs.c, t.reservations.c
_FILL = t.fills.c
_THIS = _HEDGE.id == given("this")
_AS_IT_WAS = (_THIS, _HEDGE.state == given("before"))

_BY_ID, _OF_HEDGE, _AGE = itemgetter("this"), itemgetter("hedge"), attrgetter("created_at")

_INSERT = inserting(t.hedges, part=itemgetter("id"))
_NEW_LEG = inserting(t.legs, part=itemgetter("hedge_id"))
_NOTE = Change(t.hedges, _THIS, returning=True, part=_BY_ID)
_MOVE = Change(t.hedges, *_AS_IT_WAS, returning=True, part=_BY_ID)
_REOPEN = Change(t.hedges, *_AS_IT_WAS, sa.text(f"NOT ({t.LIVE})"), returning=True, part=_BY_ID)
_GET = Query(sa.select(t.hedges).where(_THIS), part=_BY_ID)
_LIVE = Query(sa.select(t.hedges).where(sa.text(t.LIVE)))
_LIVE_ON = Query(sa.select(t.hedges).where(sa.text(t.LIVE), _HEDGE.symbol == given("on_symbol")))
_FIND = Query(
    sa.select(t.hedges)
    .where(_HEDGE.id.like(given("pattern"), escape="/"))
    .order_by(_HEDGE.id)
    .limit(SHOWN + 1)
)
_LEGS_OF = Query(sa.select(t.legs).where(_LEG.hedge_id == given("hedge")), part=_OF_HEDGE)
_THIS_LEG = (_LEG.hedge_id == given("hedge"), _LEG.venue == given("on_venue"))
_SIZES = Query(
    sa.select(_LEG.open_size, _LEG.close_size, _LEG.rollback_size).where(*_THIS_LEG),
    part=_OF_HEDGE,
)
_TRADES = Query(
    sa.select(_FILL.trade_id, _FILL.at, _FILL.side, _FILL.size)
    .where(_FILL.hedge_id == given("hedge"), _FILL.venue == given("on_venue"))
    .order_by(_FILL.at, _FILL.trade_id)
)
_SET_DUE = Statement(t.legs.update().where(*_THIS_LEG), ["funding_due"], part=_OF_HEDGE)
_RESERVED = Query(
    sa.select(_RESERVATION.amount_usd)
    .join(t.hedges, _HEDGE.id == _RESERVATION.hedge_id)
    .where(
        _RESERVATION.venue == given("venue"),
        sa.text(f"hedges.state NOT IN ({AT_REST})"),
        _RESERVATION.hedge_id != given("excluding"),
    )
)
_RESERVE = inserting(t.reservations)
_RELEASE = Statement(t.reservations.delete().where(_RESERVATION.hedge_id == given("hedge")))
_RELEASE_ON = Statement(
    t.reservations.delete().where(
        _RESERVATION.hedge_id == given("hedge"), _RESERVATION.venue == given("venue")
    )
)

_side, _state, _target = members(Side), members(State), members(Target)


def insert(session: Session, hedge: Hedge) -> None:
    """A new hedge with two empty legs; its market must be free."""
    other = live_on(session.conn, hedge.symbol)
    if other is not None:
        raise MarketBusyError(
            f"{hedge.symbol} already has the hedge {other.id} ({other.state}); "
            "close it first, or choose another market"
        )
    values = {name: getattr(hedge, name) for name in Hedge.__dataclass_fields__}
    try:
        _INSERT.run(session.conn, **values)
    except IntegrityError as error:
        raise StateError(f"hedge {hedge.id} is in the ledger already") from error
    for venue in hedge.venues:
        _NEW_LEG.run(session.conn, hedge_id=hedge.id, venue=venue, funding_due=True, **EMPTY_LEG)
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
    values = {**(changes or {}), "state": to, "reason": reason, "updated_at": session.now}
    now = _MOVE.of(values).one(session.conn, of_row, this=hedge.id, before=hedge.state, **values)
    if now is None:
        raise IllegalTransitionError(
            f"hedge {hedge.id} is no longer {hedge.state}: it cannot go to {to} from there"
        )
    if to.at_rest:
        release(session, hedge.id)
    if to.terminal:
        review_funding(session, now)
    events.append(
        session,
        "transition",
        text or reason,
        hedge=hedge.id,
        level="error" if to is State.ESCALATED else "info",
        data={"reason": reason, **(data or {})},
        step=(hedge.state, to),
    )
    return now


def reopen(session: Session, hedge: Hedge, reason: str) -> Hedge:
    """
    Take up a hedge that was over, because an order of it executed late after all.

    The one way back from a terminal state, so it is not in the table of ``domain.hedge``.
    """
    other = live_on(session.conn, hedge.symbol)
    if other is not None:
        raise MarketBusyError(f"{hedge.symbol} already has the hedge {other.id} ({other.state})")
    ended = {"closed_at": None, "last_settlement_a": None, "last_settlement_b": None}
    after = {"state": State.CONVERGING, "target": Target.FLAT, "reason": reason}
    values = {**ended, **after, "updated_at": session.now}
    now = _REOPEN.of(values).one(session.conn, of_row, this=hedge.id, before=hedge.state, **values)
    if now is None:
        raise IllegalTransitionError(f"hedge {hedge.id} is no longer {hedge.state}")
    review_funding(session, now)
    step = (hedge.state, State.CONVERGING)
    events.append(session, "transition", reason, hedge=hedge.id, level="error", step=step)
    return now


def note(session: Session, hedge: Hedge, changes: Changes) -> Hedge:
    """Change what does not belong to a state."""
    values = {**changes, "updated_at": session.now}
    now = _NOTE.of(values).one(session.conn, of_row, this=hedge.id, **values)
    if now is None:
        raise _unknown(hedge.id)
    if now.state.terminal:
        review_funding(session, now)
    return now


def review_funding(session: Session, hedge: Hedge) -> None:
    """
    Work out anew which legs still wait for funding payments.

    A leg waits while its hedge lives, and afterwards until payments were read through the last
    settlement; one that never held anything does not.
    """
    legs = {leg.venue: leg for leg in _LEGS_OF.all(session.conn, hedge=hedge.id)}
    for venue, last in zip(
        hedge.venues, (hedge.last_settlement_a, hedge.last_settlement_b), strict=True
    ):
        leg = legs[venue]
        held = any((leg.open_size, leg.close_size, leg.rollback_size))
        known = None not in {last, leg.funding_through} and leg.funding_through >= last
        due = not hedge.state.terminal or (held and not known)
        if due != leg.funding_due:
            _SET_DUE.run(session.conn, hedge=hedge.id, on_venue=venue, funding_due=due)


def get(conn: Connection, hedge_id: HedgeId) -> Hedge:
    """One hedge by its full id."""
    if (found := _GET.one(conn, of_row, this=hedge_id)) is None:
        raise _unknown(hedge_id)
    return found


def is_known(conn: Connection, hedge_id: HedgeId) -> bool:
    """Whether there is one with this full id."""
    return _GET.one(conn, of_row, this=hedge_id) is not None


def _unknown(hedge_id: HedgeId) -> StateError:
    return StateError(f"there is no hedge {hedge_id} in the ledger")


def find(conn: Connection, prefix: str) -> Hedge:
    """One hedge by its id or the beginning of it; of several, the one that is not over."""
    if (whole := _GET.one(conn, of_row, this=prefix)) is not None:
        return whole
    found = _FIND.made(conn, of_row, pattern=beginning(prefix))
    if not prefix or not found:
        raise UsageError(f"no hedge begins with {prefix!r}; `hedger audit hedges` lists them")
    if len(found) > 1:  # only some of them: the live ones need not be among these
        begun = prefix.lower()
        going_on = [each for each in live(conn) if each.id.startswith(begun)]
        found = sorted(going_on, key=attrgetter("id")) or found
    if len(found) > 1:
        names = ", ".join(r.id for r in found[:SHOWN]) + (" ..." if len(found) > SHOWN else "")
        raise UsageError(f"several hedges begin with {prefix!r}: {names}; give more of the id")
    return found[0]


def live(conn: Connection) -> list[Hedge]:
    """Every hedge that is not terminal, oldest first."""
    return sorted(_LIVE.made(conn, of_row), key=_AGE)


def live_on(conn: Connection, symbol: Symbol) -> Hedge | None:
    """The hedge on one market that is not terminal; there is at most one."""
    return _LIVE_ON.one(conn, of_row, on_symbol=symbol)


def trades_of(conn: Connection, hedge_id: HedgeId, venue: VenueId) -> dict[str, datetime]:
    """Trade ids of our fills on one leg and their stamps, on the venue's clock."""
    return {row.trade_id: row.at for row in _TRADES.all(conn, hedge=hedge_id, on_venue=venue)}


def fills_of(conn: Connection, hedge_id: HedgeId, venue: VenueId) -> dict[str, Decimal]:
    """Trade ids of our fills on one leg and their sizes, in signed coins."""
    found = _TRADES.all(conn, hedge=hedge_id, on_venue=venue)
    return {row.trade_id: row.size * _side(row.side).sign for row in found}


def leg_size(conn: Connection, hedge_id: HedgeId, venue: VenueId) -> Decimal:
    """The signed sum of our fills on one leg."""
    if (found := _SIZES.one(conn, total, hedge=hedge_id, on_venue=venue)) is None:
        raise StateError(f"hedge {hedge_id} has no leg on {venue}")
    return found


def total(values: Sequence[Any]) -> Decimal:
    """An exact sum."""
    result = ZERO
    for value in values:
        result = EXACT.add(result, value)
    return result


def reserved(conn: Connection, venue: VenueId, excluding: HedgeId | None) -> Decimal:
    """What other hedges that are not at rest were promised on one venue."""
    found = _RESERVED.all(conn, venue=venue, excluding=excluding or "")
    return total([row.amount_usd for row in found])


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
        _RESERVE.run(
            session.conn,
            hedge_id=hedge_id,
            venue=margin.venue,
            amount_usd=margin.needed_usd,
            at=session.now,
        )
    return None


def release(session: Session, hedge_id: HedgeId, venue: VenueId | None = None) -> None:
    """Give back what a hedge reserved, on one venue or on all."""
    if venue is None:
        _RELEASE.run(session.conn, hedge=hedge_id)
    else:
        _RELEASE_ON.run(session.conn, hedge=hedge_id, venue=venue)


def of_row(row: Any) -> Hedge:
    """What a row of the table stands for."""
    return Hedge(
        id=row.id,
        symbol=row.symbol,
        venue_a=row.venue_a,
        venue_b=row.venue_b,
        side_a=_side(row.side_a),
        requested_usd=row.requested_usd,
        planned_size=row.planned_size,
        state=_state(row.state),
        target=_target(row.target),
        reason=row.reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        first_settlement_a=row.first_settlement_a,
        first_settlement_b=row.first_settlement_b,
        last_settlement_a=row.last_settlement_a,
        last_settlement_b=row.last_settlement_b,
        expected_net_bps=row.expected_net_bps,
    )
