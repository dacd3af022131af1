"""
The only maker of an approval: pure rules over frozen values, all objections at once.

Nothing here is ever asked before a reduce-only order (S51).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from hedger.domain.ids import Symbol, VenueId
from hedger.domain.market import Instrument, MarketStatus
from hedger.domain.money import ZERO, common_step, floor_to_step
from hedger.domain.order import Side


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The configured limits a plan is held against."""

    max_position_usd: Decimal
    max_open_hedges: int
    max_price_gap_bps: Decimal
    max_quotes_age_s: float = 30.0
    blocked_symbols: frozenset[Symbol] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Where we stand: live hedges, and what blocks new risk."""

    live_hedges: int = 0
    busy_symbols: frozenset[Symbol] = frozenset()
    venues_in_doubt: frozenset[VenueId] = frozenset()
    blocked_markets: frozenset[tuple[VenueId, Symbol]] = frozenset()  # positions not ours
    cooling: frozenset[Symbol] = frozenset()  # a leg was taken from us there, shortly ago
    stopped: str = ""  # why no new hedges at all; empty when there is no reason


@dataclass(frozen=True, slots=True)
class Approved:
    """A plan that passed every rule; made by ``review`` only."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Objected:
    """A plan with every objection to it."""

    plan: Plan
    reasons: tuple[str, ...]


def sized(usd: Decimal, price: Decimal, a: Instrument, b: Instrument) -> Decimal:
    """Coins for ``usd`` per leg, on the coarser step of both venues; may be zero."""
    return floor_to_step(usd / price, common_step(a.size_step, b.size_step))


def _size(plan: Plan, limits: Limits, book: Book) -> str:
    least = max(plan.a.min_size, plan.b.min_size)
    if plan.size < least or plan.size <= ZERO:
        return (
            f"{plan.usd} USD buy {plan.size} {plan.symbol}, below the minimum of {least};"
            f" at least {least * plan.price:.2f} USD are needed"
        )
    return ""


def _notional(plan: Plan, limits: Limits, book: Book) -> str:
    value = plan.size * plan.price
    for instrument in (plan.a, plan.b):
        if value < instrument.min_notional_usd:
            return (
                f"{value:.2f} USD are below the {instrument.min_notional_usd} of {instrument.venue}"
            )
        cap = instrument.max_order_value_usd
        if cap is not None and value > cap:
            return f"{value:.2f} USD are above the order cap {cap} of {instrument.venue}"
    return ""


def _position_limit(plan: Plan, limits: Limits, book: Book) -> str:
    if plan.usd > limits.max_position_usd:
        return f"{plan.usd} USD are above trading.max_position_size_usd ({limits.max_position_usd})"
    return ""


def _count(plan: Plan, limits: Limits, book: Book) -> str:
    if book.live_hedges >= limits.max_open_hedges:
        return (
            f"{book.live_hedges} hedges live, trading.max_open_hedges is {limits.max_open_hedges}"
        )
    return ""


def _one_per_market(plan: Plan, limits: Limits, book: Book) -> str:
    return f"a hedge on {plan.symbol} is live already" if plan.symbol in book.busy_symbols else ""


def _foreign(plan: Plan, limits: Limits, book: Book) -> str:
    held = [v for v, s in sorted(book.blocked_markets) if s == plan.symbol]
    if held:
        return (
            f"{plan.symbol} is blocked: a position on {' and '.join(held)} that no hedge explains"
        )
    return ""


def _cooling(plan: Plan, limits: Limits, book: Book) -> str:
    if plan.symbol in book.cooling:
        return f"{plan.symbol} is left alone for a while: a leg there was not what we had made it"
    return ""


def _listed(plan: Plan, limits: Limits, book: Book) -> str:
    if plan.symbol in limits.blocked_symbols:
        return f"{plan.symbol} is in trading.blocked_symbols"
    closed = [
        f"{i.venue} ({i.status})" for i in (plan.a, plan.b) if i.status is not MarketStatus.ACTIVE
    ]
    return f"{plan.symbol} is not open for trading on {', '.join(closed)}" if closed else ""


def _price_gap(plan: Plan, limits: Limits, book: Book) -> str:
    if plan.price_gap_bps > limits.max_price_gap_bps:
        return (
            f"prices differ by {plan.price_gap_bps:.1f} bps,"
            f" trading.max_price_gap_bps is {limits.max_price_gap_bps}"
        )
    return ""


def _age(plan: Plan, limits: Limits, book: Book) -> str:
    if plan.quotes_age_s > limits.max_quotes_age_s:
        return (
            f"the quotes are {plan.quotes_age_s:.1f} s old,"
            f" scan.max_age_s is {limits.max_quotes_age_s:g}"
        )
    return ""


def _doubt(plan: Plan, limits: Limits, book: Book) -> str:
    doubted = sorted({plan.a.venue, plan.b.venue} & book.venues_in_doubt)
    return f"{' and '.join(doubted)} in doubt: it could not be read" if doubted else ""


def _stopped(plan: Plan, limits: Limits, book: Book) -> str:
    return f"no new hedges: {book.stopped}" if book.stopped else ""


RULES: tuple[Callable[[Plan, Limits, Book], str], ...] = (
    _stopped,
    _doubt,
    _listed,
    _foreign,
    _cooling,
    _one_per_market,
    _count,
    _position_limit,
    _size,
    _notional,
    _price_gap,
    _age,
)


def review(plan: Plan, limits: Limits, book: Book) -> Approved | Objected:
    """Ask every rule and report every objection rather than the first."""
    reasons = tuple(text for rule in RULES if (text := rule(plan, limits, book)))
    return Objected(plan, reasons) if reasons else Approved(plan)
