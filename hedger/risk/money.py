"""
What both accounts have to say to a hedge, read immediately before its first order; and losses.

Distances and losses are deliberately pessimistic: everything that is held on a venue, ours or
not, is taken to move against us at once, and equity is what the venues say, so that a
liquidation, a fee we did not expect and a basis that runs away all count.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final

from hedger.domain.ids import VenueId
from hedger.domain.market import Position
from hedger.domain.money import BPS, ONE, ZERO, plain
from hedger.risk.values import Funds, Limits, Objection

MAINTENANCE: Final = Decimal("0.05")
"""Where the venue does not tell: that of a market with at most ten times leverage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """
    Equity of both venues together through time, USD; ``day`` is a UTC date.

    The day's loss counts from the last reading before the day began (from the first one ever,
    where there was none), the drawdown from the highest.
    """

    day: date
    day_start_usd: Decimal
    peak_usd: Decimal
    now_usd: Decimal

    @property
    def day_loss_usd(self) -> Decimal:
        """Positive when the day lost money."""
        return self.day_start_usd - self.now_usd

    @property
    def drawdown_usd(self) -> Decimal:
        """Below the highest reading; never negative."""
        return self.peak_usd - self.now_usd


def tracked(before: Track | None, day: date, equity: Mapping[VenueId, Decimal]) -> Track:
    """The track after a reading of every venue."""
    total = sum(equity.values(), ZERO)
    if before is None:
        return Track(day=day, day_start_usd=total, peak_usd=total, now_usd=total)
    start = before.day_start_usd if before.day >= day else total
    return replace(
        before,
        day=max(before.day, day),
        day_start_usd=start,
        peak_usd=max(before.peak_usd, total),
        now_usd=total,
    )


def distance_bps(equity_usd: Decimal, value_usd: Decimal, maintenance: Decimal | None) -> Decimal:
    """
    How far prices may move against all of ``value_usd`` before the account is liquidated.

    Equity falls with the move while maintenance grows with it:
    ``equity - value * x = value * (1 + x) * maintenance``.
    """
    assert value_usd > ZERO
    share = MAINTENANCE if maintenance is None else maintenance
    return (equity_usd / value_usd - share) / (ONE + share) * BPS


def held_distance_bps(position: Position) -> Decimal | None:
    """How far the mark is from the venue's liquidation price; None where it names none."""
    mark, liquidation = position.mark_price, position.liquidation_price
    if not mark or not liquidation or position.size == ZERO:
        return None
    towards = (mark - liquidation) if position.size > ZERO else (liquidation - mark)
    return towards / mark * BPS


def _free_margin(funds: Funds, limits: Limits) -> str:
    left = funds.available_usd - funds.needed_usd
    least = limits.min_free_margin_share * funds.equity_usd
    if left < least:
        return (
            f"{funds.venue} would have {left:.2f} USD free, and {least:.2f} have to stay"
            f" (risk.min_free_margin_share {plain(limits.min_free_margin_share)})"
        )
    return ""


def _venue_value(funds: Funds, limits: Limits) -> str:
    if funds.other_usd is None or funds.other_usd + funds.asked_usd <= limits.max_venue_usd:
        return ""
    return (
        f"{funds.other_usd:.2f} USD are held on {funds.venue}; with {plain(funds.asked_usd)} more"
        f" it is above risk.max_venue_usd ({plain(limits.max_venue_usd)})"
    )


def _distance(funds: Funds, limits: Limits) -> str:
    if funds.other_usd is None:
        return (
            f"how far {funds.venue} would be from liquidation is unknown: it names no price for"
            " a position that is held there"
        )
    value = funds.value_usd + funds.other_usd
    if value <= ZERO:
        return ""
    distance = distance_bps(funds.equity_usd, value, funds.maintenance)
    if distance < limits.min_liquidation_distance_bps:
        return (
            f"{funds.venue} would be {distance:.0f} bps from liquidation,"
            f" risk.min_liquidation_distance_bps is {plain(limits.min_liquidation_distance_bps)}"
        )
    return ""


def losses(track: Track | None, limits: Limits) -> list[Objection]:
    """The daily loss and drawdown stops; nothing before the first reading."""
    if track is None:
        return []
    found = []
    if track.day_loss_usd > limits.max_day_loss_usd:
        text = (
            f"{track.day_loss_usd:.2f} USD were lost today, risk.max_day_loss_usd is"
            f" {plain(limits.max_day_loss_usd)}; `hedger resume --losses` counts anew"
        )
        found.append(Objection("day_loss", text))
    if track.drawdown_usd > limits.max_drawdown_usd:
        text = (
            f"{track.drawdown_usd:.2f} USD below the highest equity, risk.max_drawdown_usd is"
            f" {plain(limits.max_drawdown_usd)}; `hedger resume --losses` counts anew"
        )
        found.append(Objection("drawdown", text))
    return found


FUNDS_RULES: Final[tuple[tuple[str, Callable[[Funds, Limits], str]], ...]] = (
    ("max_venue_usd", _venue_value),
    ("free_margin", _free_margin),
    ("liquidation_distance", _distance),
)


def account_objections(
    funds: Sequence[Funds], track: Track | None, limits: Limits
) -> tuple[Objection, ...]:
    """Everything that the freshly read accounts have against a hedge."""
    found = [
        Objection(code, text)
        for one in funds
        for code, rule in FUNDS_RULES
        if (text := rule(one, limits))
    ]
    return (*found, *losses(track, limits))
