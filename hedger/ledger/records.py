"""What the ledger hands out besides the domain's own types. No SQLAlchemy here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypedDict

from hedger.domain.hedge import Target
from hedger.domain.ids import HedgeId, LaneId, Symbol, VenueId
from hedger.domain.order import Prepared
from hedger.errors import UsageError

REVISION = "0006"
"""The newest migration: four digits that count up, so that newer and older can be told apart."""


class OrderState(StrEnum):
    """
    What became of an intent.

    ``PREPARED`` means *may have been sent*: there is deliberately no second write that says
    "sent", so an order costs one sync before it and one after (reliability.md §2.1).
    """

    PREPARED = "prepared"
    UNRESOLVED = "unresolved"
    FILLED = "filled"
    PARTIAL = "partial"
    ZERO = "zero"
    REFUSED = "refused"
    DEAD = "dead"  # never executed, and its nonce was used up by something else
    ABANDONED = "abandoned"  # we know ourselves that it was not sent

    @property
    def terminal(self) -> bool:
        """Whether it is proven what became of the order."""
        return self not in OPEN_STATES


OPEN_STATES = frozenset({OrderState.PREPARED, OrderState.UNRESOLVED})
NONCE_FREE_STATES = frozenset({OrderState.REFUSED, OrderState.ABANDONED})
"""States in which the nonce of the order was certainly not used, so another may take it."""


class MarketBusyError(UsageError):
    """Another live hedge has the symbol: one hedge per market."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Not enough free margin once other unfinished hedges are counted; nothing was written."""

    venue: VenueId
    available_usd: Decimal
    reserved_usd: Decimal  # by other unfinished hedges
    needed_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """An intent and what became of it."""

    prepared: Prepared
    state: OrderState
    filled_size: Decimal
    filled_usd: Decimal  # exact sum of price times size
    avg_price: Decimal | None  # filled_usd / filled_size to 16 digits; None when nothing filled
    fee_usd: Decimal
    venue_order_id: str | None
    status: str | None  # the venue's word
    detail: str | None
    prepared_at: datetime
    done_at: datetime | None  # when the end was recorded
    epoch: int  # of the process that committed the intent


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something a person has to look at."""

    number: int
    at: datetime
    hedge: HedgeId | None
    text: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counts for ``hedger status``."""

    hedges: Mapping[str, int]  # by state
    orders: Mapping[str, int]  # by state
    fills: int
    payments: int
    events: int
    alerts: int  # unacknowledged
    database_bytes: int
    epoch: int


class LaneState(StrEnum):
    """Whether a sequence lane gives values."""

    SYNCING = "syncing"  # the venue has to be asked before the next value
    READY = "ready"
    PAUSED = "paused"  # out of step: nothing is given until it is resynchronised


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneNote:
    """
    Where a lane stands from now on, and the event that says why.

    ``counted`` names counters of the lane that go up by one: mismatches, resyncs, drifts,
    gaps, cool_downs. Without ``kind`` there is no event.
    """

    lane: LaneId
    venue: VenueId
    carries: str  # which orders, in words
    state: LaneState
    reason: str
    cool_down_until: datetime | None = None
    counted: tuple[str, ...] = ()
    kind: str = ""
    text: str = ""
    level: str = "info"
    alert: bool = False
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CooledDown:
    """
    The last cool-down of a sequence lane; ``times`` counts those in a row, this one included.

    ``until`` is what the lane said last of its end; None once it was over.
    """

    at: datetime
    seconds: float
    times: int
    until: datetime | None


class Changes(TypedDict, total=False):
    """What a move may change on a hedge besides its state and reason."""

    target: Target
    planned_size: Decimal
    opened_at: datetime
    closed_at: datetime
    first_settlement_a: datetime
    first_settlement_b: datetime
    last_settlement_a: datetime
    last_settlement_b: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """
    One reason for or against something; counted per hour.

    ``about`` is ``entry`` or ``exit``, ``code`` a stable word, ``text`` the latest sentence.
    """

    symbol: Symbol
    about: str
    code: str
    text: str
    value_usd: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegCash:
    """What the fills of one leg came to: signed coins and cash, and the funding so far."""

    size: Decimal
    cash_usd: Decimal
    opened_usd: Decimal
    funding_usd: Decimal
    funding_through: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollbacks:
    """What was measured here: how often hedges were rolled back, and the mean cost of one."""

    attempts: int
    rollbacks: int
    cost_bps: Decimal


def earlier_key(hedge: HedgeId, venue: VenueId) -> str:
    """
    Meta key of what earlier hedges left whose orders were booked into this one, in signed coins:
    a part of its fills that is gone (``hedger/reconciliation/merged.py``).
    """
    return f"earlier:{hedge}:{venue}"


def taken_key(hedge: HedgeId, venue: VenueId) -> str:
    """Meta key of what somebody else took off a leg: signed coins (``hedger/owned.py``)."""
    return f"taken:{hedge}:{venue}"


CAUGHT_UP = "caught_up"
"""
Meta key: the last epoch in which every venue was asked and all that the ledger had forgotten is
booked (``hedger/reconciliation/behind.py``); 0 in a ledger that took a lost one's place.
"""

LOST = "lost:"
"""
Meta key of what a venue has forgotten: ``lost:<hedge>:<venue>``, JSON with ``size`` (signed
coins of our fills) and ``at``.
"""


def lost_key(hedge: HedgeId, venue: VenueId) -> str:
    """Where the ledger keeps what a venue has forgotten of a leg (``hedger/ledger/lost.py``)."""
    return f"{LOST}{hedge}:{venue}"
