"""
The ledger port: one method is one durable transaction and one sentence of the business.

Everything is synchronous and short (one sync of the disk), and threads wait for one another.
Exactly one process opens it for writing, and each such opening is an ``epoch``. Should a second
one open it all the same, the first one's next write is refused.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Unpack

from hedger.clock import Clock
from hedger.domain.hedge import Hedge, State, Target
from hedger.domain.ids import HedgeId, LaneId, VenueId
from hedger.domain.market import FundingPayment, FundingQuote, Position
from hedger.domain.order import Filler, Outcome, Prepared
from hedger.ledger import (
    decisions,
    events,
    funding,
    hedges,
    intents,
    lanes,
    late,
    lost,
    outcomes,
    sqlite,
    taken,
)
from hedger.ledger.account_store import AccountStore
from hedger.ledger.records import REVISION, Changes, Decision, LaneNote, Shortfall
from hedger.ledger.room import Room
from hedger.ledger.starts import StartFile
from hedger.ledger.watch import Watch
from hedger.ports import Margin


def open_store(
    path: Path, clock: Clock, *, readonly: bool = False, room: Room | None = None
) -> "Store":
    """
    Open the ledger at ``path``; opening it for writing begins a new epoch.

    ``room`` keeps disk space back for exits.

    Migrations are a step of their own: ``hedger.ledger.migrate.upgrade``.

    Raises:
        StateError: there is no ledger, or its schema is not the one this program declares.
    """
    if not readonly and path.exists():
        sqlite.make_private(path)  # before anything is read, so that side files are private too
    sqlite.check_revision(path, REVISION)
    watch, kept = (None, None) if readonly else (Watch(path), StartFile(path))
    store = Store(sqlite.connect(path, readonly=readonly), path, clock, room, watch, kept)
    try:
        if not readonly:
            store.begin_epoch()
    except BaseException:  # interrupted or killed by a test, too: nobody else has it yet
        store.close()
        raise
    return store


class Store(AccountStore):
    """The ledger of one state directory."""

    # -- hedges -----------------------------------------------------------------------------

    def plan(self, hedge: Hedge) -> None:
        """
        Record a new hedge in state PLANNED.

        Raises:
            MarketBusyError: another live hedge has its symbol.
        """
        assert hedge.state is State.PLANNED
        with self._writing("plan") as session:
            hedges.insert(session, hedge)

    def adopt(self, hedge: Hedge) -> None:
        """
        Record a position that no hedge explains, as a hedge in state ORPHAN.

        Raises:
            MarketBusyError: another live hedge has its symbol.
        """
        assert hedge.state is State.ORPHAN
        with self._writing("adopt") as session:
            hedges.insert(session, hedge)

    def move(
        self,
        hedge: Hedge,
        to: State,
        reason: str,
        *,
        text: str | None = None,
        data: Mapping[str, object] | None = None,
        metas: Mapping[str, str] | None = None,
        **changes: Unpack[Changes],
    ) -> Hedge:
        """
        Bring ``hedge`` from the state it was read in to another one, with its event.

        ``text`` is the event's sentence (the reason, if not given); ``metas`` are kept in the
        same transaction, or not at all. At rest, everything the hedge had reserved is released;
        and when it is over, a hedge that waited for its market is taken up, to be driven like
        any other that is unfinished.

        Raises:
            IllegalTransitionError: the table does not hold the step, or the ledger's hedge is
                no longer in ``hedge.state``.
        """
        with self._writing(f"move_{to}") as session:
            now = hedges.move(session, hedge, to, reason, text=text, data=data, changes=changes)
            for key, value in (metas or {}).items():
                events.set_meta(session, key, value)
            if to.terminal:
                late.take_up_next(session, now)
            return now

    def note(self, hedge: Hedge, **changes: Unpack[Changes]) -> Hedge:
        """
        Complete what is known of a hedge without moving it; returns it as the ledger has it.

        Raises:
            StateError: it is not there.
        """
        with self._writing("note") as session:
            return hedges.note(session, hedge, changes)

    def lose(
        self,
        hedge: Hedge,
        venue: VenueId,
        size: Decimal,
        *,
        text: str,
        data: dict[str, str],
        unexplained: bool = False,
    ) -> None:
        """
        Book ``size`` signed coins of a leg as forgotten by its venue, and tell a person.

        ``unexplained``: they are gone, and the venue was not believed to have forgotten them.
        """
        with self._writing("lose") as session:
            lost.lose(session, hedge, venue, size, text=text, data=data, unexplained=unexplained)

    def give_back(self, hedge: Hedge, venue: VenueId, size: Decimal, text: str) -> Hedge | None:
        """
        Take what a venue had forgotten, and has again, for ours; tell a person.

        A hedge that was over is CONVERGING then, to be driven, and comes back; None otherwise.
        """
        with self._writing("give_back") as session:
            return lost.give_back(session, hedge, venue, size, text)

    # -- orders -----------------------------------------------------------------------------

    def intend(
        self,
        prepared: Prepared,
        *,
        margins: Sequence[Margin] = (),
        move_to: tuple[State, str] | None = None,
        rules: Mapping[str, str] | None = None,
    ) -> Shortfall | Hedge | None:
        """
        Commit a signed order before it is sent, reserving its margin.

        ``move_to`` is a state and a reason; the hedge goes there in the same transaction and
        comes back. ``rules`` are those of the market that the order was made by, kept with the
        event. A ``Shortfall`` means that nothing was written and nothing may be sent.

        Raises:
            IllegalTransitionError: the hedge cannot go there.
            StateError: the order id, the client id or the nonce is already taken, or an
                earlier order of the leg is not settled (reliability.md §2.1, I2 and I3).
        """
        with self._writing("intend") as session:
            return intents.intend(session, prepared, margins, move_to, rules)

    def intend_burn(self, original: Prepared, burn: Prepared) -> None:
        """Commit something harmless that is to use up the nonce of ``original``."""
        with self._writing("intend_burn") as session:
            intents.intend_burn(session, original, burn)

    def settle(self, outcome: Outcome) -> Hedge | None:
        """
        Record what became of an order, with its fills, totals and released margin.

        The same outcome, or one whose fills are known already, books nothing twice. Fills of
        an order that was believed to have none are booked and told as an error: what a venue
        executed is true whatever we thought. Late fills alert a person and take up again a
        hedge that was at rest: it is CONVERGING, to be driven, and comes back
        (``hedger/ledger/late.py``). None otherwise.

        Raises:
            StateError: the order was never intended, or a known trade has changed.
            IllegalTransitionError: an order with fills is said to have had none.
        """
        with self._writing("settle") as session:
            return outcomes.settle(session, outcome)

    def book_past(self, prepared: Prepared, outcome: Outcome) -> Hedge | None:
        """
        Record an order of ours that a venue knows and the ledger does not, with what became of it.

        As ``settle`` otherwise; a hedge that was at rest comes back, to be driven again.

        Raises:
            StateError: its id is taken.
        """
        with self._writing("book_past") as session:
            intents.insert(session, prepared)
            taken_up = outcomes.settle(session, outcome)
            taken.forget(session, prepared.order.hedge, prepared.order.venue)
            hedge = hedges.get(session.conn, prepared.order.hedge)
            reason = f"order {prepared.order.id} was not in the ledger"
            if hedge.state is State.PLANNED:  # an older copy knew no order of it yet
                hedge = hedges.move(session, hedge, State.OPENING_A, reason)
            elif taken_up is not None or hedge.state is not State.OPEN:
                return taken_up
            changes = Changes(target=Target.MATCH)
            return hedges.move(session, hedge, State.CONVERGING, reason, changes=changes)

    def abandon(self, prepared: Prepared, detail: str) -> None:
        """
        Record that a committed order was certainly never sent.

        Raises:
            IllegalTransitionError: it is settled otherwise.
        """
        with self._writing("abandon") as session:
            outcomes.abandon(session, prepared, detail)

    # -- sequence lanes ---------------------------------------------------------------------

    def note_lane(self, note: LaneNote) -> None:
        """Record where a sequence lane stands, with the event that says why."""
        with self._writing("note_lane") as session:
            lanes.note(session, note)

    def intend_filler(self, filler: Filler, why: str = "") -> None:
        """Commit something that is no order and is to use up a nonce; ``why`` if not a gap."""
        with self._writing("intend_filler") as session:
            lanes.intend_filler(session, filler, why)

    def reserve_values(self, lane: LaneId, through: int) -> None:
        """Let every value of a lane up to ``through`` count as used, whatever becomes of it."""
        with self._writing("reserve_values") as session:
            lanes.reserve(session, lane, through)

    # -- what the venues said ---------------------------------------------------------------

    def observe(self, positions: Sequence[Position], hedge: HedgeId | None = None) -> None:
        """Keep readings of positions, and for which hedge they were made."""
        if not positions:
            return
        with self._writing("observe") as session:
            events.observe(session, positions, hedge)

    def observe_funding(self, quotes: Sequence[FundingQuote]) -> None:
        """Keep funding estimates."""
        with self._writing("observe_funding") as session:
            funding.observe(session, quotes)

    def book_payments(self, payments: Sequence[FundingPayment]) -> int:
        """
        Book funding payments once each; the number that was new.

        A payment belongs to the hedge on its symbol whose first and last settlement on that
        venue enclose it. One that contradicts a booked payment of the same settlement is left
        out and told as an error.
        """
        with self._writing("book_payments") as session:
            return funding.book(session, payments)

    def funding_complete(self, hedge: HedgeId, venue: VenueId, through: datetime) -> None:
        """State that every payment up to ``through`` (market clock) was read and booked."""
        with self._writing("funding_complete") as session:
            funding.complete(session, hedge, venue, through)

    # -- what happened ----------------------------------------------------------------------

    def event(
        self,
        kind: str,
        text: str,
        *,
        hedge: HedgeId | None = None,
        level: str = "info",
        data: Mapping[str, object] | None = None,
    ) -> None:
        """Append one event; ``level`` is debug, info, warning or error."""
        with self._writing("event") as session:
            events.append(session, kind, text, hedge=hedge, level=level, data=data)

    def decide(self, found: Sequence[Decision]) -> None:
        """Count why hedges were opened or not, held or left."""
        with self._writing("decide") as session:
            decisions.record(session, found)

    def alert(
        self, text: str, hedge: HedgeId | None = None, data: Mapping[str, object] | None = None
    ) -> None:
        """Tell a person: an error event, and an alert until it is acknowledged."""
        with self._writing("alert") as session:
            events.alert(session, text, hedge, data)

    def acknowledge(self, number: int, who: str) -> bool:
        """Mark one alert as seen by a person; False when it is not there or was seen already."""
        with self._writing("acknowledge") as session:
            return events.acknowledge(session, number, who)

    def note_taken(self, hedge: HedgeId, venue: VenueId, size: Decimal) -> None:
        """Note ``size`` more signed coins that somebody else took off a leg."""
        with self._writing("note_taken") as session:
            taken.note(session, hedge, venue, size)

    def set_meta(self, key: str, value: str) -> None:
        """Keep a small value across restarts."""
        with self._writing("set_meta") as session:
            events.set_meta(session, key, value)
