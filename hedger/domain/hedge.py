"""
The life of a hedge: its states, and which may follow which.

                      preconditions fail ──► REFUSED (nothing sent)
    PLANNED ──────────┤
       │ intent of leg A committed
       ▼
    OPENING_A ── A proven to have filled nothing ───────────────► CLOSED_FLAT
       │ A proven filled, and its position seen
       ▼
    OPENING_B ── legs equal ──► OPEN ── exit, drift, operator ──► CLOSING ──► CLOSED
       │ B short, refused, too late, or unknown     │                │
       ▼                                            ▼                ▼
    CONVERGING (reduce the larger leg, by its real size) ◄───────────┘
       │ equal and worth keeping ──► OPEN      │ both flat ──► CLOSED
       ▼ budget spent, or no proof
    CLOSING ── not one coin is off, and a leg cannot come off ──► OPEN (both legs stand)
    ESCALATED (a person was alerted; still converging, slowly) ──► OPEN | CLOSED
    ORPHAN (a position that no hedge explains) ──► CONVERGING

Leg A is always the first venue of the pair (X10), leg B the second (Lighter): B is sized to
what A really filled. Source: reliability.md §2.1, seed 004.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from hedger.domain.ids import HedgeId, Symbol, VenueId
from hedger.domain.order import Side
from hedger.errors import IllegalTransitionError


class State(StrEnum):
    """Where a hedge stands."""

    PLANNED = "planned"
    REFUSED = "refused"
    OPENING_A = "opening_a"
    OPENING_B = "opening_b"
    OPEN = "open"
    CLOSING = "closing"
    CONVERGING = "converging"
    ESCALATED = "escalated"
    ORPHAN = "orphan"
    CLOSED_FLAT = "closed_flat"
    CLOSED = "closed"

    @property
    def terminal(self) -> bool:
        """Nothing follows."""
        return self in TERMINAL

    @property
    def at_rest(self) -> bool:
        """Nothing is owed now: terminal, or open with both legs equal."""
        return self in TERMINAL or self is State.OPEN


TERMINAL = frozenset({State.REFUSED, State.CLOSED_FLAT, State.CLOSED})

FOLLOWS: dict[State, frozenset[State]] = {
    State.PLANNED: frozenset({State.REFUSED, State.OPENING_A, State.CLOSED_FLAT}),
    State.OPENING_A: frozenset(
        {State.OPENING_B, State.CLOSED_FLAT, State.CONVERGING, State.ESCALATED}
    ),
    State.OPENING_B: frozenset({State.OPEN, State.CONVERGING, State.ESCALATED}),
    State.OPEN: frozenset({State.CLOSING, State.CONVERGING, State.CLOSED}),
    State.CLOSING: frozenset({State.OPEN, State.CLOSED, State.CONVERGING, State.ESCALATED}),
    State.CONVERGING: frozenset({State.OPEN, State.CLOSED, State.ESCALATED}),
    State.ESCALATED: frozenset({State.OPEN, State.CLOSED, State.CONVERGING}),
    State.ORPHAN: frozenset({State.CONVERGING, State.ESCALATED, State.CLOSED}),
    State.REFUSED: frozenset(),
    State.CLOSED_FLAT: frozenset(),
    State.CLOSED: frozenset(),
}


class Target(StrEnum):
    """What a rollback is to reach."""

    MATCH = "match"  # the larger leg comes down to the smaller
    FLAT = "flat"  # both legs come down to nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """
    One pair of legs on one asset. A row of the ledger; replaced, never edited.

    ``side_a`` is the side of leg A at opening; leg B takes the other one. ``requested_usd`` is
    what was asked for, ``planned_size`` the coins that came to; neither ever sizes a rollback.
    ``first_settlement_*`` are the next settlements of both venues when the hedge was opened,
    on the venues' market clocks: payments from there on belong to this hedge.
    """

    id: HedgeId
    symbol: Symbol
    venue_a: VenueId
    venue_b: VenueId
    side_a: Side
    requested_usd: Decimal
    planned_size: Decimal
    state: State
    target: Target
    reason: str  # why it is in this state
    created_at: datetime
    updated_at: datetime
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    first_settlement_a: datetime | None = None
    first_settlement_b: datetime | None = None
    last_settlement_a: datetime | None = None
    last_settlement_b: datetime | None = None
    expected_net_bps: Decimal | None = None

    @property
    def venues(self) -> tuple[VenueId, VenueId]:
        """Both venues in the order in which their legs open."""
        return (self.venue_a, self.venue_b)

    def side_on(self, venue: VenueId) -> Side:
        """The opening side of the leg on ``venue``."""
        assert venue in self.venues
        return self.side_a if venue == self.venue_a else self.side_a.opposite


def check_transition(hedge: Hedge, to: State) -> None:
    """
    Refuse a step that the table does not hold.

    Raises:
        IllegalTransitionError: the step is our bug.
    """
    if to not in FOLLOWS[hedge.state]:
        raise IllegalTransitionError(f"hedge {hedge.id} cannot go from {hedge.state} to {to}")
