"""
What one look at an open hedge sees, what it is judged by, and what is remembered: frozen values.

``hedger.exits`` decides over them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from hedger.domain.ids import HedgeId, Symbol, VenueId


class Action(StrEnum):
    """What to do about a hedge now."""

    HOLD = "hold"
    WAIT = "wait"  # leave, but only after the settlement that is about to pay
    LEAVE = "leave"


class Code(StrEnum):
    """Why a hedge is left, or cannot be: stable, for counting."""

    OPERATOR = "operator"
    LEAVING_MARKET = "market_leaving"
    CLOSED_MARKET = "market_closed"
    LIQUIDATION = "liquidation_distance"
    MARGIN = "margin_erosion"
    VALUE = "value_negative"
    FLIP = "flip"
    HELD = "held_long_enough"
    TARGET = "target_reached"
    BASIS = "basis_profit"
    ROTATION = "rotation"


URGENT = frozenset({Code.OPERATOR, Code.LEAVING_MARKET, Code.LIQUIDATION, Code.MARGIN})
"""These never wait for a settlement."""

STAYS = frozenset({Code.CLOSED_MARKET})
"""These are told and never left for: no order could take the leg off."""

BY_RATES = frozenset({Code.VALUE, Code.FLIP, Code.TARGET, Code.BASIS, Code.ROTATION})
"""
What is decided by rates, or held against what they are worth: not while rates are in doubt.

A unit error turns the sign or the size of a spread, and would make a good hedge leave, and again.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegView:
    """One leg as its venue shows it. None is unknown, and no reason to leave."""

    venue: VenueId
    liquidation_distance: Decimal | None = None  # fraction of the price
    margin_ratio: Decimal | None = None  # equity over what the position needs
    spare_usd: Decimal | None = None  # equity above what the position needs
    leaving: str = ""  # reduce-only, on its way out; empty when the market stays
    closed: str = ""  # the market takes no orders at all; empty when it does


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """The best other hedge for the same margin: its value with its own whole cost."""

    symbol: Symbol
    value_usd: Decimal
    cost_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """
    One look at an open hedge. Settlements are instants of the venue's market clock.

    ``spread_1h`` is signed: negative when we pay. ``leaving_bps`` is what both exits cost now
    (two fees and the books), ``basis_bps`` what the prices have gained for us since entry.
    """

    hedge: HedgeId
    symbol: Symbol
    size_usd: Decimal
    spread_1h: Decimal
    first_settlement: datetime | None  # persisted when it was opened; else the opening itself
    next_settlement: datetime
    interval_s: int
    settles_in_s: float | None  # on our clock; None is unknown
    leaving_bps: Decimal
    basis_bps: Decimal | None = None
    earned_usd: Decimal | None = None  # funding received so far
    legs: tuple[LegView, ...] = ()
    alternative: Alternative | None = None
    operator: str = ""
    doubted: str = ""  # why its rates are not believed; empty when they are


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRules:
    """When a hedge is left. A rule that is None is not asked."""

    horizon: int  # settlements that staying is valued over
    hysteresis: int  # settlements that the value must be negative for
    flip_settlements: int
    max_hold_h: int
    target_bps: Decimal | None  # funding received, of one leg's value
    basis_profit_bps: Decimal | None  # above the cost of leaving
    carry_bps_per_h: Decimal  # risk of holding anything at all
    rotation_gain_usd: Decimal | None
    min_liquidation_distance: Decimal
    min_margin_ratio: Decimal
    wait_s: float  # the longest wait for a settlement
    wait_risk_bps_per_h: Decimal  # what waiting for it may cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What earlier looks left behind; market clock."""

    negative_since: datetime | None = None
    flipped_since: datetime | None = None
    fired: frozenset[Code] = frozenset()
    waiting_for: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """
    What one look decided.

    ``texts`` holds every reason that holds, ``new`` those that did not hold at the look before;
    ``hints`` are sentences for a person.
    """

    action: Action
    code: Code | None
    text: str
    stay_usd: Decimal
    leave_usd: Decimal
    break_even: int | None  # settlements until staying has paid for leaving
    memory: Memory
    texts: Mapping[Code, str] = field(default_factory=dict)
    new: frozenset[Code] = frozenset()
    hints: tuple[str, ...] = ()
