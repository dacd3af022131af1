"""What risk is asked about and what it answers: frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import FundingQuote, Instrument
from hedger.domain.money import ZERO
from hedger.domain.order import Side


@dataclass(frozen=True, slots=True)
class Objection:
    """``code`` is stable, for counting; ``text`` is a sentence with the figures."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A hedge somebody wants. ``price`` is the higher of both mids, ``size`` in coins."""

    symbol: Symbol
    side_a: Side
    usd: Decimal
    price: Decimal
    size: Decimal
    a: Instrument
    b: Instrument
    price_gap_bps: Decimal
    next_settlement_a: datetime  # on the venues' market clocks
    next_settlement_b: datetime
    quotes_age_s: float = 0.0
    expected_net_bps: Decimal | None = None
    quotes: tuple[FundingQuote, ...] = ()  # what the direction follows from

    @property
    def venues(self) -> tuple[VenueId, VenueId]:
        """Both venues in the order in which their legs open."""
        return (self.a.venue, self.b.venue)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The configured limits a plan is held against; the defaults are those of ``risk``."""

    max_position_usd: Decimal
    max_open_hedges: int
    max_price_gap_bps: Decimal
    max_quotes_age_s: float = 30.0
    blocked_symbols: frozenset[Symbol] = frozenset()
    market_usd: Mapping[Symbol, Decimal] = field(default_factory=dict)
    max_venue_usd: Decimal = Decimal(1_000)
    max_day_usd: Decimal = Decimal(5_000)
    max_day_hedges: int = 20
    max_market_day_usd: Decimal = Decimal(2_000)
    max_market_day_hedges: int = 5
    max_orders_per_minute: int = 20
    min_free_margin_share: Decimal = Decimal("0.1")
    min_liquidation_distance_bps: Decimal = Decimal(1_500)
    max_day_loss_usd: Decimal = Decimal(20)
    max_drawdown_usd: Decimal = Decimal(50)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What was opened in a span: hedges that were more than planned, and their value per leg."""

    hedges: int = 0
    usd: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Where we stand: live hedges, what was done of late, and what blocks new risk."""

    live_hedges: int = 0
    busy_symbols: frozenset[Symbol] = frozenset()
    venues_in_doubt: frozenset[VenueId] = frozenset()
    blocked_markets: frozenset[tuple[VenueId, Symbol]] = frozenset()  # positions not ours
    cooling: frozenset[Symbol] = frozenset()  # a leg was taken from us there, shortly ago
    stopped: str = ""  # why no new hedges at all; empty when there is no reason
    churned: Mapping[Symbol, str] = field(default_factory=dict)  # rollbacks there cost too much
    live_usd: Mapping[VenueId, Decimal] = field(default_factory=dict)  # of live hedges, per leg
    today: Opened = Opened()
    today_on: Mapping[Symbol, Opened] = field(default_factory=dict)
    orders_last_minute: Mapping[VenueId, int] = field(default_factory=dict)  # and those to come
    units_in_doubt: Mapping[VenueId, str] = field(default_factory=dict)
    rates_in_doubt: Mapping[tuple[VenueId, Symbol], str] = field(default_factory=dict)
    leverage_in_doubt: Mapping[VenueId, str] = field(default_factory=dict)
    paused: str = ""  # by a person or the kill file
    venues_off: Mapping[VenueId, str] = field(default_factory=dict)
    markets_off: Mapping[Symbol, str] = field(default_factory=dict)
    stablecoin: str = ""  # why the collateral is in doubt
    losses: tuple[Objection, ...] = ()  # the stops that were reached, by the last reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """
    One venue's account, freshly read, with what the hedge would add there. USD.

    ``available_usd`` is after what unfinished hedges reserved, ``asked_usd`` what was asked for
    per leg, ``value_usd`` what that is at the book. ``other_usd`` is the value of everything else
    there, ours or not, by the venue's word; None: it cannot be known.
    """

    venue: VenueId
    equity_usd: Decimal
    available_usd: Decimal
    needed_usd: Decimal
    value_usd: Decimal
    asked_usd: Decimal
    other_usd: Decimal | None
    maintenance: Decimal | None  # fraction of the value; None: the venue does not tell


@dataclass(frozen=True, slots=True)
class Approved:
    """A plan that passed every rule; made by ``review`` only."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Objected:
    """A plan with every objection to it."""

    plan: Plan
    objections: tuple[Objection, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentences alone."""
        return tuple(objection.text for objection in self.objections)


SETTLEMENT_GAP_S: Final = 3_600.0
"""Both venues settle on the hour; one may be an answer ahead of the other across it."""
